//! Errors as they cross the boundary.

use super::super::bindings::kael::engine::actions::{
    ActionError as WitError, ErrorKind as WitKind,
};
use crate::failure::{ActionError, Detail, ErrorKind};
use crate::journal::{Failure, Outcome as Recorded};

/// The error as it crosses the boundary.
pub(super) fn to_wit(error: ActionError) -> WitError {
    let kind = match error.kind {
        ErrorKind::UnknownAction => WitKind::UnknownAction,
        ErrorKind::InvalidParams => WitKind::InvalidParams,
        ErrorKind::Denied => WitKind::Denied,
        ErrorKind::Timeout => WitKind::Timeout,
        ErrorKind::Failed => WitKind::Failed,
        ErrorKind::BadOutput => WitKind::BadOutput,
        ErrorKind::Unavailable => WitKind::Unavailable,
        ErrorKind::Cancelled => WitKind::Cancelled,
    };
    let detail = error
        .detail
        .and_then(|detail| serde_json::to_string(&detail).ok());
    WitError {
        kind,
        message: error.message,
        detail,
    }
}

/// The error as the journal keeps it.
pub(super) fn failure_of(error: &WitError) -> Failure {
    Failure {
        kind: error.kind as u8,
        message: error.message.clone(),
        detail: error.detail.clone(),
    }
}

/// The kind that the journal has a number for.
pub(super) fn kind_of(kind: u8) -> WitKind {
    const KINDS: [WitKind; 8] = [
        WitKind::UnknownAction,
        WitKind::InvalidParams,
        WitKind::Denied,
        WitKind::Timeout,
        WitKind::Failed,
        WitKind::BadOutput,
        WitKind::Unavailable,
        WitKind::Cancelled,
    ];
    let found = KINDS.into_iter().find(|known| *known as u8 == kind);
    // The chain of a journal is checked, so no other number is in one.
    found.unwrap_or(WitKind::Failed)
}

/// An outcome of the journal as it crosses the boundary.
pub(super) fn wit_of(outcome: Recorded) -> super::Outcome {
    outcome.map_err(|failure| WitError {
        kind: kind_of(failure.kind),
        message: failure.message,
        detail: failure.detail,
    })
}

/// The error of a call of the journal, as the gate gave it.
pub(super) fn error_of(failure: &Failure) -> ActionError {
    let detail = failure.detail.as_deref();
    let detail = detail.and_then(|text| serde_json::from_str::<Detail>(text).ok());
    ActionError {
        detail: detail.map(Box::new),
        ..ActionError::new(from_wit(kind_of(failure.kind)), failure.message.clone())
    }
}

/// The kind of an error that came back out of the guest.
pub(in crate::sandbox) fn from_wit(kind: WitKind) -> ErrorKind {
    match kind {
        WitKind::UnknownAction => ErrorKind::UnknownAction,
        WitKind::InvalidParams => ErrorKind::InvalidParams,
        WitKind::Denied => ErrorKind::Denied,
        WitKind::Timeout => ErrorKind::Timeout,
        WitKind::Failed => ErrorKind::Failed,
        WitKind::BadOutput => ErrorKind::BadOutput,
        WitKind::Unavailable => ErrorKind::Unavailable,
        WitKind::Cancelled => ErrorKind::Cancelled,
    }
}
