//! What the rules of a run come to for one call.

use super::compile::{Candidates, Rulebook};
use super::decision::{Decision, strictest};
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
