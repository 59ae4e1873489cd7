//! Why a definition is refused, and the line that made it.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A line of a Lua file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// The file's name, as error messages show it.
    pub file: String,
    /// The line, counted from 1.
    pub line: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A definition that the catalog refuses.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{location}: define_action: {error}")]
pub struct DefinitionError {
    /// Where `define_action` was called.
    pub location: Location,
    /// What is wrong, with the field's name.
    pub error: String,
}
