//! Whether the kernel refused something for now, because it is used up, or for good.
//!
//! What is refused for good is known before any action runs, and an operator reads of it in
//! `doctor`. What is used up may have been used up by an action, so that another one would run with
//! less confinement: then that one does not run.

use std::fs;
use std::io;

use super::spawn::errno;

/// Whether an error means that something is used up, of which there was or will be more. `user` is
/// whether a user namespace was wanted, too.
pub(super) fn is_used_up(error: &io::Error, user: bool) -> bool {
    match errno(error) {
        // Where none at all are allowed, an operator wanted that.
        Some(libc::ENOSPC) => {
            !(is_forbidden("pid") || is_forbidden("mnt") || (user && is_forbidden("user")))
        }
        Some(number) => matches!(
            number,
            libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE | libc::EUSERS
        ),
        None => false,
    }
}

/// Whether an error means that this process may open no more files, or has no more memory.
pub(super) fn is_short_of_descriptors(error: &io::Error) -> bool {
    matches!(
        errno(error),
        Some(libc::ENOMEM | libc::EMFILE | libc::ENFILE)
    )
}

/// Whether the machine's settings allow no namespace of a kind at all.
pub(super) fn is_forbidden(kind: &str) -> bool {
    let bound = fs::read_to_string(format!("/proc/sys/user/max_{kind}_namespaces"));
    bound.is_ok_and(|text| text.trim() == "0")
}

/// The same error in words that fit.
pub(super) fn describe(error: io::Error) -> io::Error {
    match errno(&error) {
        // In the kernel's words there would be no space left on a device.
        Some(libc::ENOSPC) => io::Error::new(
            io::ErrorKind::StorageFull,
            "there may be no more namespaces",
        ),
        _ => error,
    }
}
