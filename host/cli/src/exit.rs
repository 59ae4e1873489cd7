//! Exit codes, and the one place that chooses among them.

use kael_engine::app::AppError;
use kael_engine::failure::ErrorKind;
use kael_engine::sandbox::{Ending, EngineError, ErrorStage, ScriptError};

/// The script ran to its end.
pub(super) const SUCCESS: u8 = 0;
/// The script failed.
pub(super) const SCRIPT_FAILED: u8 = 1;
/// The command line is wrong, or names a script that cannot be read.
pub(super) const USAGE: u8 = 2;
/// The actions repo or the configuration is invalid, or the limits of the process are too small to
/// begin.
pub(super) const CONFIG: u8 = 3;
/// An action was denied and nothing caught it.
pub(super) const DENIED: u8 = 4;
/// A limit was reached.
pub(super) const LIMIT: u8 = 5;
/// An action failed and nothing caught it.
pub(super) const ACTION_FAILED: u8 = 6;
/// A bug in Kael.
pub(super) const BUG: u8 = 70;
/// The output could not be written, as sysexits.h numbers it.
pub(super) const OUTPUT_FAILED: u8 = 74;
/// Added to the number of the signal that ended the run.
pub(super) const SIGNAL: u8 = 128;
/// The reader of the output left, as SIGPIPE says it.
pub(super) const OUTPUT_CLOSED: u8 = SIGNAL + 13;

/// The code for how a run ended.
pub(super) fn of_ending<T>(ending: &Ending<T>) -> u8 {
    match ending {
        Ending::Done(_) => SUCCESS,
        Ending::Failed(error) => of_script_error(error),
        Ending::Exited(code) => *code,
        Ending::Limit(..) | Ending::Busy(_) => LIMIT,
        Ending::OutputClosed => OUTPUT_CLOSED,
        Ending::OutputFailed(_) => OUTPUT_FAILED,
        Ending::Fault(_) => BUG,
    }
}

fn of_script_error(error: &ScriptError) -> u8 {
    match (error.stage, &error.action) {
        (ErrorStage::Repo, _) => CONFIG,
        (ErrorStage::Syntax | ErrorStage::Output, _) | (ErrorStage::Script, None) => SCRIPT_FAILED,
        (ErrorStage::Script, Some((_, kind))) => of_kind(*kind),
    }
}

/// The code for an action that failed and that nothing caught.
pub(super) fn of_kind(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::UnknownAction | ErrorKind::InvalidParams => SCRIPT_FAILED,
        ErrorKind::Denied => DENIED,
        ErrorKind::Timeout
        | ErrorKind::Failed
        | ErrorKind::BadOutput
        | ErrorKind::Unavailable
        | ErrorKind::Cancelled => ACTION_FAILED,
    }
}

/// The code for a run that did not begin.
pub(super) fn of_app_error(error: &AppError) -> u8 {
    match error {
        AppError::Engine(EngineError::Short(_)) => CONFIG,
        AppError::Engine(_) | AppError::Fault(_) => BUG,
        AppError::Repo(_)
        | AppError::Load(_)
        | AppError::Policy(_)
        | AppError::Confinement(_)
        | AppError::Limit { .. }
        | AppError::Definitions(_) => CONFIG,
        AppError::Busy(_) => LIMIT,
        AppError::OutputClosed => OUTPUT_CLOSED,
    }
}
