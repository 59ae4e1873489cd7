//! A connection to a database server, and how much of what the server sends is read.

use bytes::{Buf as _, Bytes, BytesMut};
use kael_net::Stream;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::db::server::failure::Failure;

/// Bytes of one call that are read: an answer with what the protocol adds.
const MAX_READ: usize = 32 << 20;

/// A connection with what was read of it and not used yet.
pub(super) struct Link {
    stream: Box<dyn Stream>,
    buffer: BytesMut,
    left: usize,
}

impl Link {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
            left: MAX_READ,
        }
    }

    /// Begins a call, for which the bound counts anew.
    pub(super) fn begin(&mut self) {
        self.left = MAX_READ;
    }

    /// Whether nothing was sent that nobody has read.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let sent = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|_| Failure::Closed)
    }

    /// The next bytes, as many as that.
    pub(super) async fn read(&mut self, count: usize) -> Result<Bytes, Failure> {
        if count > self.left {
            return Err(Failure::TooLarge);
        }
        while self.buffer.remaining() < count {
            // Memory is taken for what has come, and not for what a server says will come.
            self.buffer.reserve(8 << 10);
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return Err(Failure::Closed),
                Ok(_) => {}
            }
        }
        self.left -= count;
        Ok(self.buffer.split_to(count).freeze())
    }
}

/// Reads the parts of a message.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], Failure> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Failure> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u16_le(&mut self) -> Result<u16, Failure> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32_le(&mut self) -> Result<u32, Failure> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64_le(&mut self) -> Result<u64, Failure> {
        self.array().map(u64::from_le_bytes)
    }

    /// The bytes before a zero, which is read, too.
    pub(super) fn zero_ended(&mut self) -> Result<&'a [u8], Failure> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or(SHORT)?;
        let taken = self.take(end)?;
        self.byte()?;
        Ok(taken)
    }

    /// A number of MySQL's whose first byte says how long it is.
    pub(super) fn counted_number(&mut self) -> Result<u64, Failure> {
        Ok(match self.byte()? {
            0xfc => self.u16_le()?.into(),
            0xfd => {
                let [a, b, c] = self.array()?;
                u32::from_le_bytes([a, b, c, 0]).into()
            }
            0xfe => self.u64_le()?,
            0xfb | 0xff => return Err(SHORT),
            byte => byte.into(),
        })
    }

    /// Bytes of MySQL's with their number in front.
    pub(super) fn counted(&mut self) -> Result<&'a [u8], Failure> {
        let count = self.counted_number()?;
        self.take(usize::try_from(count).map_err(|_| SHORT)?)
    }
}

const SHORT: Failure = Failure::Nonsense("a message is shorter than it says");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_no_further_than_its_end() {
        let mut reader = Reader(b"ab\0\x02xy");
        assert_eq!(reader.zero_ended(), Ok(&b"ab"[..]));
        assert_eq!(reader.counted(), Ok(&b"xy"[..]));
        assert_eq!(reader.byte(), Err(SHORT));
        assert_eq!(Reader(b"no end").zero_ended(), Err(SHORT));
        assert_eq!(
            Reader(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff").counted(),
            Err(SHORT)
        );
        assert_eq!(Reader(b"\xfd\x01").counted_number(), Err(SHORT));
    }
}
