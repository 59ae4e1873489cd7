//! Runs that die at every point: before and behind each write of the store and each step of an effect.
//!
//! The process that dies is simulated, because a build of the program with fault points would be one more build of all its
//! crates: a store whose writes can be cut off takes the place of the real one in the tests of this crate alone. What a
//! life of a run has in memory is dropped with it, and what SQLite has committed stays. `kill -9` of the program itself is
//! in the suite (`durable::crash`, `durable::survives`).
//!
//! `KAEL_CRASH_POINTS` says how many points are tried (300).

mod faults;
mod scripts;
mod world;

pub(crate) use faults::FaultyStore;

use std::path::Path;
use std::sync::Arc;

use kael_engine::journal::Verdict;
use kael_engine::limits::Limits;
use kael_engine::run_info::{RunId, RunInfo, Tenant};
use kael_engine::runtime::{Repo, RepoOptions, RunOptions, Runtime};
use kael_engine::sandbox::Script;
use std::collections::BTreeMap;

use crate::{Begun, Rules, Runs, RunsError, Signal, State, StoredRepo, Verified};
use faults::Faults;
use world::World;

/// What all lives of all runs have in common.
struct Bench {
    kael: Runtime,
    repo: Arc<Repo>,
    stored: Arc<StoredRepo>,
    world: Arc<World>,
    runs: Runs,
}

impl Bench {
    async fn new(folder: &Path) -> Self {
        let world = Arc::new(World::default());
        let kael = Runtime::builder().instances(2).build().expect("a runtime");
        let actions = folder.join("actions");
        std::fs::create_dir(&actions).expect("a folder");
        std::fs::write(actions.join("init.lua"), world::ACTIONS).expect("a file");
        let options = RepoOptions {
            executors: vec![Arc::new(world::Factory(world.clone()))],
            ..RepoOptions::default()
        };
        let repo = kael.repo(&actions, options).await.expect("it loads");
        let stored = Arc::new(StoredRepo::of(&repo).expect("JSON"));
        let runs = Runs::open(&folder.join("kael.db")).expect("a store");
        Self {
            kael,
            repo,
            stored,
            world,
            runs,
        }
    }

    /// The store of a life that ends at that point.
    fn life(&self, at: u64) -> (Runs, Faults) {
        self.life_of(Faults::at(at))
    }

    fn life_of(&self, faults: Faults) -> (Runs, Faults) {
        self.world.begin(&faults);
        let mut runs = self.runs.clone();
        runs.store = runs.store.with(faults.clone());
        (runs, faults)
    }

    /// Runs a life to its end, or to its point. Whether it got to its end.
    async fn live(
        &self,
        runs: &Runs,
        faults: &Faults,
        (info, script, begun): (Arc<RunInfo>, Script, Begun),
    ) -> bool {
        let options = RunOptions {
            journal: Some(begun.journal.clone()),
            run: Some(info),
            ..RunOptions::default()
        };
        let life = async {
            let report = self.kael.run(Some(&self.repo), script, options).await;
            runs.conclude(begun, &report).await.is_ok()
        };
        let ended = tokio::select! {
            biased;
            () = faults.struck() => false,
            ended = life => ended && !faults.is_dead(),
        };
        // What a process had handed to the database when it died is decided by the time at which another one looks.
        let settled = self.runs.store.write(|_| Ok(())).await;
        settled.expect("the store goes on");
        ended
    }

    /// Begins a run of a script whose first life ends at that point. Whether it got to its end.
    async fn begin(&self, id: RunId, source: &str, at: u64) -> (bool, u64) {
        self.begin_with(id, source, Faults::at(at)).await
    }

    async fn begin_with(&self, id: RunId, source: &str, faults: Faults) -> (bool, u64) {
        let (runs, faults) = self.life_of(faults);
        let info = RunInfo::with_id(id, Tenant::default());
        let script = Script {
            want_result: true,
            ..Script::new("script.lua", source)
        };
        let (limits, rules) = (Limits::default(), Rules::default());
        let repo = Some(self.stored.clone());
        let begun = runs.begin(&info, &script, &limits, repo, rules, &BTreeMap::new());
        let begun = begun.expect("nothing is written yet");
        let ended = self.live(&runs, &faults, (info, script, begun)).await;
        (ended, faults.passed())
    }

    /// Goes on with a run until it is over; each life but the last ends at one of these points.
    async fn finish(&self, id: RunId, mut points: impl Iterator<Item = u64>) {
        for _ in 0..100 {
            if self.runs.show(id).expect("a run").row.state.is_over() {
                return;
            }
            let (runs, faults) = self.life(points.next().unwrap_or(u64::MAX));
            let taken = tokio::task::block_in_place(|| runs.resume(id));
            let resumable = match taken {
                Ok(resumable) => resumable,
                // It died while it took the run.
                Err(RunsError::Store(_)) if faults.is_dead() => continue,
                Err(error) => panic!("{error:?}"),
            };
            let of = (resumable.info, resumable.script, resumable.begun);
            self.live(&runs, &faults, of).await;
            let view = self.runs.show(id).expect("a run");
            match (view.row.state, view.row.reason.as_deref()) {
                (State::Parked, Some("in_doubt")) => self.settle(id, &view.row.ending),
                // It died, or could not write its journal.
                (State::Running, _) | (State::Parked, Some("journal")) => {}
                (state, _) if state.is_over() => {}
                (state, reason) => panic!("{state} {reason:?} {:?}", view.row.ending),
            }
        }
        panic!("it does not end");
    }

    /// Settles a doubt as somebody would who knows the world.
    fn settle(&self, id: RunId, ending: &Option<String>) {
        let ending: serde_json::Value =
            serde_json::from_str(ending.as_deref().unwrap_or("{}")).expect("JSON");
        let call = ending["doubt"]["call"].as_u64().expect("a call");
        let key = ending["doubt"]["key"].as_str().expect("a key");
        let verdict = match self.world.result_of(key) {
            Some(result) => Verdict::Done(result),
            None => Verdict::Retry,
        };
        let resolved =
            tokio::task::block_in_place(|| self.runs.resolve(id, call, verdict, "the test"));
        resolved.expect("it is in doubt");
    }
}

/// How many points are tried.
fn wanted() -> u64 {
    let given = std::env::var("KAEL_CRASH_POINTS").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(300)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_dies_at_any_point_ends_as_it_would_have() {
    let folder = tempfile::tempdir().expect("a folder");
    let bench = Bench::new(folder.path()).await;
    let (mut tried, mut doubts) = (0, 0);
    for seed in 1.. {
        let source = scripts::script(seed);
        // Without a crash: what the run comes to, and how many points it has.
        let id = RunInfo::new(Tenant::default()).id;
        let (ended, points) = bench.begin(id, &source, u64::MAX).await;
        assert!(ended, "seed {seed}: {source}");
        let output = bench.runs.output(id).expect("its output");
        let ending = bench.runs.show(id).expect("a run").row.ending;
        bench.world.check(id, &source);
        for at in 1..=points {
            let id = RunInfo::new(Tenant::default()).id;
            let what = format!("seed {seed}, point {at} of {points}:\n{source}");
            let (ended, _) = bench.begin(id, &source, at).await;
            if !ended && !is_kept(&bench.runs, id) {
                // Nothing of it was durable, and so nothing had happened.
                assert!(bench.world.is_untouched(id), "{what}");
                let (ended, _) = bench.begin(id, &source, u64::MAX).await;
                assert!(ended, "{what}");
            } else if !ended {
                // In every fourth run, later lives die, too.
                let again = (at % 4 == 0).then_some([at / 2 + 1, 2, 5]);
                bench.finish(id, again.into_iter().flatten()).await;
            }
            let view = bench.runs.show(id).expect(&what);
            assert_eq!(
                view.row.state,
                State::Succeeded,
                "{what} {:?}",
                view.row.ending
            );
            assert_eq!(view.row.ending, ending, "{what}");
            assert_eq!(bench.runs.output(id).expect("its output"), output, "{what}");
            let verified = bench.runs.verify(id).expect("a run");
            assert!(matches!(verified, Verified::Whole(..)), "{what}");
            bench.world.check(id, &what);
            doubts += bench.world.forget();
            let removed = tokio::task::block_in_place(|| bench.runs.remove(id, true));
            removed.expect("removed");
            tried += 1;
            if tried >= wanted() {
                println!("{tried} points, {doubts} effects begun again");
                return;
            }
        }
    }
}

/// A run that another one takes the place of begins it once, wherever it dies, and that one ends as it would have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_dies_at_any_point_is_continued_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let bench = Bench::new(folder.path()).await;
    let source = "print(actions.t.once({ n = 1 }).n) actions.t.again({ n = 2 })\n\
                  print(race(function() return actions.t.slow({ n = 3 }).n end, function() sleep(0.002) return 4 end))\n\
                  runs.continue_as { script = 'print(arg[1], actions.t.once({ n = 5 }).n) return 6', args = { 'next' } }";
    let id = RunInfo::new(Tenant::default()).id;
    let (ended, points) = bench.begin(id, source, u64::MAX).await;
    assert!(ended && points > 10, "{points}");
    for at in 1..=points {
        let id = RunInfo::new(Tenant::default()).id;
        let what = format!("point {at} of {points}");
        let (ended, _) = bench.begin(id, source, at).await;
        if !ended && !is_kept(&bench.runs, id) {
            assert!(bench.world.is_untouched(id), "{what}");
            continue;
        }
        bench.finish(id, [at / 2 + 2].into_iter()).await;
        let view = bench.runs.show(id).expect(&what);
        assert_eq!(view.row.state, State::Succeeded, "{what}");
        let output = bench.runs.output(id).expect("its output");
        assert_eq!(String::from_utf8_lossy(&output), "1\n2\t4\n", "{what}");
        let all = bench.runs.list(u32::MAX).expect("a list");
        let next: Vec<RunId> = all
            .iter()
            .filter(|row| row.continues == Some(id))
            .map(|row| row.id)
            .collect();
        let [next] = next[..] else {
            panic!("{what}: {next:?}");
        };
        bench.finish(next, [at].into_iter()).await;
        let output = bench.runs.output(next).expect("its output");
        assert_eq!(String::from_utf8_lossy(&output), "next\t5\n", "{what}");
        for run in [id, next] {
            let verified = bench.runs.verify(run).expect("a run");
            assert!(matches!(verified, Verified::Whole(..)), "{what}");
            bench.world.check(run, &what);
        }
    }
}

fn is_kept(runs: &Runs, id: RunId) -> bool {
    runs.show(id).is_ok()
}

/// A signal is acknowledged when it is durable, and then it is not lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_that_was_acknowledged_is_there_in_the_next_life() {
    let folder = tempfile::tempdir().expect("a folder");
    let bench = Bench::new(folder.path()).await;
    let source = "print(actions.t.once({ n = 1 }).n) print(wait_for('go').n) print(actions.t.once({ n = 2 }).n)";
    for at in 4..12 {
        let id = RunInfo::new(Tenant::default()).id;
        let (ended, _) = bench.begin(id, source, at).await;
        assert!(!ended || at > 8, "{at}");
        let signal = Signal {
            name: "go".to_owned(),
            payload: r#"{"n":7}"#.to_owned(),
            ..Signal::default()
        };
        let sent = tokio::task::block_in_place(|| bench.runs.signal(id, signal));
        assert!(sent.expect("it is there"), "{at}");
        bench.finish(id, [6, 7].into_iter()).await;
        let output = bench.runs.output(id).expect("its output");
        assert_eq!(String::from_utf8_lossy(&output), "1\n7\n2\n", "{at}");
        bench.world.check(id, source);
    }
}

/// A run is parked, and nothing of it is lost, when its script does something else than its journal says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_that_diverges_parks_its_run_with_both_texts() {
    let folder = tempfile::tempdir().expect("a folder");
    let bench = Bench::new(folder.path()).await;
    let source = "actions.t.once({ n = 1 }) print(actions.t.once({ n = 2 }).n)";
    let id = RunInfo::new(Tenant::default()).id;
    let (ended, _) = bench.begin(id, source, 9).await;
    assert!(!ended);
    let (runs, faults) = bench.life(u64::MAX);
    let taken = tokio::task::block_in_place(|| runs.resume(id)).expect("it is free");
    let other = Script {
        source: b"actions.t.again({ n = 1 })".to_vec(),
        ..taken.script
    };
    bench
        .live(&runs, &faults, (taken.info, other, taken.begun))
        .await;
    let row = bench.runs.show(id).expect("a run").row;
    assert_eq!(
        (row.state, row.reason.as_deref()),
        (State::Parked, Some("diverged"))
    );
    let ending = row.ending.unwrap_or_default();
    assert!(
        ending.contains("has t.once, and it asks for t.again"),
        "{ending}"
    );
    // With its own script it goes on.
    bench.finish(id, std::iter::empty()).await;
    let output = bench.runs.output(id).expect("its output");
    assert_eq!(String::from_utf8_lossy(&output), "2\n");
    bench.world.check(id, source);
}

/// A run that cannot write its journal stops before its next effect, and goes on when there is room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_disk_is_full_at_any_write_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let bench = Bench::new(folder.path()).await;
    for seed in 1..=4 {
        let source = scripts::script(seed);
        let id = RunInfo::new(Tenant::default()).id;
        let (ended, writes) = bench
            .begin_with(id, &source, Faults::full_at(u64::MAX))
            .await;
        assert!(ended, "seed {seed}: {source}");
        let output = bench.runs.output(id).expect("its output");
        for at in 1..=writes {
            let id = RunInfo::new(Tenant::default()).id;
            let what = format!("seed {seed}, write {at} of {writes}:\n{source}");
            bench.begin_with(id, &source, Faults::full_at(at)).await;
            if !is_kept(&bench.runs, id) {
                // Not even its beginning was written: nothing had happened.
                assert!(bench.world.is_untouched(id), "{what}");
                continue;
            }
            bench.finish(id, std::iter::empty()).await;
            assert_eq!(bench.runs.output(id).expect("its output"), output, "{what}");
            let verified = bench.runs.verify(id).expect("a run");
            assert!(matches!(verified, Verified::Whole(..)), "{what}");
            bench.world.check(id, &what);
        }
    }
}
