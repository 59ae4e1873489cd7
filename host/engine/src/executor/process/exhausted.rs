//! Whether the kernel refused something for now, because it is used up, or for good.
//!
//! What is refused for good is known before any action runs, and an operator reads of it in
//! `doctor`. What is used up may have been used up by an action, so that another one would run with
//! less confinement: then that one does not run.

use std::fs;
use std::io;

use super::spawn::errno;

/// Bounds on namespaces, of which every call needs one each. None at all is what an operator
/// wanted.
const BOUNDS: [&str; 4] = ["user", "pid", "mnt", "ipc"];

/// Whether an error means that something is used up, of which there was or will be more.
pub(super) fn is_meant(error: &io::Error) -> bool {
    match errno(error) {
        Some(libc::ENOSPC) => !BOUNDS.iter().any(|kind| is_zero(kind)),
        Some(number) => matches!(
            number,
            libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE | libc::EUSERS
        ),
        None => false,
    }
}

/// The same of what this process itself needs to look around: descriptors and memory.
pub(super) fn is_short(error: &io::Error) -> bool {
    matches!(
        errno(error),
        Some(libc::ENOMEM | libc::EMFILE | libc::ENFILE)
    )
}

fn is_zero(kind: &str) -> bool {
    let bound = fs::read_to_string(format!("/proc/sys/user/max_{kind}_namespaces"));
    bound.is_ok_and(|text| text.trim() == "0")
}

/// The same error in words that fit.
pub(super) fn told(error: io::Error) -> io::Error {
    match errno(&error) {
        // In the kernel's words there would be no space left on a device.
        Some(libc::ENOSPC) => io::Error::new(
            io::ErrorKind::StorageFull,
            "there may be no more namespaces",
        ),
        _ => error,
    }
}
