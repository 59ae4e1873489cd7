//! Finds what a process started by what it left in their environment. Only for machines without PID namespaces.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use rustix::process::{Pid, Signal, kill_process};

/// Kills every process whose `TMPDIR` is this call's own, until there is none left.
///
/// A process that gave itself another environment is not found.
pub(super) fn kill_marked(folder: &OsStr) {
    let mut variable = b"TMPDIR=".to_vec();
    variable.extend_from_slice(folder.as_bytes());
    // A process may start another while it is looked for; each round finds what the one before missed.
    for _ in 0..10 {
        let mut found = false;
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
                .and_then(Pid::from_raw)
            else {
                continue;
            };
            let Ok(environ) = fs::read(entry.path().join("environ")) else {
                continue;
            };
            if environ
                .split(|byte| *byte == 0)
                .any(|assignment| assignment == variable)
            {
                found |= kill_process(pid, Signal::KILL).is_ok();
            }
        }
        if !found {
            return;
        }
    }
}
