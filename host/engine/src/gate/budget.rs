//! Counts the calls for which the policy has a budget: those of one run here, and those of a window of
//! time with the counter of an embedder.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::counter::{Count, Counted};
use super::{Dispatcher, denied};
use crate::catalog::Definition;
use crate::failure::ActionError;
use crate::policy::{Budget, CountedFor, Rulebook, Source, WhenSpent};
use crate::run_info;

/// How long a call waits at least before it is counted again: the clocks of two machines may differ.
const MIN_WAIT: Duration = Duration::from_millis(10);

/// A budget without room, and the error of the call.
pub(super) struct Spent {
    pub(super) source: Arc<Source>,
    pub(super) error: ActionError,
}

impl Dispatcher {
    /// Whether the run may start others. Each would have the budgets of a run anew, so none may where the policy has one.
    pub(crate) fn may_start_runs(&self) -> Result<(), ActionError> {
        let rules = self.policy.rulebook.as_ref();
        let budgets = rules.map_or(&[][..], |rules| rules.budgets());
        let Some(budget) = budgets.iter().find(|budget| budget.of == CountedFor::Run) else {
            return Ok(());
        };
        let why = "a run that this one starts would have the budget anew";
        let hint = "call the actions in this run";
        Err(denied::by("runs.start", &budget.source, Some((why, hint))))
    }

    /// Counts a call that is about to be made, in every budget that is for its action.
    pub(super) async fn spend(&self, definition: &Definition, name: &str) -> Result<(), Spent> {
        let Some(rules) = &self.policy.rulebook else {
            return Ok(());
        };
        let of_run = self.spend_of_run(rules, definition, name)?;
        let timed = rules.budgets_of(definition).iter();
        let timed = timed.filter_map(|at| rules.budgets().get(*at));
        let mut timed: Vec<&Budget> = timed.filter(|budget| budget.per.is_some()).collect();
        // In a dry run nothing is called, and other runs are not to have less for it.
        if timed.is_empty() || self.dry_run.is_some() {
            return Ok(());
        }
        // One that denies decides before one that waits.
        timed.sort_by_key(|budget| budget.over == WhenSpent::Wait);
        let spent = Box::pin(self.spend_over_time(&timed, definition, name)).await;
        if spent.is_err() {
            for at in of_run {
                self.spent[at].fetch_sub(1, Ordering::Relaxed);
            }
        }
        spent
    }

    /// Counts a call in the budgets of the run, and says in which.
    fn spend_of_run(
        &self,
        rules: &Rulebook,
        definition: &Definition,
        name: &str,
    ) -> Result<Vec<usize>, Spent> {
        let mut counted = Vec::new();
        for at in rules.budgets_of(definition) {
            let (Some(budget), Some(spent)) = (rules.budgets().get(*at), self.spent.get(*at))
            else {
                continue;
            };
            if budget.per.is_some() {
                continue;
            }
            let more = |count: u32| (count < budget.calls).then_some(count + 1);
            let taken = spent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
            if taken.is_err() {
                let source = budget.source.clone();
                let error = denied::by(name, &source, None);
                return Err(Spent { source, error });
            }
            counted.push(*at);
        }
        Ok(counted)
    }

    /// Counts a call in windows of time, and waits for room where the policy says so: no longer than the action may take.
    async fn spend_over_time(
        &self,
        budgets: &[&Budget],
        definition: &Definition,
        name: &str,
    ) -> Result<(), Spent> {
        let refused = |budget: &Budget, why: &str, hint: &str| {
            let source = budget.source.clone();
            let error = denied::by(name, &source, Some((why, hint)));
            Spent { source, error }
        };
        let Some(counter) = &self.policy.counter else {
            let why = "this program counts no calls over time";
            let hint = "a program that embeds Kael gives the policy a counter; kael-host has one with the feature `store`";
            return Err(refused(budgets[0], why, hint));
        };
        let counts: Vec<Count> = budgets.iter().map(|budget| self.count(budget)).collect();
        let deadline = Instant::now() + definition.timeout.duration();
        loop {
            let (at, until) = match counter.take(counts.clone()).await {
                Ok(Counted::Taken) => return Ok(()),
                Ok(Counted::Full { at, until }) => (at, until),
                Err(error) => {
                    let why = format!("its calls cannot be counted: {error}");
                    let hint = "no call is made that is not counted; kael-host doctor looks at Kael's data folder";
                    return Err(refused(budgets[0], &why, hint));
                }
            };
            let budget = budgets.get(at).copied().unwrap_or(budgets[0]);
            let whose = match budget.of {
                CountedFor::Run => "run",
                CountedFor::Tenant => "tenant",
            };
            let room = run_info::timestamp(until);
            let wait = until.duration_since(SystemTime::now());
            let wait = wait.unwrap_or_default().max(MIN_WAIT);
            let why = match budget.over {
                WhenSpent::Wait if Instant::now() + wait <= deadline => {
                    tracing::info!("{name} waits until {room} for {}", budget.source);
                    tokio::time::sleep(wait).await;
                    continue;
                }
                WhenSpent::Wait => format!(
                    "the budget of the {whose} is spent, and has room again at {room}, later than the action's timeout ({}) lets a call wait",
                    definition.timeout
                ),
                WhenSpent::Deny => {
                    format!("the budget of the {whose} is spent, and has room again at {room}")
                }
            };
            let hint =
                format!("wait until {room}, or ask for a larger budget of {name} in the policy");
            return Err(refused(budget, &why, &hint));
        }
    }

    /// What a budget counts together: the same actions of the same repo, for the run or the tenant.
    fn count(&self, budget: &Budget) -> Count {
        let run = self.run.id.to_string();
        let whose = match budget.of {
            CountedFor::Run => run.as_str(),
            CountedFor::Tenant => self.run.tenant.as_str(),
        };
        let mut hash = Sha256::new();
        hash.update(budget.identity);
        for part in [whose.as_bytes(), self.repo.as_os_str().as_encoded_bytes()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Count {
            key: hash.finalize().into(),
            period: budget.per.map_or(Duration::ZERO, |per| per.duration()),
            calls: budget.calls,
        }
    }
}
