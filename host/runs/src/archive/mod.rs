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

mod shape;

pub use error::{ArchiveError, Fault};
pub(crate) use line::{Head, Letter, Place};
pub use read::read;
pub(crate) use write::Lines;
pub use write::write;

/// The version of the format that this Kael writes and reads.
pub(crate) const FORMAT: u32 = 1;

/// Bytes that one line of a file may have.
pub(crate) const MAX_LINE: u64 = 256 << 20;

/// Values, names and brackets in a line. Reading one of them takes up to a hundred bytes of memory, whatever it has in the
/// file.
pub(crate) const MAX_VALUES: usize = 1_000_000;

/// Smaller in the tests of this crate, which cross these.
///
/// Entries that a journal in a file may have, and letters, and bytes of the entries: somewhat more than a run writes.
pub(crate) const MAX_ENTRIES: usize = if cfg!(test) { 300 } else { 220_000 };
pub(crate) const MAX_JOURNAL: u64 = if cfg!(test) {
    1 << 20
} else {
    (1 << 30) + (64 << 20)
};

/// Bytes of all else in a file: letters, texts, actions repo and output.
pub(crate) const MAX_PARTS: u64 = if cfg!(test) { 4 << 20 } else { 1 << 30 };

/// Bytes of the fields of a run: what a script was given or has returned; what Kael says of it; and of all labels, of
/// which there are so many.
const MAX_DOCUMENT: usize = 64 << 20;
const MAX_WORDS: usize = 64 << 10;
const MAX_LABELS: usize = 8 << 10;
const MAX_LABEL_COUNT: usize = 64;

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

/// Whether the fields of a run fit: else the one that does not, and how many bytes it may have.
pub(crate) fn misfit(head: &Head) -> Option<(&'static str, usize)> {
    let of = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let labels = head.labels.iter();
    let labels: usize = labels.map(|(key, value)| key.len() + value.len()).sum();
    let fields = [
        ("args", head.args.len(), MAX_DOCUMENT),
        ("ending", of(&head.ending), MAX_DOCUMENT),
        ("usage", of(&head.usage), MAX_WORDS),
        ("limits", head.limits.len(), MAX_WORDS),
        ("status", of(&head.status), MAX_WORDS),
        ("reason", of(&head.reason), MAX_WORDS),
        ("origin", of(&head.origin), MAX_WORDS),
        ("kael", head.kael.len(), MAX_WORDS),
        ("state", head.state.len(), MAX_WORDS),
        ("run", head.run.len(), MAX_WORDS),
        ("labels", labels, MAX_LABELS),
    ];
    let too_long =
        |(name, bytes, most): (&'static str, usize, usize)| (bytes > most).then_some((name, most));
    let many = (head.labels.len() > MAX_LABEL_COUNT).then_some(("labels", MAX_LABELS));
    fields.into_iter().find_map(too_long).or(many)
}

#[cfg(test)]
pub(crate) mod tests;
