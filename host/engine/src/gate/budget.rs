//! Counts the calls of a run for which the policy has a budget.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Dispatcher;
use crate::catalog::Definition;
use crate::policy::Source;

impl Dispatcher {
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
