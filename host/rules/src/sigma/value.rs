//! Values of a Sigma search with their modifiers, as tests in Lua.

use std::fmt::Write as _;

/// One test of a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Test {
    Is(String),
    Contains(String),
    Starts(String),
    Ends(String),
    /// A regular expression.
    Matches(String),
    /// An address block: its first address, its bits, and how many of them count.
    Within(String),
    Number(i64),
    Compare(&'static str, i64),
    Exists(bool),
    /// One of these: the spellings of one value.
    Any(Vec<Test>),
}

/// Where a text must stand in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Whole,
    Anywhere,
    Start,
    End,
}

/// A part of a text with wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Any,
    One,
}

/// The test for a text, whose `*` and `?` are wildcards unless a backslash stands before them.
/// Without `cased`, the texts in tests are in lower case, and so is the field.
pub(super) fn text(value: &str, place: Place, cased: bool) -> Test {
    let mut parts = parts(value);
    if matches!(place, Place::Anywhere | Place::End) && parts.first() != Some(&Part::Any) {
        parts.insert(0, Part::Any);
    }
    if matches!(place, Place::Anywhere | Place::Start) && parts.last() != Some(&Part::Any) {
        parts.push(Part::Any);
    }
    let lower = |text: &str| match cased {
        true => text.to_owned(),
        false => text.to_ascii_lowercase(),
    };
    // Lua's `lower` changes ASCII alone.
    let plain = |text: &str| {
        !text.contains(ANY_DASH)
            && (cased || text.chars().all(|c| c.is_ascii() || !c.is_alphabetic()))
    };
    match parts.as_slice() {
        [] => Test::Is(String::new()),
        [Part::Any] => Test::Exists(true),
        [Part::Text(text)] if plain(text) => Test::Is(lower(text)),
        [Part::Any, Part::Text(text), Part::Any] if plain(text) => Test::Contains(lower(text)),
        [Part::Text(text), Part::Any] if plain(text) => Test::Starts(lower(text)),
        [Part::Any, Part::Text(text)] if plain(text) => Test::Ends(lower(text)),
        parts => {
            let mut regex = String::from(if cased { "(?s)^" } else { "(?si)^" });
            for part in parts {
                match part {
                    Part::Text(text) => {
                        let any = format!("[{}]", String::from_iter(DASHES));
                        regex.push_str(&regex::escape(text).replace(ANY_DASH, &any));
                    }
                    Part::Any => regex.push_str(".*"),
                    Part::One => regex.push('.'),
                }
            }
            regex.push('$');
            Test::Matches(regex)
        }
    }
}

fn parts(value: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut chars = value.chars().peekable();
    while let Some(c) = chars.next() {
        let wildcard = match c {
            '*' => Some(Part::Any),
            '?' => Some(Part::One),
            '\\' if matches!(chars.peek(), Some('*' | '?' | '\\')) => {
                text.extend(chars.next());
                None
            }
            c => {
                text.push(c);
                None
            }
        };
        if let Some(wildcard) = wildcard {
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            if wildcard != Part::Any || parts.last() != Some(&Part::Any) {
                parts.push(wildcard);
            }
        }
    }
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    parts
}

/// What command lines of Windows take for a dash.
const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];
/// Stands for each of them in a text. It is no character of its own in Unicode, so no value has it.
const ANY_DASH: char = '\u{fdd0}';

/// The test for a text as command lines of Windows may spell its dashes: `-`, `/` and longer dashes.
pub(super) fn windash(value: &str, place: Place, cased: bool) -> Test {
    let mut chars: Vec<char> = value.chars().filter(|c| *c != ANY_DASH).collect();
    let word = |c: Option<&char>| c.is_some_and(|c| c.is_alphanumeric() || *c == '_');
    let begins = |at: &usize| {
        matches!(chars[*at], '-' | '/')
            && !at
                .checked_sub(1)
                .is_some_and(|before| word(chars.get(before)))
            && word(chars.get(*at + 1))
    };
    let dashes: Vec<usize> = (0..chars.len()).filter(begins).collect();
    let mut with = |dash: char| {
        dashes.iter().for_each(|at| chars[*at] = dash);
        text(&chars.iter().collect::<String>(), place, cased)
    };
    match dashes.len() {
        0 => text(value, place, cased),
        // Five searches take less time than one pattern.
        1 => Test::Any(DASHES.map(with).to_vec()),
        _ => with(ANY_DASH),
    }
}

/// The bytes as base64, as they stand in a longer text: at each of three offsets, without the
/// characters that its neighbours change.
pub(super) fn base64_offsets(bytes: &[u8]) -> Vec<String> {
    (0..3)
        .map(|offset| {
            let mut padded = vec![b' '; offset];
            padded.extend(bytes);
            let text = base64(&padded);
            let start = [0, 2, 3][offset];
            let end = text.len() - [0, 3, 2][padded.len() % 3];
            text.get(start..end).unwrap_or_default().to_owned()
        })
        .collect()
}

/// Base64 with padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            out.push(if at <= chunk.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    out
}

/// A text as a literal of Lua.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(byte));
            }
            0x20..=0x7e => out.push(char::from(byte)),
            other => _ = write!(out, "\\{other:03}"),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_choose_the_test() {
        for (value, place, test) in [
            ("CMD.exe", Place::Whole, Test::Is("cmd.exe".into())),
            ("*\\Cmd.exe", Place::Whole, Test::Ends("\\cmd.exe".into())),
            ("\\cmd.exe", Place::End, Test::Ends("\\cmd.exe".into())),
            ("a\\*b", Place::Anywhere, Test::Contains("a*b".into())),
            ("a*b?c", Place::Whole, Test::Matches("(?si)^a.*b.c$".into())),
            ("É", Place::Start, Test::Matches("(?si)^É.*$".into())),
            ("*", Place::Whole, Test::Exists(true)),
            ("", Place::Whole, Test::Is(String::new())),
        ] {
            assert_eq!(text(value, place, false), test, "{value}");
        }
    }

    #[test]
    fn encodings_are_those_of_sigma() {
        assert_eq!(base64(b"foobar"), "Zm9vYmFy");
        assert_eq!(base64(b"fo"), "Zm8=");
        assert_eq!(
            base64_offsets(b"foobar"),
            ["Zm9vYmFy", "Zvb2Jhc", "mb29iYX"]
        );
        let dashed = |value| windash(value, Place::Anywhere, false);
        let Test::Any(spelled) = dashed("-F x") else {
            panic!("one dash")
        };
        assert_eq!(spelled.len(), 5);
        assert_eq!(spelled[1], Test::Contains("/f x".into()));
        assert_eq!(dashed("a-b"), Test::Contains("a-b".into()));
        let every = "(?si)^.*[-/–—―]a [-/–—―]b [-/–—―]c [-/–—―]d.*$";
        assert_eq!(dashed("-a /b -c -d"), Test::Matches(every.into()));
        assert_eq!(quoted("a\"\\\u{e9}\n"), "\"a\\\"\\\\\\195\\169\\010\"");
    }
}
