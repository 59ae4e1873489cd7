//! A grant of a database, for `kael.db.*`.

use super::super::Mistake;
use super::super::document::{Kind, Node};
use super::super::reader::Table;
use super::template::Template;
use crate::catalog::{Destination, DestinationError};

/// A database that a script may use by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DbGrant {
    /// Where it stands.
    pub line: u32,
    /// How scripts name it.
    pub name: String,
    /// Where it is, with the password: scripts never see it.
    pub url: Template,
    /// Addresses that a name in it may have beside those that every such name may: ranges of a
    /// local network, say.
    pub to: Vec<Destination>,
    /// Whether the server is told to refuse writes.
    pub read_only: bool,
    /// The most rows of one answer.
    pub max_rows: u32,
}

/// Rows of an answer, unless a grant says otherwise.
const DEFAULT_ROWS: u32 = 10_000;

impl DbGrant {
    pub(super) fn read(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<Self> {
        let table = Table::new(
            node,
            &["name", "url", "to", "mode", "max_rows"],
            "a grant of `db`",
            mistakes,
        )?;
        for key in ["name", "url"] {
            if table.get(key).is_none() {
                let message = format!("a grant of `db` needs `{key}`");
                mistakes.push(Mistake::new(node.line, message));
            }
        }
        let modes = [("read-only", true), ("read-write", false)];
        let read_only = table.choice("mode", &modes, mistakes).unwrap_or(true);
        let max_rows = table.whole("max_rows", 1..=1_000_000, mistakes);
        let name = table.text("name", mistakes);
        let url = match &table.get("url")?.kind {
            Kind::Word(text) | Kind::Text(text) => Template::read(text, node.line, mistakes),
            other => {
                let message = format!("`url` must be a text, got {}", other.name());
                mistakes.push(Mistake::new(node.line, message));
                None
            }
        };
        let mut to = Vec::new();
        for (text, line) in table.texts("to", mistakes) {
            match text.parse() {
                Ok(destination) => to.push(destination),
                Err(error) => {
                    mistakes.push(Mistake::new(line, DestinationError::to_string(&error)))
                }
            }
        }
        Some(Self {
            line: node.line,
            to,
            name: name?.to_owned(),
            url: url?,
            read_only,
            max_rows: max_rows.unwrap_or(DEFAULT_ROWS),
        })
    }
}
