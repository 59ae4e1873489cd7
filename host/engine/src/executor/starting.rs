//! Starts a program of the machine, for an action or to fetch and prepare its source: with a `TMPDIR`
//! of its own and bounds on what it prints.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::process::{self, Finished, Isolation, Opened, ProcessCommand};
use super::source::Variables;
use super::temporary::Temporary;
use super::{STDERR_TAIL, STDOUT_CAP};
use crate::failure::ActionError;
use crate::limits::ProcessLimits;

/// A process that is to be started.
pub(super) struct Starting<'a> {
    pub(super) program: &'a Path,
    pub(super) args: Vec<OsString>,
    pub(super) env: Variables,
    /// Where it starts.
    pub(super) folder: &'a Path,
    pub(super) stdin: String,
    pub(super) timeout: Duration,
    pub(super) isolation: Isolation,
    /// All that it may write, beside its `TMPDIR`. Without it: all that its user may.
    pub(super) writable: Option<Vec<Opened>>,
    /// All that it may read, beside what it may write. Without it: all that its user may.
    pub(super) readable: Option<Vec<Opened>>,
    /// Files and folders that it does not see, if `writable` is set.
    pub(super) hidden: Vec<PathBuf>,
    pub(super) limits: Option<ProcessLimits>,
}

/// Why a process was not started, or its end is not known.
pub(super) enum StartError {
    Process(io::Error),
    Temporary(ActionError),
}

impl Starting<'_> {
    /// Starts the process and waits for its end. Its temporary folder below `data` stays until the
    /// `Temporary` is dropped.
    pub(super) async fn run(
        self,
        data: &Path,
        on_start: impl FnOnce(i32),
    ) -> Result<(Finished, Temporary), StartError> {
        let room = process::room(self.timeout).await;
        let room = room.map_err(StartError::Process)?;
        let mut temporary = Temporary::new(data).map_err(StartError::Temporary)?;
        let mut env = self.env;
        env.push(("TMPDIR".into(), temporary.path().into()));
        let command = ProcessCommand {
            program: self.program.to_owned(),
            args: self.args,
            env,
            folder: self.folder.to_owned(),
            stdin: self.stdin.into_bytes(),
            timeout: self.timeout,
            room: Some(room),
            stdout_cap: STDOUT_CAP,
            stderr_tail: STDERR_TAIL,
            isolation: self.isolation,
            writable: self.writable,
            readable: self.readable,
            hidden: self.hidden,
            temporary: Some(temporary.opened().map_err(StartError::Temporary)?),
            limits: self.limits,
        };
        let finished = process::run(command, on_start).await;
        let mut finished = finished.map_err(StartError::Process)?;
        temporary.remove_after(std::mem::take(&mut finished.leftover));
        Ok((finished, temporary))
    }
}
