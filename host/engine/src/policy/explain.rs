//! Why the policy says what it says of a call, and what would change it.

use super::candidate::Candidate;
use super::compile::Rulebook;
pub use super::condition::Truth;
use super::decision::{Decision, Source, SourceKind};
use super::requirements::is_local_server;
use super::steps::Steps;
use super::value::{Found, Value};
use super::verdict::Verdict;
use crate::catalog::Definition;

/// Bytes of a value that are shown.
const MAX_VALUE: usize = 80;

/// Why a call is allowed, or not.
#[derive(Debug)]
pub struct Explanation {
    /// The answer.
    pub decision: Decision,
    /// Every rule that could concern the call, file by file.
    pub rules: Vec<RuleExplanation>,
    /// Every budget that counts the calls of the action.
    pub budgets: Vec<Source>,
    /// What would make the answer another one, in words.
    pub changes: Vec<String>,
}

/// What one rule says of a call.
#[derive(Debug)]
pub struct RuleExplanation {
    /// The rule.
    pub source: Source,
    /// Whether it counts.
    pub holds: bool,
    /// Its conditions: each in words with the value, and whether it holds.
    pub conditions: Vec<(String, Truth)>,
}

impl Rulebook {
    /// Explains what the policy says of a call with these merged parameters.
    #[must_use]
    pub fn explain(
        &self,
        definition: &Definition,
        params: &str,
        tenant: Option<&str>,
    ) -> Explanation {
        let decision = self.decide(definition, params, tenant);
        let mut explanation = Explanation {
            rules: Vec::new(),
            budgets: self.counting(definition),
            changes: Vec::new(),
            decision,
        };
        let Some(candidates) = self.candidates(definition) else {
            return explanation;
        };
        let found = candidates.paths.read(params);
        let steps = Steps::of_decision();
        for file in &candidates.files {
            let own = file.decide(&found, tenant, &steps);
            for candidate in &file.rules {
                let told = candidate.explain(&found, tenant);
                explanation.changes.extend(change(&own, &told));
                explanation.rules.push(told);
            }
            if own.source == file.default {
                explanation.rules.push(RuleExplanation {
                    source: (*file.default).clone(),
                    holds: true,
                    conditions: Vec::new(),
                });
                let lacks_allow = !file
                    .rules
                    .iter()
                    .any(|rule| rule.source.verdict == Verdict::Allow);
                if own.verdict == Verdict::Deny && lacks_allow {
                    let source = &own.source;
                    explanation.changes.push(match file.default.kind {
                        SourceKind::ReadOnly => {
                            format!("the action declared with effects = \"none\" ({source})")
                        }
                        SourceKind::Requirement if is_local_server(definition) => {
                            format!("the action defined with a server at a `url` ({source})")
                        }
                        SourceKind::Requirement => {
                            format!("the action defined with `reads` ({source})")
                        }
                        _ => format!("a rule in {} that allows the action", file.name),
                    });
                }
            }
        }
        explanation
    }
}

/// How a rule would have to turn for its file to say something else.
fn change(own: &Decision, told: &RuleExplanation) -> Option<String> {
    let place = &told.source;
    let failing: Vec<&str> = told
        .conditions
        .iter()
        .filter(|(_, truth)| *truth != Truth::Yes)
        .map(|(words, _)| words.as_str())
        .collect();
    match (told.holds, told.source.verdict) {
        // What decides would have to fail.
        (true, verdict) if verdict == own.verdict && verdict != Verdict::Allow => {
            Some(match told.conditions.is_empty() {
                true => format!("{place} changed: it has no conditions"),
                false => {
                    let all: Vec<&str> = told
                        .conditions
                        .iter()
                        .map(|(words, _)| words.as_str())
                        .collect();
                    format!("{place} not holding: one of {}", all.join("; "))
                }
            })
        }
        (false, Verdict::Allow) if own.verdict == Verdict::Deny => {
            // Only where no rule denies would an allow make a difference.
            own.source
                .is_default()
                .then(|| format!("{place} holding: {}", failing.join("; ")))
        }
        (false, verdict) if verdict > own.verdict => {
            Some(format!("{place} holding: {}", failing.join("; ")))
        }
        _ => None,
    }
}

impl Candidate {
    fn explain(&self, found: &[Vec<Found<'_>>], tenant: Option<&str>) -> RuleExplanation {
        // What is shown of a rule takes no steps from the decision.
        let steps = &Steps::of_decision();
        let mut conditions = Vec::new();
        if !self.rule.tenants.is_empty() {
            let patterns: Vec<&str> = self
                .rule
                .tenants
                .iter()
                .map(super::Pattern::as_str)
                .collect();
            let words = format!(
                "tenant like {} (is {})",
                patterns.join(" or "),
                tenant.unwrap_or("not known")
            );
            conditions.push((words, self.for_tenant(tenant)));
        }
        for (slot, condition) in self.slots.iter().zip(&self.rule.when) {
            let values = found.get(*slot).map_or(&[][..], Vec::as_slice);
            let truth = self.over_all(values, &condition.test, steps);
            // Of several values, the one that decides.
            let deciding = values
                .iter()
                .find(|found| condition.test.holds(&Value::of(**found), steps) == truth);
            let words = format!("`{}` {} ({})", condition.path, condition.test, is(deciding));
            conditions.push((words, truth));
        }
        RuleExplanation {
            source: (*self.source).clone(),
            holds: self.holds(found, tenant, steps),
            conditions,
        }
    }
}

fn is(found: Option<&Found<'_>>) -> String {
    match found {
        None => "there are none".to_owned(),
        Some(Found::Missing) => "is missing".to_owned(),
        Some(Found::Unclear) => "is below a value that is no table or list".to_owned(),
        Some(Found::There(text)) if text.len() <= MAX_VALUE => format!("is {text}"),
        Some(Found::There(text)) => {
            format!("is {}...", &text[..text.floor_char_boundary(MAX_VALUE)])
        }
    }
}
