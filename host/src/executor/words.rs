//! What an implementation says of its own failure, on either of its streams.

use serde_json::Value;

/// The `error` of a JSON object on stdout.
pub(super) fn said_on_stdout(stdout: &[u8]) -> Option<String> {
    let Value::Object(mut said) = crate::json::parse(stdout).ok()? else {
        return None;
    };
    match said.remove("error")? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// The last line of a stream that says something.
pub(super) fn last_words(stderr: &str) -> Option<String> {
    let line = stderr
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty())?;
    Some(line.chars().take(500).collect())
}
