//! The values that a policy puts into calls: of variables of the host, and of secrets. Everything
//! that an action gives back afterwards is without them.

use kael_engine::environment::Environment;
use kael_engine::failure::{ActionError, ErrorKind};
use kael_engine::policy::grants::{EnvValue, Part, Template};
use kael_engine::secrets::{RunSecrets, SecretError};
use kael_engine::text::percent_encoded;

/// Shorter values are words such as `eu` and `true`, and no secrets.
const MIN_SECRET: usize = 6;

/// Where one call takes values from, and those that it has taken.
pub(crate) struct Values<'a> {
    environment: &'a Environment,
    secrets: &'a RunSecrets,
    /// The secrets that the gate has let this call use.
    allowed: Vec<String>,
    /// What stands in place of each value that was taken.
    taken: Vec<(String, String)>,
}

impl<'a> Values<'a> {
    pub(crate) fn new(
        environment: &'a Environment,
        secrets: &'a RunSecrets,
        allowed: Vec<String>,
    ) -> Self {
        Self {
            environment,
            secrets,
            allowed,
            taken: Vec::new(),
        }
    }

    /// A text of a grant with its values.
    pub(crate) async fn expand(&mut self, template: &Template) -> Result<String, ActionError> {
        let mut text = String::new();
        for part in &template.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Variable(name) => text.push_str(&self.variable(name, name)?),
                Part::Secret(name) => text.push_str(&self.secret(name).await?),
            }
        }
        Ok(text)
    }

    /// The same of a URL. Behind a scheme that is written out, a value is what it stands for and no more: its signs
    /// are encoded, so that a password leads to no other server.
    pub(crate) async fn expand_url(
        &mut self,
        template: &Template,
        is_scheme: impl Fn(&str) -> bool,
    ) -> Result<String, ActionError> {
        let written = matches!(template.parts.first(), Some(Part::Text(text)) if is_scheme(text));
        if !written {
            return self.expand(template).await;
        }
        let mut text = String::new();
        for part in &template.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Variable(name) => {
                    text.push_str(&percent_encoded(&self.variable(name, name)?))
                }
                Part::Secret(name) => text.push_str(&percent_encoded(&self.secret(name).await?)),
            }
        }
        Ok(text)
    }

    /// The value of a variable that scripts know by a name.
    pub(crate) async fn of(
        &mut self,
        shown: &str,
        value: &EnvValue,
    ) -> Result<String, ActionError> {
        match value {
            EnvValue::Variable(name) => self.variable(name, shown),
            EnvValue::Secret(name) => self.secret(name).await,
        }
    }

    fn variable(&mut self, name: &str, shown: &str) -> Result<String, ActionError> {
        let value = self.environment.granted(name);
        let value = value.and_then(|value| value.to_str());
        let Some(value) = value else {
            let message = format!("the variable `{name}`, which a grant names, is not set");
            return Err(ActionError::unavailable(message, None));
        };
        self.secrets.hide(shown, value).map_err(missing)?;
        self.take(format!("[{shown}]"), value);
        Ok(value.to_owned())
    }

    async fn secret(&mut self, name: &str) -> Result<String, ActionError> {
        if !self.allowed.iter().any(|allowed| allowed == name) {
            let message = format!(
                "the answer leads to a server whose grant has the secret `{name}`, which this call may not use"
            );
            let error = ActionError::unavailable(message, Some("ask that server itself".into()));
            return Err(ActionError {
                kind: ErrorKind::Denied,
                ..error
            });
        }
        let value = self.secrets.get(name).await.map_err(missing)?;
        self.take(format!("[secret {name}]"), value.expose());
        Ok(value.expose().to_owned())
    }

    fn take(&mut self, mask: String, value: &str) {
        let known = self.taken.iter().any(|(_, known)| known == value);
        if value.len() >= MIN_SECRET && !known {
            self.taken.push((mask, value.to_owned()));
        }
    }

    /// Hides a part of a value, such as the password in a URL, wherever it comes back.
    pub(crate) fn hide(&self, shown: &str, value: &str) -> Result<(), ActionError> {
        self.secrets.hide(shown, value).map_err(missing)
    }

    /// The values that were taken, each after what stands in its place.
    pub(crate) fn taken(&self) -> impl Iterator<Item = (&str, &str)> {
        let taken = self.taken.iter();
        taken.map(|(mask, value)| (mask.as_str(), value.as_str()))
    }
}

fn missing(error: SecretError) -> ActionError {
    ActionError::unavailable(error.message, error.hint)
}
