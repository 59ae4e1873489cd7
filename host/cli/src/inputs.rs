//! The files of `--input NAME=FILE`, which a script finds in its global `inputs`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use kael_engine::sandbox::MAX_INPUT;
use kael_engine::units::ByteSize;

/// Reads the files. Returns their names and bytes.
pub(super) fn read(given: &[OsString]) -> Result<Vec<(String, Vec<u8>)>, String> {
    let (mut inputs, mut left) = (Vec::<(String, Vec<u8>)>::new(), MAX_INPUT);
    for word in given {
        let (name, path) = parts(word)?;
        if inputs.iter().any(|(known, _)| known == name) {
            return Err(format!("--input gives `{name}` twice"));
        }
        let shown = path.display();
        let failed = |error| format!("cannot read `{shown}` for --input {name}: {error}");
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(left + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        left = left.checked_sub(bytes.len() as u64).ok_or_else(|| {
            let most = ByteSize::new(MAX_INPUT);
            format!(
                "the files of --input may have {most} in all, and with `{shown}` they have more"
            )
        })?;
        inputs.push((name.to_owned(), bytes));
    }
    Ok(inputs)
}

/// Splits `NAME=FILE`.
fn parts(word: &OsStr) -> Result<(&str, &Path), String> {
    let refused = || {
        let shown = word.to_string_lossy();
        format!("--input takes NAME=FILE, with a NAME of letters, digits and `_`, got `{shown}`")
    };
    let bytes = word.as_bytes();
    let at = bytes
        .iter()
        .position(|byte| *byte == b'=')
        .ok_or_else(refused)?;
    let name = std::str::from_utf8(&bytes[..at]).map_err(|_| refused())?;
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let word =
        name.starts_with(first) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match &bytes[at + 1..] {
        path @ [_, ..] if word => Ok((name, Path::new(OsStr::from_bytes(path)))),
        _ => Err(refused()),
    }
}
