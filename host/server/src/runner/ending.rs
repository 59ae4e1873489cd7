//! What the end of a run means: its state, its exit code as `kael-host run` has it, and its error.

use kael_authoring::hints;
use kael_engine::failure::ErrorKind;
use kael_engine::limits::LimitHit;
use kael_engine::runtime::RunReport;
use kael_engine::sandbox::{Ending, ErrorStage, ScriptError, Usage};
use serde_json::{Value, json};

use crate::tables::runs::{Ended, State};

/// The exit code of a run that did not go on when its server ended (EX_TEMPFAIL of sysexits.h).
pub(crate) const INTERRUPTED: i64 = 75;
/// The exit code of a run that a person cancelled: 128 + SIGTERM.
pub(crate) const CANCELLED: i64 = 143;
/// Bytes that a result may have.
const MAX_RESULT: usize = 16 << 20;

/// What a report comes to. `cancelled_by` is the person who cancelled it.
pub(crate) fn of_report(report: RunReport, cancelled_by: Option<&str>) -> Ended {
    let usage = Some(usage(&report.usage).to_string());
    let failed = |exit_code: i64, error: Value| Ended {
        state: State::Failed,
        reason: error["kind"].as_str().map(str::to_owned),
        exit_code,
        error: Some(error.to_string()),
        usage: usage.clone(),
        result: None,
    };
    match report.ending {
        Ending::Done(result) => match result {
            Some(result) if result.len() > MAX_RESULT => {
                let message = format!(
                    "the script returned {} bytes, and may return {MAX_RESULT}",
                    result.len()
                );
                let hint = "print what is large, or return a part of it";
                failed(5, problem("limit", &message, Some(hint)))
            }
            result => Ended {
                state: State::Succeeded,
                reason: None,
                exit_code: 0,
                error: None,
                usage,
                result: result.filter(|result| !result.is_empty()),
            },
        },
        Ending::Exited(0) => Ended {
            state: State::Succeeded,
            reason: None,
            exit_code: 0,
            error: None,
            usage,
            result: None,
        },
        Ending::Exited(code) => {
            let message = format!("the script ended itself with os.exit({code})");
            failed(i64::from(code), problem("exit", &message, None))
        }
        Ending::Failed(error) => {
            let (code, error) = of_script_error(&error);
            failed(code, error)
        }
        Ending::Limit(hit, frames) => failed(5, of_limit(&hit, &frames)),
        Ending::Cancelled(frames) => {
            let Some(who) = cancelled_by else {
                return interrupted(usage, &frames);
            };
            let mut error = problem("cancelled", &format!("{who} cancelled the run"), None);
            error["traceback"] = json!(frames);
            Ended {
                state: State::Cancelled,
                ..failed(CANCELLED, error)
            }
        }
        Ending::Busy(busy) => {
            let hint = "submit it again when others have ended";
            failed(5, problem("busy", &busy.to_string(), Some(hint)))
        }
        Ending::OutputClosed => failed(74, problem("output", "the output was closed", None)),
        Ending::OutputFailed(error) => {
            let message = format!("the output cannot be written: {error}");
            failed(74, problem("output", &message, None))
        }
        // A run on a server has no journal that it could go on from.
        Ending::Suspended(_, frames) => interrupted(usage, &frames),
        Ending::Fault(fault) => {
            let hint = "this is a bug in Kael: please report it with the script";
            failed(70, problem("bug", &fault, Some(hint)))
        }
    }
}

/// The end of a run that was running when its server ended.
pub(crate) fn interrupted(usage: Option<String>, frames: &[String]) -> Ended {
    let message = "the server ended while the run was running";
    let hint = "its calls say what was begun and may have happened; submit it again if that may be repeated";
    let mut error = problem("interrupted", message, Some(hint));
    error["traceback"] = json!(frames);
    Ended {
        state: State::Failed,
        reason: Some("interrupted".to_owned()),
        exit_code: INTERRUPTED,
        error: Some(error.to_string()),
        usage,
        result: None,
    }
}

/// The end of a run that never began.
pub(crate) fn not_begun(
    state: State,
    kind: &str,
    exit_code: i64,
    message: &str,
    hint: Option<&str>,
) -> Ended {
    Ended {
        state,
        reason: Some(kind.to_owned()),
        exit_code,
        error: Some(problem(kind, message, hint).to_string()),
        usage: None,
        result: None,
    }
}

/// What readers get with the last event of a run.
pub(crate) fn event(ended: &Ended) -> Value {
    let error: Option<Value> = ended
        .error
        .as_ref()
        .and_then(|error| serde_json::from_str(error).ok());
    json!({
        "state": ended.state.name(),
        "reason": ended.reason,
        "exit_code": ended.exit_code,
        "error": error,
    })
}

/// An error as a run keeps it.
fn problem(kind: &str, message: &str, hint: Option<&str>) -> Value {
    json!({
        "kind": kind,
        "message": message,
        "traceback": [],
        "action": null,
        "limit": null,
        "hint": hint,
        "detail": null,
    })
}

fn of_script_error(error: &ScriptError) -> (i64, Value) {
    let (kind, code) = match (&error.stage, &error.action) {
        (ErrorStage::Repo, _) => ("repo", 3),
        (ErrorStage::Syntax, _) => ("syntax", 1),
        (ErrorStage::Output, _) => ("result", 1),
        (ErrorStage::Script, None) => ("script", 1),
        (ErrorStage::Script, Some((_, kind))) => (kind.name(), of_kind(*kind)),
    };
    let own = error.detail.as_ref().and_then(|detail| detail.hint.clone());
    let hint = match &error.action {
        Some(_) => own,
        None => hints::of_error(&error.message),
    };
    let mut told = problem(kind, &error.message, hint.as_deref());
    told["traceback"] = json!(error.traceback);
    told["action"] = json!(error.action.as_ref().map(|(name, _)| name));
    told["detail"] = json!(error.detail);
    (code, told)
}

fn of_kind(kind: ErrorKind) -> i64 {
    match kind {
        ErrorKind::UnknownAction | ErrorKind::InvalidParams => 1,
        ErrorKind::Denied => 4,
        ErrorKind::Timeout
        | ErrorKind::Failed
        | ErrorKind::BadOutput
        | ErrorKind::Unavailable
        | ErrorKind::Cancelled => 6,
    }
}

fn of_limit(hit: &LimitHit, frames: &[String]) -> Value {
    let hint = format!(
        "`limits.{}` of the request allows more, up to the tenant's own limit",
        hit.name()
    );
    let mut told = problem("limit", &hit.to_string(), Some(&hint));
    told["traceback"] = json!(frames);
    told["limit"] = json!(hit.name());
    told
}

fn usage(usage: &Usage) -> Value {
    let millis = |time: std::time::Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
    json!({
        "cpu_ms": millis(usage.cpu),
        "wall_ms": millis(usage.wall),
        "memory_bytes": usage.memory.bytes(),
        "output_bytes": usage.output,
        "calls": usage.calls,
    })
}
