//! Sees messages that are too long: the transport of `rmcp` drops them without a word.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::Semaphore;

/// What a client sends, with a look at the length of each line.
pub(super) struct Lines<R> {
    inner: R,
    most: usize,
    /// Bytes of the line that is being read.
    length: usize,
    /// Has a permit for each line that was too long and was not spoken of.
    too_long: Arc<Semaphore>,
}

impl<R> Lines<R> {
    /// Lines of up to so many bytes, their ends included.
    pub(super) fn new(inner: R, most: usize, too_long: Arc<Semaphore>) -> Self {
        Self {
            inner,
            most,
            length: 0,
            too_long,
        }
    }

    fn look(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let before = self.length;
            self.length = before.saturating_add(piece.len());
            if before <= self.most && self.length > self.most {
                self.too_long.add_permits(1);
            }
            if piece.ends_with(b"\n") {
                self.length = 0;
            }
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Lines<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        if matches!(read, Poll::Ready(Ok(()))) {
            self.look(&buffer.filled()[before..]);
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_seen_once() {
        let seen = Arc::new(Semaphore::new(0));
        let mut lines = Lines::new(tokio::io::empty(), 4, seen.clone());
        for (bytes, count) in [
            (&b"abc\n"[..], 0),
            (b"abcd\n", 1),
            (b"ab", 1),
            (b"cd", 1),
            (b"ef", 2),
            (b"ghi", 2),
            (b"j\nab\nabcdefgh\nx", 3),
        ] {
            lines.look(bytes);
            assert_eq!(seen.available_permits(), count, "{bytes:?}");
        }
    }
}
