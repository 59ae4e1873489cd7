//! The grants that open a request, and the headers that go with it.

use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use base64::Engine as _;
use kael_engine::catalog::{Destination, Host};
use kael_engine::failure::ActionError;
use kael_engine::policy::Grants;
use kael_engine::policy::grants::{EnvGrant, EnvValue, HttpGrant, Scheme, Template, UrlPattern};
use kael_net::NetworkPolicy;

use super::request::Request;
use super::target::Target;
use crate::env::{stand_in, stand_ins};
use crate::refusal::{invalid, not_granted};
use crate::values::Values;

/// What opens a request: one grant of each file.
pub(crate) struct Access<'a> {
    grants: Vec<&'a HttpGrant>,
}

/// Finds the grants for a method and a URL.
///
/// # Errors
/// The refusal, with the grant that would open it.
pub(crate) fn granted<'a>(
    method: &Method,
    target: &Target,
    grants: &'a Grants,
) -> Result<Access<'a>, ActionError> {
    let fits = |grant: &HttpGrant| {
        grant.has_method(method.as_str()) && grant.to.iter().any(|url| holds(url, target))
    };
    let found = grants.in_each(|file| &file.http, fits).map_err(|file| {
        let what = format!("{method} {}", target.url);
        let server = format!("{}:{}", target.host, target.server.port);
        let grant = match target.scheme {
            Scheme::Http | Scheme::Https => {
                format!("http: [{{ to: [\"{server}\"], methods: [{method}] }}]")
            }
            socket => format!("http: [{{ to: [\"{}://{server}\"] }}]", socket.name()),
        };
        not_granted(&what, &grant, file)
    })?;
    Ok(Access { grants: found })
}

fn holds(url: &UrlPattern, target: &Target) -> bool {
    let (port, path) = (target.server.port, target.path.path());
    url.holds(target.scheme, &target.host, port, path)
}

impl Access<'_> {
    /// The addresses that the connection may use: of each grant the server that the URL names, and
    /// the ranges of addresses beside it.
    pub(crate) fn network(&self, target: &Target) -> NetworkPolicy {
        let layers = self.grants.iter().map(|grant| {
            let named = grant.to.iter().map(|url| &url.destination);
            let own = |destination: &&Destination| match &destination.host {
                Host::Name(name) => *name == target.host,
                Host::Range { .. } => true,
            };
            named.filter(own).cloned().collect()
        });
        NetworkPolicy::of_layers(layers.collect(), "the policy's `grants`")
    }

    /// What tells connections under these grants from others.
    pub(super) fn key(&self) -> String {
        self.grants
            .iter()
            .flat_map(|grant| grant.to.iter().map(ToString::to_string))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The headers of a request: the script's, with the values of variables in their places, and
    /// those that the grants add.
    pub(crate) async fn headers(
        &self,
        request: &Request,
        grants: &Grants,
        values: &mut Values<'_>,
    ) -> Result<HeaderMap, ActionError> {
        let mut headers = HeaderMap::new();
        let target = &request.target;
        for (name, value) in &request.headers {
            let value = filled(value, target, grants, values).await?;
            headers.append(name.clone(), header(name, value)?);
        }
        if let Some(basic) = &request.basic {
            let username = filled(&basic.username, target, grants, values).await?;
            let password = filled(&basic.password, target, grants, values).await?;
            let pair = format!("{username}:{password}");
            let text = base64::engine::general_purpose::STANDARD.encode(&pair);
            if pair.contains('\0') {
                return Err(invalid("a password has a control character"));
            }
            headers.insert(
                AUTHORIZATION,
                header(&AUTHORIZATION, format!("Basic {text}"))?,
            );
        }
        for (name, template) in self.added() {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| invalid(format!("`{name}` is no name of a header")))?;
            let value = values.expand(template).await?;
            headers.insert(name.clone(), header(&name, value)?);
        }
        Ok(headers)
    }

    /// The headers that the grants add.
    fn added(&self) -> impl Iterator<Item = &(String, Template)> {
        self.grants.iter().flat_map(|grant| &grant.headers)
    }

    /// The names of the secrets that go into a request.
    ///
    /// # Errors
    /// A variable in it that may not be sent to its server.
    pub(crate) fn secrets(
        &self,
        request: &Request,
        grants: &Grants,
    ) -> Result<Vec<String>, ActionError> {
        let added = self.added().flat_map(|(_, template)| template.secrets());
        let mut names: Vec<String> = added.map(str::to_owned).collect();
        let basic = request.basic.iter();
        let basic = basic.flat_map(|basic| [&basic.username, &basic.password]);
        let texts = request.headers.iter().map(|(_, value)| value);
        for name in texts.chain(basic).flat_map(|text| stand_ins(text)) {
            if let EnvValue::Secret(secret) = &bound(name, &request.target, grants)?.value {
                names.push(secret.clone());
            }
        }
        Ok(names)
    }
}

fn header(name: &HeaderName, value: String) -> Result<HeaderValue, ActionError> {
    let made = HeaderValue::from_bytes(value.as_bytes());
    let mut made = made.map_err(|_| {
        invalid(format!(
            "the header `{name}` has a line break or another control character"
        ))
    })?;
    made.set_sensitive(true);
    Ok(made)
}

/// A text with the values of variables that may be sent to a server.
async fn filled(
    text: &str,
    target: &Target,
    grants: &Grants,
    values: &mut Values<'_>,
) -> Result<String, ActionError> {
    let mut made = text.to_owned();
    for name in stand_ins(text) {
        let grant = bound(name, target, grants)?;
        let value = values.of(name, &grant.value).await?;
        made = made.replace(&stand_in(name), &value);
    }
    Ok(made)
}

/// The grant of a variable that may be sent to a server.
fn bound<'a>(name: &str, target: &Target, grants: &'a Grants) -> Result<&'a EnvGrant, ActionError> {
    let refused = |file: Option<&str>| {
        let what = format!("sending the variable `{name}` to {}", target.url);
        let grant = format!(
            "env: [{{ name: {name}, to: [\"{}:{}\"] }}]",
            target.host, target.server.port
        );
        not_granted(&what, &grant, file)
    };
    let is_bound = |grant: &EnvGrant| {
        let to = grant.to.as_ref();
        grant.name == name && to.is_some_and(|to| to.iter().any(|url| holds(url, target)))
    };
    let found = grants.in_each(|file| &file.env, is_bound);
    let found = found.map_err(refused)?;
    found.first().copied().ok_or_else(|| refused(None))
}
