//! Writing to stdout and stderr for readers that may not read: until the command's limit is over,
//! and deaf to no signal meanwhile.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::runtime::SignalGuard;

/// A pipe that is ready takes this much without waiting: PIPE_BUF.
pub(super) const PIECE: usize = 4096;
/// What a pipe takes before its reader reads, in bytes: pipe(7).
const PIPE: usize = 64 << 10;
/// How long a reader may take nothing when the command should be over.
const GRACE: Duration = Duration::from_millis(50);
/// How often the limit is looked at.
pub(super) const TICK: Duration = Duration::from_millis(10);
/// Bytes that a pipe is given then: as many as every user may have, so that a reader who is busy
/// finds the report in it when the command has ended.
const ROOMY: usize = 1 << 20;

/// When the command should be over, where that has a limit.
static LIMIT: Mutex<Option<Instant>> = Mutex::new(None);

/// From then on, no reader is waited for that takes nothing.
pub(super) fn until(limit: Option<Instant>) {
    *LIMIT.lock().unwrap_or_else(PoisonError::into_inner) = limit;
}

/// Whether a reader that has taken nothing since then is still waited for.
pub(super) fn is_left(since: Instant) -> bool {
    let limit = *LIMIT.lock().unwrap_or_else(PoisonError::into_inner);
    limit.is_none_or(|limit| Instant::now() < limit.max(since) + GRACE)
}

/// Whether the command should have been over for so long.
pub(super) fn is_over_for(time: Duration) -> bool {
    let limit = *LIMIT.lock().unwrap_or_else(PoisonError::into_inner);
    limit.is_some_and(|limit| Instant::now() >= limit + time)
}

/// Makes room in a pipe whose reader takes nothing.
pub(super) fn enlarge(out: &impl AsFd) {
    if rustix::pipe::fcntl_getpipe_size(out).is_ok_and(|size| size < ROOMY) {
        rustix::pipe::fcntl_setpipe_size(out, ROOMY).ok();
    }
}

/// Whether a write of up to 4 KiB would not wait.
pub(super) fn is_ready(out: &impl AsFd, wait: Duration) -> bool {
    let mut fds = [PollFd::new(out, PollFlags::OUT)];
    let wait = Timespec {
        tv_sec: 0,
        tv_nsec: i64::from(wait.subsec_nanos()),
    };
    // What cannot be waited for is written, and then fails as it will.
    match poll(&mut fds, Some(&wait)) {
        Ok(0) => false,
        Ok(_) => true,
        Err(rustix::io::Errno::INTR) => false,
        Err(_) => true,
    }
}

/// A writer that waits for its reader as long as the command may last. Meanwhile a signal ends the
/// command.
pub(super) struct Patient<W> {
    out: W,
    written: usize,
    signals: Option<SignalGuard>,
}

impl<W: Write + AsFd> Patient<W> {
    pub(super) fn new(out: W) -> Self {
        Self {
            out,
            written: 0,
            signals: None,
        }
    }

    fn wait(&mut self) -> io::Result<()> {
        // Beyond what a pipe holds, another that writes to it may have taken the room.
        if self.written > PIPE && self.signals.is_none() {
            self.signals = Some(SignalGuard::new());
        }
        if is_ready(&self.out, Duration::ZERO) {
            return Ok(());
        }
        if self.signals.is_none() {
            self.signals = Some(SignalGuard::new());
        }
        let since = Instant::now();
        while !is_ready(&self.out, TICK) {
            if is_over_for(Duration::ZERO) {
                enlarge(&self.out);
            }
            if !is_left(since) {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        Ok(())
    }
}

impl<W: Write + AsFd> Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            self.wait()?;
            match self.out.write(&bytes[..bytes.len().min(PIECE)]) {
                Ok(written) => {
                    self.written += written;
                    return Ok(written);
                }
                // The parent process may have set the pipe to non-blocking.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
