//! Counts the calls of a run for which the policy has a budget.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Dispatcher, denied};
use crate::catalog::Definition;
use crate::failure::ActionError;
use crate::policy::Source;

impl Dispatcher {
    /// Whether the run may start others. Each would have every budget anew, so none may where the policy has one.
    pub(crate) fn may_start_runs(&self) -> Result<(), ActionError> {
        let rules = self.policy.rulebook.as_ref();
        let Some(budget) = rules.and_then(|rules| rules.budgets().first()) else {
            return Ok(());
        };
        let why = "a run that this one starts would have the budget anew";
        let hint = "call the actions in this run";
        Err(denied::by("runs.start", &budget.source, Some((why, hint))))
    }

    /// Counts a call that is about to be made, in every budget that is for its action. An error is the budget that is spent.
    pub(super) fn spend(&self, definition: &Definition) -> Result<(), Arc<Source>> {
        let Some(rules) = &self.policy.rulebook else {
            return Ok(());
        };
        for at in rules.budgets_of(definition) {
            let (Some(budget), Some(spent)) = (rules.budgets().get(*at), self.spent.get(*at))
            else {
                continue;
            };
            let more = |count: u32| (count < budget.calls).then_some(count + 1);
            if spent
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
                .is_err()
            {
                return Err(budget.source.clone());
            }
        }
        Ok(())
    }
}
