//! What the end of a script means for its run: that it is over, with its exit code as `kael-host run` has it and its
//! error, or that it goes on later.

use kael_authoring::hints;
use kael_engine::failure::ErrorKind;
use kael_engine::limits::LimitHit;
use kael_engine::runtime::RunReport;
use kael_engine::sandbox::{Ending, ErrorStage, ScriptError, Suspension, Usage};
use kael_store::{StoreError, Tx};
use serde_json::{Value, json};

use crate::event::Kind;
use crate::id::Id;
use crate::tables::queue;
use crate::tables::runs::{self, Ended, State};
use crate::time;

/// The exit code of a run that a person cancelled: 128 + SIGTERM.
pub(crate) const CANCELLED: i64 = 143;
/// Bytes that a result may have.
const MAX_RESULT: usize = 16 << 20;

/// What becomes of a run whose script does not run any more.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// It is over.
    Ended(Ended),
    /// It waits, and takes no slot meanwhile.
    Waits {
        /// What for, in words.
        reason: String,
        /// When it goes on in any case, in microseconds since 1970.
        until: Option<u64>,
        usage: String,
    },
    /// A person must settle something.
    Parked { error: Value, usage: Option<String> },
    /// It goes on when the server is back.
    Again,
}

impl Outcome {
    /// Writes what becomes of the run.
    pub(crate) fn write(&self, tx: &Tx<'_>, run: &Id) -> Result<(), StoreError> {
        match self {
            Self::Ended(ended) => runs::end(tx, run, ended).map(|_| ()),
            Self::Waits { reason, usage, .. } => {
                runs::stop(tx, run, State::Waiting, [Some(reason), None, Some(usage)])
            }
            Self::Parked { error, usage } => {
                let reason = error["kind"].as_str();
                let text = error.to_string();
                runs::stop(
                    tx,
                    run,
                    State::Parked,
                    [reason, Some(&text), usage.as_deref()],
                )
            }
            Self::Again => match runs::any(tx, run)? {
                Some(row) if runs::again(tx, run, State::Running)? => {
                    queue::add(tx, row.tenant, row.priority, row.ready, run)
                }
                _ => Ok(()),
            },
        }
    }

    /// Whether the run is over.
    pub(crate) fn is_end(&self) -> bool {
        matches!(self, Self::Ended(_))
    }

    /// The kind of its event.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Ended(_) => Kind::End,
            _ => Kind::State,
        }
    }

    /// What the event says.
    pub(crate) fn event(&self) -> Value {
        match self {
            Self::Ended(ended) => event(ended),
            Self::Waits { reason, until, .. } => {
                let until = until.and_then(|until| i64::try_from(until).ok());
                json!({ "state": "waiting", "reason": reason, "until": until.map(time::text) })
            }
            Self::Parked { error, .. } => {
                json!({ "state": "parked", "reason": error["kind"], "error": error })
            }
            Self::Again => json!({ "state": "queued", "reason": "the server ended" }),
        }
    }
}

/// What a report comes to. `cancelled_by` is the person who cancelled it.
pub(crate) fn of_report(report: RunReport, cancelled_by: Option<&str>) -> Outcome {
    let used = usage(&report.usage).to_string();
    let parked = |error: Value| Outcome::Parked {
        error,
        usage: Some(used.clone()),
    };
    match report.ending {
        Ending::Cancelled(_) if cancelled_by.is_none() => Outcome::Again,
        Ending::Suspended(Suspension::Waiting(pause), _) => Outcome::Waits {
            reason: match pause.what.is_empty() {
                true => "sleep".to_owned(),
                false => pause.what.join(", "),
            },
            until: pause.until,
            usage: used,
        },
        Ending::Suspended(Suspension::JournalFull, frames) => {
            let message = Suspension::JournalFull.to_string();
            let hint = "let the script do less in one run: start the rest with runs.start";
            let mut error = problem("limit", &message, Some(hint));
            error["traceback"] = json!(frames);
            error["limit"] = json!("journal");
            Outcome::Ended(failed(&used, 5, error))
        }
        Ending::Suspended(why, frames) => {
            let mut error = of_suspension(&why, &report.run.id.to_string());
            error["traceback"] = json!(frames);
            parked(error)
        }
        ending => Outcome::Ended(of_ending(ending, used, cancelled_by)),
    }
}

/// The end of a run that a person has asked to end, and whose script has cleaned up or had its time for that.
pub(crate) fn cleaned_up(report: RunReport, who: &str) -> Outcome {
    let used = usage(&report.usage).to_string();
    let frames = match report.ending {
        Ending::Failed(error) => error.traceback,
        Ending::Limit(_, frames) | Ending::Cancelled(frames) => frames,
        _ => Vec::new(),
    };
    Outcome::Ended(of_ending(Ending::Cancelled(frames), used, Some(who)))
}

fn failed(usage: &str, exit_code: i64, error: Value) -> Ended {
    Ended {
        state: State::Failed,
        reason: error["kind"].as_str().map(str::to_owned),
        exit_code,
        error: Some(error.to_string()),
        usage: Some(usage.to_owned()),
        result: None,
    }
}

/// Why a run cannot go on by itself.
fn of_suspension(why: &Suspension, run: &str) -> Value {
    match why {
        Suspension::InDoubt(doubt) => {
            let hint = format!(
                "find out whether it took place (key {}), then kael-host resolve {run} {} done|failed|retry",
                doubt.key, doubt.call
            );
            let mut error = problem("in_doubt", &why.to_string(), Some(&hint));
            error["action"] = json!(doubt.action);
            error["detail"] = json!({
                "call": doubt.call,
                "params": doubt.params,
                "key": doubt.key,
                "attempt": doubt.attempt,
            });
            error
        }
        Suspension::Diverged(_) => {
            let hint = "a run goes on with the Kael that began it: please report this";
            problem("diverged", &why.to_string(), Some(hint))
        }
        _ => {
            let hint = format!("kael-host resume {run} goes on where its journal ends");
            problem("journal", &why.to_string(), Some(&hint))
        }
    }
}

/// How a run that is over has ended.
fn of_ending(ending: Ending<Option<String>>, used: String, cancelled_by: Option<&str>) -> Ended {
    let usage = Some(used.clone());
    let failed = |exit_code: i64, error: Value| failed(&used, exit_code, error);
    match ending {
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
            let who = cancelled_by.unwrap_or("somebody");
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
        Ending::Suspended(why, _) => failed(70, problem("bug", &why.to_string(), None)),
        Ending::Fault(fault) => {
            let hint = "this is a bug in Kael: please report it with the script";
            failed(70, problem("bug", &fault, Some(hint)))
        }
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

/// Why a run has failed, in words.
pub(crate) fn message(ended: &Ended) -> String {
    let error: Option<Value> = ended
        .error
        .as_deref()
        .and_then(|error| serde_json::from_str(error).ok());
    let message = error.as_ref().and_then(|error| error["message"].as_str());
    message.unwrap_or("the run failed").to_owned()
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
pub(crate) fn problem(kind: &str, message: &str, hint: Option<&str>) -> Value {
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
