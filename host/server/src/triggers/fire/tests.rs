//! Fires over a real store, with a clock of their own.

use std::collections::BTreeMap;

use kael_store::{Mode, Store};

use super::super::due::{CatchUp, due};
use super::super::plan::{Overlap, Plan};
use super::*;
use crate::runner::ending;
use crate::tables::runs::{self, State};
use crate::tables::scripts::{self, VersionRow};
use crate::tables::{retention, sources, tenants};
use crate::time::SECOND;

const MINUTE: i64 = 60 * SECOND;
/// 2026-06-01T00:00:00Z.
const DAY: i64 = 1_780_272_000 * SECOND;
const TENANT: i64 = 1;

/// A store with one schedule over one script.
struct World {
    folder: tempfile::TempDir,
    store: Option<Store>,
    id: Id,
}

impl World {
    fn new(plan: &Plan) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut world = Self {
            folder,
            store: None,
            id: Id::new(),
        };
        world.restart();
        let calendar = plan.calendar().expect("a calendar");
        let first = calendar.after(DAY - 1);
        let row = ScheduleRow {
            id: world.id,
            tenant: TENANT,
            name: "nightly".to_owned(),
            version: 1,
            settings: serde_json::to_string(plan).expect("settings"),
            token: Id::new(),
            submitter: "ci".to_owned(),
            paused: false,
            due: first,
            wake: first,
            last_fire: None,
            created: DAY,
            changed: DAY,
        };
        world.write(move |tx| {
            let tenant = tenants::put(tx, "acme", "{}", false)?;
            assert_eq!(tenant.id, TENANT);
            sources::put(tx, Scoped(TENANT), &[7; 32], b"print(1)")?;
            let version = VersionRow {
                name: "report".to_owned(),
                version: 1,
                digest: Some([7; 32]),
                by: "ci".to_owned(),
                at: DAY,
            };
            scripts::insert(tx, Scoped(TENANT), &version)?;
            schedules::insert(tx, &row)
        });
        world
    }

    /// Closes the store, and opens it again, as a new server does.
    fn restart(&mut self) {
        self.store = None;
        let path = self.folder.path().join("serve.db");
        self.store = Some(Store::open(&path, Mode::Exclusive).expect("a store"));
    }

    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> T {
        let store = self.store.as_ref().expect("a store");
        store.write(work).wait().expect("written")
    }

    fn row(&self) -> ScheduleRow {
        let id = self.id;
        self.write(move |tx| schedules::any(tx, &id))
            .expect("a schedule")
    }

    /// What the scheduler does at a time. `looked` is the row as it was read, which may be old.
    fn fire_as(&self, looked: &ScheduleRow, now: i64, runs: usize) -> Fired {
        let (id, plan) = (self.id, Plan::of(looked).expect("a plan"));
        let Some(at) = looked.due.filter(|at| *at <= now) else {
            return Fired::default();
        };
        let due = due(
            &plan.calendar().expect("a calendar"),
            at,
            now,
            plan.catch_up,
        );
        self.write(move |tx| fire(tx, &id, at, &due, now, room(runs)))
    }

    fn fire(&self, now: i64) -> Fired {
        self.fire_as(&self.row(), now, 100)
    }

    fn go_on(&self, now: i64) -> Fired {
        let id = self.id;
        self.write(move |tx| go_on(tx, &id, now, room(1)))
    }

    fn set_disabled(&self, disabled: bool) {
        self.write(move |tx| tenants::put(tx, "acme", "{}", disabled));
    }

    fn end(&self, run: Id) {
        let ended = ending::not_begun(State::Cancelled, "cancelled", 143, "over", None);
        self.write(move |tx| runs::end(tx, &run, &ended));
    }

    /// The outcomes of all fires, the oldest first.
    fn outcomes(&self) -> Vec<(i64, &'static str)> {
        let id = self.id;
        let mut all = self.write(move |tx| fires::list(tx, &id, 100_000));
        all.reverse();
        all.iter()
            .map(|fire| ((fire.at - DAY) / MINUTE, fire.outcome.name()))
            .collect()
    }
}

fn room(runs: usize) -> Room {
    Room {
        runs,
        storage: 1 << 40,
    }
}

fn plan(cron: &str, overlap: Overlap, catch_up: CatchUp) -> Plan {
    Plan {
        cron: cron.to_owned(),
        zone: "UTC".to_owned(),
        script: "report".to_owned(),
        args: vec!["--all".to_owned()],
        labels: BTreeMap::from([("team".to_owned(), "web".to_owned())]),
        overlap,
        catch_up,
        ..Plan::default()
    }
}

#[test]
fn a_fire_has_one_run_whoever_tries_and_however_often() {
    let world = World::new(&plan("0 * * * *", Overlap::Allow, CatchUp::Last));
    let looked = world.row();
    let first = world.fire_as(&looked, DAY + SECOND, 100);
    assert_eq!(first.started.len(), 1);
    // One who has looked before: the schedule has moved on.
    assert_eq!(world.fire_as(&looked, DAY + SECOND, 100), Fired::default());
    assert_eq!(world.fire(DAY + 2 * SECOND), Fired::default());
    let run = first.started[0];
    let row = world.write(move |tx| runs::any(tx, &run)).expect("a run");
    assert_eq!(
        (row.origin.as_str(), row.submitter.as_str()),
        ("schedule nightly", "ci")
    );
    assert_eq!(
        (row.name.as_str(), row.args.as_str()),
        ("report", "[\"--all\"]")
    );
    assert_eq!(
        (row.source, row.labels.as_str()),
        ([7; 32], "{\"team\":\"web\"}")
    );
    assert_eq!(world.row().last_fire, Some(DAY));
    assert_eq!(world.row().due, Some(DAY + 60 * MINUTE));
}

#[test]
fn a_clock_that_goes_back_repeats_nothing() {
    let world = World::new(&plan("0 * * * *", Overlap::Allow, CatchUp::All));
    assert_eq!(world.fire(DAY + 150 * MINUTE).started.len(), 3);
    for now in [DAY, DAY + 60 * MINUTE, DAY + 179 * MINUTE] {
        assert_eq!(world.fire(now), Fired::default());
    }
    assert_eq!(world.fire(DAY + 180 * MINUTE).started.len(), 1);
    assert_eq!(world.outcomes().len(), 4);
}

#[test]
fn overlap_leaves_out_waits_cancels_or_runs_beside() {
    let second = |overlap: Overlap| {
        let world = World::new(&plan("0 * * * *", overlap, CatchUp::Last));
        let first = world.fire(DAY).started[0];
        let second = world.fire(DAY + 60 * MINUTE);
        (world, first, second)
    };
    let (world, first, skipped) = second(Overlap::Skip);
    assert_eq!(skipped.others, [(Outcome::Skipped, 1)]);
    world.end(first);
    assert_eq!(world.fire(DAY + 120 * MINUTE).started.len(), 1);
    assert_eq!(
        world.outcomes(),
        [(0, "started"), (60, "skipped"), (120, "started")]
    );

    let (_, _, beside) = second(Overlap::Allow);
    assert_eq!(beside.started.len(), 1);

    let (world, first, waits) = second(Overlap::Queue);
    assert_eq!(
        (waits.started.len(), waits.others),
        (0, vec![(Outcome::Waiting, 1)])
    );
    assert_eq!(world.go_on(DAY + 61 * MINUTE), Fired::default());
    world.fire(DAY + 120 * MINUTE);
    world.end(first);
    let then = world.go_on(DAY + 121 * MINUTE).started;
    assert_eq!(then.len(), 1);
    // One after the other.
    assert_eq!(world.go_on(DAY + 121 * MINUTE), Fired::default());
    world.end(then[0]);
    assert_eq!(world.go_on(DAY + 122 * MINUTE).started.len(), 1);
    assert_eq!(
        world.outcomes(),
        [(0, "started"), (60, "started"), (120, "started")]
    );

    let (world, first, cancels) = second(Overlap::CancelPrevious);
    assert_eq!(cancels.others, [(Outcome::Waiting, 1)]);
    assert_eq!(world.go_on(DAY + 61 * MINUTE).cancel, [first]);
    world.fire(DAY + 120 * MINUTE);
    assert_eq!(world.go_on(DAY + 120 * MINUTE).cancel, [first]);
    world.end(first);
    assert_eq!(world.go_on(DAY + 121 * MINUTE).started.len(), 1);
    assert_eq!(
        world.outcomes(),
        [(0, "started"), (60, "skipped"), (120, "started")]
    );
}

#[test]
fn what_cannot_run_is_written_down_and_the_schedule_goes_on() {
    let world = World::new(&plan("0 * * * *", Overlap::Allow, CatchUp::None));
    let full = world.fire_as(&world.row(), DAY, 0);
    assert_eq!(full.others, [(Outcome::Refused, 1)]);
    let late = world.fire(DAY + 130 * MINUTE);
    assert_eq!(late.others, [(Outcome::Missed, 2)]);
    let id = world.id;
    world.write(move |tx| {
        let gone = scripts::get(tx, Scoped(TENANT), "report", None)?.expect("a script");
        scripts::delete(tx, Scoped(TENANT), &gone, "ci")
    });
    assert_eq!(
        world.fire(DAY + 180 * MINUTE).others,
        [(Outcome::Refused, 1)]
    );
    let newest = world.write(move |tx| fires::list(tx, &id, 1)).remove(0);
    assert_eq!(
        newest.why.as_deref(),
        Some("there is no stored script `report`")
    );
    assert_eq!(world.row().due, Some(DAY + 240 * MINUTE));
    // A calendar has no more times.
    world.write(move |tx| {
        let due = Due {
            fires: vec![DAY + 240 * MINUTE],
            ..Due::default()
        };
        let at = DAY + 240 * MINUTE;
        fire(tx, &id, at, &due, at, room(1))
    });
    assert_eq!((world.row().due, world.row().wake), (None, None));
}

#[test]
fn a_run_that_is_to_be_cancelled_for_the_next_fire_is_so_behind_a_crash() {
    let mut world = World::new(&plan("0 * * * *", Overlap::CancelPrevious, CatchUp::Last));
    let first = world.fire(DAY).started[0];
    world.fire(DAY + 60 * MINUTE);
    // The server dies between the commit of the fire and the cancelling.
    world.restart();
    for _ in 0..2 {
        let fired = world.go_on(DAY + 61 * MINUTE);
        assert_eq!((fired.cancel, fired.started.len()), (vec![first], 0));
    }
    world.end(first);
    let fired = world.go_on(DAY + 62 * MINUTE);
    assert_eq!((fired.cancel.len(), fired.started.len()), (0, 1));
}

#[test]
fn a_schedule_that_cancels_now_keeps_only_the_last_of_the_fires_that_waited() {
    let world = World::new(&plan("0 * * * *", Overlap::Queue, CatchUp::Last));
    let first = world.fire(DAY).started[0];
    for hour in 1..4 {
        world.fire(DAY + hour * 60 * MINUTE);
    }
    let row = world.row();
    let cancels = plan("0 * * * *", Overlap::CancelPrevious, CatchUp::Last);
    world.write(move |tx| {
        let settings = serde_json::to_string(&cancels).expect("settings");
        schedules::update(tx, &ScheduleRow { settings, ..row })
    });
    assert_eq!(world.go_on(DAY + 181 * MINUTE).cancel, [first]);
    world.end(first);
    assert_eq!(world.go_on(DAY + 182 * MINUTE).started.len(), 1);
    assert_eq!(
        world.outcomes(),
        [
            (0, "started"),
            (60, "skipped"),
            (120, "skipped"),
            (180, "started")
        ]
    );
}

#[test]
fn a_disabled_tenant_begins_nothing_and_catches_nothing_up() {
    let world = World::new(&plan("0 * * * *", Overlap::Queue, CatchUp::All));
    let first = world.fire(DAY).started[0];
    world.fire(DAY + 60 * MINUTE);
    world.set_disabled(true);
    world.end(first);
    assert_eq!(world.go_on(DAY + 61 * MINUTE), Fired::default());
    let refused = world.fire(DAY + 120 * MINUTE);
    assert_eq!(refused.others, [(Outcome::Refused, 1)]);
    world.set_disabled(false);
    // The one that waited goes on, and what was due meanwhile is over.
    assert_eq!(world.go_on(DAY + 121 * MINUTE).started.len(), 1);
    assert_eq!(world.fire(DAY + 122 * MINUTE), Fired::default());
    assert_eq!(world.row().due, Some(DAY + 180 * MINUTE));
    assert_eq!(
        world.outcomes(),
        [(0, "started"), (60, "started"), (120, "refused")]
    );
}

#[test]
fn a_tenant_with_too_much_in_the_store_begins_nothing() {
    let world = World::new(&plan("0 * * * *", Overlap::Queue, CatchUp::Last));
    let first = world.fire(DAY).started[0];
    world.fire(DAY + 60 * MINUTE);
    world.end(first);
    let used = world.write(|tx| retention::bytes(tx, Scoped(TENANT)));
    // The script with its version, the schedule, two fires and the events of the run.
    assert!(used > 8 + 200 + 200 + 2 * 100, "{used}");
    let full = Room {
        runs: 100,
        storage: u64::try_from(used).expect("bytes"),
    };
    let (id, now) = (world.id, DAY + 61 * MINUTE);
    assert_eq!(
        world.write(move |tx| go_on(tx, &id, now, full)),
        Fired::default()
    );
    assert_eq!(world.go_on(now).started.len(), 1);
    let alone = World::new(&plan("0 * * * *", Overlap::Allow, CatchUp::Last));
    let (id, due) = (
        alone.id,
        Due {
            fires: vec![DAY],
            next: Some(DAY + 60 * MINUTE),
            ..Due::default()
        },
    );
    let none = Room {
        storage: 100,
        ..full
    };
    let fired = alone.write(move |tx| fire(tx, &id, DAY, &due, DAY, none));
    assert_eq!(fired.others, [(Outcome::Refused, 1)]);
    let newest = alone.write(move |tx| fires::list(tx, &id, 1)).remove(0);
    assert_eq!(
        newest.why.as_deref(),
        Some("the storage of the tenant is full")
    );
}

#[test]
fn what_begins_runs_counts_for_the_storage_of_its_tenant_until_it_is_gone() {
    let world = World::new(&plan("0 * * * *", Overlap::Skip, CatchUp::Last));
    let bytes = || world.write(|tx| retention::bytes(tx, Scoped(TENANT)));
    let before = bytes();
    let (id, row) = (world.id, world.row());
    world.write(move |tx| {
        let note = FireRow {
            at: DAY,
            outcome: Outcome::Refused,
            run: None,
            why: None,
        };
        fires::insert(tx, &id, &note)?;
        let settings = format!("{} ", row.settings);
        schedules::update(tx, &ScheduleRow { settings, ..row })
    });
    assert_eq!(bytes(), before + 100 + 1);
    world.write(move |tx| {
        fires::delete(tx, &id)?;
        schedules::delete(tx, &id)?;
        let version = scripts::get(tx, Scoped(TENANT), "report", None)?.expect("a script");
        scripts::delete(tx, Scoped(TENANT), &version, "ci")
    });
    // What is left says which number the last version had.
    assert_eq!(bytes(), 200);
}

#[test]
fn as_many_runs_as_may_go_on_beside_each_other() {
    let world = World::new(&plan("0 * * * *", Overlap::Allow, CatchUp::Last));
    let hour = |number: usize| DAY + i64::try_from(number).expect("a number") * 60 * MINUTE;
    let first = world.fire(hour(0)).started[0];
    for number in 1..MAX_BESIDE {
        assert_eq!(world.fire(hour(number)).started.len(), 1, "{number}");
    }
    let beyond = world.fire(hour(MAX_BESIDE));
    assert_eq!(beyond.others, [(Outcome::Skipped, 1)]);
    let id = world.id;
    let newest = world.write(move |tx| fires::list(tx, &id, 1)).remove(0);
    assert_eq!(
        newest.why.as_deref(),
        Some("1000 runs of the schedule went on")
    );
    world.end(first);
    assert_eq!(world.fire(hour(MAX_BESIDE + 1)).started.len(), 1);
}

#[test]
fn no_more_fires_wait_than_may_and_they_go_with_their_schedule() {
    let world = World::new(&plan("0 * * * *", Overlap::Queue, CatchUp::Last));
    let hour = |number: usize| DAY + i64::try_from(number).expect("a number") * 60 * MINUTE;
    world.fire(hour(0));
    for number in 1..=MAX_WAITING {
        assert_eq!(world.fire(hour(number)).others, [(Outcome::Waiting, 1)]);
    }
    let beyond = world.fire(hour(MAX_WAITING + 1));
    assert_eq!(beyond.others, [(Outcome::Skipped, 1)]);
    let id = world.id;
    let newest = world.write(move |tx| fires::list(tx, &id, 1)).remove(0);
    assert_eq!(newest.why.as_deref(), Some("100 fires before it waited"));
    assert_eq!(world.write(fires::waiting), [id]);
    world.write(move |tx| fires::delete(tx, &id));
    assert_eq!(world.write(fires::waiting), []);
}

#[test]
fn each_fire_of_a_virtual_year_is_there_once_over_restarts_and_two_who_try() {
    let plan = plan("0 */6 * * *", Overlap::Allow, CatchUp::All);
    let mut world = World::new(&Plan {
        zone: "Europe/Berlin".to_owned(),
        ..plan
    });
    let (mut now, mut seed, mut started, mut rounds) = (DAY, 11_u64, 0, 0);
    let end = DAY + 365 * 24 * 60 * MINUTE;
    while now < end {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let step = i64::try_from(seed >> 33).unwrap_or(0) % (1200 * MINUTE);
        now = (now + step).min(end);
        let looked = world.row();
        if rounds % 40 == 0 {
            world.restart();
        }
        rounds += 1;
        // Two servers that have both seen the same row.
        for _ in 0..2 {
            let runs = world.fire_as(&looked, now, 100).started;
            started += runs.len();
            // So many may go on at the same time.
            runs.into_iter().for_each(|run| world.end(run));
        }
    }
    // At 0, 6, 12 and 18 o'clock on each of 365 days; the first midnight lies before the schedule.
    let row = world.row();
    let plan = Plan::of(&row).expect("a plan");
    let calendar = plan.calendar().expect("a calendar");
    let expected: Vec<i64> =
        std::iter::successors(calendar.after(DAY - 1), |last| calendar.after(*last))
            .take_while(|at| *at <= end)
            .collect();
    assert_eq!(expected.len(), 365 * 4);
    assert_eq!(started, expected.len());
    // The newest thousand are kept.
    let kept: Vec<i64> = expected[expected.len() - 1000..]
        .iter()
        .map(|at| (at - DAY) / MINUTE)
        .collect();
    let fired: Vec<i64> = world.outcomes().iter().map(|(at, _)| *at).collect();
    assert!(fired.ends_with(&kept), "{} fires", fired.len());
    assert!(fired.is_sorted_by(|one, next| one < next));
}
