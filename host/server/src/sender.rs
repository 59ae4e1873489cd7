//! Who sends a request, and for which tenant: looked up before a handler sees the request.

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use axum::http::{Method, header};

use crate::app::App;
use crate::auth::{COOKIE, Caller, Scope, cookie, unauthenticated};
use crate::problem::{Kind, Problem};

/// The header with which a page shows that a request is its own.
const CSRF: &str = "x-kael-csrf";
/// The header with which an operator names the tenant.
const TENANT: &str = "kael-tenant";

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        if let Some(value) = parts.headers.get(header::AUTHORIZATION) {
            let text = value.to_str().ok().and_then(|text| {
                let (scheme, token) = text.split_once(' ')?;
                scheme
                    .eq_ignore_ascii_case("bearer")
                    .then_some(token.trim())
            });
            let Some(text) = text else {
                return Err(unauthenticated(
                    "`Authorization` must be `Bearer` and a token",
                ));
            };
            return allowed(
                app,
                parts,
                app.authority.caller(&app.store, text, false).await?,
            );
        }
        let Some(session) = cookie(&parts.headers, COOKIE) else {
            return Err(unauthenticated("the request has no token"));
        };
        let caller = app.authority.caller(&app.store, session, true).await?;
        let is_safe = matches!(parts.method, Method::GET | Method::HEAD);
        // A form brings the token as a field, which its handler looks at: those are not below /v1.
        if !is_safe && parts.uri.path().starts_with("/v1/") {
            let sent = parts.headers.get(CSRF);
            let sent = sent.and_then(|value| value.to_str().ok());
            caller.sent_form(sent.unwrap_or_default())?;
        }
        allowed(app, parts, caller)
    }
}

/// The caller, if the role is one that the route needs.
fn allowed(app: &App, parts: &Parts, caller: Caller) -> Result<Caller, Problem> {
    let route = parts
        .extensions
        .get::<MatchedPath>()
        .map(MatchedPath::as_str);
    if let Some(role) = route.and_then(|route| app.roles.needed(&parts.method, route)) {
        caller.needs(role)?;
    }
    Ok(caller)
}

impl FromRequestParts<Arc<App>> for Scope {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let header = parts
            .headers
            .get(TENANT)
            .and_then(|value| value.to_str().ok());
        let named = match header {
            Some(name) => Some(name.to_owned()),
            None => cookie(&parts.headers, "kael_tenant")
                .filter(|_| caller.csrf.is_some())
                .map(str::to_owned),
        };
        scope(app, caller, named.as_deref())
    }
}

/// The tenant of a request: that of the token, or for an operator the one that the request names.
pub(crate) fn scope(app: &App, caller: Caller, named: Option<&str>) -> Result<Scope, Problem> {
    let tenant = match (caller.tenant, named) {
        (Some(id), None) => app.tenants.get(id),
        // Another tenant is as unknown as one that does not exist.
        (Some(id), Some(name)) => app.tenants.get(id).filter(|own| own.name == name),
        (None, Some(name)) => app.tenants.named(name),
        (None, None) => {
            let all = app.tenants.all();
            match all.as_slice() {
                [only] => Some(only.clone()),
                _ => app.tenants.named("default"),
            }
        }
    };
    let Some(tenant) = tenant else {
        return Err(match named {
            Some(name) => Problem::not_found("tenant", name),
            None => Problem::new(Kind::NotFound, "the request names no tenant")
                .hint("an operator names the tenant in the header `Kael-Tenant`"),
        });
    };
    if tenant.is_disabled() && caller.tenant.is_some() {
        return Err(Problem::disabled(&tenant.name));
    }
    Ok(Scope { caller, tenant })
}
