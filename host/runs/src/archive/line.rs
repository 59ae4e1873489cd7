//! The lines of a file with a run.

use std::collections::BTreeMap;

use kael_engine::journal::LogRow;
use kael_engine::text::hex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entry_document::EntryDocument;
use crate::texts;

/// What the table has of a run, beside what its journal says. Documents are texts, as the table has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) format: u32,
    /// The version of Kael that wrote the file.
    pub(crate) kael: String,
    pub(crate) run: String,
    pub(crate) state: String,
    pub(crate) reason: Option<String>,
    pub(crate) created: i64,
    pub(crate) started: Option<i64>,
    pub(crate) ended: Option<i64>,
    pub(crate) ending: Option<String>,
    pub(crate) usage: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) args: String,
    pub(crate) limits: String,
    pub(crate) labels: BTreeMap<String, String>,
    /// Where the actions repo was.
    pub(crate) origin: Option<String>,
}

/// A line that is no entry of the journal.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Line {
    /// The first.
    Run(Head),
    /// A letter that the run has got.
    Letter(Letter),
    /// A part of the script or of a file of `--input`.
    Text(Part),
    /// A part of the actions repo.
    Repo(Part),
    /// A part of the output.
    Output(Part),
    /// The last: how many lines are before it, and their digest.
    ExportEnd { lines: u64, sha256: String },
}

/// A letter that a run has got, as the table has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Letter {
    pub(crate) number: i64,
    pub(crate) what: i64,
    pub(crate) name: String,
    pub(crate) payload: String,
    pub(crate) sender: String,
    pub(crate) once: Option<String>,
    pub(crate) at: i64,
}

impl Letter {
    /// Bytes of all its texts.
    pub(crate) fn bytes(&self) -> u64 {
        let once = self.once.as_ref().map_or(0, String::len);
        (self.name.len() + self.payload.len() + self.sender.len() + once) as u64
    }
}

/// A part of something long.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Of the whole.
    pub(crate) digest: String,
    /// Where it begins.
    pub(crate) at: u64,
    pub(crate) is_last: bool,
    #[serde(flatten)]
    pub(crate) bytes: Bytes,
}

/// Bytes: as they are, if they are a text.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bytes {
    Text(String),
    Hex(String),
}

/// Where an entry stands in its journal.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) seq: u64,
    pub(crate) at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) chain: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_us: Option<u64>,
}

/// An entry of the journal.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EntryLine {
    #[serde(flatten)]
    pub(crate) place: Place,
    #[serde(flatten)]
    pub(crate) entry: EntryDocument,
}

impl Place {
    pub(crate) fn of(row: &LogRow) -> Self {
        Self {
            seq: row.seq,
            at: row.at,
            chain: row.commit.as_ref().map(|(chain, _)| hex(chain)),
            cpu_us: row.commit.as_ref().map(|(_, cpu_us)| *cpu_us),
        }
    }

    /// The document of the entry with this in it.
    pub(crate) fn document(&self, mut entry: Value) -> Value {
        if let (Some(entry), Ok(Value::Object(place))) =
            (entry.as_object_mut(), serde_json::to_value(self))
        {
            entry.extend(place);
        }
        entry
    }
}

impl EntryLine {
    pub(crate) fn of(row: &LogRow, entry: EntryDocument) -> Self {
        let place = Place::of(row);
        Self { place, entry }
    }

    /// The line, without its end.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Line {
    /// The line with its own digest, without its end.
    pub(crate) fn text(&self) -> String {
        let mut text = serde_json::to_string(self).unwrap_or_default();
        let sum = hex(&texts::digest(text.as_bytes()));
        // An object always ends with its brace.
        text.pop();
        text.push_str(",\"sum\":\"");
        text.push_str(&sum);
        text.push_str("\"}");
        text
    }
}

impl Bytes {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Hex(hex(bytes)),
        }
    }

    /// The bytes; none when the text is not hexadecimal.
    pub(crate) fn bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.into_bytes()),
            Self::Hex(text) => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
                    [high, low] => Some((digit(*high)? << 4 | digit(*low)?) as u8),
                    _ => None,
                });
                pairs.collect()
            }
        }
    }
}
