//! How the end of a run looks: for a person on stderr, or as one JSON document on stdout.

use std::io::Write as _;

use serde_json::{Value, json};

use super::text::{visible, with_causes};
use crate::app::AppError;
use crate::failure::ErrorKind;
use crate::limits::{LimitHit, Limits};
use crate::sandbox::{Ending, ErrorStage, Report, ScriptError};

/// What is wrong, where, and what would help.
pub(super) struct Problem {
    kind: &'static str,
    message: String,
    traceback: Vec<String>,
    action: Option<String>,
    limit: Option<&'static str>,
    hint: Option<String>,
}

impl Problem {
    pub(super) fn usage(message: String) -> Self {
        Self {
            kind: "usage",
            message,
            traceback: Vec::new(),
            action: None,
            limit: None,
            hint: None,
        }
    }

    pub(super) fn of_ending<T>(ending: &Ending<T>) -> Option<Self> {
        match ending {
            Ending::Done(_) | Ending::OutputClosed => None,
            Ending::Failed(error) => Some(Self::of_script_error(error)),
            Ending::Limit(hit) => Some(Self::of_limit(hit, hit.to_string())),
            Ending::OutputFailed(problem) => {
                let message = format!("the output cannot be written: {problem}");
                Some(Self {
                    kind: "output",
                    ..Self::usage(message)
                })
            }
            Ending::Fault(fault) => Some(Self::bug(fault)),
        }
    }

    pub(super) fn of_app_error(error: &AppError) -> Option<Self> {
        Some(match error {
            AppError::OutputClosed => return None,
            AppError::Load(error) => Self::of_script_error(error),
            AppError::Limit { hit, .. } => Self::of_limit(hit, error.to_string()),
            AppError::Fault(fault) => Self::bug(fault),
            AppError::Engine(_) => Self::bug(&with_causes(error)),
            AppError::Confinement(_) => Self {
                kind: "confinement",
                hint: Some("kael-host doctor says what would help".to_owned()),
                ..Self::usage(error.to_string())
            },
            AppError::Repo(_) | AppError::Definitions(_) => Self {
                kind: "repo",
                ..Self::usage(with_causes(error))
            },
        })
    }

    fn of_script_error(error: &ScriptError) -> Self {
        let (kind, action) = match (&error.stage, &error.action) {
            (ErrorStage::Repo, _) => ("repo", None),
            (ErrorStage::Syntax, _) => ("syntax", None),
            (ErrorStage::Output, _) => ("result", None),
            (ErrorStage::Script, None) => ("script", None),
            (ErrorStage::Script, Some((name, kind))) => (kind.name(), Some((name.clone(), *kind))),
        };
        let hint = action.as_ref().and_then(|(_, kind)| match kind {
            ErrorKind::Timeout => {
                Some("the definition's `timeout` says how long the action may take".to_owned())
            }
            _ => None,
        });
        Self {
            kind,
            message: error.message.clone(),
            traceback: error.traceback.clone(),
            action: action.map(|(name, _)| name),
            limit: None,
            hint,
        }
    }

    fn of_limit(hit: &LimitHit, message: String) -> Self {
        let hint = Some(format!("{} allows more", hit.option()));
        Self {
            kind: "limit",
            limit: Some(hit.name()),
            hint,
            ..Self::usage(message)
        }
    }

    fn bug(fault: &str) -> Self {
        let hint = Some("this is a bug in Kael: please report it with the script".to_owned());
        Self {
            kind: "bug",
            hint,
            ..Self::usage(fault.to_owned())
        }
    }

    /// Writes it to stderr.
    pub(super) fn print(&self, quiet: bool) {
        let mut text = format!("Error: {}\n", visible(&self.message));
        for frame in &self.traceback {
            text.push_str(&format!("  {}\n", visible(frame)));
        }
        if let (Some(hint), false) = (&self.hint, quiet) {
            text.push_str(&format!("hint: {}\n", visible(hint)));
        }
        // Where the reader of stderr has left there is nobody to tell.
        std::io::stderr().write_all(text.as_bytes()).ok();
    }

    fn json(&self) -> Value {
        json!({
            "kind": self.kind,
            "message": self.message,
            "traceback": self.traceback,
            "action": self.action,
            "limit": self.limit,
            "hint": self.hint,
        })
    }
}

/// The report of a run as one JSON document, ended by a line break.
pub(super) fn json(
    report: Option<&Report<Option<String>>>,
    problem: Option<&Problem>,
    output: &str,
    limits: &Limits,
    exit_code: u8,
) -> String {
    let result = match report.map(|report| &report.ending) {
        // The guest made it from a value, so it is JSON; anything else would be a bug that shows as null.
        Some(Ending::Done(Some(text))) => {
            crate::json::parse(text.as_bytes()).unwrap_or(Value::Null)
        }
        _ => Value::Null,
    };
    let calls = report.iter().flat_map(|report| &report.calls).map(|call| {
        json!({
            "action": call.name,
            "params_digest": call.digest,
            "outcome": call.failed.map_or("ok", ErrorKind::name),
            "ms": millis(call.duration),
        })
    });
    let usage = report.map(|report| {
        json!({
            "cpu_ms": millis(report.usage.cpu),
            "wall_ms": millis(report.usage.wall),
            "memory_bytes": report.usage.memory.bytes(),
            "output_bytes": report.usage.output,
            "calls": report.usage.calls,
        })
    });
    let document = json!({
        "ok": problem.is_none(),
        "exit_code": exit_code,
        "result": result,
        "output": output,
        "calls": calls.collect::<Vec<_>>(),
        "usage": usage,
        "limits": {
            "cpu_ms": millis(limits.cpu.duration()),
            "wall_ms": millis(limits.wall.duration()),
            "memory_bytes": limits.memory.bytes(),
            "output_bytes": limits.output.bytes(),
            "calls": limits.calls,
            "parallel": limits.parallel,
        },
        "error": problem.map(Problem::json),
    });
    format!("{document:#}\n")
}

fn millis(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
