//! A run as a file, which `runs export` writes and `runs import` reads: its row, its journal, its letters, its script
//! and files, its actions repo and its output, in lines of JSON.
//!
//! There is one way to write a run: `read` takes a file only if `write` would make the same bytes of it. The entries are
//! held together by the chain of their journal, every other line carries a digest of itself, and the last line one of all
//! lines before it. So one byte that was changed anywhere is found, with its place, and a file that was cut off is too.

mod error;
mod line;
mod read;
mod write;

use kael_engine::journal::Log;
use kael_engine::run_info::RunId;

pub use error::{ArchiveError, Fault};
pub(crate) use line::{Head, Letter};
pub use read::read;
pub use write::write;

/// The version of the format that this Kael writes and reads.
pub(crate) const FORMAT: u32 = 1;

/// Bytes that a file may have, and one line of it.
pub(crate) const MAX_FILE: u64 = 2 << 30;
pub(crate) const MAX_LINE: u64 = 256 << 20;

/// Entries that a journal in a file may have: somewhat more than a run writes.
pub(crate) const MAX_ENTRIES: usize = 220_000;

/// Bytes of a text in one line.
pub(crate) const PART: usize = 1 << 20;

/// A run as a file has it.
#[derive(Debug)]
pub struct Archive {
    pub(crate) run: RunId,
    pub(crate) head: Head,
    pub(crate) log: Log,
    /// What has come for it, by their numbers.
    pub(crate) letters: Vec<Letter>,
    /// The script and the files of `--input`, by their digests.
    pub(crate) texts: Vec<([u8; 32], Vec<u8>)>,
    /// The actions repo, if the run has one.
    pub(crate) repo: Option<Vec<u8>>,
    /// What it has printed.
    pub(crate) output: Vec<u8>,
}

impl Archive {
    /// The run.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }
}

#[cfg(test)]
pub(crate) mod tests;
