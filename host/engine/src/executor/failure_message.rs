//! What an implementation says of its own failure, on either of its streams.
//!
//! What stands last is often not the reason: Node prints its version there, git an advice, npm the
//! path of a log. So the line is looked for that names the reason, by the rules of the language
//! that the program is in.

mod tools;
mod traces;

use std::borrow::Cow;

use serde::Deserialize;

use crate::catalog::Language;
use crate::json;

/// Bytes that a message of an action's own may have.
const MAX_MESSAGE: usize = 4 << 10;
/// Characters of a line that becomes a message.
const MAX_LINE: usize = 500;
/// Bytes of the end of stderr in which the reason is looked for.
const REASON: usize = 64 << 10;
/// Bytes of the end of stderr that say what the program was refused.
const REFUSAL: usize = 4 << 10;

/// The `error` of the JSON object on stdout, a text or a table with `message`; lines may stand
/// before it.
pub fn said_on_stdout(stdout: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Said<'a> {
        #[serde(borrow)]
        error: Words<'a>,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Words<'a> {
        Text(#[serde(borrow)] Cow<'a, str>),
        Table {
            #[serde(borrow)]
            message: Cow<'a, str>,
        },
    }
    let text = json::unmarked(std::str::from_utf8(stdout).ok()?);
    // The rest of the object may be large: it is passed over.
    let said: Said<'_> = serde_json::from_str(text)
        .or_else(|_| serde_json::from_str(json::last(text)))
        .ok()?;
    match said.error {
        Words::Text(text) | Words::Table { message: text } => Some(shortened(&text)),
    }
}

/// A message is for a person: what is longer than they would read is cut.
fn shortened(text: &str) -> String {
    match text.floor_char_boundary(MAX_MESSAGE) {
        end if end == text.len() => text.to_owned(),
        end => format!("{}... ({} bytes in all)", &text[..end], text.len()),
    }
}

/// The end of stderr, which says what the program was refused, in lower case.
pub fn refusal(stderr: &str) -> String {
    last(stderr, REFUSAL).to_lowercase()
}

/// No more than so many bytes of the end of a text.
fn last(text: &str, most: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(most))..]
}

/// The line of a stream that says why a program of that language failed: the last that says
/// something, unless a trace or a tool puts the reason elsewhere.
pub fn reason(stderr: &str, language: Language) -> Option<String> {
    let lines: Vec<&str> = last(stderr, REASON).lines().map(str::trim_end).collect();
    let trace = traces::uncaught(&lines, language);
    let found = trace.or_else(|| tools::reason(&lines));
    let found = found.or_else(|| {
        let mut said = lines.iter().rev().map(|line| line.trim());
        said.find(|line| !line.is_empty()).map(str::to_owned)
    })?;
    Some(found.chars().take(MAX_LINE).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_on_stdout_may_be_a_table_behind_a_log() {
        for (stdout, expected) in [
            (r#"{"error":"a\n","x":[1]}"#, Some("a\n")),
            (
                "log\n{\"error\":{\"message\":\"b\",\"code\":1}}\n",
                Some("b"),
            ),
            ("\u{feff}{\"error\":\"c\"}", Some("c")),
            (r#"{"error":5}"#, None),
            ("log", None),
        ] {
            assert_eq!(
                said_on_stdout(stdout.as_bytes()).as_deref(),
                expected,
                "{stdout}"
            );
        }
    }

    #[test]
    fn a_message_is_the_last_line_unless_the_reason_stands_elsewhere() {
        let told = |stderr: &str| reason(stderr, Language::Shell);
        assert_eq!(told("a\n b \n\n"), Some("b".to_owned()));
        assert_eq!(told("\n \n"), None);
        assert_eq!(told(&"é".repeat(40_000)), Some("é".repeat(500)));
    }
}
