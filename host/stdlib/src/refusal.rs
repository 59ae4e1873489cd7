//! The error of a call that no grant opens: it shows the grant that would.

use kael_engine::failure::{ActionError, Detail, ErrorKind};

/// Refuses a call. `what` is what was asked for, `grant` the entry of `grants` that would open it,
/// and `file` the policy that has grants and not this one.
pub(crate) fn not_granted(what: &str, grant: &str, file: Option<&str>) -> ActionError {
    let message = match file {
        Some(file) => format!("{what} is not granted by {file}"),
        None => format!("{what} is not granted: no policy has `grants`"),
    };
    let place = file.unwrap_or("policy.yaml");
    ActionError {
        detail: Some(Box::new(Detail {
            rule: Some("grants".to_owned()),
            file: file.map(str::to_owned),
            hint: Some(format!(
                "{place} could open it with `grants: {{ {grant} }}`"
            )),
            ..Detail::default()
        })),
        ..ActionError::new(ErrorKind::Denied, message)
    }
}

/// The error of parameters that mean nothing.
pub(crate) fn invalid(message: impl Into<String>) -> ActionError {
    ActionError::new(ErrorKind::InvalidParams, message)
}

/// The parameters of an action as its part takes them.
pub(crate) fn params<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, ActionError> {
    serde_json::from_str(text).map_err(|error| invalid(error.to_string()))
}
