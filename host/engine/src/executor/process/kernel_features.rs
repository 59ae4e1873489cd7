//! Asks the kernel for its version of Landlock and for filters of system calls.
#![expect(
    unsafe_code,
    reason = "landlock_create_ruleset(2) and seccomp(2) have no safe wrapper that only asks"
)]

use std::io;
use std::ptr;
use std::sync::OnceLock;

use libc::{c_long, c_void};

/// The kernel's version of Landlock, from 1. None if it has no Landlock.
pub(super) fn landlock_version() -> Option<i64> {
    const LANDLOCK_CREATE_RULESET_VERSION: u32 = 1;
    static VERSION: OnceLock<i64> = OnceLock::new();
    let version = VERSION.get_or_init(|| {
        let none = ptr::null::<c_void>();
        let flags = LANDLOCK_CREATE_RULESET_VERSION;
        // SAFETY: with this flag and no attributes the system call only returns a number.
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0_usize, flags) }
    });
    (*version > 0).then_some(*version)
}

/// Whether the kernel can filter system calls.
pub(super) fn has_filters() -> bool {
    filter_flags().is_some()
}

/// The flags for installing a filter, if the kernel has filters. Without the first flag, kernels
/// before 5.16 slow down filtered processes.
pub(super) fn filter_flags() -> Option<c_long> {
    static FLAGS: OnceLock<Option<c_long>> = OnceLock::new();
    let knows = |flags: &c_long| {
        let (mode, none) = (libc::SECCOMP_SET_MODE_FILTER, ptr::null::<c_void>());
        // SAFETY: without a program the system call always fails. It fails with EFAULT if it knows
        // the flags.
        let done = unsafe { libc::syscall(libc::SYS_seccomp, mode, *flags, none) };
        done != 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)
    };
    let flags = [libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW as c_long, 0];
    *FLAGS.get_or_init(|| flags.into_iter().find(knows))
}
