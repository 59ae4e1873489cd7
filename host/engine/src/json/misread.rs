//! Explains why a text is not JSON: the line and column as an editor shows them, and the text
//! there.

use std::fmt;

use crate::text;

/// Characters of a text that a message shows.
const SHOWN: usize = 60;

/// Values in other languages' spelling, and the JSON that replaces them.
const FOREIGN: [(&str, &str); 13] = [
    ("NaN", "null, or a text"),
    ("-NaN", "null, or a text"),
    ("nan", "null, or a text"),
    ("Infinity", "null, or a text"),
    ("-Infinity", "null, or a text"),
    ("inf", "null, or a text"),
    ("-inf", "null, or a text"),
    ("None", "null"),
    ("nil", "null"),
    ("undefined", "null"),
    ("NULL", "null"),
    ("True", "true"),
    ("False", "false"),
];

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misread {
    what: String,
    /// Counted from 1.
    line: usize,
    /// Counted in characters, from 1.
    column: usize,
}

impl fmt::Display for Misread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at line {} column {}",
            self.what, self.line, self.column
        )
    }
}

impl Misread {
    /// Explains an error of the parser.
    pub(crate) fn new(text: &str, error: &serde_json::Error) -> Self {
        let at = offset(text, error.line(), error.column());
        let (at, what) = explained(text, at, error);
        Self::at(text, at, what)
    }

    /// The parser's own message, for callers that do not have the text.
    pub(crate) fn of(error: &serde_json::Error) -> Self {
        let said = error.to_string();
        let end = said.rfind(" at line ").unwrap_or(said.len());
        Self {
            what: said[..end].to_owned(),
            line: error.line(),
            column: error.column(),
        }
    }

    /// The error for an integer that would be rounded.
    pub(super) fn rounded(text: &str, at: usize, length: usize) -> Self {
        let number: String = text[at..at + length].chars().take(SHOWN).collect();
        let what = format!(
            "the number {number} does not fit into 64 bits and would be rounded (write it as a text),"
        );
        Self::at(text, at, what)
    }

    fn at(text: &str, at: usize, what: String) -> Self {
        let before = &text[..at];
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        Self {
            what,
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
        }
    }

    /// The same error for a text that begins so many lines into its file.
    pub(crate) fn below(self, lines: usize) -> Self {
        Self {
            line: self.line + lines,
            ..self
        }
    }
}

/// The byte at which the parser stopped. The parser counts columns in bytes and includes that byte.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let mut start = 0;
    for _ in 1..line {
        let Some(end) = text[start..].find('\n') else {
            break;
        };
        start += end + 1;
    }
    text.floor_char_boundary((start + column.saturating_sub(1)).min(text.len()))
}

fn explained(text: &str, at: usize, error: &serde_json::Error) -> (usize, String) {
    let said = error.to_string();
    let said = said
        .rfind(" at line ")
        .map_or(said.as_str(), |end| &said[..end]);
    let start = text.len() - text.trim_start().len();
    if said.contains("surrogate") || said.contains("hex escape") {
        let from = text[..at].rfind("\\u").unwrap_or(at);
        let escape: String = text[from..].chars().take(6).collect();
        return (
            from,
            format!("half a surrogate pair, {escape}, which is not a character,"),
        );
    }
    if text.trim().is_empty() {
        return (0, "an empty text".to_owned());
    }
    if error.is_eof() {
        return (text.len(), "the text ends within the document".to_owned());
    }
    if said.starts_with("trailing characters") {
        let more = format!("more text behind the document, {},", quoted(&text[at..]));
        return (at, more);
    }
    let (from, word) = word(text, at);
    if let Some((_, instead)) = FOREIGN.iter().find(|(foreign, _)| *foreign == word) {
        return (
            from,
            format!("{word}, which JSON does not have (write {instead}),"),
        );
    }
    if text[at..].starts_with('\u{feff}') {
        return (at, "a byte order mark within the text".to_owned());
    }
    if said == "expected value" || said == "expected ident" {
        if from <= start {
            let begins = format!(
                "it begins with {}, which is not a JSON value,",
                quoted(&text[start..])
            );
            return (start, begins);
        }
        return (
            from,
            format!("expected a value, found {}", quoted(&text[from..])),
        );
    }
    let shown = ["expected", "key must be"]
        .iter()
        .any(|start| said.starts_with(start));
    match shown {
        true => (at, format!("{said}, found {}", quoted(&text[at..]))),
        false => (at, said.to_owned()),
    }
}

/// The word around a byte, and where it begins.
fn word(text: &str, at: usize) -> (usize, &str) {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '.');
    let before = text[..at].trim_end_matches(inner).len();
    let rest = &text[before..];
    let end = rest.find(|c| !inner(c)).unwrap_or(rest.len());
    (before, &rest[..end])
}

/// The first line of a text, quoted and shortened.
fn quoted(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim_end();
    text::quote(line, SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_and_what_stands_there() {
        let told = |text: &str| {
            let error = serde_json::from_str::<serde_json::Value>(text).expect_err("no JSON");
            Misread::new(text, &error).to_string()
        };
        for (text, expected) in [
            (
                "{\"v\": NaN}",
                "NaN, which JSON does not have (write null, or a text), at line 1 column 7",
            ),
            (
                "[1,\n -Infinity]",
                "-Infinity, which JSON does not have (write null, or a text), at line 2 column 2",
            ),
            (
                "[None]",
                "None, which JSON does not have (write null), at line 1 column 2",
            ),
            (
                "[nan]",
                "nan, which JSON does not have (write null, or a text), at line 1 column 2",
            ),
            (
                "True",
                "True, which JSON does not have (write true), at line 1 column 1",
            ),
            (
                "connecting…\n{\"ok\":true}\n",
                "it begins with \"connecting…\", which is not a JSON value, at line 1 column 1",
            ),
            (
                "{\"a\":1}\ndone\n",
                "more text behind the document, \"done\", at line 2 column 1",
            ),
            (
                "[\"é\", \"\\ud800\"]",
                "half a surrogate pair, \\ud800, which is not a character, at line 1 column 8",
            ),
            (
                "[\"\\udc00x\"]",
                "half a surrogate pair, \\udc00, which is not a character, at line 1 column 3",
            ),
            (
                "[1, 2",
                "the text ends within the document at line 1 column 6",
            ),
            (
                "[1,\n \u{feff}2]",
                "a byte order mark within the text at line 2 column 2",
            ),
            (
                "{'a': 1}",
                "key must be a string, found \"'a': 1}\" at line 1 column 2",
            ),
            (
                "[1 2]",
                "expected `,` or `]`, found \"2]\" at line 1 column 4",
            ),
            ("[1e999]", "number out of range at line 1 column 6"),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
        let long = "x".repeat(100);
        assert!(told(&long).starts_with(&format!("it begins with {:?}..., which", "x".repeat(60))));
    }
}
