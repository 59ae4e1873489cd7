//! What an implementation says of its own failure, on either of its streams.

use std::borrow::Cow;

use serde::Deserialize;

/// Bytes that a message of an action's own may have.
const MAX_MESSAGE: usize = 4 << 10;

/// The `error` of a JSON object on stdout.
pub fn said_on_stdout(stdout: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Said<'a> {
        #[serde(borrow)]
        error: Cow<'a, str>,
    }
    // The rest of the object may be large: it is passed over.
    let said: Said<'_> = serde_json::from_slice(stdout).ok()?;
    Some(shortened(&said.error))
}

/// A message is for a person: what is longer than they would read is cut.
fn shortened(text: &str) -> String {
    match text.floor_char_boundary(MAX_MESSAGE) {
        end if end == text.len() => text.to_owned(),
        end => format!("{}... ({} bytes in all)", &text[..end], text.len()),
    }
}

/// The last line of a stream that says something.
pub fn last_words(stderr: &str) -> Option<String> {
    let line = stderr
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty())?;
    Some(line.chars().take(500).collect())
}
