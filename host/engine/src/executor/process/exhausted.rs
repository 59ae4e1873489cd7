//! Whether the kernel refuses a resource for now, because it is used up, or for good.
//!
//! Kael learns before any action runs what the kernel refuses for good, and `doctor` reports it. An
//! action may have used up a resource on purpose, so that the next action runs with less
//! confinement. So Kael does not run the next action then.

use std::fs;
use std::io;

use super::step_error::errno;

/// Whether an error means that a resource is used up and will be free again. `user`: whether the
/// call also needed a user namespace.
pub(super) fn is_used_up(error: &io::Error, user: bool) -> bool {
    match errno(error) {
        // If the limit is zero, the operator set it.
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

/// Whether an error means that this process has no descriptors or no memory left.
pub(super) fn is_short_of_descriptors(error: &io::Error) -> bool {
    matches!(
        errno(error),
        Some(libc::ENOMEM | libc::EMFILE | libc::ENFILE)
    )
}

/// Whether the machine's settings forbid a kind of namespace.
pub(super) fn is_forbidden(kind: &str) -> bool {
    let bound = fs::read_to_string(format!("/proc/sys/user/max_{kind}_namespaces"));
    bound.is_ok_and(|text| text.trim() == "0")
}

/// The same error with a better message where the kernel's misleads.
pub(super) fn describe(error: io::Error) -> io::Error {
    match errno(&error) {
        // The kernel's message would be that no space is left on the device.
        Some(libc::ENOSPC) => io::Error::new(
            io::ErrorKind::StorageFull,
            "there may be no more namespaces",
        ),
        _ => error,
    }
}
