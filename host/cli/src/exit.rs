//! The exit codes, and the one place that chooses among them.

use kael_engine::failure::ErrorKind;
use kael_engine::runtime::LoadError;
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
/// An action was denied, and the script did not catch it.
pub(super) const DENIED: u8 = 4;
/// A limit was reached.
pub(super) const LIMIT: u8 = 5;
/// An action failed, and the script did not catch it.
pub(super) const ACTION_FAILED: u8 = 6;
/// The run has stopped and can go on: it waits, or a person must settle something.
pub(super) const WAITS: u8 = 7;
/// A server cannot be reached, or cannot do it now (EX_UNAVAILABLE of sysexits.h).
#[cfg(feature = "serve")]
pub(super) const UNAVAILABLE: u8 = 69;
/// A bug in Kael.
pub(super) const BUG: u8 = 70;
/// The output could not be written (EX_IOERR of sysexits.h).
pub(super) const OUTPUT_FAILED: u8 = 74;
/// Added to the number of the signal that ended the run.
pub(super) const SIGNAL: u8 = 128;
/// The reader of the output has closed it, as with SIGPIPE.
pub(super) const OUTPUT_CLOSED: u8 = SIGNAL + 13;

/// The exit code for the end of a run.
pub(super) fn of_ending<T>(ending: &Ending<T>) -> u8 {
    match ending {
        Ending::Done(_) => SUCCESS,
        Ending::Failed(error) => of_script_error(error),
        Ending::Exited(code) => *code,
        Ending::Limit(..) | Ending::Busy(_) => LIMIT,
        // Only a signal cancels a run of this program, and its number is chosen there.
        Ending::Cancelled(_) => SIGNAL,
        Ending::OutputClosed => OUTPUT_CLOSED,
        Ending::OutputFailed(_) => OUTPUT_FAILED,
        Ending::Suspended(..) => WAITS,
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

/// The exit code for an uncaught error of an action.
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

/// The exit code for a repo that could not be loaded.
pub(super) fn of_load_error(error: &LoadError) -> u8 {
    match error {
        LoadError::Engine(EngineError::Short(_)) => CONFIG,
        LoadError::Engine(_) | LoadError::Fault(_) => BUG,
        LoadError::Policy(_)
        | LoadError::Repo(_)
        | LoadError::Load(_)
        | LoadError::Confinement(_)
        | LoadError::Limit { .. }
        | LoadError::Definitions(_) => CONFIG,
        LoadError::Busy(_) => LIMIT,
        LoadError::OutputClosed => OUTPUT_CLOSED,
    }
}
