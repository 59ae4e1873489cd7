//! Counts the calls for which the policy has a budget: those of one run here, and those of a window of
//! time with the counter of an embedder.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::counter::{Count, Counted};
use super::{Dispatcher, denied, documents};
use crate::catalog::{Definition, Executor};
use crate::failure::{ActionError, ErrorKind};
use crate::policy::{Budget, CountedFor, Rulebook, Source, WhenSpent, grants};
use crate::run_info;

/// How long a call waits at least before it is counted again: the clocks of two machines may differ.
const MIN_WAIT: Duration = Duration::from_millis(10);

/// A budget without room, and the error of the call.
pub(super) struct Spent {
    pub(super) source: Arc<Source>,
    pub(super) error: ActionError,
}

/// How many calls of a run each budget of the run has counted, in the order of the policy's budgets.
pub(super) struct OfRun(Mutex<Vec<u32>>);

impl OfRun {
    pub(super) fn new(budgets: usize) -> Self {
        Self(Mutex::new(vec![0; budgets]))
    }

    /// Counts a call in all of these, or in none: then this is the first that is spent.
    fn take<'a>(&self, budgets: &[(usize, &'a Budget)]) -> Result<(), &'a Budget> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_spent = |(at, budget): &&(usize, &Budget)| counts[*at] >= budget.calls;
        if let Some((_, budget)) = budgets.iter().find(is_spent) {
            return Err(budget);
        }
        for (at, _) in budgets {
            counts[*at] += 1;
        }
        Ok(())
    }

    /// Counts a call that was made before, also where that is more than there is.
    fn add(&self, budgets: &[(usize, &Budget)]) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, _) in budgets {
            counts[*at] = counts[*at].saturating_add(1);
        }
    }

    /// Takes a call back that is not made.
    fn give_back(&self, budgets: &[(usize, &Budget)]) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, _) in budgets {
            counts[*at] = counts[*at].saturating_sub(1);
        }
    }
}

impl Dispatcher {
    /// Whether the run may start others, by what a script calls `what`. Each would have the budgets of a run anew, so none
    /// may where the policy has one.
    pub(crate) fn may_start_runs(&self, what: &str) -> Result<(), ActionError> {
        let rules = self.policy.rulebook.as_ref();
        let budgets = rules.map_or(&[][..], |rules| rules.budgets());
        let Some(budget) = budgets.iter().find(|budget| budget.of == CountedFor::Run) else {
            return Ok(());
        };
        let why = "a run that this one starts would have the budget anew";
        let hint = "call the actions in this run";
        Err(denied::by(what, &budget.source, Some((why, hint))))
    }

    /// Counts a call that is about to be made, in every budget that is for its action.
    pub(super) async fn spend(&self, definition: &Definition, name: &str) -> Result<(), Spent> {
        let Some(rules) = &self.policy.rulebook else {
            return Ok(());
        };
        let of_run = of_run(rules, definition);
        if let Err(budget) = self.spent.take(&of_run) {
            let source = budget.source.clone();
            let error = denied::by(name, &source, None);
            return Err(Spent { source, error });
        }
        // In a dry run nothing is called, and other runs are not to have less for it.
        let timed = over_time(rules, definition);
        if timed.is_empty() || self.dry_run.is_some() {
            return Ok(());
        }
        let spent = Box::pin(self.spend_over_time(&timed, definition, name)).await;
        if spent.is_err() {
            self.spent.give_back(&of_run);
        }
        spent
    }

    /// Takes back the count of a call that was refused behind it, in the budgets of the run: nothing was called.
    pub(super) fn unspend(&self, definition: &Definition) {
        if let Some(rules) = &self.policy.rulebook {
            self.spent.give_back(&of_run(rules, definition));
        }
    }

    /// Counts a call of this run that was made before and is not made again: its journal has the answer. Nothing is
    /// denied by this, and what was refused before it was counted is not counted now. Windows of time have it already.
    pub(crate) fn passed(&self, name: &str, params: &str, failed: Option<&ActionError>) {
        let (Some(rules), Some(definition)) = (&self.policy.rulebook, self.catalog.get(name))
        else {
            return;
        };
        let of_run = of_run(rules, definition);
        let refused = |error: &ActionError| self.was_refused(definition, params, error);
        if !of_run.is_empty() && !failed.is_some_and(refused) {
            self.spent.add(&of_run);
        }
    }

    /// Whether a call with this error was refused before it was counted. What is in doubt was not: an action of the host
    /// may be denied by a grant behind its effect, at a redirect.
    fn was_refused(&self, definition: &Definition, params: &str, error: &ActionError) -> bool {
        let rule = error
            .detail
            .as_ref()
            .and_then(|detail| detail.rule.as_ref());
        match error.kind {
            ErrorKind::UnknownAction => true,
            ErrorKind::Denied if rule.is_some_and(|rule| rule != grants::RULE) => true,
            ErrorKind::InvalidParams | ErrorKind::Denied => {
                let grants = self.policy.grants();
                let is_builtin = definition.executor == Executor::Builtin;
                match documents::merged(definition, params.to_owned()) {
                    Ok(params) if is_builtin => {
                        self.executor.granted(definition, &params, grants).is_err()
                    }
                    merged => merged.is_err(),
                }
            }
            _ => false,
        }
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

/// The budgets of the run that count the calls of an action, with their places.
fn of_run<'a>(rules: &'a Rulebook, definition: &Definition) -> Vec<(usize, &'a Budget)> {
    let places = rules.budgets_of(definition).iter();
    let budgets = places.filter_map(|at| Some((*at, rules.budgets().get(*at)?)));
    budgets.filter(|(_, budget)| budget.per.is_none()).collect()
}

/// The budgets over windows of time that count the calls of an action, each count once.
fn over_time<'a>(rules: &'a Rulebook, definition: &Definition) -> Vec<&'a Budget> {
    let places = rules.budgets_of(definition).iter();
    let budgets = places.filter_map(|at| Some((*at, rules.budgets().get(*at)?)));
    let mut timed: Vec<(usize, &Budget)> =
        budgets.filter(|(_, budget)| budget.per.is_some()).collect();
    let waits = |budget: &Budget| budget.over == WhenSpent::Wait;
    if timed.len() > 1 {
        // Those that say the same share a count, and the smallest holds.
        timed.sort_by_key(|(_, budget)| (budget.identity, budget.calls, waits(budget)));
        timed.dedup_by_key(|(_, budget)| budget.identity);
        // One that denies decides before one that waits.
        timed.sort_by_key(|(at, budget)| (waits(budget), *at));
    }
    timed.into_iter().map(|(_, budget)| budget).collect()
}
