//! What the actions do with a path.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use cap_std::fs::{
    DirEntry, File, Metadata, OpenOptions, OpenOptionsExt as _, PermissionsExt as _,
};
use serde_json::{Value, json};

use kael_engine::units::ByteSize;

use super::Params;
use super::long;
use super::place::{At, NONBLOCK};
use crate::running::Running;
use crate::wire;

/// Bytes of a file that is read, unless a call says otherwise; and the most.
const DEFAULT_BYTES: u64 = 16 << 20;
const MAX_BYTES: u64 = 48 << 20;
/// Entries of a list, and levels of folders below it.
const MAX_ENTRIES: usize = 20_000;
const MAX_LEVELS: u32 = 64;

/// Does what an action is for.
pub(super) fn perform(
    action: &str,
    params: &Params,
    at: &At,
    to: Option<&At>,
    running: &Running,
) -> std::io::Result<Value> {
    let target = || to.ok_or_else(|| std::io::Error::other("`to` is missing"));
    match action {
        "read" => read(at, params.max_bytes.unwrap_or(DEFAULT_BYTES).min(MAX_BYTES)),
        "write" => write(at, params, false),
        "append" => write(at, params, true),
        "stat" => stat(at),
        "list" => list(at, params.depth.unwrap_or(1), running),
        "mkdir" => at.dir.create_dir_all(&at.path).map(|()| Value::Null),
        "remove" => long::remove(at, running).map(|()| Value::Null),
        "rename" => {
            let to = target()?;
            at.dir
                .rename(&at.path, &to.dir, &to.path)
                .map(|()| Value::Null)
        }
        "copy" => long::copy(regular(at)?, target()?, running).map(Value::from),
        "chmod" => {
            let mode = params.mode.unwrap_or(u32::MAX);
            if mode > 0o777 {
                let why = format!("the mode is octal, from 000 to 777, got {mode:o}");
                return Err(std::io::Error::other(why));
            }
            let permissions = cap_std::fs::Permissions::from_mode(mode);
            at.dir
                .set_permissions(&at.path, permissions)
                .map(|()| Value::Null)
        }
        _ => Err(std::io::Error::other("no such action")),
    }
}

/// A regular file, without waiting for one that is none.
fn regular(at: &At) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(NONBLOCK);
    let file = at.dir.open_with(&at.path, &options)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(std::io::Error::other("it is no regular file")),
    }
}

fn read(at: &At, most: u64) -> std::io::Result<Value> {
    let mut bytes = Vec::new();
    regular(at)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let error = format!(
            "it has more than {} (`max_bytes` sets the limit)",
            ByteSize::new(most)
        );
        return Err(std::io::Error::other(error));
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => json!({ "text": text }),
        Err(error) => json!({ "bytes": wire::chars(error.as_bytes()) }),
    })
}

fn write(at: &At, params: &Params, append: bool) -> std::io::Result<Value> {
    let bytes = match (&params.text, &params.bytes) {
        (Some(text), None) => text.clone().into_bytes(),
        (None, Some(text)) => wire::bytes(text).ok_or_else(|| {
            std::io::Error::other("`bytes` has a character that stands for no byte")
        })?,
        _ => return Err(std::io::Error::other("either `text` or `bytes` is written")),
    };
    if let Some(folder) = Path::new(&at.path)
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        at.dir.create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).custom_flags(NONBLOCK);
    match append {
        true => options.append(true),
        false => options.truncate(true),
    };
    let mut file = at.dir.open_with(&at.path, &options)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is no regular file"));
    }
    file.write_all(&bytes)?;
    Ok(Value::Null)
}

fn kind(metadata: &Metadata) -> &'static str {
    match (metadata.is_symlink(), metadata.is_dir(), metadata.is_file()) {
        (true, ..) => "symlink",
        (_, true, _) => "directory",
        (.., true) => "file",
        _ => "other",
    }
}

/// What a path names; null where there is nothing.
fn stat(at: &At) -> std::io::Result<Value> {
    let metadata = match at.dir.symlink_metadata(&at.path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Value::Null),
        Err(error) => return Err(error),
    };
    let seconds = |time: std::io::Result<cap_std::time::SystemTime>| {
        let since = |time: SystemTime| {
            time.duration_since(UNIX_EPOCH)
                .map(|since| since.as_secs_f64())
        };
        time.ok().and_then(|time| since(time.into_std()).ok())
    };
    Ok(json!({
        "size": metadata.len(),
        "type": kind(&metadata),
        "is_file": metadata.is_file(),
        "is_dir": metadata.is_dir(),
        "is_symlink": metadata.is_symlink(),
        "modified": seconds(metadata.modified()),
        "created": seconds(metadata.created()),
        "permissions": format!("{:o}", metadata.permissions().mode() & 0o7777),
    }))
}

fn list(at: &At, depth: u32, running: &Running) -> std::io::Result<Value> {
    let mut entries = Vec::new();
    let mut open = vec![(
        at.dir.open_dir(&at.path)?,
        String::new(),
        depth.clamp(1, MAX_LEVELS),
    )];
    while let Some((dir, prefix, depth)) = open.pop() {
        for entry in dir.entries()? {
            running.check()?;
            let entry: DirEntry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            let metadata = entry.metadata()?;
            if metadata.is_dir() && depth > 1 {
                open.push((entry.open_dir()?, format!("{path}/"), depth - 1));
            }
            entries.push((path, name, kind(&metadata)));
            if entries.len() > MAX_ENTRIES {
                let error = format!("it has more than {MAX_ENTRIES} entries");
                return Err(std::io::Error::other(error));
            }
        }
    }
    entries.sort();
    let list = entries
        .into_iter()
        .map(|(path, name, kind)| json!({ "name": name, "path": path, "type": kind }));
    Ok(Value::from_iter(list))
}
