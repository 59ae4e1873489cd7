//! Values of MySQL in the binary form of its protocol.

use serde_json::Value;

use super::link::Reader;
use crate::db::server::answer::{bytes, document, real, text, text_of};
use crate::db::server::failure::Failure;
use crate::db::value::raw;

/// A column of an answer.
pub(super) struct Column {
    pub(super) name: String,
    kind: u8,
    is_unsigned: bool,
    is_binary: bool,
}

/// The character set of what is no text.
const BINARY: u16 = 63;
const UNSIGNED: u16 = 0x20;

impl Column {
    pub(super) fn read(packet: &[u8]) -> Result<Self, Failure> {
        let mut reader = Reader(packet);
        // The catalog, the schema, and the table under both of its names.
        for _ in 0..4 {
            reader.counted()?;
        }
        let name = String::from_utf8_lossy(reader.counted()?).into_owned();
        reader.counted()?;
        reader.byte()?;
        let set = reader.u16_le()?;
        reader.u32_le()?;
        let kind = reader.byte()?;
        let flags = reader.u16_le()?;
        Ok(Self {
            name,
            kind,
            is_unsigned: flags & UNSIGNED != 0,
            is_binary: set == BINARY,
        })
    }

    /// Reads a value as JSON, and says how many bytes it had.
    pub(super) fn json(&self, reader: &mut Reader<'_>) -> Result<(String, usize), Failure> {
        let before = reader.0.len();
        let unsigned = self.is_unsigned;
        let made = match self.kind {
            1 if unsigned => reader.byte()?.to_string(),
            1 => reader.byte()?.cast_signed().to_string(),
            2 | 13 if unsigned => reader.u16_le()?.to_string(),
            2 | 13 => reader.u16_le()?.cast_signed().to_string(),
            3 | 9 if unsigned => reader.u32_le()?.to_string(),
            3 | 9 => reader.u32_le()?.cast_signed().to_string(),
            8 if unsigned => whole(reader.u64_le()?),
            8 => reader.u64_le()?.cast_signed().to_string(),
            // The shortest text of it, and not the nearest number of twice its size.
            4 => {
                let number = f32::from_bits(reader.u32_le()?);
                number
                    .to_string()
                    .parse()
                    .map_or_else(|_| text("NaN"), real)
            }
            5 => real(f64::from_bits(reader.u64_le()?)),
            6 => "null".to_owned(),
            7 | 10 | 12 => text(&self.day(reader)?),
            11 => text(&time(reader)?),
            // Bits are a number, whose largest has 64.
            16 => match reader.counted()? {
                bits if bits.len() <= 8 => whole(
                    bits.iter()
                        .fold(0, |number, byte| number << 8 | u64::from(*byte)),
                ),
                _ => return Err(Failure::Nonsense("more than 64 bits")),
            },
            245 => document(reader.counted()?),
            // What is counted in tens is exact as a text alone.
            0 | 246 => text_of(reader.counted()?),
            15 | 247..=255 if self.is_binary => bytes(reader.counted()?),
            15 | 247..=255 => text_of(reader.counted()?),
            _ => return Err(Failure::Nonsense("a value of an unknown type")),
        };
        Ok((made, before - reader.0.len()))
    }

    /// `2026-11-29`, or with the time of day; the time zone of the session is UTC.
    fn day(&self, reader: &mut Reader<'_>) -> Result<String, Failure> {
        let size = reader.byte()?;
        let mut reader = Reader(reader.take(size.into())?);
        let (mut year, mut month, mut day) = (0, 0, 0);
        if size >= 4 {
            (year, month, day) = (reader.u16_le()?, reader.byte()?, reader.byte()?);
        }
        let date = format!("{year:04}-{month:02}-{day:02}");
        if self.kind == 10 {
            return Ok(date);
        }
        let clock = clock(&mut reader, size >= 7, size >= 11)?;
        let zone = if self.kind == 7 { "Z" } else { "" };
        Ok(format!("{date}T{clock}{zone}"))
    }
}

/// `19:30:00.5`, from zero where it is left out.
fn clock(reader: &mut Reader<'_>, has_time: bool, has_micros: bool) -> Result<String, Failure> {
    let (mut hour, mut minute, mut second) = (0, 0, 0);
    if has_time {
        (hour, minute, second) = (reader.byte()?, reader.byte()?, reader.byte()?);
    }
    let micros = if has_micros { reader.u32_le()? } else { 0 };
    Ok(format!(
        "{hour:02}:{minute:02}:{second:02}{}",
        fraction(micros)
    ))
}

fn fraction(micros: u32) -> String {
    match micros {
        0 => String::new(),
        micros => format!(".{micros:06}").trim_end_matches('0').to_owned(),
    }
}

/// A time between two, which can be days and below zero: `-26:30:00`.
fn time(reader: &mut Reader<'_>) -> Result<String, Failure> {
    let size = reader.byte()?;
    let mut reader = Reader(reader.take(size.into())?);
    if size < 8 {
        return Ok("00:00:00".to_owned());
    }
    let sign = if reader.byte()? == 0 { "" } else { "-" };
    let days = reader.u32_le()?;
    let (hour, minute, second) = (reader.byte()?, reader.byte()?, reader.byte()?);
    let micros = if size >= 12 { reader.u32_le()? } else { 0 };
    let hours = u64::from(days) * 24 + u64::from(hour);
    Ok(format!(
        "{sign}{hours:02}:{minute:02}:{second:02}{}",
        fraction(micros)
    ))
}

/// A number from zero, as a text where a script has no such number.
fn whole(number: u64) -> String {
    match i64::try_from(number) {
        Ok(number) => number.to_string(),
        Err(_) => text(&number.to_string()),
    }
}

/// A parameter: the number of its type, and its bytes; none for NULL.
///
/// # Errors
/// What no column can hold.
pub(super) fn parameter(value: &Value) -> Result<(u8, Option<Vec<u8>>), String> {
    Ok(match value {
        Value::Null => (6, None),
        Value::Bool(is) => (8, Some(i64::from(*is).to_le_bytes().to_vec())),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => (8, Some(whole.to_le_bytes().to_vec())),
            (None, Some(real)) => (5, Some(real.to_le_bytes().to_vec())),
            (None, None) => return Err("a number is too large".to_owned()),
        },
        Value::String(text) => (253, Some(counted(text.as_bytes()))),
        value => match raw(value) {
            Some(bytes) => (252, Some(counted(&bytes))),
            None => {
                let what = if value.is_array() { "list" } else { "table" };
                return Err(format!(
                    "a {what} is no value of a column: encode it as JSON"
                ));
            }
        },
    })
}

/// Bytes with their number in front.
pub(super) fn counted(bytes: &[u8]) -> Vec<u8> {
    let size = bytes.len() as u64;
    let head = size.to_le_bytes();
    let mut made = match size {
        0..251 => vec![head[0]],
        251..0x1_0000 => vec![0xfc, head[0], head[1]],
        0x1_0000..0x100_0000 => vec![0xfd, head[0], head[1], head[2]],
        _ => [&[0xfe][..], &head].concat(),
    };
    made.extend_from_slice(bytes);
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: u8) -> Column {
        Column {
            name: String::new(),
            kind,
            is_unsigned: false,
            is_binary: false,
        }
    }

    fn read(kind: u8, bytes: &[u8]) -> Result<String, Failure> {
        let mut reader = Reader(bytes);
        let (made, size) = column(kind).json(&mut reader)?;
        assert_eq!((size, reader.0.len()), (bytes.len(), 0));
        Ok(made)
    }

    #[test]
    fn values_keep_what_they_are() {
        for (kind, bytes, expected) in [
            (1, &b"\xff"[..], "-1"),
            (8, b"\0\0\0\0\0\0\0\x80", "-9223372036854775808"),
            (4, &0.1_f32.to_le_bytes(), "0.1"),
            (5, &f64::INFINITY.to_le_bytes(), "\"inf\""),
            (246, b"\x041.10", "\"1.10\""),
            (10, b"\x04\xea\x07\x0b\x1d", "\"2026-11-29\""),
            (10, b"\0", "\"0000-00-00\""),
            (
                12,
                b"\x0b\xea\x07\x0b\x1d\x13\x1e\0\x20\xa1\x07\0",
                "\"2026-11-29T19:30:00.5\"",
            ),
            (
                7,
                b"\x07\xea\x07\x0b\x1d\x13\x1e\0",
                "\"2026-11-29T19:30:00Z\"",
            ),
            (11, b"\x08\x01\x01\0\0\0\x02\x1e\0", "\"-26:30:00\""),
            (16, b"\x02\x01\0", "256"),
            (245, b"\x02{}", "{\"json\":{}}"),
        ] {
            assert_eq!(read(kind, bytes).as_deref(), Ok(expected), "{kind}");
        }
        let large = Column {
            is_unsigned: true,
            ..column(8)
        };
        let (made, _) = large.json(&mut Reader(&[0xff; 8])).expect("a number");
        assert_eq!(made, "\"18446744073709551615\"");
    }

    #[test]
    fn a_value_that_is_cut_is_an_error_and_no_panic() {
        for kind in 0..=255 {
            for bytes in [
                &b""[..],
                b"\x01",
                b"\x07\x01",
                b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff",
                b"\x0b\0\0",
            ] {
                let made = column(kind).json(&mut Reader(bytes));
                assert!(
                    made.is_ok() || matches!(made, Err(Failure::Nonsense(_))),
                    "{kind}"
                );
            }
        }
        assert!(Column::read(b"\x03def\0").is_err());
    }
}
