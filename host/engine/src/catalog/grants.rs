//! What an action with `executor = "wasm"` may use of the machine. By default nothing.

use std::path::PathBuf;

use serde_json::Value;

use super::destination::Destination;
use super::error::DefinitionError;
use super::fields::{Fields, collect_error};

/// A folder of this machine that an action sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// The path inside the action: absolute, such as `/data`.
    pub seen_as: String,
    /// The path on this machine: absolute, or relative to the actions repo.
    pub path: PathBuf,
    /// Whether the action may write to it.
    pub writable: bool,
}

/// The grants of one action.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Folders, sorted by their path inside the action.
    pub dirs: Vec<Folder>,
    /// Addresses that it may connect to.
    pub network: Vec<Destination>,
    /// The SHA-256 that the program's file must have, in lower-case hexadecimal.
    pub sha256: Option<String>,
}

/// The fields that only `executor = "wasm"` accepts.
const FIELDS: [&str; 3] = ["dirs", "network", "sha256"];

impl Grants {
    pub(super) fn parse(fields: &mut Fields<'_>, wrong: &mut Vec<DefinitionError>) -> Self {
        Self {
            dirs: dirs(fields, wrong),
            network: network(fields, wrong),
            sha256: collect_error(wrong, sha256(fields)).flatten(),
        }
    }

    /// Refuses these fields for every other executor.
    pub(super) fn refuse(fields: &mut Fields<'_>, wrong: &mut Vec<DefinitionError>) {
        for field in FIELDS {
            if fields.value(field).is_some() {
                wrong.push(fields.error(field, "is for executor \"wasm\" only"));
            }
        }
    }
}

fn dirs(fields: &mut Fields<'_>, wrong: &mut Vec<DefinitionError>) -> Vec<Folder> {
    let given = collect_error(wrong, fields.object("dirs")).unwrap_or_default();
    let folders = given
        .into_iter()
        .filter_map(|(seen_as, value)| folder(fields, seen_as, value, wrong));
    folders.collect()
}

/// Whether a path is absolute and has no `.`, `..`, empty part or control character.
pub(crate) fn is_plain_path(path: &str) -> bool {
    path.starts_with('/')
        && !path.contains(|c: char| c.is_control())
        && (path == "/"
            || path[1..]
                .split('/')
                .all(|part| !matches!(part, "" | "." | "..")))
}

fn folder(
    fields: &Fields<'_>,
    seen_as: String,
    value: Value,
    wrong: &mut Vec<DefinitionError>,
) -> Option<Folder> {
    let place = format!("dirs[\"{}\"]", seen_as.escape_debug());
    if !is_plain_path(&seen_as) {
        wrong.push(fields.error(
            &place,
            "must be named by an absolute path without '.' and '..', such as \"/data\"",
        ));
    }
    let Value::Object(value) = value else {
        wrong.push(fields.error(
            &place,
            "must be a table such as { path = \"./data\", mode = \"read\" }",
        ));
        return None;
    };
    let mut inner = fields.within(place, value);
    let path = collect_error(wrong, inner.required_string("path"));
    if path.as_ref().is_some_and(|path| path.contains('\0')) {
        wrong.push(inner.error("path", "may not hold control characters"));
    }
    let writable = match collect_error(wrong, inner.string("mode"))
        .flatten()
        .as_deref()
    {
        None | Some("read") => false,
        Some("read-write") => true,
        Some(other) => {
            let error = format!(
                "`{}` is not one of \"read\", \"read-write\"",
                other.escape_debug()
            );
            wrong.push(inner.error("mode", &error));
            false
        }
    };
    wrong.extend(inner.finish());
    Some(Folder {
        seen_as,
        path: path?.into(),
        writable,
    })
}

fn network(fields: &mut Fields<'_>, wrong: &mut Vec<DefinitionError>) -> Vec<Destination> {
    let given = collect_error(wrong, fields.strings("network")).unwrap_or_default();
    let destination = |text: String| {
        let parsed = text
            .parse()
            .map_err(|error: super::DestinationError| fields.error("network", &error.to_string()));
        collect_error(wrong, parsed)
    };
    given.into_iter().filter_map(destination).collect()
}

fn sha256(fields: &mut Fields<'_>) -> Result<Option<String>, DefinitionError> {
    let Some(text) = fields.string("sha256")? else {
        return Ok(None);
    };
    let text = text.to_ascii_lowercase();
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(Some(text));
    }
    Err(fields.error(
        "sha256",
        "must be 64 hexadecimal digits, as `sha256sum` prints them",
    ))
}
