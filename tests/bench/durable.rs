//! What a journal costs: calls, effects, runs side by side, a replay, and going on after a crash.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kael_engine::executor::{Execute, ExecutorFactory, RepoContext};
use kael_engine::journal::Journal;
use kael_engine::limits::Limits;
use kael_engine::run_info::{RunId, RunInfo, Tenant};
use kael_engine::runtime::{Repo, RepoOptions, RunOptions, RunReport, Runtime};
use kael_engine::sandbox::{Ending, Script};
use kael_runs::{Rules, Runs, StoredRepo};
use kael_tests::Kael;

use super::document::{MEGABYTE, document, round_trip};
use super::hosted::Nothing;
use super::measure::{Effort, Pairs, Result, Row, time, timed};

/// What the issue wants, in seconds.
const BUFFERED: f64 = 3e-6;
const ALONE: f64 = 1.5e-3;
const AT_ONCE: f64 = 1.0 / 15_000.0;
const REPLAYED: f64 = 1.0 / 200_000.0;
const AGAIN: f64 = 20e-3;
const THREE: f64 = 5e-3;
const THOUSAND: f64 = 1.0;
const KILLED: f64 = 0.3;
/// And in MiB.
const WAITING: f64 = 300.0;

const REPO: &str = "
    local function of(effects) return define_action { source = '.', executor = 'native', effects = effects } end
    return { none = of 'none', once = of 'once' }";

struct Factory;

impl ExecutorFactory for Factory {
    fn executor(&self) -> kael_engine::catalog::Executor {
        kael_engine::catalog::Executor::Native
    }

    fn for_repo(&self, _: RepoContext) -> Arc<dyn Execute> {
        Arc::new(Nothing)
    }
}

/// A runtime with a store of runs.
struct Durable {
    kael: Runtime,
    repo: Arc<Repo>,
    stored: Arc<StoredRepo>,
    runs: Runs,
    threads: tokio::runtime::Runtime,
    folder: tempfile::TempDir,
}

impl Durable {
    fn new() -> Result<Self> {
        let kael = Runtime::builder().instances(200).build()?;
        let threads = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("init.lua"), REPO)?;
        let options = RepoOptions {
            executors: vec![Arc::new(Factory)],
            ..RepoOptions::default()
        };
        let repo = threads.block_on(kael.repo(folder.path(), options))?;
        let stored = Arc::new(StoredRepo::of(&repo)?);
        let runs = Runs::open(&folder.path().join("store/kael.db"))?;
        Ok(Self {
            kael,
            repo,
            stored,
            runs,
            threads,
            folder,
        })
    }

    async fn ran(&self, source: &str, options: RunOptions) -> RunReport {
        let script = Script::new("bench.lua", source);
        self.kael.run(Some(&self.repo), script, options).await
    }

    /// Runs a script with a journal in the store, to its end.
    async fn run(&self, source: &str, limits: &Limits) -> Result<(RunId, RunReport)> {
        let info = RunInfo::new(Tenant::default());
        let (script, id) = (Script::new("bench.lua", source), info.id);
        let (rules, repo) = (Rules::default(), Some(self.stored.clone()));
        let begun = self
            .runs
            .begin(&info, &script, limits, repo, rules, &BTreeMap::new())?;
        let options = RunOptions {
            journal: Some(begun.journal.clone()),
            run: Some(info),
            limits: limits.clone(),
            ..RunOptions::default()
        };
        let report = self.kael.run(Some(&self.repo), script, options).await;
        self.runs.conclude(begun, &report).await?;
        Ok((id, report))
    }

    fn done(&self, source: &str) -> Result<RunId> {
        let ran = self.threads.block_on(self.run(source, &Limits::default()));
        let (id, report) = ran?;
        match report.ending {
            Ending::Done(_) => Ok(id),
            other => Err(format!("{other:?}").into()),
        }
    }
}

/// One write of 4 KiB and its `fsync`.
fn fsync(folder: &Path) -> Result<f64> {
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(folder.join("fsync"))?;
    let took = timed(|| {
        for _ in 0..20 {
            file.write_all(&[7; 4096])?;
            file.sync_data()?;
        }
        Ok(())
    })?;
    Ok(took.as_secs_f64() / 20.0)
}

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let bench = Durable::new()?;
    let mut rows = calls(&bench, effort)?;
    rows.extend(effects(&bench, effort)?);
    rows.extend(again(&bench, effort)?);
    rows.push(killed(effort)?);
    rows.push(waiting(&bench)?);
    Ok(rows)
}

fn row(name: &str, against: &'static str, pairs: &Pairs, aim: f64) -> Row {
    let took = pairs.what();
    Row::new(name, time(took), against, pairs).aims(time(aim), took <= aim)
}

/// A call that only reads, with a journal and without.
fn calls(bench: &Durable, effort: Effort) -> Result<Vec<Row>> {
    let source = "for i = 1, 2000 do actions.none {} end";
    let text = document(MEGABYTE);
    let mut pairs = Pairs::default();
    for _ in 0..effort.of(12) {
        let native = round_trip(&text)?.as_secs_f64();
        let plain = timed(|| {
            let report = bench
                .threads
                .block_on(bench.ran(source, RunOptions::default()));
            matches!(report.ending, Ending::Done(_))
                .then_some(())
                .ok_or("it ends".into())
        })?;
        let kept = timed(|| bench.done(source))?;
        let more = kept.saturating_sub(plain).max(Duration::from_nanos(1));
        pairs.push(more.as_secs_f64() / 2000.0, native);
    }
    let name = "durable: a buffered call, over one without a journal";
    Ok(vec![row(name, "1 MB by serde_json", &pairs, BUFFERED)])
}

/// Effects: alone, three and a thousand in a run, and those of 200 runs at once.
fn effects(bench: &Durable, effort: Effort) -> Result<Vec<Row>> {
    let of = |count: u32| format!("for i = 1, {count} do actions.once {{}} end");
    let mut alone = Pairs::default();
    let (mut three, mut thousand, mut at_once) =
        (Pairs::default(), Pairs::default(), Pairs::default());
    for _ in 0..effort.of(8) {
        let native = fsync(bench.folder.path())?;
        let took = timed(|| bench.done(&of(100)))?;
        alone.push(took.as_secs_f64() / 100.0, native);
        three.push(timed(|| bench.done(&of(3)))?.as_secs_f64(), native);
        thousand.push(timed(|| bench.done(&of(1000)))?.as_secs_f64(), native);
        let source = of(20);
        let took = timed(|| {
            let limits = Limits::default();
            let all = (0..200).map(|_| bench.run(&source, &limits));
            bench
                .threads
                .block_on(futures_util::future::try_join_all(all))
        })?;
        at_once.push(took.as_secs_f64() / 4000.0, native);
    }
    let against = "a write of 4 KiB and its fsync";
    Ok(vec![
        row("durable: an effect, alone", against, &alone, ALONE),
        row("durable: a run of three effects", against, &three, THREE),
        row(
            "durable: a run of 1,000 effects",
            against,
            &thousand,
            THOUSAND,
        ),
        row(
            "durable: an effect of 200 runs at once",
            against,
            &at_once,
            AT_ONCE,
        ),
    ])
}

/// A replay, and a run of 1,000 calls that is live again.
fn again(bench: &Durable, effort: Effort) -> Result<Vec<Row>> {
    let text = document(MEGABYTE);
    let limits = Limits {
        calls: 1000,
        ..Limits::default()
    };
    let long = bench.done("for i = 1, 10000 do actions.none {} end")?;
    let (mut replayed, mut live) = (Pairs::default(), Pairs::default());
    for _ in 0..effort.of(8) {
        let native = round_trip(&text)?.as_secs_f64();
        let run = bench.runs.replayable(long)?;
        let took = timed(|| {
            let options = RunOptions {
                journal: Some(Journal::replay(run.log, None)),
                ..RunOptions::default()
            };
            let report = bench.kael.run(Some(&bench.repo), run.script, options);
            match bench.threads.block_on(report).ending {
                Ending::Done(_) => Ok(()),
                other => Err(format!("{other:?}").into()),
            }
        })?;
        replayed.push(took.as_secs_f64() / 10_000.0, native);
        // A limit ends it before its last call, with which it goes on.
        let source = "for i = 1, 1001 do actions.none {} end";
        let (id, _) = bench.threads.block_on(bench.run(source, &limits))?;
        let took = timed(|| {
            let resumed = bench.runs.resume(id)?;
            let options = RunOptions {
                journal: Some(resumed.begun.journal.clone()),
                run: Some(resumed.info),
                ..RunOptions::default()
            };
            bench.threads.block_on(async {
                let report = bench
                    .kael
                    .run(Some(&bench.repo), resumed.script, options)
                    .await;
                bench.runs.conclude(resumed.begun, &report).await?;
                match report.ending {
                    Ending::Done(_) => Ok(()),
                    other => Err(format!("{other:?}").into()),
                }
            })
        })?;
        live.push(took.as_secs_f64(), native);
    }
    let against = "1 MB by serde_json";
    Ok(vec![
        row(
            "durable: a crossing in a replay",
            against,
            &replayed,
            REPLAYED,
        ),
        row(
            "durable: a run of 1,000 calls is live again",
            against,
            &live,
            AGAIN,
        ),
    ])
}

/// From the start of the next process to the next effect, after `kill -9`.
fn killed(effort: Effort) -> Result<Row> {
    let (mut pairs, text) = (Pairs::default(), document(MEGABYTE));
    for _ in 0..effort.of(8) {
        let native = round_trip(&text)?.as_secs_f64();
        let kael = Kael::new();
        let (state, writable) = kael.state();
        let notes = Path::new(&state).join("notes");
        let fields = format!("{writable}, env = {{ 'NOTES' }}, effects = 'idempotent'");
        let kael = kael
            .env("NOTES", &notes.display().to_string())
            .shell("note", &fields, "echo x >> \"$NOTES\"; exec sleep 60")
            .file("script.lua", "actions.t.note({})");
        let until = |count: usize| {
            let late = Instant::now() + Duration::from_secs(60);
            while fs::read_to_string(&notes)
                .unwrap_or_default()
                .lines()
                .count()
                < count
            {
                if Instant::now() > late {
                    return Err("the effect does not begin");
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        };
        let start = |words: &[&str]| {
            let mut command = kael.command();
            command
                .args(words)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.spawn()
        };
        let mut host = start(&["run", "--journal", "script.lua"])?;
        until(1)?;
        host.kill()?;
        host.wait()?;
        let listed = kael.command().args(["runs", "ls", "--json"]).output()?;
        let listed: serde_json::Value = serde_json::from_slice(&listed.stdout)?;
        let id = listed["runs"][0]["run"].as_str().ok_or("a run")?;
        let begun = Instant::now();
        let mut host = start(&["runs", "resume", id])?;
        until(2)?;
        pairs.push(begun.elapsed().as_secs_f64(), native);
        host.kill()?;
        host.wait()?;
    }
    let name = "durable: kill -9 to the next effect";
    Ok(row(name, "1 MB by serde_json", &pairs, KILLED))
}

/// What 10,000 runs that wait take in the process that works them.
fn waiting(bench: &Durable) -> Result<Row> {
    let source = "for i = 1, 999 do runs.start { script = 'wait_for(\"go\")', on_parent_end = 'abandon' } end";
    for _ in 0..10 {
        bench.done(source)?;
    }
    let before = super::many::resident()?;
    let waiting = bench.runs.waiting()?;
    let more = (super::many::resident()? - before).max(0.01);
    if waiting.len() < 9990 {
        return Err(format!("{} runs wait", waiting.len()).into());
    }
    let mut pairs = Pairs::default();
    pairs.push(more, WAITING);
    let name = "durable: memory of 10,000 runs that wait";
    let row = Row::new(name, format!("{more:.0} MiB"), "300 MiB", &pairs);
    Ok(row.aims("300 MiB", more <= WAITING))
}
