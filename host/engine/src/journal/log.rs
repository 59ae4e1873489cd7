//! A journal that was read back: its rows in order, the chain checked, each entry decoded.

use thiserror::Error;

use super::FORMAT;
use super::chain::{Chain, ZERO};
use super::codec::Malformed;
use super::entry::{Begin, Entry};

/// One entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    /// From 0, without a gap.
    pub seq: u64,
    /// Microseconds since 1970, for people.
    pub at: u64,
    /// The kind.
    pub kind: u8,
    /// The rest.
    pub body: Vec<u8>,
    /// On the last entry of a commit: the chain, and the computing time of the run so far in microseconds.
    pub commit: Option<([u8; 32], u64)>,
}

/// What is wrong with a journal, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Broken {
    /// There is none, or it does not begin with its beginning.
    #[error("the journal has no beginning")]
    NoBeginning,
    /// An entry is missing or there twice.
    #[error("entry {wanted} is missing from the journal")]
    Gap {
        /// The number that should follow.
        wanted: u64,
    },
    /// The chain does not hold: something in these entries was changed.
    #[error("entries {from} to {to} of the journal are not what was written")]
    Chain {
        /// The first that may be changed.
        from: u64,
        /// The last.
        to: u64,
    },
    /// The last entries belong to no commit.
    #[error("entries {from} and later of the journal belong to no commit")]
    Loose {
        /// The first of them.
        from: u64,
    },
    /// An entry is none.
    #[error("entry {seq} of the journal cannot be read: {error}")]
    Entry {
        /// Which.
        seq: u64,
        /// Why.
        error: Malformed,
    },
    /// A newer Kael wrote it.
    #[error("the journal has format {0}, and this Kael reads {FORMAT}")]
    Format(u32),
}

/// A journal that was read back.
#[derive(Debug, Clone)]
pub struct Log {
    entries: Vec<Entry>,
    rows: Vec<LogRow>,
}

impl Log {
    /// Checks a whole journal.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn read(rows: Vec<LogRow>) -> Result<Self, Broken> {
        let mut chain = Chain::after(&ZERO);
        let mut from = 0;
        for (at, row) in rows.iter().enumerate() {
            let wanted = at as u64;
            if row.seq != wanted {
                return Err(Broken::Gap { wanted });
            }
            chain.add(row.seq, row.at, row.kind, &row.body);
            if let Some((written, cpu_us)) = &row.commit {
                if chain.end(*cpu_us) != *written {
                    return Err(Broken::Chain { from, to: row.seq });
                }
                chain = Chain::after(written);
                from = row.seq + 1;
            }
        }
        if rows.is_empty() {
            return Err(Broken::NoBeginning);
        }
        if from != rows.len() as u64 {
            return Err(Broken::Loose { from });
        }
        let decode = |row: &LogRow| {
            Entry::decode(row.kind, &row.body).map_err(|error| Broken::Entry {
                seq: row.seq,
                error,
            })
        };
        let entries = rows.iter().map(decode).collect::<Result<Vec<_>, _>>()?;
        match entries.first() {
            Some(Entry::Begin(begin)) if begin.format > FORMAT => Err(Broken::Format(begin.format)),
            Some(Entry::Begin(_)) => Ok(Self { entries, rows }),
            _ => Err(Broken::NoBeginning),
        }
    }

    /// The first entry.
    #[must_use]
    pub fn begin(&self) -> &Begin {
        match self.entries.first() {
            Some(Entry::Begin(begin)) => begin,
            _ => unreachable!("`read` has looked"),
        }
    }

    /// All entries, by their numbers.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The same as they are stored.
    #[must_use]
    pub fn rows(&self) -> &[LogRow] {
        &self.rows
    }

    /// The chain of the last commit, and the computing time up to there in microseconds.
    #[must_use]
    pub fn head(&self) -> ([u8; 32], u64) {
        let last = self.rows.last().and_then(|row| row.commit);
        last.unwrap_or((ZERO, 0))
    }

    /// The part up to an entry, which need not be the end of a commit.
    #[must_use]
    pub fn up_to(mut self, seq: u64) -> Self {
        let count = usize::try_from(seq.saturating_add(1)).unwrap_or(usize::MAX);
        self.entries.truncate(count.max(1));
        self.rows.truncate(count.max(1));
        self
    }
}

#[cfg(test)]
mod tests;
