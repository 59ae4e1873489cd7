//! Shares out turns to handle large documents: to tenants in rotation, and to each tenant's runs.
//!
//! Without the rotation a run that queues documents of tens of megabytes, one behind the other,
//! would have all others wait for seconds.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::run_info::RunInfo;

/// So many turns at the same time.
pub(super) struct Turns(Mutex<Waiting>);

struct Waiting {
    free: usize,
    /// Tenants with runs that wait; the first one is next.
    tenants: VecDeque<OfTenant>,
}

struct OfTenant {
    tenant: String,
    runs: VecDeque<OfRun>,
}

struct OfRun {
    run: String,
    calls: VecDeque<oneshot::Sender<Turn>>,
}

/// A turn. The next one begins when it is dropped.
pub(super) struct Turn(&'static Turns);

impl Turns {
    pub(super) fn new(free: usize) -> Self {
        let tenants = VecDeque::new();
        Self(Mutex::new(Waiting { free, tenants }))
    }

    /// Waits for a turn. A call that stops waiting leaves its place.
    pub(super) async fn take(&'static self, of: Option<Arc<RunInfo>>) -> Turn {
        loop {
            let turn = {
                let mut waiting = self.lock();
                if waiting.free > 0 {
                    waiting.free -= 1;
                    return Turn(self);
                }
                waiting.push(of.as_deref())
            };
            if let Ok(turn) = turn.await {
                return turn;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn push(&mut self, of: Option<&RunInfo>) -> oneshot::Receiver<Turn> {
        let tenant = of.map_or("", |run| run.tenant.as_str());
        let run = of.map_or_else(String::new, |run| run.id.to_string());
        let at = position(&self.tenants, |one| one.tenant == tenant).unwrap_or_else(|| {
            self.tenants.push_back(OfTenant {
                tenant: tenant.to_owned(),
                runs: VecDeque::new(),
            });
            self.tenants.len() - 1
        });
        let runs = &mut self.tenants[at].runs;
        let at = position(runs, |one| one.run == run).unwrap_or_else(|| {
            let calls = VecDeque::new();
            runs.push_back(OfRun { run, calls });
            runs.len() - 1
        });
        let (sender, receiver) = oneshot::channel();
        // Those that have stopped waiting are passed over when it is their turn.
        runs[at].calls.push_back(sender);
        receiver
    }

    /// The call whose turn is next. Its run and its tenant go to the end of their rows.
    fn pop(&mut self) -> Option<oneshot::Sender<Turn>> {
        let mut tenant = self.tenants.pop_front()?;
        let mut run = tenant.runs.pop_front()?;
        let call = run.calls.pop_front();
        if !run.calls.is_empty() {
            tenant.runs.push_back(run);
        }
        if !tenant.runs.is_empty() {
            self.tenants.push_back(tenant);
        }
        call
    }
}

fn position<T>(row: &VecDeque<T>, is: impl Fn(&T) -> bool) -> Option<usize> {
    row.iter().position(is)
}

impl Drop for Turn {
    fn drop(&mut self) {
        loop {
            let next = {
                let mut waiting = self.0.lock();
                let next = waiting.pop();
                waiting.free += usize::from(next.is_none());
                next
            };
            let Some(next) = next else { return };
            match next.send(Self(self.0)) {
                Ok(()) => return,
                // That call is over: its turn goes to the next one, here and not by its own end.
                Err(turn) => std::mem::forget(turn),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::run_info::Tenant;

    fn run(tenant: &str) -> Arc<RunInfo> {
        RunInfo::new(Tenant::new(tenant).expect("a name"))
    }

    /// Waits until so many calls are in the rows.
    async fn wait_for(turns: &Turns, count: usize) {
        let calls = || {
            let waiting = turns.lock();
            let runs = waiting.tenants.iter().flat_map(|tenant| &tenant.runs);
            runs.map(|run| run.calls.len()).sum::<usize>()
        };
        while calls() != count {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_run_that_queues_many_has_others_wait_for_one() {
        let turns: &'static Turns = Box::leak(Box::new(Turns::new(1)));
        let held = turns.take(None).await;
        let order = Arc::new(Mutex::new(Vec::new()));
        let many = run("many");
        let queue = [
            ("a", many.clone()),
            ("a", many.clone()),
            ("a", many.clone()),
            ("b", run("many")),
            ("c", run("one")),
        ];
        let mut tasks = Vec::new();
        for (at, (name, of)) in queue.into_iter().enumerate() {
            let order = order.clone();
            tasks.push(tokio::spawn(async move {
                let _turn = turns.take(Some(of)).await;
                order.lock().expect("a list").push(name);
            }));
            wait_for(turns, at + 1).await;
        }
        // One that gives up takes no turn along.
        tasks[1].abort();
        drop(held);
        for task in tasks {
            task.await.ok();
        }
        let order = order.lock().expect("a list").concat();
        assert_eq!(order, "acba");
        assert_eq!(turns.lock().free, 1);
    }
}
