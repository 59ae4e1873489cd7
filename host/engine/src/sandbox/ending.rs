//! What the end of an instance means: a value, an error of Lua, or a trap.

use wasmtime::{StoreContextMut, Trap, WasmCoreDump};

use super::bindings::exports::kael::engine::runtime::{self, Stage};
use super::state::{InstanceState, Stop, from_wit};
use super::{Ending, ErrorStage, ScriptError, Suspension, lua_backtrace, output};
use crate::limits::LimitHit;
use crate::units::ByteSize;

/// Bytes that the message of an error may have; frames that its traceback may have, and bytes of each.
const MAX_MESSAGE: usize = 64 << 10;
const MAX_FRAMES: usize = 100;
pub(super) const MAX_FRAME: usize = 1 << 10;

/// What a trap means.
pub(super) fn stopped<T>(
    mut store: StoreContextMut<'_, InstanceState>,
    trap: &wasmtime::Error,
) -> Ending<T> {
    let is_looked_at = matches!(
        store.data().stop,
        Some(Stop::Suspended(Suspension::LogEnds))
    );
    let frames = match trap.downcast_ref::<WasmCoreDump>() {
        Some(dump) => lua_backtrace::frames(dump, &mut store, is_looked_at),
        None => Vec::new(),
    };
    let state = store.data();
    match (&state.stop, trap.downcast_ref::<Trap>()) {
        (Some(Stop::Limit(hit)), _) => Ending::Limit(hit.clone(), frames),
        (Some(Stop::Cancelled), _) => Ending::Cancelled(frames),
        (Some(Stop::Suspended(why)), _) => Ending::Suspended(why.clone(), frames),
        (Some(Stop::OutputClosed(closed)), _) => output_ended(closed),
        (Some(Stop::Exit(code)), _) => Ending::Exited(*code),
        (Some(Stop::Fault(fault)), _) => Ending::Fault((*fault).to_owned()),
        // A guest that is refused memory traps; one that does not even fit is not made.
        (None, Some(Trap::UnreachableCodeReached) | None) if state.limiter.refused().is_some() => {
            let allowed = state.limits.memory;
            let wanted = state.limiter.refused().unwrap_or(allowed);
            Ending::Limit(LimitHit::Memory { allowed, wanted }, frames)
        }
        (None, Some(Trap::StackOverflow)) => Ending::Failed(ScriptError {
            stage: ErrorStage::Script,
            message: "stack overflow".to_owned(),
            traceback: frames,
            action: None,
            detail: None,
        }),
        (None, _) => Ending::Fault(format!("the guest trapped: {trap:?}")),
    }
}

pub(super) fn output_ended<T>(closed: &output::Closed) -> Ending<T> {
    match &closed.0 {
        None => Ending::OutputClosed,
        Some(error) => Ending::OutputFailed(error.clone()),
    }
}

/// Text of a script's making, cut to what a person would read: the limit on output bounds what it prints, not this.
pub(super) fn cut(mut text: String, most: usize) -> String {
    let length = text.len();
    if length > most {
        text.truncate(text.floor_char_boundary(most));
        text.push_str(&format!("... ({} in all)", ByteSize::new(length as u64)));
    }
    text
}

pub(super) fn script_error(error: runtime::ScriptError) -> ScriptError {
    let frames = error.traceback.into_iter().take(MAX_FRAMES);
    ScriptError {
        stage: match error.stage {
            Stage::Repo => ErrorStage::Repo,
            Stage::Syntax => ErrorStage::Syntax,
            Stage::Script => ErrorStage::Script,
            Stage::Output => ErrorStage::Output,
        },
        message: cut(error.message, MAX_MESSAGE),
        traceback: frames.map(|frame| cut(frame, MAX_FRAME)).collect(),
        action: error.action.map(|(name, kind)| (name, from_wit(kind))),
        detail: None,
    }
}
