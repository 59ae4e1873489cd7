//! `kael-host run`.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use clap::ValueEnum as _;

use super::args::{self, Run, Shared};
use super::exit;
use super::report::{self, Problem};
use crate::app::{self, AppError, Confinement, Settings};
use crate::dispatch::{Pattern, Policy};
use crate::environment::Environment;
use crate::executor::envyr;
use crate::limits::Limits;
use crate::sandbox::{Output, Report, Script};
use crate::units::ByteSize;

/// A script may be this large.
const MAX_SCRIPT: u64 = 16 << 20;

/// How long the end of a run may take to clean up behind itself.
const SHUTDOWN: Duration = Duration::from_secs(3);

/// What there is to report when the run is over.
enum Over {
    Ran(Report<Option<String>>),
    NotBegun(AppError),
    Signal(u8),
}

pub(super) fn run(shared: &Shared, run: Box<Run>, environment: Environment) -> u8 {
    let limits = limits(&run);
    let script = match script(&run) {
        Ok(script) => script,
        Err(message) => {
            return finish(
                &run,
                shared,
                &limits,
                None,
                Some(Problem::usage(message)),
                "",
                exit::USAGE,
            );
        }
    };
    let confinement = match confinement(run.confinement, &environment) {
        Ok(confinement) => confinement,
        Err(message) => {
            let problem = Some(Problem::usage(message));
            return finish(&run, shared, &limits, None, problem, "", exit::USAGE);
        }
    };
    let settings = Settings {
        actions: shared
            .actions
            .clone()
            .or_else(|| environment.path("KAEL_ACTIONS")),
        limits: limits.clone(),
        policy: Policy {
            deny: run.deny.iter().map(|text| Pattern::new(text)).collect(),
        },
        confinement,
        envyr: envyr_settings(shared, &environment),
        environment,
    };
    let output = if run.json {
        Output::in_memory()
    } else {
        Output::to_writer(io::stdout())
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(problem) => {
            let problem = Problem::usage(format!(
                "the threads of the runtime cannot be started: {problem}"
            ));
            return finish(&run, shared, &limits, None, Some(problem), "", exit::BUG);
        }
    };
    let over = runtime.block_on(async {
        tokio::select! {
            ran = app::run_script(&settings, script, output.clone()) => match ran {
                Ok(report) => Over::Ran(report),
                Err(problem) => Over::NotBegun(problem),
            },
            number = interrupted() => Over::Signal(number),
        }
    });
    // Ends what was in flight, with all that it started.
    runtime.shutdown_timeout(SHUTDOWN);
    app::finish(SHUTDOWN);
    match over {
        Over::Ran(report) => {
            let (code, problem) = (
                exit::of_ending(&report.ending),
                Problem::of_ending(&report.ending),
            );
            finish(
                &run,
                shared,
                &limits,
                Some(&report),
                problem,
                &output.kept(),
                code,
            )
        }
        Over::NotBegun(error) => {
            let (code, problem) = (exit::of_app_error(&error), Problem::of_app_error(&error));
            finish(&run, shared, &limits, None, problem, &output.kept(), code)
        }
        Over::Signal(number) => {
            let problem = Problem::usage(format!("the run was ended by signal {number}"));
            finish(
                &run,
                shared,
                &limits,
                None,
                Some(problem),
                &output.kept(),
                exit::SIGNAL + number,
            )
        }
    }
}

fn finish(
    run: &Run,
    shared: &Shared,
    limits: &Limits,
    report: Option<&Report<Option<String>>>,
    problem: Option<Problem>,
    output: &str,
    code: u8,
) -> u8 {
    if run.json {
        let text = report::json(report, problem.as_ref(), output, limits, code);
        if io::stdout().write_all(text.as_bytes()).is_err() {
            return exit::OUTPUT_CLOSED;
        }
    } else if let Some(problem) = problem {
        problem.print(shared.quiet);
    }
    code
}

/// The number of the signal that asks the program to end.
async fn interrupted() -> u8 {
    let kinds = [
        (SignalKind::interrupt(), 2),
        (SignalKind::terminate(), 15),
        (SignalKind::hangup(), 1),
    ];
    let mut waits = Vec::new();
    for (kind, number) in kinds {
        // Where a signal cannot be listened for, it does what it always does.
        if let Ok(mut listener) = signal(kind) {
            waits.push(Box::pin(async move {
                listener.recv().await;
                number
            }));
        }
    }
    if waits.is_empty() {
        return std::future::pending().await;
    }
    futures_util::future::select_all(waits).await.0
}

/// What was typed, else what the environment says, of envyr.
pub(super) fn envyr_settings(shared: &Shared, environment: &Environment) -> envyr::Settings {
    envyr::Settings {
        envyr: shared
            .envyr
            .clone()
            .or_else(|| environment.path("KAEL_ENVYR")),
        fetch_env: fetch_env(shared, environment),
    }
}

/// What was typed, else what the environment says.
pub(super) fn confinement(
    typed: Option<args::Confinement>,
    environment: &Environment,
) -> Result<Confinement, String> {
    let said = || match environment.get("KAEL_CONFINEMENT") {
        None => Ok(args::Confinement::BestEffort),
        Some(said) => {
            let said = said.to_string_lossy();
            args::Confinement::from_str(&said, false).map_err(|_| {
                let said = said.escape_debug();
                format!("KAEL_CONFINEMENT `{said}` is none of \"required\", \"best-effort\"")
            })
        }
    };
    Ok(match typed.map_or_else(said, Ok)? {
        args::Confinement::Required => Confinement::Required,
        args::Confinement::BestEffort => Confinement::BestEffort,
    })
}

/// What was typed, else what the environment says.
fn fetch_env(shared: &Shared, environment: &Environment) -> Vec<String> {
    let said = || {
        environment
            .get("KAEL_FETCH_ENV")
            .map(|names| names.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let names = if shared.fetch_env.is_empty() {
        said()
    } else {
        shared.fetch_env.join(",")
    };
    names
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn limits(run: &Run) -> Limits {
    Limits {
        memory: run.max_memory,
        cpu: run.max_cpu,
        wall: run.timeout,
        output: run.max_output,
        calls: run.max_calls,
        parallel: run.max_parallel,
    }
}

/// The script that was named, read.
fn script(run: &Run) -> Result<Script, String> {
    let mut words = run.words.iter();
    let (name, source) = match &run.code {
        Some(code) => ("(command line)".to_owned(), code.clone()),
        None => match words.next() {
            None => {
                return Err(
                    "no script was given: name a file, `-` for stdin, or use -e CODE".to_owned(),
                );
            }
            Some(word) if word == "-" => ("stdin".to_owned(), read(io::stdin().lock(), "stdin")?),
            Some(word) if word.as_encoded_bytes().starts_with(b"-") => {
                let word = word.to_string_lossy();
                return Err(format!(
                    "unexpected argument `{word}` (see kael-host run --help; a file can be named ./{word})"
                ));
            }
            Some(word) => (word.to_string_lossy().into_owned(), file(Path::new(word))?),
        },
    };
    let args = words.map(argument).collect::<Result<_, _>>()?;
    Ok(Script {
        name,
        source,
        args,
        want_result: run.json,
    })
}

fn argument(word: &OsString) -> Result<String, String> {
    word.clone()
        .into_string()
        .map_err(|word| format!("the argument `{}` is not UTF-8", word.to_string_lossy()))
}

fn file(path: &Path) -> Result<String, String> {
    let shown = path.display().to_string();
    let metadata = path.metadata().map_err(|problem| match problem.kind() {
        io::ErrorKind::NotFound => format!("no such script: `{shown}`"),
        _ => format!("cannot read the script `{shown}`: {problem}"),
    })?;
    if metadata.is_dir() {
        return Err(format!("the script `{shown}` is a folder"));
    }
    let file = std::fs::File::open(path)
        .map_err(|problem| format!("cannot read the script `{shown}`: {problem}"))?;
    read(file, &shown)
}

fn read(from: impl io::Read, shown: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    from.take(MAX_SCRIPT + 1)
        .read_to_end(&mut bytes)
        .map_err(|problem| format!("cannot read the script `{shown}`: {problem}"))?;
    if bytes.len() as u64 > MAX_SCRIPT {
        return Err(format!(
            "the script `{shown}` has more than {}",
            ByteSize::new(MAX_SCRIPT)
        ));
    }
    String::from_utf8(bytes).map_err(|problem| {
        let good = &problem.as_bytes()[..problem.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        format!("the script `{shown}` is not UTF-8 text (line {line})")
    })
}
