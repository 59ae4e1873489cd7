//! One process from its command line to its outcome, within its bounds, and nothing of it left afterwards.

mod launcher;
mod spawn;
mod sweep;

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, pidfd_send_signal, waitid,
};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::time::Instant;

use spawn::{Containment, Program, Started};

/// Between TERM and KILL.
const GRACE: Duration = Duration::from_secs(2);
/// How long pipes may stay open once the process is gone: what held them was killed.
const DRAIN: Duration = Duration::from_secs(1);

/// What to run, and its bounds.
pub(crate) struct Command {
    /// Absolute: nothing is looked up.
    pub(crate) program: PathBuf,
    /// Without the program itself.
    pub(crate) args: Vec<OsString>,
    /// All that the process sees.
    pub(crate) env: Vec<(OsString, OsString)>,
    /// Where it starts.
    pub(crate) folder: PathBuf,
    /// Fed to it; then stdin is closed.
    pub(crate) stdin: Vec<u8>,
    /// Wall-clock time.
    pub(crate) timeout: Duration,
    /// Bytes of stdout: more of them end the process.
    pub(crate) stdout_cap: usize,
    /// Bytes of stderr that are kept: the last ones.
    pub(crate) stderr_tail: usize,
    /// Whether a PID namespace is wanted. A container's client must be seen by its pid.
    pub(crate) contained: bool,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Exited(i32),
    Signaled(i32),
    TimedOut,
    TooMuchOutput,
}

/// What came of it.
pub(crate) struct Finished {
    pub(crate) ending: Ending,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// Runs a process to its end. Dropping the future kills it and all that it started.
pub(crate) async fn run(command: Command, on_start: impl FnOnce(i32)) -> io::Result<Finished> {
    let deadline = Instant::now() + command.timeout;
    let (stdin, stdin_end) = outgoing()?;
    let (stdout, stdout_end) = incoming()?;
    let (stderr, stderr_end) = incoming()?;
    let marker = command
        .env
        .iter()
        .find(|(name, _)| name == "TMPDIR")
        .map(|(_, value)| value.clone());
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
    };
    let (started, containment) = launcher::start(program, command.contained).await?;
    on_start(started.pid);
    let process = Process {
        ended: spawn::watch(started.pidfd.try_clone()?)?,
        marker: (containment == Containment::Session)
            .then_some(marker)
            .flatten(),
        started,
    };
    process
        .supervise(deadline, command, stdin, stdout, stderr)
        .await
}

struct Process {
    /// Readable when the process has ended.
    ended: AsyncFd<OwnedFd>,
    /// A value in the environment of all that the process started, where nothing better holds them together.
    marker: Option<OsString>,
    started: Started,
}

impl Process {
    async fn supervise(
        mut self,
        deadline: Instant,
        command: Command,
        mut stdin: pipe::Sender,
        stdout: pipe::Receiver,
        stderr: pipe::Receiver,
    ) -> io::Result<Finished> {
        let feed = async move {
            // A process that does not read its stdin is not at fault.
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
            // Until the process ends, floods, or is late. stdout may be closed long before the process ends.
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
                // What it wrote last is still in the pipes.
                let drained = tokio::time::timeout(DRAIN, &mut pipes).await;
                cause.or((drained == Ok(false)).then_some(Ending::TooMuchOutput))
            }
        };
        let status = self.started.reap();
        self.marker = None;
        let ending = cause.unwrap_or(status);
        Ok(Finished {
            ending,
            stdout: out,
            stderr: err.bytes,
        })
    }

    /// Ends what is left of it: politely when it is late, at once otherwise.
    async fn end(&self, cause: Option<Ending>) {
        if cause == Some(Ending::TimedOut) {
            signal_group(self.started.pid, Signal::TERM);
            tokio::time::timeout(GRACE, self.ended.readable())
                .await
                .ok();
        }
        self.kill_all();
        // Killed or gone by itself: the pidfd says so, and the pid is not reused before it is reaped.
        self.ended.readable().await.ok();
    }

    fn kill_all(&self) {
        self.started.kill();
        if let Some(marker) = &self.marker {
            sweep::kill_marked(marker);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // `started` ends the process and its group; what called `setsid` where there is no namespace is found here.
        if let Some(marker) = self.marker.take() {
            self.started.kill();
            sweep::kill_marked(&marker);
        }
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

/// Waits for a process that is ending and takes its status.
fn reap(pidfd: &OwnedFd) -> Ending {
    use std::os::fd::AsFd as _;
    loop {
        match waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED) {
            Ok(Some(status)) => return ending(&status),
            Err(rustix::io::Errno::INTR) => {}
            Ok(None) | Err(_) => return Ending::Signaled(libc::SIGKILL),
        }
    }
}

fn ending(status: &WaitIdStatus) -> Ending {
    match status.exit_status() {
        Some(code) => Ending::Exited(code),
        None => Ending::Signaled(status.terminating_signal().unwrap_or(libc::SIGKILL)),
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

/// Reads to the end, or until more than `cap` bytes have come: then the answer is false.
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
}

impl Tail {
    fn new(keep: usize) -> Self {
        Self {
            bytes: Vec::new(),
            keep,
        }
    }

    async fn fill(&mut self, mut pipe: pipe::Receiver) {
        let mut chunk = vec![0; 16 << 10];
        while let Ok(n @ 1..) = pipe.read(&mut chunk).await {
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
