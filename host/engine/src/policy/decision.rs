//! What the policy says of a call, and which of its parts said so.

use std::fmt;
use std::sync::Arc;

use super::rule::Approval;
use super::verdict::Verdict;

/// The part of a policy that decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
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
    pub(super) fn of(source: Arc<Source>) -> Self {
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
