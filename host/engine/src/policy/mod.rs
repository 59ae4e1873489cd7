//! What a team allows: rules over actions and their merged parameters, read from YAML.
//!
//! A [`PolicyFile`] is one file, parsed: a closed vocabulary, every value with its line. A
//! [`Rulebook`] holds all files of a run against one catalog, compiled once, so that a decision
//! costs a look-up and reads no parameters unless a rule asks for some. All rules that match count:
//! deny beats approve, approve beats allow, and their order means nothing. A condition that cannot
//! be decided holds for deny and approve and fails for allow: doubt decides against the script.
//!
//! This module does no I/O but [`read`], and never looks at the world to decide.

mod budget;
mod candidate;
mod compile;
mod condition;
mod decide;
mod decision;
mod document;
mod explain;
mod file;
pub mod grants;
mod pattern;
mod read;
mod reader;
mod requirements;
mod rule;
mod scalar;
mod secrets;
mod steps;
mod value;
mod verdict;

pub use budget::{Budget, CountedFor, WhenSpent};
pub use compile::Rulebook;
pub use condition::value_of;
pub use decision::{Decision, Source, SourceKind};
pub use explain::{Explanation, RuleExplanation, Truth};
pub use file::PolicyFile;
pub use grants::Grants;
pub use pattern::Pattern;
pub use read::{MAX_SIZE, read};
pub use requirements::{is_local_server, reads_unconfined};
pub use rule::Approval;
pub(crate) use secrets::unnamed;
pub use verdict::Verdict;

pub use document::{Kind, Node, parse as parse_yaml};

use thiserror::Error;

/// All that is wrong with the policy of a run.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", problems.join("\n"))]
pub struct PolicyError {
    /// Each begins with its file and, where one is known, the line.
    pub problems: Vec<String>,
    /// The files that the problems are in: their names, and what was read of them.
    pub texts: Vec<(String, String)>,
}

impl PolicyError {
    /// One problem, whose file could not be read.
    #[must_use]
    pub fn one(problem: String) -> Self {
        Self {
            problems: vec![problem],
            texts: Vec::new(),
        }
    }
}

/// Something that is wrong, and its line in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// From 1.
    pub line: u32,
    /// What is wrong.
    pub message: String,
}

impl Mistake {
    /// A mistake at a line.
    #[must_use]
    pub fn new(line: u32, message: impl Into<String>) -> Self {
        Self {
            line,
            message: message.into(),
        }
    }
}

/// The mistakes of one file, in the order of their lines, as an error.
pub(crate) fn error_of(name: &str, text: &str, mut mistakes: Vec<Mistake>) -> PolicyError {
    mistakes.sort_by_key(|mistake| mistake.line);
    let problems = mistakes
        .iter()
        .map(|mistake| format!("{name}:{}: {}", mistake.line, mistake.message));
    PolicyError {
        problems: problems.collect(),
        texts: vec![(name.to_owned(), text.to_owned())],
    }
}

/// ` (did you mean …?)`, when a known word is close.
pub(crate) fn did_you_mean<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let near = crate::names::nearest(word, known);
    near.map(|near| format!(" (did you mean `{near}`?)"))
        .unwrap_or_default()
}

/// A text of the file, short enough for a message.
pub(crate) fn shown(text: &str) -> String {
    let short: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    match text.chars().nth(60) {
        Some(_) => format!("{short}..."),
        None => short,
    }
}

#[cfg(test)]
mod tests;
