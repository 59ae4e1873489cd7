//! What an action with `executor = "wasm"` is given of the world: nothing but what these name.

use std::path::PathBuf;

use serde_json::Value;

use super::destination::Destination;
use super::fields::{DefinitionError, Fields};

/// A folder of this machine as an action sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// The action's path for it: absolute, such as `/data`.
    pub seen_as: String,
    /// The machine's: absolute, or relative to the actions repo.
    pub path: PathBuf,
    /// Whether the action may change what is in it.
    pub writable: bool,
}

/// What one action is given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Folders, sorted by how the action sees them.
    pub dirs: Vec<Folder>,
    /// Where it may connect to.
    pub network: Vec<Destination>,
    /// The SHA-256 that the file must have, in lower-case hexadecimal.
    pub sha256: Option<String>,
}

/// The fields that only `executor = "wasm"` has.
const FIELDS: [&str; 3] = ["dirs", "network", "sha256"];

impl Grants {
    pub(super) fn parse(fields: &mut Fields<'_>) -> Result<Self, DefinitionError> {
        Ok(Self {
            dirs: dirs(fields)?,
            network: network(fields)?,
            sha256: sha256(fields)?,
        })
    }

    /// No other executor takes these.
    pub(super) fn refuse(fields: &mut Fields<'_>) -> Result<(), DefinitionError> {
        match FIELDS.into_iter().find(|field| fields.has(field)) {
            Some(field) => Err(fields.error(field, "is for executor \"wasm\" only")),
            None => Ok(()),
        }
    }
}

fn dirs(fields: &mut Fields<'_>) -> Result<Vec<Folder>, DefinitionError> {
    let given = fields.object("dirs")?;
    let mut dirs = Vec::with_capacity(given.len());
    for (seen_as, value) in given {
        let place = format!("dirs[\"{}\"]", seen_as.escape_debug());
        let proper = seen_as.starts_with('/')
            && !seen_as.contains(|c: char| c.is_control())
            && (seen_as == "/"
                || seen_as[1..]
                    .split('/')
                    .all(|part| !matches!(part, "" | "." | "..")));
        if !proper {
            return Err(fields.error(
                &place,
                "must be named by an absolute path without '.' and '..', such as \"/data\"",
            ));
        }
        let Value::Object(value) = value else {
            return Err(fields.error(
                &place,
                "must be a table such as { path = \"./data\", mode = \"read\" }",
            ));
        };
        let mut inner = fields.within(place, value);
        let path = inner.required_string("path")?;
        if path.contains('\0') {
            return Err(inner.error("path", "may not hold control characters"));
        }
        let writable = match inner.string("mode")?.as_deref() {
            None | Some("read") => false,
            Some("read-write") => true,
            Some(other) => {
                let problem = format!(
                    "`{}` is none of \"read\", \"read-write\"",
                    other.escape_debug()
                );
                return Err(inner.error("mode", &problem));
            }
        };
        inner.finish()?;
        dirs.push(Folder {
            seen_as,
            path: path.into(),
            writable,
        });
    }
    Ok(dirs)
}

fn network(fields: &mut Fields<'_>) -> Result<Vec<Destination>, DefinitionError> {
    let parse = |text: String| {
        text.parse()
            .map_err(|problem: super::DestinationError| problem.to_string())
    };
    let given = fields.strings("network")?;
    given
        .into_iter()
        .map(parse)
        .collect::<Result<_, _>>()
        .map_err(|problem| fields.error("network", &problem))
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
