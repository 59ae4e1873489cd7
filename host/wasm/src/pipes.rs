//! The output of an instance, in bounded memory of the host.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::async_trait;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use kael_engine::activity::Lines;

/// Bytes that an instance may write at once.
const PERMIT: usize = 64 << 10;

/// What happens when the pipe is full.
#[derive(Debug, Clone, Copy)]
enum Surplus {
    /// The instance ends.
    Refuse,
    /// The oldest bytes are dropped.
    Forget,
}

#[derive(Debug)]
struct Content {
    bytes: Vec<u8>,
    overflowed: bool,
}

/// One clone for the instance and one for the host, which keeps it after the instance.
#[derive(Debug, Clone)]
pub(super) struct Pipe {
    content: Arc<Mutex<Content>>,
    room: usize,
    surplus: Surplus,
    /// Shows the lines while they come.
    lines: Lines,
}

impl Pipe {
    /// Accepts `room` bytes. More of them end the instance.
    pub(super) fn capped(room: usize) -> Self {
        Self::new(room, Surplus::Refuse)
    }

    /// Keeps the last `room` bytes.
    pub(super) fn tail(room: usize) -> Self {
        Self::new(room, Surplus::Forget)
    }

    /// Also shows each line while it comes.
    pub(super) fn seen(self, lines: Lines) -> Self {
        Self { lines, ..self }
    }

    fn new(room: usize, surplus: Surplus) -> Self {
        let content = Content {
            bytes: Vec::new(),
            overflowed: false,
        };
        Self {
            content: Arc::new(Mutex::new(content)),
            room,
            surplus,
            lines: Lines::default(),
        }
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the instance wrote more than the pipe accepts.
    pub(super) fn overflowed(&self) -> bool {
        self.content().overflowed
    }

    /// Takes the bytes out of the pipe.
    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.content().bytes)
    }

    fn put(&self, more: &[u8]) -> io::Result<()> {
        self.lines.take(more);
        let mut content = self.content();
        match self.surplus {
            Surplus::Refuse if more.len() > self.room - content.bytes.len() => {
                content.overflowed = true;
                return Err(io::Error::other("the output is larger than it may be"));
            }
            Surplus::Refuse => content.bytes.extend_from_slice(more),
            Surplus::Forget => {
                content.bytes.extend_from_slice(more);
                let surplus = content.bytes.len().saturating_sub(self.room);
                content.bytes.drain(..surplus);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Pollable for Pipe {
    async fn ready(&mut self) {}
}

#[async_trait]
impl OutputStream for Pipe {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.put(&bytes)
            .map_err(|error| StreamError::Trap(error.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.put(bytes).map(|()| bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl IsTerminal for Pipe {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Pipe {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capped_pipe_refuses_more_and_a_tail_forgets() {
        let pipe = Pipe::capped(4);
        assert!(pipe.put(b"abcd").is_ok() && !pipe.overflowed());
        assert!(pipe.put(b"e").is_err() && pipe.overflowed());
        assert_eq!(pipe.take(), b"abcd");
        let pipe = Pipe::tail(4);
        assert!(pipe.put(b"abc").is_ok() && pipe.put(b"defg").is_ok());
        assert_eq!(
            (pipe.take().as_slice(), pipe.overflowed()),
            (&b"defg"[..], false)
        );
    }
}
