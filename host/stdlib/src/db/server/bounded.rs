//! What a server of PostgreSQL may send, looked at below the driver: the bytes of a call are counted,
//! and the head of each message is read before the driver reads it, which takes as much memory as a
//! head asks for.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use kael_net::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::failure::Failure;

/// Bytes of one call that are read: an answer with what the protocol adds.
const MAX_READ: usize = 32 << 20;
/// What a message that nobody asked for counts in addition: the driver keeps those of a login.
const UNASKED: usize = 128;
/// Answers to one statement, with what the driver asks about its types, of which each can name another.
const MAX_ANSWERS: usize = 200;

/// How much of a call is left, and what a server has done.
#[derive(Default)]
pub(super) struct Bounds {
    bytes: AtomicUsize,
    answers: AtomicUsize,
    in_transaction: AtomicBool,
    broken: OnceLock<Failure>,
}

impl Bounds {
    /// Begins a call, for which the bytes count anew.
    pub(super) fn begin(&self) {
        self.bytes.store(MAX_READ, Relaxed);
        self.statement();
    }

    /// Begins a statement.
    pub(super) fn statement(&self) {
        self.answers.store(MAX_ANSWERS, Relaxed);
    }

    /// Whether the last answer came in a transaction that has not failed.
    pub(super) fn in_transaction(&self) -> bool {
        self.in_transaction.load(Relaxed)
    }

    /// Why nothing more is read.
    pub(super) fn broken(&self) -> Option<Failure> {
        self.broken.get().cloned()
    }

    fn take(left: &AtomicUsize, count: usize) -> bool {
        let taken = left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(count));
        taken.is_ok()
    }

    /// Looks at a message, of whose body there is the beginning.
    fn look(&self, tag: u8, size: usize, begin: &[u8], is_encrypted: bool) -> Result<(), Failure> {
        let unasked = if matches!(tag, b'N' | b'S' | b'A') {
            UNASKED
        } else {
            0
        };
        if !Self::take(&self.bytes, size.saturating_add(5 + unasked)) {
            return Err(Failure::TooLarge);
        }
        match (tag, begin) {
            (b'R', [0, 0, 0, 3]) if !is_encrypted => {
                let why = "the server wants the password unencrypted".to_owned();
                let hint = "use TLS, or a role whose password is kept for SCRAM".to_owned();
                Err(Failure::Unavailable(why, Some(hint)))
            }
            (b'Z', [state]) => {
                self.in_transaction.store(*state == b'T', Relaxed);
                match Self::take(&self.answers, 1) {
                    true => Ok(()),
                    false => Err(Failure::Nonsense("its types have no end")),
                }
            }
            _ => Ok(()),
        }
    }
}

/// A connection whose messages are looked at.
pub(super) struct Bounded {
    stream: Box<dyn Stream>,
    bounds: Arc<Bounds>,
    is_encrypted: bool,
    /// What was read, and is not the driver's yet.
    buffer: BytesMut,
    /// How much of that was looked at.
    passed: usize,
    /// Bytes of the last message that have not come.
    rest: usize,
}

impl Bounded {
    pub(super) fn new(stream: Box<dyn Stream>, bounds: Arc<Bounds>, is_encrypted: bool) -> Self {
        Self {
            stream,
            bounds,
            is_encrypted,
            buffer: BytesMut::new(),
            passed: 0,
            rest: 0,
        }
    }

    /// Passes what has come of messages that may come.
    fn pass(&mut self) -> Result<(), Failure> {
        loop {
            let more = self.rest.min(self.buffer.len() - self.passed);
            self.passed += more;
            self.rest -= more;
            let Some(([tag, size @ ..], body)) =
                self.buffer[self.passed..].split_first_chunk::<5>()
            else {
                return Ok(());
            };
            let size = usize::try_from(i32::from_be_bytes(*size)).ok();
            let size = size.and_then(|size| size.checked_sub(4));
            let size = size.ok_or(Failure::Nonsense("a size below zero"))?;
            // Before the rest of it is waited for.
            if size > self.bounds.bytes.load(Relaxed) {
                return Err(Failure::TooLarge);
            }
            let begin = match tag {
                b'R' => 4,
                b'Z' => 1,
                _ => 0,
            };
            let Some(begin) = body.get(..size.min(begin)) else {
                return Ok(());
            };
            self.bounds.look(*tag, size, begin, self.is_encrypted)?;
            self.rest = 5 + size;
        }
    }
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.passed == 0 {
            if self.bounds.broken.get().is_some() {
                return Poll::Ready(Err(io::Error::other("the server is not listened to")));
            }
            let mut chunk = [0; 8 << 10];
            let mut read = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.buffer.extend_from_slice(read.filled());
            // What came before it is the driver's.
            if let Err(failure) = self.pass() {
                self.bounds.broken.set(failure).ok();
            }
        }
        let count = self.passed.min(out.remaining());
        out.put_slice(&self.buffer[..count]);
        self.buffer.advance(count);
        self.passed -= count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// What the driver gets of what a server sends, and why there is no more of it.
    fn read(sent: &[u8], is_encrypted: bool) -> (Vec<u8>, Option<Failure>, bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(async {
            let (mut server, client) = tokio::io::duplex(sent.len() + 1);
            server.write_all(sent).await.expect("room");
            drop(server);
            let bounds = Arc::new(Bounds::default());
            bounds.begin();
            let mut bounded = Bounded::new(Box::new(client), bounds.clone(), is_encrypted);
            let mut got = Vec::new();
            bounded.read_to_end(&mut got).await.ok();
            (got, bounds.broken(), bounds.in_transaction())
        })
    }

    #[test]
    fn messages_pass_whole_until_one_may_not() {
        let good = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05T";
        assert_eq!(read(good, false), (good.to_vec(), None, true));
        for (bad, why) in [
            (&b"D\x7f\xff\xff\xff"[..], Failure::TooLarge),
            (b"R\x7f\xff\xff\xff", Failure::TooLarge),
            (b"D\xff\xff\xff\xff", Failure::Nonsense("a size below zero")),
            (b"D\0\0\0\x03", Failure::Nonsense("a size below zero")),
        ] {
            let (got, broken, _) = read(&[good, bad].concat(), false);
            assert_eq!((&got[..], broken), (&good[..], Some(why)));
        }
        // A head that is cut is nothing.
        assert_eq!(read(b"D\0\0\0", false), (Vec::new(), None, false));
    }

    #[test]
    fn a_password_goes_unencrypted_to_no_one() {
        let asks = b"R\0\0\0\x08\0\0\0\x03";
        assert_eq!(read(asks, true), (asks.to_vec(), None, false));
        let (got, broken, _) = read(asks, false);
        assert!(got.is_empty() && matches!(broken, Some(Failure::Unavailable(..))));
    }

    #[test]
    fn what_nobody_asked_for_counts_more_and_answers_end() {
        let (got, broken, _) = read(&b"N\0\0\0\x04".repeat(1 << 18), false);
        assert_eq!(
            (got.len() < 2 << 20, broken),
            (true, Some(Failure::TooLarge))
        );
        let (got, broken, _) = read(&b"Z\0\0\0\x05I".repeat(MAX_ANSWERS + 1), false);
        assert_eq!(got.len(), 6 * MAX_ANSWERS);
        assert_eq!(broken, Some(Failure::Nonsense("its types have no end")));
    }
}
