//! The stack that commands run on. The first thread of a process has as much as `ulimit -s` allows, which can be too
//! little; a thread that Kael starts has what Kael asks for.

use std::process::ExitCode;
use std::thread;

use rustix::process::{Resource, getrlimit};

use crate::exit;
use crate::report::Problem;

/// What the first thread has nearly everywhere, in bytes.
const USUAL: usize = 8 << 20;

/// Runs something on at least the usual stack.
pub(crate) fn with_enough(run: fn() -> ExitCode) -> ExitCode {
    let own = getrlimit(Resource::Stack).current;
    if own.is_none_or(|own| own >= USUAL as u64) {
        return run();
    }
    let started = thread::Builder::new().stack_size(USUAL).spawn(run);
    match started.map(thread::JoinHandle::join) {
        Ok(Ok(code)) => code,
        // The panic was told when it happened.
        Ok(Err(_)) => exit::BUG.into(),
        Err(error) => {
            Problem::short(format!("no thread can be started: {error}")).print(false);
            exit::CONFIG.into()
        }
    }
}
