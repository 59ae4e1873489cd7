//! A result that is no JSON document: what is wrong, what was printed, and which `output` would
//! take it.

use crate::failure::{ActionError, Detail, ErrorKind};
use crate::json::{self, JsonError};

/// Bytes of what was printed that are looked at for a hint.
const MAX_HINT: usize = 1 << 20;

/// A result that is no JSON document, with the beginning of what was printed.
pub(crate) fn not_json(error: &JsonError, stdout: &[u8]) -> ActionError {
    let message = match error {
        JsonError::TooMany | JsonError::TooDeep => {
            format!("printed a document that is too large: {error}")
        }
        JsonError::Rounded(_) => format!("printed a number that no script can hold: {error}"),
        JsonError::Syntax(_) | JsonError::NotText(_) | JsonError::Utf16 => {
            format!("printed what is not JSON: {error}")
        }
    };
    let detail = Detail {
        stdout: Detail::beginning(stdout),
        hint: hint(error, stdout),
        ..Detail::default()
    };
    ActionError {
        detail: Some(Box::new(detail)),
        ..ActionError::new(ErrorKind::BadOutput, message)
    }
}

/// Which `output` would take what was printed, where one would.
fn hint(error: &JsonError, stdout: &[u8]) -> Option<String> {
    let JsonError::Syntax(_) = error else {
        return None;
    };
    let text = std::str::from_utf8(stdout).ok()?;
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let several = lines.clone().nth(1).is_some();
    if several && text.len() <= MAX_HINT && lines.all(|line| json::check(line).is_ok()) {
        let output = "output = \"ndjson\" takes a document a line";
        return Some(output.to_owned());
    }
    if ["{'", "['", "[{'"]
        .iter()
        .any(|start| text.trim_start().starts_with(start))
    {
        let python = "so Python shows a value: print json.dumps(value)";
        return Some(python.to_owned());
    }
    let last = json::last(text);
    let shorter = last.len() < text.trim().len();
    (shorter && last.starts_with(['{', '[']) && json::check(last).is_ok()).then(|| {
        "output = \"last-json\" takes the last document and passes over what stands before it"
            .to_owned()
    })
}
