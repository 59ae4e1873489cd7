//! Why a file is no run.

use kael_engine::journal::Broken;
use thiserror::Error;

use super::{FORMAT, MAX_ENTRIES, MAX_JOURNAL, MAX_LINE, MAX_PARTS, MAX_VALUES};
use kael_engine::units::ByteSize;

/// Why a file is no run, and in which line. Lines are counted from 1.
#[derive(Debug, Error)]
#[error("line {line} of the file: {fault}")]
pub struct ArchiveError {
    /// The line.
    pub line: u64,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong in a line of a file.
#[derive(Debug, Error)]
pub enum Fault {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// It is no such line.
    #[error("is not {wanted}: {why}")]
    Other {
        /// What should be there.
        wanted: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// It says something else than what was written.
    #[error("is not what kael-host runs export has written")]
    Changed,
    /// A text has other bytes than its digest says.
    #[error("the text that ends here is not what its digest says")]
    Digest,
    /// The file ends too early.
    #[error("the file ends here, before its end: it was cut off")]
    CutOff,
    /// There is more behind the end.
    #[error("comes after the end of the run")]
    Behind,
    /// The journal is damaged.
    #[error("the journal that ends here is damaged: {0}")]
    Journal(Broken),
    /// Something that the run needs is not in the file.
    #[error("the file has no {0}")]
    Missing(&'static str),
    /// A newer Kael wrote it.
    #[error("the file has format {0}, and this Kael reads {FORMAT}")]
    Format(u32),
    /// It is too long.
    #[error("a line may have {}", ByteSize::new(MAX_LINE))]
    LongLine,
    /// It has too many values.
    #[error("a line may have {MAX_VALUES} values")]
    Values,
    /// A field of the run is too long.
    #[error("the field `{0}` of a run may have {size}", size = ByteSize::new(*.1 as u64))]
    Field(&'static str, usize),
    /// The entries are too large.
    #[error(
        "the entries of a journal may have {} together",
        ByteSize::new(MAX_JOURNAL)
    )]
    LargeJournal,
    /// The rest is too large.
    #[error(
        "the letters, texts, actions repo and output of a run may have {} together",
        ByteSize::new(MAX_PARTS)
    )]
    LargeParts,
    /// It has too many entries.
    #[error("a journal may have {MAX_ENTRIES} entries")]
    Entries,
}
