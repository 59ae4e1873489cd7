//! What the rules of a run come to for one call.

use super::compile::{Candidates, Rulebook};
use super::decision::{Decision, strictest};
use super::steps::Steps;
use crate::catalog::Definition;

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
        let steps = Steps::of_decision();
        let decisions = candidates
            .files
            .iter()
            .map(|file| file.decide(&found, tenant, &steps));
        strictest(decisions).unwrap_or_else(|| Decision::of(self.unknown.clone()))
    }

    /// Whether a decision on an action may look at much of its parameters.
    #[must_use]
    pub fn is_costly(&self, definition: &Definition) -> bool {
        self.candidates(definition)
            .is_some_and(|candidates| candidates.is_costly)
    }

    pub(super) fn candidates(&self, definition: &Definition) -> Option<&Candidates> {
        self.actions.get(definition.names.first()?.as_str())
    }
}
