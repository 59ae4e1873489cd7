//! A process that goes on beside the calls that use it: confined as one of a call, and ended with all
//! that it has started when this is dropped.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;

use super::{Isolation, Process, ProcessCommand, capabilities, launch, room};

/// The process, and the host's ends of its pipes.
pub struct Resident {
    /// What it reads.
    pub stdin: pipe::Sender,
    /// What it writes.
    pub stdout: pipe::Receiver,
    /// What keeps it alive.
    pub guard: ResidentGuard,
}

/// Ends the process when it is dropped.
pub struct ResidentGuard {
    _process: Process,
    stderr: Arc<Mutex<Vec<u8>>>,
}

impl ResidentGuard {
    /// The end of what it has written to stderr.
    #[must_use]
    pub fn stderr(&self) -> String {
        let bytes = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Starts a process that has no call's limit on time. Its stdin stays open.
///
/// # Errors
/// When it cannot be started, or not with the wanted containment.
pub async fn resident(mut command: ProcessCommand) -> io::Result<Resident> {
    let isolation: Isolation = command.isolation;
    let containment = capabilities::containment(isolation).await?;
    let keep = command.stderr_tail;
    let room = match command.room.take() {
        Some(room) => room,
        None => room(command.timeout).await?,
    };
    // It belongs to no call, so it holds no call's permit.
    let (process, pipes) = launch(containment, &command, room.share, None).await?;
    let stderr = Arc::new(Mutex::new(Vec::new()));
    let tail = stderr.clone();
    let mut pipe = pipes.stderr;
    tokio::spawn(async move {
        let mut chunk = vec![0; 16 << 10];
        while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
            let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
            tail.extend_from_slice(&chunk[..count]);
            let surplus = tail.len().saturating_sub(keep);
            tail.drain(..surplus);
        }
    });
    Ok(Resident {
        stdin: pipes.stdin,
        stdout: pipes.stdout,
        guard: ResidentGuard {
            _process: process,
            stderr,
        },
    })
}
