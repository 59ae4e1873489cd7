//! The figures that the README quotes, taken in one run: `cargo bench -p kael-host`.
//!
//! Ratios and medians, because machines are noisy; nothing here fails a build. Needs `lua5.4`, `python3` and an envyr
//! that `kael-host setup` has installed.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kael_host::app::Repo;
use kael_host::dispatch::{Dispatcher, Policy};
use kael_host::environment::Environment;
use kael_host::executor::envyr::{Envyr, Settings, tools_folder};
use kael_host::executor::{Execute, Execution, Executors, Invocation};
use kael_host::limits::Limits;
use kael_host::repo::Bundle;
use kael_host::sandbox::{Ending, Output, Sandbox, Script};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Answers with its parameters, after a while if it is told to.
struct Echo(Duration);

impl Execute for Echo {
    fn execute<'a>(&'a self, invocation: Invocation<'a>) -> Execution<'a> {
        Box::pin(async move {
            if !self.0.is_zero() {
                tokio::time::sleep(self.0).await;
            }
            Ok(invocation.params.into_bytes())
        })
    }
}

struct Bench {
    sandbox: Sandbox,
    repo: Repo,
    limits: Limits,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    /// Runs a script to its end and says how long that took.
    fn run(&self, executor: Arc<dyn Execute>, source: &str) -> Result<Duration> {
        self.run_with(Some(&self.repo.bundle), executor, source)
    }

    fn run_with(
        &self,
        bundle: Option<&Bundle>,
        executor: Arc<dyn Execute>,
        source: &str,
    ) -> Result<Duration> {
        let catalog = self.repo.catalog.clone();
        let dispatcher = Arc::new(Dispatcher::new(catalog, Policy::default(), executor));
        let script = Script {
            name: "bench".into(),
            source: source.into(),
            args: Vec::new(),
            want_result: false,
        };
        let output = Output::in_memory();
        let start = Instant::now();
        let running = self
            .sandbox
            .run_script(bundle, script, &self.limits, output, dispatcher);
        let report = self.runtime.block_on(running);
        let took = start.elapsed();
        match report.ending {
            Ending::Done(_) => Ok(took),
            other => Err(format!("{other:?}").into()),
        }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The medians of two things done in turns, in milliseconds.
fn in_turns(
    rounds: usize,
    mut first: impl FnMut() -> Result<Duration>,
    mut second: impl FnMut() -> Result<Duration>,
) -> Result<(f64, f64)> {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        a.push(first()?);
        b.push(second()?);
    }
    Ok((median(a).as_secs_f64() * 1e3, median(b).as_secs_f64() * 1e3))
}

fn process(command: &mut Command) -> Result<Duration> {
    let start = Instant::now();
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    if status.success() {
        Ok(start.elapsed())
    } else {
        Err(format!("{command:?}: {status}").into())
    }
}

fn row(what: &str, measured: &str, target: &str) {
    println!("| {what:<46} | {measured:<36} | {target:<22} |");
}

fn main() -> Result<()> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()?;
    let host = env!("CARGO_BIN_EXE_kael-host");
    let data = workspace.join("target/test-data");
    if !Command::new(host)
        .arg("setup")
        .env("KAEL_DATA", &data)
        .stdout(Stdio::null())
        .status()?
        .success()
    {
        return Err("kael-host setup failed".into());
    }
    let envyr = tools_folder(&data).join("bin/envyr");
    let hello = workspace.join("examples/hello");
    row("what", "measured", "target");

    let (lua, kael) = in_turns(
        60,
        || process(Command::new("lua5.4").args(["-e", "print(1)"])),
        || process(Command::new(host).args(["run", "-e", "print(1)"])),
    )?;
    let measured = format!("{kael:.1} ms, lua5.4 {lua:.1} ms");
    row(
        "cold process, print(1)",
        &measured,
        &format!("{:.1} ms (3 x + 4 ms)", 3.0 * lua + 4.0),
    );

    let sandbox = Sandbox::new(4)?;
    let limits = Limits::default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let folder = tempfile::tempdir()?;
    fs::write(
        folder.path().join("init.lua"),
        "return { a = define_action({ source = '.', executor = 'native' }) }",
    )?;
    let output = Output::in_memory();
    let loading = Repo::load(&sandbox, folder.path(), &limits, &output);
    let repo = runtime.block_on(loading)?;
    let bench = Bench {
        sandbox,
        repo,
        limits,
        runtime,
    };
    let echo: Arc<dyn Execute> = Arc::new(Echo(Duration::ZERO));

    let fresh = |bundle| -> Result<f64> {
        let run = |_| bench.run_with(bundle, echo.clone(), "return 1");
        Ok(median((0..3000).map(run).collect::<Result<_>>()?).as_secs_f64() * 1e6)
    };
    let (bare, with_repo) = (fresh(None)?, fresh(Some(&bench.repo.bundle))?);
    row(
        "fresh sandbox to first result",
        &format!("{bare:.1} µs"),
        "100 µs",
    );
    row(
        "the same with a repo of one action",
        &format!("{with_repo:.1} µs"),
        "",
    );

    let object = "{ name = ('x'):rep(60), n = 12345, ok = true, list = { 1, 2, 3 } }";
    let calls = |n: u32| format!("local p, a = {object}, actions.a for _ = 1, {n} do a(p) end");
    let (few, many) = in_turns(
        15,
        || bench.run(echo.clone(), &calls(0)),
        || bench.run(echo.clone(), &calls(10_000)),
    )?;
    row(
        "no-op action, 100-byte object",
        &format!("{:.2} µs", (many - few) / 10.0),
        "3 µs",
    );

    let napping: Arc<dyn Execute> = Arc::new(Echo(Duration::from_millis(100)));
    let parallel = "local fs = {} for i = 1, 32 do fs[i] = function() return actions.a({}) end end parallel(fs)";
    let side_by_side = median(
        (0..5)
            .map(|_| bench.run(napping.clone(), parallel))
            .collect::<Result<_>>()?,
    );
    row(
        "32 parallel actions of 100 ms",
        &format!("{:.0} ms", side_by_side.as_secs_f64() * 1e3),
        "250 ms",
    );

    let (by_hand, through) = shell_action(&hello, &envyr, &data)?;
    let measured = format!(
        "{:.2} x ({through:.2} ms, by hand {by_hand:.2} ms)",
        through / by_hand
    );
    row("envyr shell action", &measured, "1.10 x");

    let warm = wasm_action(&workspace, &data)?;
    row(
        "no-op wasm action, warm, through the gate",
        &format!("{:.1} µs", warm * 1e3),
        "150 µs",
    );
    row(
        "the same against the shell action",
        &format!("1/{:.0}", through / warm),
        "1/10",
    );

    let rss = peak_rss(host, &hello, &envyr, &data)?;
    row("peak RSS of hello", &format!("{rss:.1} MiB"), "40 MiB");
    Ok(())
}

/// One call of an action through the gate against the same envyr command line by hand, in milliseconds.
fn shell_action(hello: &Path, envyr: &Path, data: &Path) -> Result<(f64, f64)> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let variables = [
        ("PATH", "/usr/local/bin:/usr/bin:/bin".into()),
        ("KAEL_DATA", data.as_os_str().to_owned()),
    ];
    let environment = Environment::new(variables.map(|(name, value)| (name.into(), value)));
    let settings = Settings {
        envyr: Some(envyr.to_owned()),
        ..Settings::default()
    };
    let sandbox = Sandbox::new(2)?;
    let actions = hello.join("actions");
    let repo = runtime.block_on(Repo::load(
        &sandbox,
        &actions,
        &Limits::default(),
        &Output::in_memory(),
    ))?;
    let executor = Arc::new(Envyr::new(settings, environment, actions.canonicalize()?));
    let dispatcher = Dispatcher::new(repo.catalog.clone(), Policy::default(), executor);
    let implementation: PathBuf = hello.join("impl").canonicalize()?;
    let by_hand = || {
        let start = Instant::now();
        let mut child = Command::new(envyr)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .arg("--root")
            .arg(data.join("envyr"))
            .args([
                "run",
                "--executor",
                "native",
                "--autogen",
                "-x",
                "wordcount.sh",
                "-i",
                "/bin/sh",
                "-t",
                "shell",
            ])
            .arg(&implementation)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        std::io::Write::write_all(
            &mut child.stdin.take().ok_or("no stdin")?,
            b"{\"text\":\"a b\"}",
        )?;
        child.wait_with_output()?;
        Ok(start.elapsed())
    };
    let through = || {
        let start = Instant::now();
        let outcome = runtime.block_on(dispatcher.call(
            "text.wordcount",
            "{\"text\":\"a b\"}".into(),
            &|_| (),
        ));
        outcome?;
        Ok(start.elapsed())
    };
    in_turns(200, by_hand, through)
}

/// One call of the example's action that returns its parameters, in milliseconds; the first compiles it.
fn wasm_action(workspace: &Path, data: &Path) -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let environment = Environment::new([("KAEL_DATA".into(), data.as_os_str().to_owned())]);
    let sandbox = Sandbox::new(2)?;
    let actions = workspace.join("examples/wasm-action/actions");
    let output = Output::in_memory();
    let repo = runtime.block_on(Repo::load(&sandbox, &actions, &Limits::default(), &output))?;
    let executors = Executors::new(Settings::default(), environment, actions.canonicalize()?);
    let dispatcher = Dispatcher::new(repo.catalog.clone(), Policy::default(), Arc::new(executors));
    let call = |_| {
        let start = Instant::now();
        runtime.block_on(dispatcher.call("echo", "{}".into(), &|_| ()))?;
        Ok(start.elapsed())
    };
    call(0)?;
    let times = (0..3000).map(call).collect::<Result<_>>()?;
    Ok(median(times).as_secs_f64() * 1e3)
}

/// The most memory that the host had, in MiB, as Python's `resource` tells it.
fn peak_rss(host: &str, hello: &Path, envyr: &Path, data: &Path) -> Result<f64> {
    let code = "import resource, subprocess, sys\n\
                subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)\n\
                print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let output = Command::new("python3")
        .args(["-c", code, host, "--actions"])
        .arg(hello.join("actions"))
        .arg("run")
        .arg(hello.join("script.lua"))
        .env("KAEL_ENVYR", envyr)
        .env("KAEL_DATA", data)
        .output()?;
    let kib: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
    Ok(kib / 1024.0)
}
