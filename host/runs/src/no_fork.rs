//! Why a run cannot be forked at an entry of its journal.

use thiserror::Error;

/// Why a run cannot be forked at an entry.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoFork {
    /// There is no such entry.
    #[error("its journal ends with entry {0}")]
    BeyondEnd(u64),
    /// An effect was going on.
    #[error(
        "call {call} of {action} had begun by then, and its end is not known there: a fork would begin it a second time{}",
        nearest(*.before, *.behind)
    )]
    Effect {
        /// The number of the call in its run.
        call: u64,
        /// The action.
        action: String,
        /// The last entry before at which nothing was going on.
        before: Option<u64>,
        /// The first entry behind at which nothing is.
        behind: Option<u64>,
    },
    /// Another script is to go on, and the one before had not got the end of a call.
    #[error(
        "its script had not got the end of a call by then, and another script may ask for another one{}",
        nearest(*.before, *.behind)
    )]
    Untold {
        /// The last entry before at which it had got all.
        before: Option<u64>,
        /// The first entry behind at which it has.
        behind: Option<u64>,
    },
}

fn nearest(before: Option<u64>, behind: Option<u64>) -> String {
    match (before, behind) {
        (Some(before), Some(behind)) => format!("; entry {before} and entry {behind} will do"),
        (Some(one), None) | (None, Some(one)) => format!("; entry {one} will do"),
        (None, None) => String::new(),
    }
}
