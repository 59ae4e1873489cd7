//! The rules that can decide on one action, and whether they hold for a call.

use std::sync::Arc;

use super::condition::{Test, Truth};
use super::decision::{Decision, Source};
use super::rule::Rule;
use super::value::{Found, Value};
use super::verdict::Verdict;

/// The rules of one file for one action.
#[derive(Debug)]
pub(super) struct PerFile {
    pub(super) name: String,
    /// Deny, then approve, then allow.
    pub(super) rules: Vec<Candidate>,
    pub(super) default: Arc<Source>,
}

/// A rule for one action.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) rule: Arc<Rule>,
    pub(super) source: Arc<Source>,
    /// Where the value of each condition is found.
    pub(super) slots: Vec<usize>,
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
    /// Whether what it says depends on parameters or the tenant.
    pub(super) fn depends(&self) -> bool {
        !self.rule.when.is_empty() || !self.rule.tenants.is_empty()
    }
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
    pub(super) fn over_all(&self, values: &[Found<'_>], test: &Test) -> Truth {
        let truths = values.iter().map(|found| test.holds(&Value::of(*found)));
        match self.source.verdict {
            Verdict::Allow => truths.min().unwrap_or(Truth::Yes),
            Verdict::Approve | Verdict::Deny => truths.max().unwrap_or(Truth::No),
        }
    }
}
