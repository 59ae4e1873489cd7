//! Errors as they cross the boundary.

use super::super::bindings::kael::engine::actions::{
    ActionError as WitError, ErrorKind as WitKind,
};
use crate::failure::{ActionError, ErrorKind};

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
