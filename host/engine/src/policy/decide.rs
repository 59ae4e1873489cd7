//! What the rules of a run come to for one call.

use std::fmt;
use std::sync::Arc;

use super::compile::{Candidate, Candidates, PerFile, Rulebook};
use super::condition::Truth;
use super::rule::Approval;
use super::value::{Found, Value};
use crate::catalog::Definition;

/// What a rule says, from the mildest to the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The call goes on.
    Allow,
    /// A person has to say yes before it does.
    Approve,
    /// It does not.
    Deny,
}

impl Verdict {
    /// As a policy spells it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Approve => "approve",
            Self::Deny => "deny",
        }
    }
}

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

impl Rulebook {
    /// What the policy says of a call with these merged parameters.
    #[must_use]
    pub fn decide(&self, definition: &Definition, params: &str, tenant: Option<&str>) -> Decision {
        let Some(candidates) = self.candidates(definition) else {
            return Decision::of(self.unknown.clone());
        };
        if let Some(decision) = &candidates.always {
            return decision.clone();
        }
        let found = candidates.paths.read(params);
        let decisions = candidates
            .files
            .iter()
            .map(|file| file.decide(&found, tenant));
        strictest(decisions).unwrap_or_else(|| Decision::of(self.unknown.clone()))
    }

    pub(super) fn candidates(&self, definition: &Definition) -> Option<&Candidates> {
        self.actions.get(definition.names.first()?.as_str())
    }
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

impl PerFile {
    /// What this file says by itself: deny before approve before allow, else its default.
    pub(super) fn decide(&self, found: &[Vec<Found<'_>>], tenant: Option<&str>) -> Decision {
        // Sorted by strictness, so the first that holds decides; other approvals count, too.
        let mut decision: Option<Decision> = None;
        for candidate in &self.rules {
            match &mut decision {
                None if candidate.holds(found, tenant) => {
                    let source = candidate.source.clone();
                    match source.verdict {
                        Verdict::Approve => decision = Some(Decision::of(source)),
                        Verdict::Allow | Verdict::Deny => return Decision::of(source),
                    }
                }
                Some(decision) => match candidate.source.verdict {
                    Verdict::Approve if candidate.holds(found, tenant) => {
                        decision.approvals.push(candidate.source.clone());
                    }
                    Verdict::Approve | Verdict::Deny => {}
                    Verdict::Allow => break,
                },
                None => {}
            }
        }
        decision.unwrap_or_else(|| Decision::of(self.default.clone()))
    }
}

impl Candidate {
    /// Whether the rule counts. Doubt makes a rule hold that would refuse, and one not that would allow.
    pub(super) fn holds(&self, found: &[Vec<Found<'_>>], tenant: Option<&str>) -> bool {
        let holds = self.truth(found, tenant);
        match self.source.verdict {
            Verdict::Allow => holds == Truth::Yes,
            Verdict::Approve | Verdict::Deny => holds != Truth::No,
        }
    }

    fn truth(&self, found: &[Vec<Found<'_>>], tenant: Option<&str>) -> Truth {
        let mut truth = self.for_tenant(tenant);
        for (slot, condition) in self.slots.iter().zip(&self.rule.when) {
            if truth == Truth::No {
                break;
            }
            let values = found.get(*slot).map_or(&[][..], Vec::as_slice);
            truth = truth.min(self.over_all(values, &condition.test));
        }
        truth
    }

    pub(super) fn for_tenant(&self, tenant: Option<&str>) -> Truth {
        match (self.rule.tenants.is_empty(), tenant) {
            (true, _) => Truth::Yes,
            (false, None) => Truth::Unknown,
            (false, Some(tenant)) => {
                let mut patterns = self.rule.tenants.iter();
                patterns.any(|pattern| pattern.matches(tenant)).into()
            }
        }
    }

    /// Of several values an `allow` wants all to pass; for the others one is enough.
    pub(super) fn over_all(&self, values: &[Found<'_>], test: &super::condition::Test) -> Truth {
        let truths = values.iter().map(|found| test.holds(&Value::of(*found)));
        match self.source.verdict {
            Verdict::Allow => truths.min().unwrap_or(Truth::Yes),
            Verdict::Approve | Verdict::Deny => truths.max().unwrap_or(Truth::No),
        }
    }
}
