//! Why a run with a journal stopped without an end: it can go on, now or later.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use crate::journal::{Divergence, Pause};
use crate::run_info::timestamp;

/// The end of the year 9999, in microseconds since 1970: no later time can be written.
const LAST: u64 = 253_402_300_799_000_000;

/// Why a run stopped without an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suspension {
    /// Everything that it waits for is far off.
    Waiting(Pause),
    /// It is unknown whether an effect took place that must not be repeated. A person settles that.
    InDoubt(Box<Doubt>),
    /// The script asks for something else than its journal has.
    Diverged(Box<Divergence>),
    /// The journal is only looked at, and ends here.
    LogEnds,
    /// The journal has as many entries or bytes as it may have.
    JournalFull,
    /// The journal cannot be written.
    JournalFailed(String),
}

/// A call that was about to begin, and of whose end nothing is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// The number of the call in its run.
    pub call: u64,
    /// The action.
    pub action: String,
    /// The start of its merged parameters.
    pub params: String,
    /// The idempotency key that it had.
    pub key: String,
    /// The number of the attempt.
    pub attempt: u32,
}

impl fmt::Display for Suspension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting(pause) => {
                f.write_str("the run waits")?;
                if !pause.what.is_empty() {
                    write!(f, " for {}", pause.what.join(", "))?;
                }
                match pause.until.filter(|due| *due < LAST) {
                    Some(due) => {
                        let due = UNIX_EPOCH + Duration::from_micros(due);
                        write!(f, " until {}", timestamp(due))
                    }
                    None if pause.what.is_empty() => f.write_str(" for ever"),
                    None => Ok(()),
                }
            }
            Self::InDoubt(doubt) => write!(
                f,
                "call {} of {} was begun, and it is unknown whether it took place; it must not be repeated",
                doubt.call, doubt.action
            ),
            Self::Diverged(divergence) if divergence.wanted == divergence.asked => write!(
                f,
                "the script does not do what its journal says: entry {} has {} with other parameters",
                divergence.seq, divergence.wanted
            ),
            Self::Diverged(divergence) => write!(
                f,
                "the script does not do what its journal says: entry {} has {}, and it asks for {}",
                divergence.seq, divergence.wanted, divergence.asked
            ),
            Self::LogEnds => f.write_str("the journal ends here"),
            Self::JournalFull => {
                f.write_str("the journal has as many entries or bytes as it may have")
            }
            Self::JournalFailed(why) => write!(f, "the journal cannot be written: {why}"),
        }
    }
}
