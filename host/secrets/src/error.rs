//! Why a secret, the list or the store cannot be used.

use std::io;
use std::path::Path;

use kael_engine::secrets::{BadValue, SecretError};
use thiserror::Error;

/// One line for a person, and what to do. It never has a value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Error {
    /// What is wrong.
    pub message: String,
    /// The remedy.
    pub hint: Option<String>,
}

impl From<Error> for SecretError {
    fn from(error: Error) -> Self {
        Self {
            message: error.message,
            hint: error.hint,
        }
    }
}

impl Error {
    pub(crate) fn new(message: String) -> Self {
        Self {
            message,
            hint: None,
        }
    }

    pub(crate) fn hinted(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    pub(crate) fn name(name: &str, why: &str) -> Self {
        let shown: String = name.chars().take(60).flat_map(char::escape_debug).collect();
        Self::new(format!("`{shown}` {why}"))
    }

    pub(crate) fn unknown(name: &str, list: &Path) -> Self {
        Self::new(format!("the secret `{name}` is not known")).hinted(format!(
            "kael-host secrets set {name} takes a value from stdin; {} may name another source",
            list.display()
        ))
    }

    pub(crate) fn unknown_to_tenant(name: &str) -> Self {
        Self::new(format!("the tenant has no secret `{name}`")).hinted(format!(
            "kael-host secret set {name} takes a value from stdin, and needs the role manager"
        ))
    }

    pub(crate) fn value(name: &str, error: &BadValue) -> Self {
        Self::new(format!("the secret `{name}` cannot be used: {error}"))
    }

    pub(crate) fn variable(name: &str, variable: &str) -> Self {
        let message =
            format!("the secret `{name}` is not there: the variable `{variable}` is not set");
        Self::new(message)
    }

    pub(crate) fn file(name: &str, path: &Path, error: &io::Error) -> Self {
        Self::new(format!(
            "the secret `{name}` is not there: {}: {error}",
            path.display()
        ))
    }

    pub(crate) fn path(what: &str, path: &Path, error: &dyn std::fmt::Display) -> Self {
        Self::new(format!("{what} {}: {error}", path.display()))
    }
}
