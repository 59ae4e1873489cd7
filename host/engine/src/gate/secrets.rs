//! The secrets of a call: who may use which, where their values are put, and what is taken out of what comes back.

use std::collections::BTreeSet;

use serde_json::Value;

use super::recording::Noted;
use super::{Dispatcher, denied};
use crate::activity::Lines;
use crate::catalog::Definition;
use crate::failure::{ActionError, ErrorKind};
use crate::json::{self, MAX_TREE};
use crate::policy::Decision;
use crate::secrets::{self, HANDLE, KEPT, Misplaced, SecretError, SecretValue};

/// What a program is given in place of handles.
pub(super) struct Opened {
    pub(super) params: String,
    /// Variables of its process.
    pub(super) variables: Vec<(String, String)>,
}

impl Dispatcher {
    /// Refuses a call whose handles stand where no secret is declared, or which may not use its secrets. `granted` are
    /// those that grants of the policy put into it.
    pub(super) fn check_secrets(
        &self,
        definition: &Definition,
        name: &str,
        params: &str,
        granted: Vec<String>,
        noted: &mut Noted,
    ) -> Result<(), ActionError> {
        let bound = &definition.secrets;
        if bound.is_empty() && granted.is_empty() && !params.contains(HANDLE) {
            return Ok(());
        }
        let mut names: BTreeSet<String> = bound.values().chain(&granted).cloned().collect();
        if params.contains(HANDLE) {
            let places = &definition.contract.secret_params;
            names.extend(secrets::named(&tree(params)?, places).map_err(misplaced)?);
        }
        // What the definition names, the team has allowed.
        let fields = definition
            .locked
            .values()
            .chain(definition.defaults.values());
        let mut own: BTreeSet<String> = fields.flat_map(secrets::names_in).collect();
        own.extend(bound.values().cloned());
        own.extend(granted);
        let tenant = self.run.tenant.as_str();
        // What an action gave back in this run passes wherever a secret is declared.
        for secret in names.into_iter().filter(|name| !name.starts_with(KEPT)) {
            let given = own.contains(&secret);
            if let Err(source) = self
                .policy
                .allows_secret(definition, &secret, tenant, given)
            {
                let decision = noted.decision.insert(Decision::of(source));
                let why = format!("{name} may not use the secret `{secret}`");
                let hint = format!(
                    "a policy allows it with `secrets:` and {{ use: \"{secret}\", in: [\"{name}\"] }}"
                );
                return Err(denied::by(name, &decision.source, Some((&why, &hint))));
            }
        }
        Ok(())
    }

    /// Puts values in the places of handles, right before a program starts.
    pub(super) async fn open_secrets(
        &self,
        definition: &Definition,
        params: String,
    ) -> Result<Opened, ActionError> {
        let mut variables = Vec::new();
        for (variable, name) in &definition.secrets {
            let value = self.secrets.get(name).await.map_err(missing)?;
            variables.push((variable.clone(), value.expose().to_owned()));
        }
        if !params.contains(HANDLE) {
            return Ok(Opened { params, variables });
        }
        let places = &definition.contract.secret_params;
        let mut document = tree(&params)?;
        let mut values = Vec::new();
        for name in secrets::named(&document, places).map_err(misplaced)? {
            let value = self.secrets.get(&name).await.map_err(missing)?;
            values.push((secrets::handle(&name), value));
        }
        let mut put = |_: &str, handle: &Value| {
            let value = values.iter().find(|(own, _)| own == handle);
            let value = value.map(|(_, value)| Value::from(value.expose()));
            Ok::<_, ActionError>(value.unwrap_or_else(|| handle.clone()))
        };
        secrets::replaced(&mut document, places, &mut put)?;
        Ok(Opened {
            params: document.to_string(),
            variables,
        })
    }

    /// Hides the values that the run knows of in the lines that the call's program writes to stderr.
    pub(super) fn hide_in_lines(&self) {
        if let Some(masks) = self.secrets.masks() {
            Lines::current().without(move |text| masks.hide_text(text));
        }
    }

    /// Whether parameters hold a handle of a result. The value behind it is another in each run.
    pub(super) fn are_of_this_run(params: &str) -> bool {
        let names = || tree(params).map(|document| secrets::names_in(&document));
        params.contains(HANDLE)
            && names().is_ok_and(|all| all.iter().any(|name| name.starts_with(KEPT)))
    }

    /// What a program printed, with handles in the places of the secrets that it gives back, and without any value.
    pub(super) async fn without_secrets(
        &self,
        definition: &Definition,
        call: u64,
        stdout: Vec<u8>,
    ) -> Result<Vec<u8>, ActionError> {
        let stdout = match definition.contract.secret_returns.is_empty() {
            true => stdout,
            false => self.keep_returned(definition, call, stdout)?,
        };
        self.secrets.prepare().await;
        Ok(match self.secrets.masks() {
            Some(masks) => masks.hide_json(stdout),
            None => stdout,
        })
    }

    fn keep_returned(
        &self,
        definition: &Definition,
        call: u64,
        stdout: Vec<u8>,
    ) -> Result<Vec<u8>, ActionError> {
        // The errors do not quote the text: it may hold the secret.
        let bad = |why: String| ActionError::new(ErrorKind::BadOutput, why);
        let text = json::text(stdout).map_err(|_| bad("it printed what is no JSON".to_owned()))?;
        let mut document = tree(&text)
            .map_err(|_| bad("it printed what is no JSON, or too much of it".to_owned()))?;
        let mut keep = |path: &str, value: &Value| {
            let of = match path {
                "" => String::new(),
                path => format!(" `{path}`"),
            };
            let Value::String(text) = value else {
                return Err(bad(format!(
                    "the result{of} must be a text: it is a secret"
                )));
            };
            let value = SecretValue::new(text.clone())
                .map_err(|error| bad(format!("the result{of} is a secret, and {error}")))?;
            let name = match path {
                "" => format!("{KEPT}{call}"),
                path => format!("{KEPT}{call}/{path}"),
            };
            let kept = self.secrets.keep(&name, value);
            kept.map_err(|error| ActionError::unavailable(error.message, error.hint))?;
            Ok(secrets::handle(&name))
        };
        secrets::replaced(
            &mut document,
            &definition.contract.secret_returns,
            &mut keep,
        )?;
        Ok(document.to_string().into_bytes())
    }
}

/// A document with handles, whose size is bounded.
fn tree(text: &str) -> Result<Value, ActionError> {
    let invalid = |why: String| ActionError::new(ErrorKind::InvalidParams, why);
    let look = json::check(text).map_err(|error| invalid(error.to_string()))?;
    if look.values > MAX_TREE {
        return Err(invalid(format!(
            "documents with secrets may hold {MAX_TREE} values, and this one has {}",
            look.values
        )));
    }
    json::parse(text.as_bytes()).map_err(|error| invalid(error.to_string()))
}

fn misplaced(Misplaced(path): Misplaced) -> ActionError {
    let message =
        format!("parameter `{path}` may be no secret: its definition declares none there");
    let mut error = ActionError::unavailable(
        message,
        Some("`params` declares one as `\"secret\"`".to_owned()),
    );
    error.kind = ErrorKind::InvalidParams;
    error
}

fn missing(error: SecretError) -> ActionError {
    ActionError::unavailable(error.message, error.hint)
}
