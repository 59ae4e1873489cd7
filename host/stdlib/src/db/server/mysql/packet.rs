//! Packets of the protocol of MySQL, and the errors that a server sends in one.

use super::link::Reader;
use crate::db::server::failure::{Failure, shortened};

/// The largest packet; a longer message is several.
pub(super) const PACKET: usize = 0xff_ffff;

/// A packet with its number.
pub(super) fn packet(number: u8, body: &[u8]) -> Vec<u8> {
    let mut made = Vec::with_capacity(body.len() + 4);
    let mut number = number;
    let mut rest = body;
    loop {
        let (part, after) = rest.split_at(rest.len().min(PACKET));
        made.extend_from_slice(&u32::try_from(part.len()).unwrap_or(0).to_le_bytes()[..3]);
        made.push(number);
        made.extend_from_slice(part);
        number = number.wrapping_add(1);
        rest = after;
        // One that is full is followed by another, which may be empty.
        if part.len() < PACKET {
            return made;
        }
    }
}

pub(super) fn command(word: u8, body: &[u8]) -> Vec<u8> {
    packet(0, &[&[word][..], body].concat())
}

/// The number of an error, and its words.
pub(super) fn told(packet: &[u8]) -> Result<(u16, String), Failure> {
    let mut reader = Reader(packet);
    reader.byte()?;
    let code = reader.u16_le()?;
    let (state, words) = match reader
        .0
        .strip_prefix(b"#")
        .and_then(|rest| rest.split_at_checked(5))
    {
        Some((state, words)) => (String::from_utf8_lossy(state).into_owned(), words),
        None => ("HY000".to_owned(), reader.0),
    };
    let words = shortened(&String::from_utf8_lossy(words));
    Ok((code, format!("{words} (SQLSTATE {state}, error {code})")))
}

pub(super) fn refused(packet: &[u8]) -> Result<Failure, Failure> {
    Ok(match told(packet)? {
        // Ended by KILL QUERY, or by the limit on its time.
        (1317 | 1969 | 3024, _) => Failure::Timeout,
        (_, why) => Failure::Refused(why, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_message_is_several_packets() {
        let sent = packet(0, &vec![0; PACKET]);
        assert_eq!(sent.len(), PACKET + 8);
        assert_eq!(&sent[PACKET + 4..], [0, 0, 0, 1]);
    }
}
