//! A host that lives through every case: one runtime, one process, and a good script that must always run.

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kael_engine::environment::Environment;
use kael_engine::executor::programs::{Runner, Settings};
use kael_engine::gate::{Pattern, Policy};
use kael_engine::journal::{Begin, Journal, Log, MemorySink};
use kael_engine::limits::{LimitHit, Limits};
use kael_engine::runtime::{
    LoadError, Repo, RepoOptions, RunOptions, RunReport, Runtime, RuntimeBuilder,
};
use kael_engine::sandbox::{Ending, ErrorStage, Output, Script, ScriptError};
use kael_tests::{Kael, Program, runner};
use tokio::runtime as tokio_runtime;

/// Reports what a good script can see. It must be the same after every case.
const GOOD: &str = r#"
local function names(t)
  local list = {}
  for k, v in next, t do list[#list + 1] = tostring(k) .. "=" .. type(v) end
  table.sort(list)
  return table.concat(list, " ")
end
local world = { names(_G), names(string), names(table), names(coroutine), names(package.loaded), names(getmetatable("")),
  tostring(getmetatable(_G)), tostring(getmetatable(print)), tostring(getmetatable(1)), names(getmetatable(json.array())) }
assert(("ab"):rep(2):upper() == "ABAB" and string.format("%5.1f", 2.25) == "  2.2" and ("a,b"):find(",", 1, true) == 2)
assert(select(2, pcall(error, "e")) == "e" and not pcall(function() return actions.no_such end))
local list = { 3, 1, 2 }
table.sort(list)
local answers = { parallel(function() return actions.t.echo({ n = 1 }).n end, function() return list[2] end) }
print("well", answers[1], answers[2], json.encode(list), #world)
return world
"#;

/// A runtime and what it needs.
pub(crate) struct Host {
    kael: Runtime,
    runtime: tokio_runtime::Runtime,
    good: Kael,
    /// The good script's report before the first case.
    world: String,
}

/// How a run ended, in the terms of the program's report.
pub(crate) struct Ended {
    pub(crate) kind: String,
    pub(crate) message: String,
    pub(crate) output: String,
    /// The script's result as JSON.
    pub(crate) result: String,
}

impl Host {
    pub(crate) fn get() -> &'static Self {
        static HOST: OnceLock<Host> = OnceLock::new();
        HOST.get_or_init(Self::start)
    }

    /// A new host.
    pub(crate) fn start() -> Self {
        Self::with(Runtime::builder())
    }

    /// A host with these settings.
    pub(crate) fn with(builder: RuntimeBuilder) -> Self {
        let good = Kael::new()
            .shell("echo", "", "cat")
            .file("script.lua", GOOD);
        good.write_repo();
        let builder = builder
            .programs(settings())
            .executor(Arc::new(kael_stdlib::StdlibFactory))
            .library(kael_stdlib::library());
        let mut host = Self {
            kael: builder.build().expect("a runtime"),
            runtime: tokio_runtime::Builder::new_multi_thread()
                .worker_threads(2)
                // Otherwise idle threads of the blocking pool would live for seconds, and count as
                // leaks.
                .thread_keep_alive(Duration::from_millis(200))
                .enable_all()
                .build()
                .expect("a runtime"),
            good,
            world: String::new(),
        };
        host.world = host.good_run().result;
        assert!(host.world.contains("actions=table"), "{}", host.world);
        host
    }

    fn good_run(&self) -> Ended {
        let ended = self.run(
            self.good.path(),
            &["--timeout".to_owned(), "60s".to_owned()],
        );
        assert_eq!(
            (ended.kind.as_str(), ended.output.as_str()),
            ("ok", "well\t1\t2\t[1,2,3]\t10\n"),
            "{}",
            ended.message
        );
        ended
    }

    /// Checks that a good script runs at once, and sees nothing of earlier runs.
    #[track_caller]
    pub(crate) fn is_well(&self) {
        assert_eq!(
            self.good_run().result,
            self.world,
            "a run left something behind"
        );
    }

    /// Runs `script.lua` of a session, with the repo `actions` if it exists.
    pub(crate) fn run(&self, folder: &Path, options: &[String]) -> Ended {
        self.runtime.block_on(self.running(folder, options))
    }

    /// The same as a future.
    pub(crate) async fn running(&self, folder: &Path, options: &[String]) -> Ended {
        let (limits, policy) = read(options);
        let output = Output::in_memory();
        let source = fs::read_to_string(folder.join("script.lua")).expect("a script");
        let shown = folder.display().to_string();
        // The program shows the repo's path as it was typed, relative to the folder.
        let plain = |text: &str| {
            text.replace(&format!("{shown}/"), "")
                .replace(&shown, "DIR")
        };
        let ended = |kind: &str, message: String, result: String| Ended {
            kind: kind.to_owned(),
            message: plain(&message),
            output: plain(&output.kept()),
            result,
        };
        let actions = folder.join("actions");
        let repo = if actions.exists() {
            let options = RepoOptions {
                limits: limits.clone(),
                output: output.clone(),
                environment: Some(environment(folder)),
                ..RepoOptions::default()
            };
            match self.kael.repo(&actions, options).await {
                Ok(repo) => Some(repo),
                Err(error) => {
                    let kind = match error {
                        LoadError::Limit { .. } => "limit",
                        LoadError::Busy(_) => "busy",
                        LoadError::Policy(_) => "policy",
                        _ => "repo",
                    };
                    return ended(kind, error.to_string(), String::new());
                }
            }
        } else {
            None
        };
        let policy = match repo.as_ref().map(|repo| repo.policy(&policy)) {
            None => policy,
            Some(Ok(policy)) => policy,
            Some(Err(error)) => return ended("policy", error.to_string(), String::new()),
        };
        let script = Script {
            name: "script.lua".to_owned(),
            source: source.into(),
            want_result: true,
            ..Script::default()
        };
        let sink = MemorySink::default();
        let options = RunOptions {
            limits,
            policy,
            output: output.clone(),
            journal: Some(Journal::record(Begin::default(), Arc::new(sink.clone()))),
            ..RunOptions::default()
        };
        let running = self
            .kael
            .run(repo.as_ref(), script.clone(), options.clone());
        let report = running.await;
        // How far a script comes in a time is no matter of its journal, and one that was not begun has none.
        if !matches!(
            &report.ending,
            Ending::Limit(LimitHit::Cpu { .. } | LimitHit::Wall { .. }, _) | Ending::Busy(_)
        ) {
            self.replays(repo.as_ref(), script, options, &report, sink)
                .await;
        }
        match report.ending {
            Ending::Exited(_) => ended("ok", String::new(), String::new()),
            Ending::Done(result) => ended("ok", String::new(), result.unwrap_or_default()),
            Ending::Failed(error) => ended(kind(&error), error.message, String::new()),
            Ending::Limit(hit, _) => ended("limit", hit.to_string(), String::new()),
            Ending::Busy(busy) => ended("busy", busy.to_string(), String::new()),
            other => ended("bug", format!("{other:?}"), String::new()),
        }
    }

    /// Runs a script again out of the journal of its run: it must do, print and use the same, and end as it did.
    async fn replays(
        &self,
        repo: Option<&Arc<Repo>>,
        script: Script,
        options: RunOptions,
        report: &RunReport,
        sink: MemorySink,
    ) {
        let log = Log::read(sink.rows()).expect("a whole journal");
        let output = Output::in_memory();
        let again = RunOptions {
            output: output.clone(),
            journal: Some(Journal::replay(log, None)),
            ..options.clone()
        };
        let again = self.kael.run(repo, script, again).await;
        let told = |report: &RunReport| {
            let usage = (report.usage.memory, report.usage.output, report.usage.calls);
            format!("{:?}\n{usage:?}", report.ending)
        };
        assert_eq!(told(&again), told(report), "the replay is another run");
        assert_eq!(output.kept(), options.output.kept());
        assert!(again.calls.is_empty(), "a replay calls nothing");
    }

    /// Whether every run evaluates the repo in `folder`, because it has no image.
    pub(crate) fn evaluates(&self, folder: &Path) -> bool {
        let loading = self.kael.repo(folder, RepoOptions::default());
        let repo = self.runtime.block_on(loading).expect("the repo loads");
        repo.is_evaluated()
    }

    /// For tests that have futures of their own.
    pub(crate) fn runtime(&self) -> &tokio_runtime::Runtime {
        &self.runtime
    }
}

fn kind(error: &ScriptError) -> &'static str {
    match (error.stage, &error.action) {
        (ErrorStage::Repo, _) => "repo",
        (ErrorStage::Syntax, _) => "syntax",
        (ErrorStage::Output, _) => "result",
        (ErrorStage::Script, None) => "script",
        (ErrorStage::Script, Some((_, kind))) => kind.name(),
    }
}

fn settings() -> Settings {
    Settings {
        runner: runner().map_or_else(Runner::default, |name| name.parse().expect("a runner")),
        envyr: Some(Program::get().envyr.clone()),
        starter: Some(Program::get().host.clone()),
        compiler: Some(Program::get().host.clone()),
        ..Settings::default()
    }
}

fn environment(folder: &Path) -> Environment {
    let variables = [
        ("PATH", std::env::var_os("PATH").unwrap_or_default()),
        ("HOME", folder.as_os_str().to_owned()),
        ("KAEL_DATA", folder.join("data").into_os_string()),
    ];
    Environment::new(variables.map(|(name, value)| (name.into(), value)))
}

/// Reads the options of `kael-host run` that cases use.
fn read(options: &[String]) -> (Limits, Policy) {
    let (mut limits, mut policy) = (Limits::default(), Policy::default());
    for pair in options.chunks_exact(2) {
        let value = pair[1].as_str();
        match pair[0].as_str() {
            "--max-memory" => limits.memory = value.parse().expect("a size"),
            "--max-cpu" => limits.cpu = value.parse().expect("a time"),
            "--timeout" => limits.wall = value.parse().expect("a time"),
            "--max-output" => limits.output = value.parse().expect("a size"),
            "--max-calls" => limits.calls = value.parse().expect("a number"),
            "--max-parallel" => limits.parallel = value.parse().expect("a number"),
            "--deny" => policy.deny.push(Pattern::new(value)),
            other => panic!("which option is {other}?"),
        }
    }
    (limits, policy)
}

/// Waits at most two seconds until no other process has the text in its environment or command
/// line.
pub(crate) fn gone(marker: &str) -> bool {
    let own = std::process::id().to_string();
    let holds = |path: std::path::PathBuf| {
        fs::read(path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(marker))
    };
    let alive = || {
        fs::read_dir("/proc")
            .expect("/proc")
            .flatten()
            .filter(|process| process.file_name().to_string_lossy() != own)
            .any(|process| {
                holds(process.path().join("environ")) || holds(process.path().join("cmdline"))
            })
    };
    (0..40).any(|round| {
        if round > 0 {
            std::thread::sleep(Duration::from_millis(50));
        }
        !alive()
    })
}
