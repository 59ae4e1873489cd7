//! What reaches a run from outside while it goes on: signals, the ends of its children, the
//! decisions of people. And what it asks of the store for that.

use std::collections::BTreeMap;
use std::pin::Pin;

use serde::{Deserialize, Serialize};

/// What a letter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LetterKind {
    /// A signal. The run takes it once.
    Signal,
    /// The end of a child.
    Child,
    /// What a person has decided of a call.
    Decision,
    /// A person wants the run to end.
    Cancel,
}

/// Something that has come for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// Its place among those of the run, from 1.
    pub number: u64,
    /// What it is.
    pub kind: LetterKind,
    /// The name of the signal, the id of the child, or the digest of what was decided.
    pub name: String,
    /// A JSON document.
    pub payload: String,
    /// Who has sent it.
    pub by: String,
}

/// A run that a script starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChild {
    /// The number of the call that starts it: the same call starts the same run.
    pub call: u64,
    /// Whether it takes the place of the run that starts it, which then ends.
    pub continues: bool,
    /// How errors name its script.
    pub name: String,
    /// The script.
    pub script: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its files, by their names.
    pub inputs: BTreeMap<String, String>,
    /// Whether it goes on when the run that has started it is over.
    pub is_abandoned: bool,
}

/// Who must say yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needed {
    /// The roles that each of them must have.
    pub roles: Vec<String>,
    /// How many they must be.
    pub count: u32,
    /// Whether the person who submitted the run is excluded.
    pub not_submitter: bool,
}

/// A question to people: whether a call may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRequest {
    /// The number of the call in its run.
    pub call: u64,
    /// The SHA-256, in hexadecimal, of all that matters: a decision is on that and on nothing else.
    pub digest: String,
    /// The action.
    pub action: String,
    /// The merged parameters, as JSON.
    pub params: String,
    /// The rules that want a person, with their reasons.
    pub rules: Vec<String>,
    /// Who must say yes.
    pub needed: Needed,
    /// When the time for an answer is over, in microseconds since 1970.
    pub until: Option<u64>,
}

/// A future of an answer of a mailbox; the error is in words.
pub type Mailing<'a, T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 'a>>;

/// The store, as one run reaches it.
pub trait Mailbox: Send + Sync {
    /// What has come after the letter of that number, in order.
    fn letters_after(&self, number: u64) -> Mailing<'_, Vec<Letter>>;

    /// Starts a child, once for each call, and gives its id. The inner error is the script's.
    fn start(&self, child: NewChild) -> Mailing<'_, Result<String, String>>;

    /// Whether the run of that id is a child of this one.
    fn is_child<'a>(&'a self, run: &'a str) -> Mailing<'a, bool>;

    /// Who wants the run to end, with its clean-up, if somebody does.
    fn cancelled_by(&self) -> Mailing<'_, Option<String>> {
        Box::pin(std::future::ready(Ok(None)))
    }

    /// Whether it is known who decides, and with which role; else only what anybody may approve is asked.
    fn knows_people(&self) -> bool {
        false
    }

    /// Puts a question where people find it; one that is there already stays as it is.
    fn ask(&self, request: ApprovalRequest) -> Mailing<'_, ()>;
}
