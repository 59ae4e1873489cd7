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

/// A journal that was read back. Each entry is in memory once: the bytes that it was read from are the only ones that
/// it can be written as.
#[derive(Debug, Clone)]
pub struct Log {
    entries: Vec<Entry>,
    places: Vec<Place>,
}

/// What is stored beside an entry.
#[derive(Debug, Clone)]
struct Place {
    at: u64,
    /// Bytes of the entry.
    bytes: u64,
    commit: Option<([u8; 32], u64)>,
}

/// Checks a journal row by row, so that no more of it need be in memory than its reader keeps.
#[derive(Debug)]
pub struct LogReader {
    chain: Chain,
    /// The first entry behind the last commit.
    from: u64,
    next: u64,
    head: ([u8; 32], u64),
    bytes: u64,
    is_kept: bool,
    /// The first entry that cannot be read. A chain that does not hold is the better answer.
    unreadable: Option<Broken>,
    has_beginning: bool,
    entries: Vec<Entry>,
    places: Vec<Place>,
}

impl LogReader {
    fn new(is_kept: bool) -> Self {
        Self {
            chain: Chain::after(&ZERO),
            from: 0,
            next: 0,
            head: (ZERO, 0),
            bytes: 0,
            is_kept,
            unreadable: None,
            has_beginning: false,
            entries: Vec::new(),
            places: Vec::new(),
        }
    }

    /// Keeps every entry, for [`LogReader::log`].
    #[must_use]
    pub fn keeping() -> Self {
        Self::new(true)
    }

    /// Keeps none of them, for [`LogReader::end`].
    #[must_use]
    pub fn checking() -> Self {
        Self::new(false)
    }

    /// Takes the next row.
    ///
    /// # Errors
    /// When it does not follow the one before, or the commit that it ends is not what was written.
    pub fn push(&mut self, row: LogRow) -> Result<(), Broken> {
        if row.seq != self.next {
            return Err(Broken::Gap { wanted: self.next });
        }
        self.next += 1;
        self.chain.add(row.seq, row.at, row.kind, &row.body);
        self.bytes += row.body.len() as u64;
        if self.unreadable.is_none() {
            self.decode(&row);
        }
        if let Some((written, cpu_us)) = &row.commit {
            let chain = std::mem::replace(&mut self.chain, Chain::after(written));
            if chain.end(*cpu_us) != *written {
                let (from, to) = (self.from, row.seq);
                return Err(Broken::Chain { from, to });
            }
            self.from = row.seq + 1;
            self.head = (*written, *cpu_us);
        }
        Ok(())
    }

    fn decode(&mut self, row: &LogRow) {
        match Entry::decode(row.kind, &row.body) {
            Err(error) => {
                let seq = row.seq;
                self.unreadable = Some(Broken::Entry { seq, error });
            }
            Ok(entry) => {
                if row.seq == 0 {
                    match &entry {
                        Entry::Begin(begin) if begin.format > FORMAT => {
                            self.unreadable = Some(Broken::Format(begin.format));
                        }
                        Entry::Begin(_) => self.has_beginning = true,
                        _ => {}
                    }
                }
                if self.is_kept {
                    self.entries.push(entry);
                    self.places.push(Place {
                        at: row.at,
                        bytes: row.body.len() as u64,
                        commit: row.commit,
                    });
                }
            }
        }
    }

    /// The end of the journal: how many entries it has, and its last chain.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn end(&self) -> Result<(u64, [u8; 32]), Broken> {
        if self.next == 0 {
            return Err(Broken::NoBeginning);
        }
        if self.from != self.next {
            return Err(Broken::Loose { from: self.from });
        }
        match &self.unreadable {
            Some(broken) => Err(broken.clone()),
            None if !self.has_beginning => Err(Broken::NoBeginning),
            None => Ok((self.next, self.head.0)),
        }
    }

    /// Bytes of the entries so far, as they are stored.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The journal. Only of a reader that keeps it.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn log(self) -> Result<Log, Broken> {
        self.end()?;
        if !self.is_kept {
            return Err(Broken::NoBeginning);
        }
        Ok(Log {
            entries: self.entries,
            places: self.places,
        })
    }
}

impl Log {
    /// Checks a whole journal.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn read(rows: impl IntoIterator<Item = LogRow>) -> Result<Self, Broken> {
        let mut reader = LogReader::keeping();
        for row in rows {
            reader.push(row)?;
        }
        reader.log()
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

    /// The last crossing up to an entry: the script has got no answer of a later one.
    pub(crate) fn crossing_by(&self, seq: u64) -> u64 {
        let by = &self.entries[..self.count_by(seq)];
        let last = by.iter().rposition(Entry::is_crossing);
        last.map_or(0, |at| at as u64)
    }

    /// How many they are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Bytes of all of them, as they are stored.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.places.iter().map(|place| place.bytes).sum()
    }

    /// How many entries there are up to that one.
    fn count_by(&self, seq: u64) -> usize {
        let count = usize::try_from(seq.saturating_add(1)).unwrap_or(usize::MAX);
        count.min(self.entries.len())
    }

    /// The same as they are stored, one after the other.
    pub fn rows(&self) -> impl Iterator<Item = LogRow> + '_ {
        self.rows_from(0)
    }

    /// Those from a number on, as they are stored.
    pub fn rows_from(&self, seq: u64) -> impl Iterator<Item = LogRow> + '_ {
        let from = usize::try_from(seq).unwrap_or(usize::MAX);
        let from = from.min(self.entries.len());
        let both = self.entries[from..].iter().zip(&self.places[from..]);
        both.zip(seq..).map(|((entry, place), seq)| LogRow {
            seq,
            at: place.at,
            kind: entry.kind(),
            body: entry.encode(),
            commit: place.commit,
        })
    }

    /// The last commit that ends with an entry or before it: the number of its last entry, and its chain.
    #[must_use]
    pub fn commit_by(&self, seq: u64) -> Option<(u64, [u8; 32])> {
        let by = self.places[..self.count_by(seq)].iter().enumerate();
        by.rev()
            .find_map(|(at, place)| Some((at as u64, place.commit?.0)))
    }

    /// The first commit that ends behind an entry: the chain, and the computing time up to there in microseconds.
    #[must_use]
    pub fn commit_behind(&self, seq: u64) -> Option<([u8; 32], u64)> {
        let behind = self.places.get(usize::try_from(seq).ok()? + 1..)?;
        behind.iter().find_map(|place| place.commit)
    }

    /// The chain of the last commit, and the computing time up to there in microseconds.
    #[must_use]
    pub fn head(&self) -> ([u8; 32], u64) {
        let last = self.places.last().and_then(|place| place.commit);
        last.unwrap_or((ZERO, 0))
    }

    /// The part up to an entry, which need not be the end of a commit.
    #[must_use]
    pub fn up_to(mut self, seq: u64) -> Self {
        let count = self.count_by(seq);
        self.entries.truncate(count);
        self.places.truncate(count);
        self
    }
}

#[cfg(test)]
mod tests;
