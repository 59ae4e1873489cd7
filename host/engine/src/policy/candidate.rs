//! The rules that can decide on one action, and whether they hold for a call.

use std::sync::Arc;

use super::condition::{Test, Truth};
use super::decision::{Decision, Source};
use super::rule::Rule;
use super::steps::Steps;
use super::value::{Found, Step, Value};
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
    pub(super) fn decide(
        &self,
        found: &[Vec<Found<'_>>],
        tenant: Option<&str>,
        steps: &Steps,
    ) -> Decision {
        // Sorted by strictness, so the first that holds decides; other approvals count, too.
        let mut decision: Option<Decision> = None;
        for candidate in &self.rules {
            match &mut decision {
                None if candidate.holds(found, tenant, steps) => {
                    let source = candidate.source.clone();
                    match source.verdict {
                        Verdict::Approve => decision = Some(Decision::of(source)),
                        Verdict::Allow | Verdict::Deny => return Decision::of(source),
                    }
                }
                Some(decision) => match candidate.source.verdict {
                    Verdict::Approve if candidate.holds(found, tenant, steps) => {
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

    /// Whether it may look at much of the parameters.
    pub(super) fn is_costly(&self) -> bool {
        let mut conditions = self.rule.when.iter();
        conditions
            .any(|condition| condition.test.is_costly() || condition.steps.contains(&Step::Every))
    }

    /// Whether the rule counts. Doubt makes a deny or approve rule hold and an allow rule fail.
    pub(super) fn holds(
        &self,
        found: &[Vec<Found<'_>>],
        tenant: Option<&str>,
        steps: &Steps,
    ) -> bool {
        let holds = self.truth(found, tenant, steps);
        match self.source.verdict {
            Verdict::Allow => holds == Truth::Yes,
            Verdict::Approve | Verdict::Deny => holds != Truth::No,
        }
    }

    fn truth(&self, found: &[Vec<Found<'_>>], tenant: Option<&str>, steps: &Steps) -> Truth {
        let mut truth = self.for_tenant(tenant);
        for (slot, condition) in self.slots.iter().zip(&self.rule.when) {
            if truth == Truth::No {
                break;
            }
            let values = found.get(*slot).map_or(&[][..], Vec::as_slice);
            truth = truth.min(self.over_all(values, &condition.test, steps));
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
    pub(super) fn over_all(&self, values: &[Found<'_>], test: &Test, steps: &Steps) -> Truth {
        let allows = self.source.verdict == Verdict::Allow;
        let mut over_all = Truth::from(allows);
        for found in values {
            let truth = test.holds(&Value::of(*found), steps);
            over_all = match allows {
                true => over_all.min(truth),
                false => over_all.max(truth),
            };
            if over_all == Truth::from(!allows) {
                break;
            }
        }
        over_all
    }
}
