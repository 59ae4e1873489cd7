//! Events: lines of JSON, typed by the schema.

mod lines;
mod look_up;
mod tree;
mod value;

pub use lines::{Line, Lines, Source};
pub use look_up::Reader;

use kael_engine::sandbox::{EncodedEvent, FieldValue};

/// One event.
#[derive(Debug, Clone)]
pub struct Event {
    /// The number of its line, from 1.
    pub seq: u64,
    /// The id of its type.
    pub kind: u32,
    /// Nanoseconds since 1970.
    pub time: i64,
    /// Its fields by slot.
    pub fields: Vec<Option<FieldValue>>,
    /// The same for predicates.
    pub encoded: EncodedEvent,
    /// What `_expect` said, for tests.
    pub expect: Option<serde_json::Value>,
}

/// Why a line is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It is not UTF-8.
    NotUtf8,
    /// It is not JSON.
    NotJson,
    /// It is JSON, and no object.
    NotAnObject,
    /// It nests deeper than 64 levels.
    TooDeep,
    /// It is longer than 1 MiB.
    TooLong,
    /// Its type is missing or unknown, and the schema has no default.
    NoType,
}

impl Reason {
    /// The name in metrics and files of dead letters.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NotUtf8 => "not_utf8",
            Self::NotJson => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::TooDeep => "too_deep",
            Self::TooLong => "too_long",
            Self::NoType => "no_type",
        }
    }
}

/// A line that is no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Why.
    pub reason: Reason,
    /// The column, from 1, where it is known.
    pub column: Option<usize>,
    /// The words for a person.
    pub message: String,
}
