//! The limits of one action as the kernel's resource limits.

use libc::c_int;
use rustix::process::{Resource, getrlimit};

use crate::limits::ProcessLimits;

/// Resource limits, soft and hard. `count`: whether they also limit the number of processes, which
/// works only for the only user of a user namespace.
pub(super) fn resources(limits: &ProcessLimits, count: bool) -> Vec<(c_int, libc::rlimit64)> {
    // The kernel takes whole seconds.
    let cpu = limits.cpu.duration().as_secs_f64().ceil() as u64;
    let mut wanted = vec![
        // Not RLIMIT_AS: node and other runtimes reserve far more addresses than they use.
        (libc::RLIMIT_DATA, Resource::Data, limits.memory.bytes(), 0),
        // SIGXCPU at the limit gives the reason; one second later SIGKILL ends the process.
        (libc::RLIMIT_CPU, Resource::Cpu, cpu, 1),
        (
            libc::RLIMIT_FSIZE,
            Resource::Fsize,
            limits.file_size.bytes(),
            0,
        ),
        (
            libc::RLIMIT_NOFILE,
            Resource::Nofile,
            u64::from(limits.open_files),
            0,
        ),
        (libc::RLIMIT_CORE, Resource::Core, 0, 0),
    ];
    if count {
        wanted.push((libc::RLIMIT_NPROC, Resource::Nproc, with_pid_1(limits), 0));
    }
    let allowed = |(number, resource, soft, grace)| {
        // If Kael itself has a lower limit, it applies to the action, too.
        let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let limit = libc::rlimit64 {
            rlim_cur: most.min(soft),
            rlim_max: most.min(soft + grace),
        };
        (number as c_int, limit)
    };
    wanted.into_iter().map(allowed).collect()
}

/// The processes of an action, and pid 1 of the call: envyr or the built-in runner.
pub(super) fn with_pid_1(limits: &ProcessLimits) -> u64 {
    u64::from(limits.processes) + 1
}
