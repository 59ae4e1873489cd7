//! What the policy says of a call, and which of its parts said so.

use std::fmt;
use std::sync::Arc;

use super::rule::Approval;
use super::verdict::Verdict;

/// The part of a policy that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Which part it is.
    pub kind: SourceKind,
    /// What it says.
    pub verdict: Verdict,
    /// `deny *.delete`, `default: deny`, `mode: read-only`.
    pub rule: String,
    /// The file, as messages name it; none for what was typed.
    pub file: Option<String>,
    /// From 1.
    pub line: u32,
    /// Why, in the words of its author.
    pub reason: Option<String>,
    /// Whom an `approve` rule asks.
    pub approval: Approval,
}

/// The parts of a policy that decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// A rule of a file.
    Rule,
    /// What a file says where none of its rules holds.
    Default,
    /// `mode: read-only`, or the option.
    ReadOnly,
    /// A pattern of `--deny`, or of `deny` in the configuration.
    Pattern,
    /// A budget that is spent.
    Budget,
    /// What a file requires of definitions.
    Requirement,
    /// What is said of secrets.
    Secrets,
    /// The policy hook of an embedder.
    Hook,
    /// A policy that does not fit the catalog.
    Unusable,
}

impl Source {
    /// Something that denies and stands in no file.
    #[must_use]
    pub fn denying(kind: SourceKind, rule: impl Into<String>) -> Self {
        Self {
            kind,
            verdict: Verdict::Deny,
            rule: rule.into(),
            file: None,
            line: 0,
            reason: None,
            approval: Approval::default(),
        }
    }

    /// Whether no rule decided.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.kind == SourceKind::Default
    }
}

impl fmt::Display for Source {
    /// `policy.yaml:12 (deny *.delete)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{file}:{} ({})", self.line, self.rule),
            None => f.write_str(&self.rule),
        }
    }
}

/// What the policy says of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The strictest that a file says.
    pub verdict: Verdict,
    /// The rule that said it; of several, the first.
    pub source: Arc<Source>,
    /// Every rule that wants a person, when the verdict is `Approve`.
    pub approvals: Vec<Arc<Source>>,
}

impl Decision {
    /// What one part of a policy says by itself.
    #[must_use]
    pub fn of(source: Arc<Source>) -> Self {
        let approvals = match source.verdict {
            Verdict::Approve => vec![source.clone()],
            Verdict::Allow | Verdict::Deny => Vec::new(),
        };
        Self {
            verdict: source.verdict,
            source,
            approvals,
        }
    }
}

/// The strictest decision, with every approval that is wanted.
pub(super) fn strictest(decisions: impl Iterator<Item = Decision>) -> Option<Decision> {
    decisions.reduce(|mut one, mut two| {
        if two.verdict > one.verdict {
            two.approvals.splice(0..0, one.approvals);
            return two;
        }
        one.approvals.append(&mut two.approvals);
        one
    })
}
