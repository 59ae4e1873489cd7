//! The id of a run.

use std::fmt;
use std::time::{Duration, SystemTime};

use uuid::{NoContext, Timestamp, Uuid};

/// The id of a run: a UUID of version 7, so that ids sort by the times at which their runs began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(Uuid);

impl RunId {
    /// An id for a run that begins at that time.
    pub(crate) fn at(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH);
        let since = since.unwrap_or(Duration::ZERO);
        // Without a counter that all runtimes of the process would share: the rest is random.
        let timestamp = Timestamp::from_unix(NoContext, since.as_secs(), since.subsec_nanos());
        Self(Uuid::new_v7(timestamp))
    }

    /// Its 16 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The id that a text is, in the form that this prints.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let id = Uuid::try_parse(text).ok().map(Self)?;
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}
