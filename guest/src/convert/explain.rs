//! Explains why a text is not JSON, and which integers would lose digits.

use std::cell::Cell;
use std::fmt::Write as _;

thread_local! {
    /// Set when a number of the document may be an integer of more than 64 bits. The parser turns
    /// those into floats.
    static WIDE: Cell<bool> = const { Cell::new(false) };
}

/// Notes a float that may have been written as an integer.
pub(crate) fn note_float(value: f64) {
    // Smaller integers fit into 64 bits, so smaller floats were written with a fraction or an
    // exponent.
    if value.abs() >= 9_223_372_036_854_775_808.0 {
        WIDE.set(true);
    }
}

/// The text without a leading byte order mark, which some programs write.
pub(crate) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text)
}

/// The result of parsing, or an error if the parser rounded an integer.
pub(crate) fn exact<T>(text: &[u8], read: serde_json::Result<T>) -> Result<T, String> {
    let wide = WIDE.take();
    let value = read.map_err(|error| explained(text, &error))?;
    match wide.then(|| wide_integer(text)).flatten() {
        None => Ok(value),
        Some((at, digits)) => {
            let before = &text[..at];
            let line_start = before
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |at| at + 1);
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            Err(format!(
                "the integer {digits} does not fit into 64 bits (as a text, in quotes, it stays exact) at line {line} column {}",
                1 + at - line_start
            ))
        }
    }
}

/// The first integer of a valid document that does not fit into 64 bits, and its position.
fn wide_integer(text: &[u8]) -> Option<(usize, String)> {
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'"' => {
                at += 1;
                while *text.get(at)? != b'"' {
                    at += if text[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                let rest = &text[at..];
                let number =
                    |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                let length = rest.iter().take_while(|byte| number(byte)).count();
                let word = std::str::from_utf8(&rest[..length]).ok()?;
                if !word.contains(['.', 'e', 'E']) && word.parse::<i64>().is_err() {
                    let mut shown: String = word.chars().take(40).collect();
                    if word.len() > 40 {
                        shown.push_str("...");
                    }
                    return Some((at, shown));
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    None
}

/// Values in other languages' spelling, with their remedies.
const WORDS: [(&str, &str); 10] = [
    (
        "NaN",
        "JSON has no NaN: null can stand for it (Python's json.dumps writes NaN unless allow_nan is False)",
    ),
    ("nan", "JSON has no NaN: null can stand for it"),
    (
        "Infinity",
        "JSON has no Infinity: null or a text can stand for it",
    ),
    (
        "-Infinity",
        "JSON has no Infinity: null or a text can stand for it",
    ),
    (
        "inf",
        "JSON has no infinity: null or a text can stand for it",
    ),
    ("None", "None is Python's: JSON has null"),
    ("True", "True is Python's: JSON has true"),
    ("False", "False is Python's: JSON has false"),
    ("nil", "nil is Lua's: JSON has null"),
    ("undefined", "undefined is JavaScript's: JSON has null"),
];

/// The parser's error, with the text at that position.
fn explained(text: &[u8], error: &serde_json::Error) -> String {
    let mut message = error.to_string();
    if error.classify() != serde_json::error::Category::Syntax {
        return message;
    }
    let line_start = match error.line().checked_sub(2) {
        None => 0,
        Some(breaks) => {
            let mut ends = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
            ends.nth(breaks).map_or(0, |(at, _)| at + 1)
        }
    };
    let place = (line_start + error.column().saturating_sub(1)).min(text.len());
    let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let start = place
        - text[..place]
            .iter()
            .rev()
            .take_while(|byte| in_word(byte))
            .count();
    let rest = &text[start..];
    let length = rest.iter().take_while(|byte| in_word(byte)).count();
    let word = std::str::from_utf8(&rest[..length]).unwrap_or_default();
    if message.starts_with("unexpected end of hex escape")
        || message.starts_with("lone leading surrogate")
    {
        message.push_str(", where half a surrogate pair stands");
    } else if let Some((_, why)) = WORDS.iter().find(|(known, _)| *known == word) {
        _ = write!(message, ", where `{word}` stands: {why}");
    } else if rest.starts_with(b"'") {
        message.push_str(", where ' stands: JSON has double quotes");
    } else if word.starts_with(|c: char| c.is_ascii_alphabetic()) {
        let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let shown: String = String::from_utf8_lossy(line)
            .chars()
            .filter(|c| !c.is_control())
            .take(30)
            .collect();
        _ = write!(message, ", where `{shown}` stands");
    }
    message
}

#[cfg(test)]
mod tests {
    use super::wide_integer;

    #[test]
    fn an_integer_is_wide_when_64_bits_do_not_hold_it() {
        for (text, found) in [
            ("9223372036854775807", None),
            ("-9223372036854775808", None),
            ("9223372036854775808", Some(0)),
            ("[1,-9223372036854775809]", Some(3)),
            (
                r#"{"9223372036854775808\"":"99999999999999999999","a":1e30}"#,
                None,
            ),
            (
                "[99999999999999999999.0, 1E99, 18446744073709551615]",
                Some(31),
            ),
        ] {
            assert_eq!(
                wide_integer(text.as_bytes()).map(|(at, _)| at),
                found,
                "{text}"
            );
        }
    }
}
