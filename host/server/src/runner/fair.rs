//! Which tenant's run is next: caps are exact, and shares follow weighted virtual time. No I/O.
//!
//! Every tenant has a virtual time, which grows by the slot time that its runs take, divided by its
//! weight. The tenant with the least of it is next. A run is charged at its claim with the mean of its
//! tenant's last runs, and the difference is settled when it ends. A tenant that comes back after a
//! pause begins at the least time of the others, so that no tenant saves shares up.

use std::collections::BTreeMap;
use std::time::Duration;

/// What part of the mean a new run makes up.
const NEW: f64 = 0.2;
/// Seconds that the first run of a tenant is charged.
const FIRST: f64 = 0.05;

/// The shares of all tenants over the slots of this server.
#[derive(Debug)]
pub(crate) struct Fair {
    slots: u32,
    running: u32,
    shares: BTreeMap<i64, Share>,
}

/// One tenant's.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    /// How much it gets beside others.
    weight: f64,
    /// Runs at the same time.
    max_running: u32,
    /// Runs that may wait.
    max_queued: u64,
    running: u32,
    queued: u64,
    /// Runs that are being written: they are in no queue yet.
    reserved: u64,
    vtime: f64,
    /// Seconds that its runs have a slot, as a moving mean.
    mean: f64,
    /// Seconds that its runs have had slots.
    used: f64,
}

/// A queue that is full: how many may wait, and how many do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full {
    pub(crate) limit: u64,
    pub(crate) used: u64,
}

/// What is shown of a tenant's share.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Load {
    pub(crate) running: u32,
    pub(crate) queued: u64,
    pub(crate) slot_seconds: f64,
}

impl Fair {
    pub(crate) fn new(slots: u32) -> Self {
        Self {
            slots: slots.max(1),
            running: 0,
            shares: BTreeMap::new(),
        }
    }

    /// A tenant's settings, which may change while it has runs.
    pub(crate) fn set(&mut self, tenant: i64, weight: u32, max_running: u32, max_queued: u64) {
        let share = self.shares.entry(tenant).or_insert(Share {
            weight: 1.0,
            max_running: 0,
            max_queued: 0,
            running: 0,
            queued: 0,
            reserved: 0,
            vtime: 0.0,
            mean: FIRST,
            used: 0.0,
        });
        share.weight = f64::from(weight.max(1));
        share.max_running = max_running;
        share.max_queued = max_queued;
    }

    /// Takes a place in a tenant's queue for a run that is about to be written. The run cannot be next before
    /// [`enter`](Self::enter): who looked for it in the queue would not find it there, and forget the place.
    pub(crate) fn reserve(&mut self, tenant: i64) -> Result<(), Full> {
        let Some(share) = self.shares.get_mut(&tenant) else {
            return Err(Full { limit: 0, used: 0 });
        };
        let used = share.queued + share.reserved;
        if used >= share.max_queued {
            return Err(Full {
                limit: share.max_queued,
                used,
            });
        }
        share.reserved += 1;
        Ok(())
    }

    /// The run of a reserved place is in the queue.
    pub(crate) fn enter(&mut self, tenant: i64) {
        self.give_up(tenant);
        self.add_queued(tenant, 1);
    }

    /// The run of a reserved place does not come.
    pub(crate) fn give_up(&mut self, tenant: i64) {
        if let Some(share) = self.shares.get_mut(&tenant) {
            share.reserved = share.reserved.saturating_sub(1);
        }
    }

    /// Runs that are in the queue already, such as those of the time before a restart.
    pub(crate) fn add_queued(&mut self, tenant: i64, count: u64) {
        let least = self.least();
        if let Some(share) = self.shares.get_mut(&tenant) {
            share.enter(count, least);
        }
    }

    /// What the queue of a tenant has. A transaction that counted and was not committed has left too few here; too many
    /// are found by [`gone`](Self::gone).
    pub(crate) fn at_least(&mut self, tenant: i64, count: u64) {
        let known = self.load(tenant).queued;
        if count > known {
            self.add_queued(tenant, count - known);
        }
    }

    /// Runs left the queue without having been claimed.
    pub(crate) fn left_queue(&mut self, tenant: i64, count: u64) {
        if let Some(share) = self.shares.get_mut(&tenant) {
            share.queued = share.queued.saturating_sub(count);
        }
    }

    /// How many runs of which tenants are next. They count as running from now on; what turns out not
    /// to be in the queue is given back with [`gone`](Self::gone).
    pub(crate) fn plan(&mut self, most: u32) -> Vec<(i64, u32)> {
        let mut plan = BTreeMap::<i64, u32>::new();
        let mut room = self.slots.saturating_sub(self.running).min(most);
        while room > 0 {
            let ready = self
                .shares
                .iter_mut()
                .filter(|(_, share)| share.queued > 0 && share.running < share.max_running);
            let next = ready.min_by(|(_, one), (_, other)| one.vtime.total_cmp(&other.vtime));
            let Some((tenant, share)) = next else { break };
            share.queued -= 1;
            share.running += 1;
            share.vtime += share.mean / share.weight;
            *plan.entry(*tenant).or_default() += 1;
            self.running += 1;
            room -= 1;
        }
        plan.into_iter().collect()
    }

    /// What a run that is claimed now is charged.
    pub(crate) fn charge(&self, tenant: i64) -> f64 {
        self.shares.get(&tenant).map_or(FIRST, |share| share.mean)
    }

    /// Planned runs that were not in the queue.
    pub(crate) fn gone(&mut self, tenant: i64, count: u32) {
        self.running = self.running.saturating_sub(count);
        if let Some(share) = self.shares.get_mut(&tenant) {
            share.running = share.running.saturating_sub(count);
            share.vtime -= f64::from(count) * share.mean / share.weight;
        }
    }

    /// Planned runs that could not be claimed: they are in the queue still.
    pub(crate) fn back(&mut self, tenant: i64, count: u32) {
        self.gone(tenant, count);
        if let Some(share) = self.shares.get_mut(&tenant) {
            share.queued += u64::from(count);
        }
    }

    /// A run that was charged has given its slot back.
    pub(crate) fn finished(&mut self, tenant: i64, took: Duration, charged: f64) {
        self.running = self.running.saturating_sub(1);
        if let Some(share) = self.shares.get_mut(&tenant) {
            let seconds = took.as_secs_f64();
            share.running = share.running.saturating_sub(1);
            share.vtime += (seconds - charged) / share.weight;
            share.mean += NEW * (seconds - share.mean);
            share.used += seconds;
        }
    }

    /// What a tenant uses.
    pub(crate) fn load(&self, tenant: i64) -> Load {
        self.shares
            .get(&tenant)
            .map_or_else(Load::default, |share| Load {
                running: share.running,
                queued: share.queued,
                slot_seconds: share.used,
            })
    }

    /// The slots of this server, and how many are taken.
    pub(crate) fn slots(&self) -> (u32, u32) {
        (self.slots, self.running)
    }

    /// The least virtual time of the tenants that have something to do.
    fn least(&self) -> f64 {
        let busy = self.shares.values().filter(|share| share.is_active());
        let least = busy.map(|share| share.vtime).min_by(f64::total_cmp);
        least.unwrap_or(f64::NEG_INFINITY)
    }
}

impl Share {
    fn is_active(&self) -> bool {
        self.queued > 0 || self.running > 0
    }

    fn enter(&mut self, count: u64, least: f64) {
        if !self.is_active() {
            self.vtime = self.vtime.max(least);
        }
        self.queued += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fair(slots: u32, weights: &[u32]) -> Fair {
        let mut fair = Fair::new(slots);
        for (tenant, weight) in weights.iter().enumerate() {
            fair.set(tenant as i64, *weight, 1000, 1_000_000);
        }
        fair
    }

    /// Runs each planned run for its tenant's seconds, until so many slot seconds are over.
    fn simulate(fair: &mut Fair, seconds: &[f64], until: f64) -> Vec<f64> {
        let mut used = vec![0.0; seconds.len()];
        let mut running: Vec<(f64, i64, f64)> = Vec::new();
        let mut now = 0.0;
        while now < until {
            for (tenant, count) in fair.plan(64) {
                for _ in 0..count {
                    let charged = fair.charge(tenant);
                    running.push((now + seconds[tenant as usize], tenant, charged));
                }
            }
            running.sort_by(|one, other| other.0.total_cmp(&one.0));
            let Some((end, tenant, charged)) = running.pop() else {
                break;
            };
            now = end;
            let took = seconds[tenant as usize];
            used[tenant as usize] += took;
            fair.finished(tenant, Duration::from_secs_f64(took), charged);
        }
        used
    }

    #[test]
    fn caps_are_exact() {
        let mut fair = Fair::new(4);
        fair.set(1, 1, 3, 5);
        for _ in 0..5 {
            fair.reserve(1).expect("room");
        }
        assert_eq!(fair.reserve(1), Err(Full { limit: 5, used: 5 }));
        // What is being written cannot be claimed, and a place that was given up is free.
        assert_eq!(fair.plan(64), []);
        for _ in 0..4 {
            fair.enter(1);
        }
        fair.give_up(1);
        fair.reserve(1).expect("room");
        fair.enter(1);
        assert_eq!(fair.plan(64), [(1, 3)]);
        assert_eq!(fair.plan(64), []);
        fair.finished(1, Duration::from_millis(10), 0.05);
        assert_eq!(fair.plan(64), [(1, 1)]);
        fair.set(2, 1, 10, 10);
        for _ in 0..3 {
            fair.add_queued(2, 1);
        }
        // The slots of the server bound them all.
        assert_eq!(fair.plan(64), [(2, 1)]);
        assert_eq!(fair.slots(), (4, 4));
    }

    #[test]
    fn equal_tenants_get_equal_shares_however_long_their_runs_are() {
        let mut fair = fair(8, &[1; 20]);
        let seconds: Vec<f64> = (0..20).map(|n| 0.05 * f64::from(1 + n % 5)).collect();
        for tenant in 0..20 {
            fair.add_queued(tenant, 100_000);
        }
        let used = simulate(&mut fair, &seconds, 120.0);
        let (sum, squares) = used.iter().fold((0.0, 0.0), |(sum, squares), one| {
            (sum + one, squares + one * one)
        });
        let jain = sum * sum / (20.0 * squares);
        assert!(jain >= 0.97, "{jain}: {used:?}");
    }

    #[test]
    fn weights_are_shares() {
        let mut fair = fair(8, &[1, 2, 4]);
        for tenant in 0..3 {
            fair.add_queued(tenant, 100_000);
        }
        let used = simulate(&mut fair, &[0.1, 0.1, 0.1], 200.0);
        let all: f64 = used.iter().sum();
        for (tenant, part) in [1.0 / 7.0, 2.0 / 7.0, 4.0 / 7.0].into_iter().enumerate() {
            let got = used[tenant] / all;
            assert!(
                (got - part).abs() < 0.05 * part,
                "{tenant}: {got} of {part}"
            );
        }
    }

    #[test]
    fn a_tenant_that_was_away_is_next_and_has_saved_nothing_up() {
        let mut fair = fair(1, &[1, 1]);
        fair.add_queued(0, 1000);
        simulate(&mut fair, &[0.1, 0.1], 20.0);
        fair.add_queued(1, 1);
        // At once, or after the run that is equally far.
        let next: Vec<i64> = (0..2)
            .map(|_| {
                let plan = fair.plan(1);
                fair.finished(plan[0].0, Duration::from_millis(100), 0.1);
                plan[0].0
            })
            .collect();
        assert!(next.contains(&1), "{next:?}");
        // Ten more do not come all at once.
        fair.add_queued(1, 10);
        let next: Vec<i64> = (0..6)
            .map(|_| {
                let plan = fair.plan(1);
                fair.finished(
                    plan[0].0,
                    Duration::from_millis(100),
                    fair.charge(plan[0].0),
                );
                plan[0].0
            })
            .collect();
        assert!(
            next.iter().filter(|tenant| **tenant == 0).count() >= 2,
            "{next:?}"
        );
    }

    #[test]
    fn runs_that_were_miscounted_are_found_again() {
        let mut fair = fair(4, &[1]);
        fair.add_queued(0, 3);
        fair.left_queue(0, 2);
        fair.at_least(0, 3);
        fair.at_least(0, 2);
        assert_eq!(fair.plan(64), [(0, 3)]);
    }

    #[test]
    fn what_was_not_there_costs_nothing() {
        let mut fair = fair(4, &[1]);
        fair.add_queued(0, 2);
        assert_eq!(fair.plan(64), [(0, 2)]);
        fair.gone(0, 1);
        fair.back(0, 1);
        assert_eq!(fair.slots(), (4, 0));
        assert_eq!(fair.load(0).queued, 1);
        assert_eq!(fair.plan(64), [(0, 1)]);
    }
}
