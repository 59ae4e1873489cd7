//! Ids of what the server keeps: UUIDs of version 7, which sort by the time at which they were made.

use std::fmt;
use std::str::FromStr;

use kael_store::Value;
use serde::{Serialize, Serializer};
use uuid::Uuid;

/// An id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id([u8; 16]);

impl Id {
    /// A new id.
    #[must_use]
    pub fn new() -> Self {
        Self(*Uuid::now_v7().as_bytes())
    }

    /// The id of these bytes.
    #[must_use]
    pub fn of(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes, as the store has them.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl Default for Id {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Id {
    type Err = ();

    /// Only the form in which ids are shown: 36 characters with hyphens.
    fn from_str(text: &str) -> Result<Self, ()> {
        match (text.len(), Uuid::try_parse(text)) {
            (36, Ok(uuid)) => Ok(Self(*uuid.as_bytes())),
            _ => Err(()),
        }
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'a> From<&'a Id> for Value<'a> {
    fn from(id: &'a Id) -> Self {
        Self::Blob(&id.0)
    }
}
