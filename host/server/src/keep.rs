//! How long a tenant's runs are kept, and how much it may have in the store.

use kael_engine::units::{ByteSize, TimeLimit};

use crate::time;

/// How long a tenant's runs are kept, and how much it may have in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Keep {
    /// Microseconds from the end of a run to the removal of its row.
    pub(crate) runs: i64,
    /// The same for its events and its result.
    pub(crate) output: i64,
    /// Bytes.
    pub(crate) storage: u64,
}

impl Keep {
    /// What the settings `keep_runs`, `keep_output` and `max_storage` of a tenant say.
    ///
    /// # Errors
    /// Which of them is no time or no size.
    pub(crate) fn of(runs: &str, output: &str, storage: &str) -> Result<Self, String> {
        let time = |name: &str, text: &str| {
            let limit: Result<TimeLimit, _> = text.parse();
            limit
                .map(|limit| time::micros(limit.duration()))
                .map_err(|error| format!("`{name}`: {error}"))
        };
        let runs = time("keep_runs", runs)?;
        let storage: ByteSize = storage
            .parse()
            .map_err(|error| format!("`max_storage`: {error}"))?;
        Ok(Self {
            runs,
            // The output of a run does not outlive the run.
            output: time("keep_output", output)?.min(runs),
            storage: storage.bytes(),
        })
    }
}
