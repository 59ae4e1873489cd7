//! A result that an action left in a file of its `TMPDIR`: `{"_file": "path"}` on its stdout.
//!
//! The file is looked up and read through a handle on that folder, when every process of the call has ended.

use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

use super::temporary::Temporary;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use serde_json::Value;

use crate::failure::{ActionError, ErrorKind};
use crate::json;
use crate::permit;
use crate::units::ByteSize;

/// Bytes that such a file may have, as stdout may.
const CAP: u64 = 64 << 20;
/// A document that names a file is not longer than this.
const LONGEST: usize = 16 << 10;

/// The result: what was printed, or what the file that it names holds. The folder is removed afterwards.
pub(super) async fn follow(stdout: Vec<u8>, temporary: Temporary) -> Result<Vec<u8>, ActionError> {
    let Some(path) = named(&stdout) else {
        return Ok(stdout);
    };
    let reading =
        permit::blocking(move || read(&temporary, &path).map_err(|error| wrong(&path, &error)));
    let read = reading.await;
    read.unwrap_or_else(|error| Err(ActionError::unavailable(error.to_string(), None)))
}

/// The same for a program that serves many calls: the file is removed, and the folder stays.
///
/// The program may write meanwhile. What is read is the file that the name meant when it was opened.
///
/// # Errors
/// Of the kind `bad_output`, when no such file is there or it holds no JSON; `unavailable`, when the host ends.
pub async fn take(stdout: Vec<u8>, folder: Arc<Temporary>) -> Result<Vec<u8>, ActionError> {
    let Some(path) = named(&stdout) else {
        return Ok(stdout);
    };
    let reading = permit::blocking(move || {
        let read = read(&folder, &path);
        remove(&folder, &path);
        read.map_err(|error| wrong(&path, &error))
    });
    let read = reading.await;
    read.unwrap_or_else(|error| Err(ActionError::unavailable(error.to_string(), None)))
}

/// For executors whose files are not here. `reason` goes on behind the name of the file.
///
/// # Errors
/// Of the kind `bad_output`, when a file is named.
pub fn refuse(stdout: &[u8], reason: &str) -> Result<(), ActionError> {
    named(stdout).map_or(Ok(()), |path| Err(wrong(&path, reason)))
}

fn wrong(path: &str, reason: &str) -> ActionError {
    let message = format!("_file `{}` {reason}", path.escape_debug());
    ActionError::new(ErrorKind::BadOutput, message)
}

/// The path in a document that has exactly this one key, with a text.
fn named(stdout: &[u8]) -> Option<String> {
    let stdout = stdout.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stdout);
    if stdout.len() > LONGEST || !stdout.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let Ok(Value::Object(mut said)) = json::parse(stdout) else {
        return None;
    };
    match (said.len(), said.remove("_file")?) {
        (1, Value::String(path)) => Some(path),
        _ => None,
    }
}

/// The path below the folder.
fn below<'a>(temporary: &Temporary, path: &'a str) -> Option<&'a Path> {
    match Path::new(path) {
        path if path.is_absolute() => path.strip_prefix(temporary.path()).ok(),
        path => Some(path),
    }
}

/// Removes a file that was read, if it can be: the folder goes with its program at the latest.
fn remove(temporary: &Temporary, path: &str) {
    if let (Some(path), Ok(folder)) = (below(temporary, path), temporary.folder()) {
        let _ = Dir::from_std_file(folder.into()).remove_file(path);
    }
}

fn read(temporary: &Temporary, path: &str) -> Result<Vec<u8>, String> {
    let words = |error: io::Error| {
        let text = error.to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        format!("cannot be read: {}", text.to_lowercase())
    };
    let relative = below(temporary, path).ok_or("is not in the TMPDIR of the call")?;
    let folder = Dir::from_std_file(temporary.folder().map_err(words)?.into());
    let mut options = OpenOptions::new();
    // A pipe that nobody writes to must not be waited for.
    options
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    let file = folder.open_with(relative, &options).map_err(|error| {
        // What leads out is refused by cap-std itself, in these words of its own.
        if error.raw_os_error().is_none() && error.kind() == io::ErrorKind::PermissionDenied {
            return "leads out of the TMPDIR of the call".to_owned();
        }
        words(error)
    })?;
    if !file.metadata().map_err(words)?.is_file() {
        return Err("is not a regular file".to_owned());
    }
    let mut content = Vec::new();
    file.take(CAP + 1)
        .read_to_end(&mut content)
        .map_err(words)?;
    if content.len() as u64 > CAP {
        return Err(format!("has more than {}", ByteSize::new(CAP)));
    }
    json::text(content)
        .and_then(|text| json::check(&text).map(|_| text.into_bytes()))
        .map_err(|error| format!("holds what is not JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_document_with_that_key_alone_names_a_file() {
        assert_eq!(named(br#" {"_file":"x"} "#).as_deref(), Some("x"));
        for other in [
            &br#"{"_file":"x","more":1}"#[..],
            br#"{"_file":5}"#,
            br#"["_file"]"#,
            br#"{"file":"x"}"#,
            b"{",
            b"",
        ] {
            assert_eq!(named(other), None);
        }
    }
}
