//! Why an action has no result, as scripts and reports see it.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The kinds of failure; their names are what a script finds in `err.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The catalog holds no action of that name.
    UnknownAction,
    /// The parameters are no object or override a locked key.
    InvalidParams,
    /// The policy refused the call.
    Denied,
    /// The action ran longer than its definition allows.
    Timeout,
    /// The action ran and said that it failed.
    Failed,
    /// The action ran and printed what is not one JSON value, or too much.
    BadOutput,
    /// The action could not be started.
    Unavailable,
    /// The call was abandoned before it was done.
    Cancelled,
}

impl ErrorKind {
    /// The kind as scripts and reports spell it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownAction => "unknown_action",
            Self::InvalidParams => "invalid_params",
            Self::Denied => "denied",
            Self::Timeout => "timeout",
            Self::Failed => "failed",
            Self::BadOutput => "bad_output",
            Self::Unavailable => "unavailable",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What is known of the process of a failed action.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// The action's own exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// The end of what it wrote to stderr.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stderr: String,
    /// The functions of WebAssembly that were running when it trapped, innermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<String>,
    /// What Kael advises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A failed action.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct ActionError {
    /// The kind of failure.
    pub kind: ErrorKind,
    /// One line for a person, without the action's name.
    pub message: String,
    /// Boxed: most calls do not fail.
    pub detail: Option<Box<Detail>>,
}

impl ActionError {
    /// An error of which nothing more is known.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            detail: None,
        }
    }

    /// An action that could not be started, and what would help.
    #[must_use]
    pub fn unavailable(message: impl Into<String>, hint: Option<String>) -> Self {
        let detail = hint.map(|hint| {
            Box::new(Detail {
                hint: Some(hint),
                ..Detail::default()
            })
        });
        Self {
            kind: ErrorKind::Unavailable,
            message: message.into(),
            detail,
        }
    }
}
