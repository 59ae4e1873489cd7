//! Why something cannot be done with a run.

use kael_engine::journal::Broken;
use kael_engine::run_info::RunId;
use kael_store::StoreError;
use thiserror::Error;

use crate::{NoFork, Refusal};

/// Why something cannot be done with a run.
#[derive(Debug, Error)]
pub enum RunsError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such run.
    #[error("there is no run `{0}`")]
    Unknown(String),
    /// More than one run begins with that text.
    #[error("`{text}` is the beginning of {count} runs: give more of the id")]
    Ambiguous {
        /// What was given.
        text: String,
        /// How many.
        count: usize,
    },
    /// Its state does not allow that.
    #[error("run {id} is {state}: {why}")]
    State {
        /// The run.
        id: RunId,
        /// In words.
        state: String,
        /// What would have to be so.
        why: &'static str,
    },
    /// Another process is running it.
    #[error("run {0} is running in another process")]
    Busy(RunId),
    /// Its journal is damaged.
    #[error("the journal of run {id} is damaged")]
    Broken {
        /// The run.
        id: RunId,
        /// Where.
        #[source]
        source: Broken,
    },
    /// It was begun with another guest.
    #[error(
        "run {id} was begun by another version of Kael ({version}), whose Lua runtime this one does not have"
    )]
    Guest {
        /// The run.
        id: RunId,
        /// The version.
        version: String,
    },
    /// Something that it needs is not in the store, or is not what it was.
    #[error("run {id} cannot go on: {what} is missing from the store")]
    Missing {
        /// The run.
        id: RunId,
        /// What.
        what: &'static str,
    },
    /// It has no such call in doubt.
    #[error("run {id} has no call {call} in doubt")]
    NoDoubt {
        /// The run.
        id: RunId,
        /// The number.
        call: u64,
    },
    /// A call cannot be decided on.
    #[error("call {call} of run {id} cannot be decided on: {why}")]
    Undecided {
        /// The run.
        id: RunId,
        /// The number.
        call: u64,
        /// Why.
        why: Refusal,
    },
    /// It cannot be forked at that entry.
    #[error("run {id} cannot be forked at entry {at}: {why}")]
    Fork {
        /// The run.
        id: RunId,
        /// The entry.
        at: u64,
        /// Why.
        why: NoFork,
    },
    /// Another run has its id.
    #[error(
        "there is another run {0} here, or an older state of it: kael-host runs rm removes that one"
    )]
    OtherRun(RunId),
    /// It is larger than a file with a run may be.
    #[error("run {id} cannot be exported: {what}")]
    TooLarge {
        /// The run.
        id: RunId,
        /// What is too large, and what it may have.
        what: String,
    },
    /// A document is none.
    #[error("{0}")]
    Document(String),
}
