//! Names the step at which a child failed before it became its program.

use std::io;

/// The step at which a child failed, and the kernel's error.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {source}")]
pub(super) struct StepFailed {
    pub(super) step: &'static str,
    pub(super) source: io::Error,
}

/// The kernel's error number.
pub(super) fn errno(error: &io::Error) -> Option<i32> {
    let inner = || error.get_ref()?.downcast_ref::<StepFailed>();
    let number = error.raw_os_error();
    number.or_else(|| inner()?.source.raw_os_error())
}
