//! Runs one process within its bounds, from its command line to its outcome, and leaves nothing of
//! it behind.

mod capabilities;
mod cgroup;
mod child;
mod containment;
mod descriptors;
mod exhausted;
mod filter;
mod hidden;
mod kernel_features;
mod landlock_rules;
mod launcher;
mod orphan_reaper;
mod process_tree;
mod resident;
mod rlimits;
mod spawn;
mod step_error;

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Pid, Signal, pidfd_send_signal};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::time::Instant;

use crate::activity::Lines;
use crate::limits::ProcessLimits;
use crate::permit::Permit;
pub use capabilities::{Capabilities, Counting};
use cgroup::{Group, Places};
pub use containment::Containment;
use descriptors::Share;
pub use landlock_rules::Opened;
pub use process_tree::DeferredCleanup;
use process_tree::{Groups, Owned, ProcessTree};
pub use resident::{Resident, ResidentGuard, resident};
use spawn::{Confined, Hidden, Kept, Program};

/// The time between TERM and KILL.
const GRACE: Duration = Duration::from_secs(2);
/// How long Kael reads the pipes after the process has ended. The processes that held them open
/// were killed.
const DRAIN: Duration = Duration::from_secs(1);

/// The command to run, and its bounds.
pub struct ProcessCommand {
    /// An absolute path; `PATH` is not searched.
    pub program: PathBuf,
    /// The arguments without the program.
    pub args: Vec<OsString>,
    /// The whole environment of the process.
    pub env: Vec<(OsString, OsString)>,
    /// Its working folder.
    pub folder: PathBuf,
    /// Written to its stdin, which is then closed.
    pub stdin: Vec<u8>,
    /// The limit of wall-clock time, if `room` is none.
    pub timeout: Duration,
    /// Its share of the host's descriptors, and its deadline.
    pub room: Option<Room>,
    /// How many bytes of stdout to accept. More of them end the process.
    pub stdout_cap: usize,
    /// How many bytes of stderr to keep, from the end.
    pub stderr_tail: usize,
    /// How it is kept together with the processes that it starts.
    pub isolation: Isolation,
    /// The paths that it may write, besides its temporary folder. None: the paths that its user may
    /// write.
    pub writable: Option<Vec<Opened>>,
    /// The paths that it may read, besides those that it may write, if `writable` is set. None: the
    /// paths that its user may read.
    pub readable: Option<Vec<Opened>>,
    /// Files and folders that it does not see, if `writable` is set and it has a namespace.
    pub hidden: Vec<PathBuf>,
    /// Its temporary folder, named by its `TMPDIR`.
    pub temporary: Option<Opened>,
    /// Its resource limits.
    pub limits: Option<ProcessLimits>,
}

/// The descriptors and the deadline of one call. Calls wait for their descriptors before they open
/// files.
pub struct Room {
    deadline: Instant,
    share: Share,
}

/// Waits for the descriptors of one call. Its time starts now.
///
/// # Errors
/// When other calls held the descriptors until the deadline.
pub async fn room(timeout: Duration) -> io::Result<Room> {
    let deadline = Instant::now() + timeout;
    let share = descriptors::share(deadline).await?;
    Ok(Room { deadline, share })
}

/// How a process is kept together with the processes that it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// With the strongest containment of this machine.
    Strongest,
    /// Without a user namespace, because in one the files of root seem to belong to `nobody`.
    SameUser,
    /// Without any namespace.
    SameView,
    /// As the client of a program that must see it by its pid. It leads a session.
    Client,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It exited with this code.
    Exited(i32),
    /// This signal ended it.
    Signaled(i32),
    /// It exceeded its time limit.
    TimedOut,
    /// It wrote too much to stdout.
    TooMuchOutput,
}

/// The resources that a process used, with those of the children that it waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) cpu: Duration,
    /// How many forks were refused. Not read if it exited with 0.
    pub(crate) refused: u64,
}

impl Usage {
    fn of(usage: &libc::rusage) -> Self {
        let time = |time: libc::timeval| {
            let (seconds, micros) = (time.tv_sec.max(0), time.tv_usec.max(0));
            Duration::from_secs(seconds as u64) + Duration::from_micros(micros as u64)
        };
        Self {
            cpu: time(usage.ru_utime) + time(usage.ru_stime),
            refused: 0,
        }
    }
}

/// The outcome of a process.
pub struct Finished {
    /// How it ended.
    pub ending: Ending,
    pub(crate) usage: Usage,
    /// Its whole stdout.
    pub stdout: Vec<u8>,
    /// The end of its stderr.
    pub stderr: Vec<u8>,
    /// Slow clean-up. Drop it where no caller waits.
    pub leftover: DeferredCleanup,
}

/// Waits until the processes of abandoned calls have ended, or until the time is over.
pub(crate) fn finish(within: Duration) {
    process_tree::finish(within);
}

/// Makes the control group for the next call, while no caller waits for it.
pub(crate) fn make_ahead() {
    cgroup::make_ahead();
}

/// Removes that control group.
pub(crate) fn clear_ahead() {
    cgroup::clear_ahead();
}

/// Runs a process to its end. Dropping the future kills it and the processes that it started.
///
/// # Errors
/// When it cannot be started, or not with the wanted containment.
pub async fn run(command: ProcessCommand, on_start: impl FnOnce(i32)) -> io::Result<Finished> {
    let containment = capabilities::containment(command.isolation).await?;
    run_in(containment, command, on_start).await
}

async fn run_in(
    containment: Containment,
    mut command: ProcessCommand,
    on_start: impl FnOnce(i32),
) -> io::Result<Finished> {
    let Room { deadline, share } = match command.room.take() {
        Some(room) => room,
        None => room(command.timeout).await?,
    };
    let (process, pipes) = launch(containment, &command, share, Permit::current()).await?;
    on_start(process.held.group().unwrap_or_default());
    process
        .supervise(deadline, command, pipes.stdin, pipes.stdout, pipes.stderr)
        .await
}

/// The host's ends of a process's pipes.
struct Pipes {
    stdin: pipe::Sender,
    stdout: pipe::Receiver,
    stderr: pipe::Receiver,
}

/// Starts a process.
async fn launch(
    containment: Containment,
    command: &ProcessCommand,
    share: Share,
    permit: Option<Permit>,
) -> io::Result<(Process, Pipes)> {
    let (stdin, stdin_end) = outgoing()?;
    let (stdout, stdout_end) = incoming()?;
    let (stderr, stderr_end) = incoming()?;
    let marker = command
        .env
        .iter()
        .find(|(name, _)| name == "TMPDIR")
        .map(|(_, value)| value.clone());
    let (groups, doors) = groups(containment, command.limits.as_ref())?;
    let program = Program {
        path: c_string(command.program.as_os_str())?,
        args: [command.program.as_os_str()]
            .into_iter()
            .chain(command.args.iter().map(OsString::as_os_str))
            .map(c_string)
            .collect::<io::Result<_>>()?,
        env: command
            .env
            .iter()
            .map(|(name, value)| assignment(name, value))
            .collect::<io::Result<_>>()?,
        folder: c_string(command.folder.as_os_str())?,
        stdin: stdin_end,
        stdout: stdout_end,
        stderr: stderr_end,
        containment,
        groups: doors,
        limits: match &command.limits {
            Some(limits) => {
                let user = matches!(containment, Containment::Namespace { user: true, .. });
                rlimits::resources(limits, user && groups.counting.is_none())
            }
            None => Vec::new(),
        },
        confined: match &command.writable {
            Some(writable) => Some(confined(
                writable,
                command.readable.as_deref(),
                command.temporary.as_ref(),
                hidden::found(command)?,
                command.limits.as_ref(),
            )?),
            None => None,
        },
    };
    let owned = Owned {
        groups,
        marker,
        share: Some(share),
        permit,
    };
    let held = launcher::start(program, owned).await?;
    let process = Process {
        ended: held.watch()?,
        held,
    };
    let pipes = Pipes {
        stdin,
        stdout,
        stderr,
    };
    Ok((process, pipes))
}

/// The control groups of one call, and the files to join them. If the processes are counted, the
/// same group holds them together.
fn groups(
    containment: Containment,
    limits: Option<&ProcessLimits>,
) -> io::Result<(Groups, Vec<OwnedFd>)> {
    let places = Places::get()?;
    let most = places.pids.as_ref().and(limits).map(rlimits::with_pid_1);
    let holds = containment == Containment::Group;
    let Some(place) = places.kill.as_ref().filter(|_| holds || most.is_some()) else {
        return Ok((Groups::default(), Vec::new()));
    };
    let (group, door) = Group::ready(place, most).map_err(|error| {
        io::Error::new(error.kind(), format!("making a control group: {error}"))
    })?;
    let mut groups = Groups::default();
    match holds {
        true => groups.holding = Some(group),
        false => groups.counting = Some(group),
    }
    Ok((groups, vec![door]))
}

/// The rules for its temporary folder and its other writable paths, and for what it reads.
fn confined(
    writable: &[Opened],
    readable: Option<&[Opened]>,
    temporary: Option<&Opened>,
    hidden: Vec<Hidden>,
    limits: Option<&ProcessLimits>,
) -> io::Result<Confined> {
    let memory = limits.map_or_else(|| ProcessLimits::default().memory, |limits| limits.memory);
    let kept = |opened: &Opened| {
        let stat = rustix::fs::fstat(&opened.fd)?;
        io::Result::Ok(Kept {
            path: c_string(opened.path.as_os_str())?,
            identity: (stat.st_dev, stat.st_ino),
        })
    };
    Ok(Confined {
        ruleset: landlock_rules::ruleset(writable.iter().chain(temporary), readable)?,
        reads_own_proc: readable.is_some(),
        writable: writable.iter().map(kept).collect::<io::Result<_>>()?,
        temporary: temporary.map(kept).transpose()?,
        hidden,
        shared_memory: memory.bytes(),
    })
}

struct Process {
    /// Readable when the process has ended.
    ended: AsyncFd<OwnedFd>,
    held: ProcessTree,
}

impl Process {
    async fn supervise(
        self,
        deadline: Instant,
        command: ProcessCommand,
        mut stdin: pipe::Sender,
        stdout: pipe::Receiver,
        stderr: pipe::Receiver,
    ) -> io::Result<Finished> {
        let feed = async move {
            // A process may ignore its stdin.
            stdin.write_all(&command.stdin).await.ok();
        };
        let (mut out, mut err) = (Vec::new(), Tail::new(command.stderr_tail));
        let cause = {
            let pipes = async {
                tokio::join!(
                    feed,
                    capped(stdout, command.stdout_cap, &mut out),
                    err.fill(stderr)
                )
                .1
            };
            tokio::pin!(pipes);
            let mut within = None;
            // Ends when the process ends, prints too much, or exceeds its time. A process may close
            // stdout long before it ends.
            let cause = loop {
                tokio::select! {
                    ok = &mut pipes, if within.is_none() => match ok {
                        true => within = Some(true),
                        false => break Some(Ending::TooMuchOutput),
                    },
                    _ = self.ended.readable() => break None,
                    () = tokio::time::sleep_until(deadline) => break Some(Ending::TimedOut),
                }
            };
            self.end(cause).await;
            if cause == Some(Ending::TooMuchOutput) || within.is_some() {
                cause
            } else {
                // The pipes may still hold its last output.
                let drained = tokio::time::timeout(DRAIN, &mut pipes).await;
                cause.or((drained == Ok(false)).then_some(Ending::TooMuchOutput))
            }
        };
        let (status, usage, leftover) = self.held.reap();
        Ok(Finished {
            ending: cause.unwrap_or(status),
            usage,
            stdout: out,
            stderr: err.bytes,
            leftover,
        })
    }

    /// Ends the remaining processes: with TERM first after a timeout, with KILL at once otherwise.
    async fn end(&self, cause: Option<Ending>) {
        if cause == Some(Ending::TimedOut) {
            signal_group(self.held.group().unwrap_or_default(), Signal::TERM);
            tokio::time::timeout(GRACE, self.ended.readable())
                .await
                .ok();
        }
        self.held.kill();
        // The pidfd is readable once the process has ended. Its pid is not reused before it is
        // reaped.
        self.ended.readable().await.ok();
    }
}

fn kill(pidfd: &OwnedFd) {
    pidfd_send_signal(pidfd, Signal::KILL).ok();
}

fn signal_group(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        rustix::process::kill_process_group(pid, signal).ok();
    }
}

fn outgoing() -> io::Result<(pipe::Sender, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&write, true)?;
    Ok((pipe::Sender::from_owned_fd(write)?, read))
}

fn incoming() -> io::Result<(pipe::Receiver, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&read, true)?;
    Ok((pipe::Receiver::from_owned_fd(read)?, write))
}

/// Reads to the end and returns true, or returns false after more than `cap` bytes.
async fn capped(mut pipe: pipe::Receiver, cap: usize, into: &mut Vec<u8>) -> bool {
    let mut chunk = vec![0; 64 << 10];
    loop {
        match pipe.read(&mut chunk).await {
            Ok(0) | Err(_) => return true,
            Ok(n) if into.len() + n > cap => return false,
            Ok(n) => into.extend_from_slice(&chunk[..n]),
        }
    }
}

/// The last bytes of a stream.
struct Tail {
    bytes: Vec<u8>,
    keep: usize,
    /// Shows the lines while they come.
    lines: Lines,
}

impl Tail {
    fn new(keep: usize) -> Self {
        Self {
            bytes: Vec::new(),
            keep,
            lines: Lines::current(),
        }
    }

    async fn fill(&mut self, mut pipe: pipe::Receiver) {
        let mut chunk = vec![0; 16 << 10];
        while let Ok(n @ 1..) = pipe.read(&mut chunk).await {
            self.lines.take(&chunk[..n]);
            self.bytes.extend_from_slice(&chunk[..n]);
            let surplus = self.bytes.len().saturating_sub(self.keep);
            self.bytes.drain(..surplus);
        }
    }
}

fn c_string(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "a NUL byte in an argument"))
}

fn assignment(name: &OsStr, value: &OsStr) -> io::Result<CString> {
    let mut text = name.to_owned();
    text.push("=");
    text.push(value);
    c_string(&text)
}

#[cfg(test)]
mod tests;
