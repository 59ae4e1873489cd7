//! Makes the document that a client gets for a run or a call. Its size is bounded; a client asks for
//! the rest of a long output or result by parts.

use serde_json::{Value, json};

use kael_authoring::context::plain;
use kael_engine::failure::ActionError;
use kael_engine::gate::Record;
use kael_engine::runtime::{CallReport, RunReport};
use kael_engine::sandbox::{Ending, ScriptError};

/// Bytes of the output and of the result that a document has.
const MAX_INLINE: usize = 64 << 10;
/// Bytes that it has of those that are larger.
const MAX_BEGINNING: usize = 4 << 10;
/// Bytes of the result of a call, which is the whole answer of its tool.
const MAX_CALLED: usize = 1 << 20;
/// Calls that it lists.
const MAX_CALLS: usize = 200;
/// Bytes of a program's stderr or stdout in the detail of an error.
const MAX_DETAIL: usize = 4 << 10;

/// How a job ended.
#[derive(Default)]
pub struct Outcome {
    /// What a client is told, but for the output and the result.
    pub document: Value,
    /// All that was printed.
    pub output: String,
    /// The whole result as JSON text.
    pub result: Option<String>,
    /// Whether a model should mend something.
    pub is_error: bool,
    /// Whether it is that of a call, whose document is the action's own result.
    pub is_call: bool,
}

/// The part of an outcome that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Output,
    Result,
}

impl Part {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Output => "output",
            Self::Result => "result",
        }
    }
}

impl Outcome {
    /// Bytes that it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.output.len() + self.result.as_ref().map_or(0, String::len) + MAX_DETAIL
    }

    /// The text of a part.
    pub(crate) fn part(&self, part: Part) -> &str {
        match part {
            Part::Output => &self.output,
            Part::Result => self.result.as_deref().unwrap_or("null"),
        }
    }

    /// The document with as much of the output and the result as fits.
    pub(crate) fn told(&self, id: &str) -> Value {
        let mut told = self.document.clone();
        told["run"] = id.into();
        if let Some(result) = &self.result {
            if result.len() <= MAX_INLINE {
                told["result"] = serde_json::from_str(result).unwrap_or_default();
            } else {
                told["result_cut"] = cut(result, id, Part::Result);
            }
        }
        if self.output.len() <= MAX_INLINE {
            if !self.output.is_empty() {
                told["output"] = self.output.as_str().into();
            }
        } else {
            told["output_cut"] = cut(&self.output, id, Part::Output);
        }
        told
    }

    /// The result of a call that succeeded, as its tool gives it: an object, as its schema says, or
    /// an object around any other value. None when it is too large for an answer.
    pub(crate) fn called(&self) -> Option<Value> {
        let text = self
            .result
            .as_ref()
            .filter(|text| text.len() <= MAX_CALLED)?;
        let value: Value = serde_json::from_str(text).ok()?;
        Some(match value.is_object() {
            true => value,
            false => json!({ "result": value }),
        })
    }

    /// The end of a script.
    pub(crate) fn of_run(report: &RunReport, output: String) -> Self {
        let (status, error) = match &report.ending {
            Ending::Done(_) | Ending::Exited(0) => ("done", None),
            Ending::Failed(error) => ("failed", Some(script_error(error))),
            Ending::Limit(hit, frames) => {
                let error =
                    json!({ "kind": "limit", "message": hit.to_string(), "traceback": frames });
                ("failed", Some(error))
            }
            Ending::Exited(code) => {
                let message = format!("the script ended itself with exit code {code}");
                (
                    "failed",
                    Some(json!({ "kind": "exit", "message": message })),
                )
            }
            Ending::Cancelled(frames) => {
                let error = json!({ "kind": "cancelled", "message": "the run was cancelled", "traceback": frames });
                ("cancelled", Some(error))
            }
            Ending::Busy(busy) => {
                let error = json!({ "kind": "busy", "message": busy.to_string() });
                ("failed", Some(error))
            }
            Ending::OutputClosed => (
                "failed",
                Some(json!({ "kind": "fault", "message": "the output was closed" })),
            ),
            // Only a run with a journal stops so, and none of these has one.
            Ending::Suspended(..) => (
                "failed",
                Some(json!({ "kind": "fault", "message": "the run was suspended" })),
            ),
            Ending::OutputFailed(fault) | Ending::Fault(fault) => {
                ("failed", Some(json!({ "kind": "fault", "message": fault })))
            }
        };
        let calls: Vec<Value> = report.calls.iter().take(MAX_CALLS).map(call).collect();
        let mut document = json!({
            "status": status,
            "calls": calls,
            "cpu_ms": report.usage.cpu.as_millis() as u64,
            "wall_ms": report.usage.wall.as_millis() as u64,
        });
        if report.calls.len() > MAX_CALLS {
            document["calls_in_all"] = report.calls.len().into();
        }
        let is_error = error.is_some();
        if let Some(error) = error {
            document["error"] = error;
        }
        Self {
            document,
            output,
            result: match &report.ending {
                Ending::Done(result) => result.clone(),
                _ => None,
            },
            is_error,
            is_call: false,
        }
    }

    /// The end of a call.
    pub(crate) fn of_call(report: CallReport) -> Self {
        let calls: Vec<Value> = report.record.iter().map(call).collect();
        let (status, error, result) = match report.outcome {
            Ok(result) => ("done", None, Some(result)),
            Err(error) => ("failed", Some(action_error(&error)), None),
        };
        let mut document = json!({ "status": status, "calls": calls });
        let is_error = error.is_some();
        if let Some(error) = error {
            document["error"] = error;
        }
        Self {
            document,
            output: String::new(),
            result,
            is_error,
            is_call: true,
        }
    }

    /// A call that was cancelled.
    pub(crate) fn cancelled() -> Self {
        let error = json!({ "kind": "cancelled", "message": "the call was cancelled" });
        Self {
            document: json!({ "status": "cancelled", "error": error }),
            is_error: true,
            ..Self::default()
        }
    }
}

/// What is said of a text that is too large.
fn cut(text: &str, id: &str, part: Part) -> Value {
    let name = part.name();
    json!({
        "bytes": text.len(),
        "beginning": &text[..text.floor_char_boundary(MAX_BEGINNING)],
        "link": link(id, part),
        "more": format!("result({{ run = {id:?}, part = {name:?}, from = {MAX_BEGINNING} }})"),
    })
}

/// The address of a part, for `resources/read`.
pub(crate) fn link(id: &str, part: Part) -> String {
    format!("kael://runs/{id}/{}", part.name())
}

fn call(record: &Record) -> Value {
    let mut told = json!({
        "name": record.name,
        "ok": record.failed.is_none(),
        "ms": record.duration.as_millis() as u64,
    });
    if let Some(kind) = record.failed {
        told["kind"] = kind.name().into();
    }
    told
}

fn script_error(error: &ScriptError) -> Value {
    let mut told = json!({
        "kind": error.action.as_ref().map_or("script", |(_, kind)| kind.name()),
        "message": plain(&error.message),
        "traceback": error.traceback,
    });
    if let Some((action, _)) = &error.action {
        told["action"] = action.as_str().into();
    }
    if let Some(detail) = &error.detail {
        told["detail"] = detail_of(detail);
    }
    told
}

fn action_error(error: &ActionError) -> Value {
    let mut told = json!({ "kind": error.kind.name(), "message": plain(&error.message) });
    if let Some(detail) = &error.detail {
        told["detail"] = detail_of(detail);
    }
    told
}

fn detail_of(detail: &kael_engine::failure::Detail) -> Value {
    let mut told = serde_json::to_value(detail).unwrap_or_default();
    for field in ["stderr", "stdout"] {
        if let Some(text) = told.get(field).and_then(Value::as_str)
            && text.len() > MAX_DETAIL
        {
            // Programs say last why they failed.
            let from = text.ceil_char_boundary(text.len() - MAX_DETAIL);
            told[field] = text[from..].into();
        }
    }
    told
}
