//! The list that says where secrets come from: YAML of the operator's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kael_engine::policy::{Kind, Node, parse_yaml, value_of};
use kael_engine::secrets::check_name;
use kael_engine::units::TimeLimit;
use serde_json::Value;

use super::error::Error;
use super::key;

/// Bytes that the list may have.
const MAX_LIST: u64 = 256 << 10;
/// How long holds what a program printed.
const TTL: Duration = Duration::from_secs(300);

/// Where one secret comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A variable of Kael's own environment.
    Variable(String),
    /// A file.
    File(PathBuf),
    /// What a program prints.
    Program {
        /// The program and its arguments.
        words: Vec<String>,
        /// How long that holds.
        ttl: Duration,
    },
}

/// The list.
#[derive(Debug, Default)]
pub struct Sources(BTreeMap<String, Place>);

impl Sources {
    /// Reads a list. One that is not there is empty, unless it `must_be`.
    ///
    /// # Errors
    /// What is wrong with it, with its line; and when others than its owner may write it.
    pub fn read(path: &Path, must_be: bool) -> Result<Self, Error> {
        let bytes = match key::read_own(path, MAX_LIST, 0o022) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !must_be => {
                return Ok(Self::default());
            }
            Err(error) => return Err(Error::path("the list of secrets", path, &error)),
        };
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| Error::path("the list of secrets", path, &"is not UTF-8 text"))?;
        Self::parse(text)
            .map_err(|(line, why)| Error::new(format!("{}:{line}: {why}", path.display())))
    }

    /// Where a secret comes from, if the list has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Place> {
        self.0.get(name)
    }

    /// Every secret of the list.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Place)> {
        self.0.iter().map(|(name, place)| (name.as_str(), place))
    }

    pub(crate) fn parse(text: &str) -> Result<Self, (u32, String)> {
        let root = parse_yaml(text).map_err(|mistake| (mistake.line, mistake.message))?;
        let mut list = BTreeMap::new();
        let mut has_version = false;
        for (key, line, node) in table(&root, "a list of secrets")? {
            match (key.as_str(), &node.kind) {
                ("version", Kind::Word(word)) if word == "1" => has_version = true,
                ("version", _) => return Err((*line, "`version` must be 1".to_owned())),
                ("secrets", _) => {
                    for (name, line, node) in table(node, "`secrets`")? {
                        check_name(name)
                            .map_err(|why| (*line, format!("`{}` {why}", name.escape_debug())))?;
                        list.insert(name.clone(), place(node)?);
                    }
                }
                (other, _) => {
                    let message = format!("unknown key `{}`", other.escape_debug());
                    return Err((*line, message));
                }
            }
        }
        match has_version {
            true => Ok(Self(list)),
            false => Err((1, "`version: 1` is missing".to_owned())),
        }
    }
}

type Entries = Vec<(String, u32, Node)>;

fn table<'a>(node: &'a Node, what: &str) -> Result<&'a Entries, (u32, String)> {
    match &node.kind {
        Kind::Table(entries) => Ok(entries),
        _ => Err((node.line, format!("{what} must be a table"))),
    }
}

fn place(node: &Node) -> Result<Place, (u32, String)> {
    const FORM: &str =
        "a secret is { env: NAME }, { file: PATH } or { exec: [PROGRAM, ARGUMENT], ttl: 5m }";
    let fail = || (node.line, FORM.to_owned());
    let value = value_of(node).map_err(|mistake| (mistake.line, mistake.message))?;
    let Value::Object(fields) = value else {
        return Err(fail());
    };
    let text = |key: &str| {
        fields
            .get(key)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let keys: Vec<&str> = fields.keys().map(String::as_str).collect();
    match keys[..] {
        ["env"] => text("env")
            .map(|name| Place::Variable(name.to_owned()))
            .ok_or_else(fail),
        ["file"] => {
            let path = text("file")
                .map(PathBuf::from)
                .filter(|path| path.is_absolute());
            let wrong = || {
                (
                    node.line,
                    "`file` must be the whole path of a file".to_owned(),
                )
            };
            path.map(Place::File).ok_or_else(wrong)
        }
        ["exec"] | ["exec", "ttl"] => {
            let words: Option<Vec<String>> = match fields.get("exec") {
                Some(Value::Array(words)) => {
                    let words = words.iter().map(|word| word.as_str().map(str::to_owned));
                    words.collect()
                }
                _ => None,
            };
            let words = words.filter(|words| !words.is_empty()).ok_or_else(fail)?;
            let ttl = match fields.get("ttl") {
                None => TTL,
                Some(value) => {
                    let time = value
                        .as_str()
                        .and_then(|text| text.parse::<TimeLimit>().ok());
                    let wrong = || (node.line, "`ttl` must be a time such as 5m".to_owned());
                    time.ok_or_else(wrong)?.duration()
                }
            };
            Ok(Place::Program { words, ttl })
        }
        _ => Err(fail()),
    }
}
