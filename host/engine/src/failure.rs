//! Why an action has no result, for scripts and reports.

mod signal;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use signal::signal_name;

/// The kinds of failure. Scripts find their names in `err.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The catalog has no action of that name.
    UnknownAction,
    /// The parameters are not an object, do not fit the schema, or override a locked key.
    InvalidParams,
    /// The policy refused the call.
    Denied,
    /// The action ran longer than its time limit.
    Timeout,
    /// The action ran and reported that it failed.
    Failed,
    /// The action printed something other than one result, or too much.
    BadOutput,
    /// The action could not be started.
    Unavailable,
    /// The script cancelled the call.
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

/// What is known of a failed call: of its process, or of the rule that denied it.
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
    /// The end of its stdout. If that is not a result, its beginning.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stdout: String,
    /// The WebAssembly functions that were running when it trapped, innermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<String>,
    /// The rule of the policy that refused the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The file of that rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line of that rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What Kael advises.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Bytes of stdout that a report keeps.
const MAX_STDOUT: usize = 64 << 10;

impl Detail {
    /// How the process ended, if known: `exited with status 7`, `was ended by signal 9 (SIGKILL)`.
    #[must_use]
    pub fn ended(&self) -> Option<String> {
        if let Some(number) = self.signal {
            return Some(format!("was ended by {}", signal::signal(number)));
        }
        let status = self.exit_code?;
        Some(match signal::of_status(status) {
            // A shell turns the signal of its child into such a status.
            Some(name) => format!(
                "exited with status {status} (128 + {}: {name})",
                status - 128
            ),
            None => format!("exited with status {status}"),
        })
    }

    /// Whether a signal ended the process, or a child of its shell.
    #[must_use]
    pub fn signaled(&self) -> bool {
        self.signal.is_some() || self.exit_code.and_then(signal::of_status).is_some()
    }

    /// The end of a stream, as text.
    #[must_use]
    pub fn end(stream: &[u8]) -> String {
        let text = &stream[stream.len().saturating_sub(MAX_STDOUT)..];
        // Starts at the beginning of a character.
        let start = text.iter().take(4).position(|byte| byte & 0xc0 != 0x80);
        String::from_utf8_lossy(&text[start.unwrap_or(0)..]).into_owned()
    }

    /// The beginning of a stream, as text.
    #[must_use]
    pub fn beginning(stream: &[u8]) -> String {
        let text = String::from_utf8_lossy(&stream[..stream.len().min(MAX_STDOUT)]);
        text.trim_end_matches('\u{fffd}').to_owned()
    }
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
    /// An error without details.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            detail: None,
        }
    }

    /// An action that could not be started, with advice for the user.
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
