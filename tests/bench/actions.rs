//! The cost that Kael adds to programs: a shell action compared with the same envyr command, and a
//! WebAssembly action compared with the shell action.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kael_engine::confinement::Confinement;
use kael_engine::environment::Environment;
use kael_engine::executor::programs::Settings;
use kael_engine::runtime::{self, Repo, RepoOptions, RunOptions, Runtime};
use kael_tests::{Program, project};
use tokio::runtime::Builder;

use super::measure::{Effort, Pairs, Result, Row, in_turns, time, timed};

const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
const PARAMS: &str = r#"{"text":"a b"}"#;

const UNCONFINED: f64 = 1.05;
const CONFINED: f64 = 1.30;
const WASM: f64 = 150e-6;

struct Gate {
    runtime: Arc<tokio::runtime::Runtime>,
    kael: Runtime,
    repo: Arc<Repo>,
}

impl Gate {
    fn new(
        runtime: &Arc<tokio::runtime::Runtime>,
        example: &str,
        data: &Path,
        unconfined: bool,
    ) -> Result<Self> {
        let envyr = Program::get().envyr.clone();
        let variables = [
            ("PATH", PATH.into()),
            ("KAEL_DATA", data.as_os_str().to_owned()),
        ];
        let environment = Environment::new(variables.map(|(name, value)| (name.into(), value)));
        let settings = Settings {
            envyr: Some(envyr),
            starter: Some(Program::get().host.clone()),
            confinement: match unconfined {
                true => Confinement::Off,
                false => Confinement::BestEffort,
            },
            compiler: Some(Program::get().host.clone()),
            ..Settings::default()
        };
        let actions = project(example).join("actions");
        let kael = Runtime::builder()
            .instances(2)
            .environment(environment)
            .programs(settings)
            .executor(Arc::new(kael_wasm::WasmFactory::new()))
            .build()?;
        let repo = runtime.block_on(kael.repo(&actions, RepoOptions::default()))?;
        Ok(Self {
            runtime: runtime.clone(),
            kael,
            repo,
        })
    }

    /// Makes this many calls of an action at once.
    fn calls(
        &self,
        many: usize,
        name: &'static str,
        params: &str,
        answer: &str,
    ) -> Result<Duration> {
        let start = Instant::now();
        if many == 1 {
            // As the program does it: the thread that waits for the run drives the call.
            let options = RunOptions::default();
            let call = self
                .kael
                .call(&self.repo, name, params.to_owned(), &options);
            let result = self.runtime.block_on(call).outcome?;
            return took(start, name, &result, answer);
        }
        let calls: Vec<_> = (0..many)
            .map(|_| {
                let (kael, repo) = (self.kael.clone(), self.repo.clone());
                let params = params.to_owned();
                self.runtime.spawn(async move {
                    let options = RunOptions::default();
                    kael.call(&repo, name, params, &options).await.outcome
                })
            })
            .collect();
        for call in calls {
            let result = self.runtime.block_on(call)??;
            took(start, name, &result, answer)?;
        }
        Ok(start.elapsed())
    }
}

/// The elapsed time, if the answer is right.
fn took(start: Instant, name: &str, result: &str, answer: &str) -> Result<Duration> {
    match result.trim() == answer {
        true => Ok(start.elapsed()),
        false => Err(format!("{name} returned {result}").into()),
    }
}

/// The command line that Kael uses, started without Kael.
fn by_hand(data: &Path, implementation: &Path) -> Result<Child> {
    let mut child = Command::new(&Program::get().envyr)
        .env_clear()
        .env("PATH", PATH)
        .arg("--root")
        .arg(data.join("envyr"))
        .args(["run", "--executor", "native", "--autogen"])
        .args(["-x", "wordcount.sh", "-i", "/bin/sh", "-t", "shell"])
        .arg(implementation)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or("no stdin")?;
    stdin.write_all(PARAMS.as_bytes())?;
    Ok(child)
}

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let data = tempfile::tempdir()?;
    let data = data.path();
    fs::create_dir_all(data.join("envyr"))?;
    let implementation: PathBuf = project("examples/hello/impl").canonicalize()?;
    let output = by_hand(data, &implementation)?.wait_with_output()?;
    let answer = String::from_utf8(output.stdout)?.trim().to_owned();
    let hands = |many: usize| {
        timed(|| {
            let children = (0..many)
                .map(|_| by_hand(data, &implementation))
                .collect::<Result<Vec<_>>>()?;
            for child in children {
                let output = child.wait_with_output()?;
                if String::from_utf8(output.stdout)?.trim() != answer {
                    return Err("envyr by hand gave another answer".into());
                }
            }
            Ok(())
        })
    };
    let runtime = Arc::new(
        Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?,
    );
    let mut rows = Vec::new();
    let mut confined_call = 0.0;
    for (unconfined, words, most) in [
        (true, "unconfined", UNCONFINED),
        (false, "with all confinement", CONFINED),
    ] {
        let gate = Gate::new(&runtime, "examples/hello", data, unconfined)?;
        for (many, rounds) in [(1, 240), (8, 60), (32, 20)] {
            let call = || gate.calls(many, "text.wordcount", PARAMS, &answer);
            // Excludes work that is done only once.
            call()?;
            let pairs = in_turns(effort.of(rounds), call, || hands(many))?;
            let value = format!("{}, {}", time(pairs.what()), time(pairs.reference()));
            let name = match many {
                1 => format!("envyr: a shell action, {words}"),
                _ => format!("envyr: {many} at once, {words}"),
            };
            let row = Row::new(&name, value, "the same by hand", &pairs);
            rows.push(if many == 1 { row.at_most(most) } else { row });
            if many == 1 {
                confined_call = pairs.what();
            }
        }
    }

    let gate = Gate::new(&runtime, "examples/wasm-action", data, false)?;
    // The action returns its default.
    let call = || gate.calls(1, "echo", "{}", r#"{"by":"hand"}"#);
    call()?;
    let mut pairs = Pairs::default();
    for _ in 0..effort.of(2_000) {
        pairs.push(call()?.as_secs_f64(), confined_call);
    }
    runtime::finish(Duration::from_secs(3));
    let took = pairs.what();
    rows.push(
        Row::new(
            "wasm: an action that does nothing",
            time(took),
            "the shell action",
            &pairs,
        )
        .aims(time(WASM), took <= WASM),
    );
    Ok(rows)
}
