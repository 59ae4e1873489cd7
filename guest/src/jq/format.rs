//! String formats: `@csv`, `@tsv`, `@html`, `@uri`, `@base64`, and decoding.

use std::fmt::Write as _;

use jaq_core::native::{Filter, bome, v};
use jaq_core::{Error, RunPtr, ValR, ValT as _};

use super::Data;
use super::value::Val;

pub(super) fn functions() -> Box<[Filter<RunPtr<Data>>]> {
    Box::new([
        ("escape_csv", v(0), |cv| bome(cell(cv.1, csv))),
        ("escape_tsv", v(0), |cv| bome(cell(cv.1, tsv))),
        ("escape_html", v(0), |cv| {
            bome(with(&cv.1, |text| Some(html(text))))
        }),
        ("encode_uri", v(0), |cv| {
            bome(with(&cv.1, |text| Some(uri(text))))
        }),
        ("decode_uri", v(0), |cv| bome(with(&cv.1, from_uri))),
        ("encode_base64", v(0), |cv| {
            bome(with(&cv.1, |text| Some(base64(text.as_bytes()))))
        }),
        ("decode_base64", v(0), |cv| bome(with(&cv.1, from_base64))),
    ])
}

fn with(value: &Val, change: fn(&str) -> Option<String>) -> ValR<Val> {
    let Val::Text(text) = value else {
        return Err(Error::typ(value.clone(), "string"));
    };
    let changed = change(text).ok_or_else(|| Error::str(format_args!("{value} cannot be decoded")));
    changed.map(Val::from)
}

/// One cell of a table.
fn cell(value: Val, write: fn(&str) -> String) -> ValR<Val> {
    match value {
        Val::Null => Ok(Val::from(String::new())),
        Val::Text(own) => Ok(Val::from(write(&own))),
        Val::Bool(_) | Val::Int(_) | Val::Float(_) => Ok(value.into_string()),
        Val::List(_) | Val::Object(_) => Err(Error::str(format_args!(
            "{value} cannot be a cell of a table"
        ))),
    }
}

fn csv(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn tsv(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    out
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\'' => out.push_str("&#39;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}

fn uri(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(byte.into());
            }
            byte => _ = write!(out, "%{byte:02X}"),
        }
    }
    out
}

fn from_uri(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let (digits, more) = more.split_at_checked(2)?;
        let digit = |digit: u8| char::from(digit).to_digit(16);
        bytes.push(u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()?);
        rest = more;
    }
    String::from_utf8(bytes).ok()
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| usize::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            if digit <= chunk.len() {
                out.push(DIGITS[bits >> (18 - 6 * digit) & 63].into());
            } else {
                out.push('=');
            }
        }
    }
    out
}

fn from_base64(text: &str) -> Option<String> {
    let digits = text.trim_end_matches('=').bytes();
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::with_capacity(text.len()));
    for digit in digits {
        let value = DIGITS.iter().position(|known| *known == digit)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 255) as u8);
            bits &= (1 << count) - 1;
        }
    }
    // A single digit after whole bytes is a fragment, and is ignored.
    if count >= 6 {
        return None;
    }
    // JSON has no bytes, so bytes that are not UTF-8 become U+FFFD.
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_comes_back() {
        for text in ["", "a", "ab", "abc", "abcd", "é世 /?%+&=\n"] {
            assert_eq!(from_base64(&base64(text.as_bytes())).as_deref(), Some(text));
            assert_eq!(from_uri(&uri(text)).as_deref(), Some(text));
        }
        assert_eq!(base64(b"any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
        assert_eq!(uri("a b/é"), "a%20b%2F%C3%A9");
        assert_eq!(
            (from_uri("%"), from_uri("%zz"), from_base64("*")),
            (None, None, None)
        );
    }
}
