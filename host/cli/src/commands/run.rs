//! `kael-host run`.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::{OnceLock, PoisonError};
use std::time::Instant;

#[cfg(feature = "stdlib")]
use super::checks;
use crate::approver;
use crate::args::{Run, Shared};
use crate::config::Key;
use crate::dry_run::{self, Calls};
use crate::durable;
use crate::exit;
#[cfg(feature = "stdlib")]
use crate::for_assay;
use crate::inputs;
use crate::labels::labels;
use crate::page::{Page, Told};
use crate::patience;
use crate::progress;
use crate::report::{self, Problem};
use crate::runtime::{Ended, block_run, until_a_signal};
use crate::sanitize::escape_control;
use crate::settings;
use crate::snippet::SourceMap;
#[cfg(feature = "stdlib")]
use crate::stderr;
use crate::terminal::say_json;
use crate::trace::Trace;
use crate::watch;
use kael_engine::activity::{ActivityLog, Retention};
#[cfg(feature = "stdlib")]
use kael_engine::catalog::Catalog;
use kael_engine::environment::Environment;
#[cfg(feature = "stdlib")]
use kael_engine::gate::Policy;
use kael_engine::limits::Limits;
use kael_engine::runtime::{LoadError, RunReport};
#[cfg(feature = "stdlib")]
use kael_engine::sandbox::Ending;
use kael_engine::sandbox::{Input, Script, Shown};
use kael_engine::units::ByteSize;

/// A script may be this large.
const MAX_SCRIPT: u64 = 16 << 20;

/// How the run ended.
enum RunOutcome {
    Ran(RunReport),
    NotBegun(LoadError),
    /// A signal ended it; if the script had begun, with the report of what it had done by then.
    Signal(u8, Option<RunReport>),
}

pub(super) fn run(shared: &Shared, run: &Run, environment: Environment) -> u8 {
    if !run.watch {
        return run_once(shared, run, environment);
    }
    let script = match run.words.first() {
        Some(word) if run.code.is_none() && word != "-" => Path::new(word).to_owned(),
        _ => {
            let error = Problem::usage("--watch needs a script in a file".to_owned());
            error.print(shared.quiet);
            return exit::USAGE;
        }
    };
    loop {
        // The configuration may be what was wrong, too.
        let repo = settings::config(shared, &run.bounds, &environment)
            .ok()
            .and_then(|config| config.path(Key::ActionsPath));
        // Before the run: what changes while it goes on is run afterwards.
        let state = watch::look(&script, repo.as_deref());
        let code = run_once(shared, run, environment.clone());
        patience::until(None);
        let by_signal = [1, 2, 15]
            .iter()
            .any(|number| code == exit::SIGNAL + number);
        if by_signal || code == exit::OUTPUT_CLOSED || code == exit::OUTPUT_FAILED {
            return code;
        }
        if !shared.quiet {
            watch::tell(&format!("watching (exit code {code}); Ctrl-C ends"));
        }
        match watch::wait(&script, repo.as_deref(), &state) {
            Ok(_) if shared.quiet => {}
            Ok(changed) => watch::tell(&format!(
                "{} changed",
                escape_control(&changed.display().to_string())
            )),
            Err(code) => return code,
        }
    }
}

/// Runs the script once.
fn run_once(shared: &Shared, run: &Run, environment: Environment) -> u8 {
    let mut context = RunContext {
        run,
        shared,
        planned: Calls::default(),
        page: RefCell::new(None),
        name: "script".to_owned(),
        shown: Shown::default(),
    };
    let config = match settings::config(shared, &run.bounds, &environment) {
        Ok(config) => config,
        Err(error) => {
            let (error, limits) = (Problem::of_config_error(&error), Limits::default());
            return context.finish(&limits, None, Some(error), "", exit::CONFIG);
        }
    };
    let limits = config.limits();
    let script = match script(run) {
        Ok(script) => script,
        Err(message) => {
            return context.finish(
                &limits,
                None,
                Some(Problem::usage(message)),
                "",
                exit::USAGE,
            );
        }
    };
    let progress = progress::is_wanted(shared, &environment);
    let mut settings = settings::settings(&config, &run.bounds, environment);
    settings.policy.approver = approver::at_terminal();
    let trace = match run.trace.as_deref().map(Trace::create).transpose() {
        Ok(trace) => trace,
        Err(error) => {
            let message = format!("the trace cannot be written: {error}");
            let error = Some(Problem::usage(message));
            return context.finish(&limits, None, error, "", exit::USAGE);
        }
    };
    if let Some(trace) = &trace {
        settings.envyr.activity = trace.activity.clone();
    } else if progress {
        settings.envyr.activity = ActivityLog::new(Retention::Running);
    }
    if let Err(message) = dry_run::prepare(run, &context.planned, &mut settings) {
        let error = Some(Problem::usage(message));
        return context.finish(&limits, None, error, "", exit::USAGE);
    }
    context.name.clone_from(&script.name);
    if let Some(path) = &run.html {
        match Page::create(path) {
            Ok(page) => context.page = RefCell::new(Some(page)),
            Err(message) => {
                let error = Some(Problem::usage(message));
                return context.finish(&limits, None, error, "", exit::USAGE);
            }
        }
    }
    // A dry run calls nothing, and a run that is watched is tried out.
    let journal = run.journal || config.journal() && !run.dry_run && !run.watch;
    let labels = match labels(&run.labels) {
        Ok(labels) if labels.is_empty() || journal => Ok(labels),
        Ok(_) => Err("--label is for runs that are written down: add --journal".to_owned()),
        Err(message) => Err(message),
    };
    let labels = match labels {
        Ok(labels) => labels,
        Err(message) => {
            let error = Some(Problem::usage(message));
            return context.finish(&limits, None, error, "", exit::USAGE);
        }
    };
    let store = match durable::store(journal, &settings.environment) {
        Ok(store) => store,
        Err(error) => return context.finish(&limits, None, Some(*error), "", exit::CONFIG),
    };
    let output = progress::script_output(run.json || is_for_tools(run));
    let name = script.name.clone();
    let source = String::from_utf8_lossy(&script.source).into_owned();
    let texts = || {
        let texts = SourceMap::default().with(&name, &source);
        texts.with_repo(settings.actions.as_deref())
    };
    let output = if run.html.is_some() {
        output.for_page()
    } else {
        output
    };
    // From its limit on the run waits for no reader of its report that takes nothing.
    patience::until(Instant::now().checked_add(limits.wall.duration()));
    let showing = progress::show(&settings.envyr.activity, progress);
    let cancel = OnceLock::new();
    let ran = block_run(&cancel, async {
        // One instance for the repo, then one for the script.
        let runtime = settings.runtime(2)?;
        let repo = settings.repo(&runtime, &output).await?;
        #[cfg(feature = "stdlib")]
        if run.assay.is_some() && !shared.quiet && !checks::is_one(Path::new(&name)) {
            let policy = match &repo {
                Some(repo) => repo.policy(&settings.policy).ok(),
                None => Some(settings.policy.without_repo(&Catalog::default())),
            };
            let grants = policy.as_ref().map(Policy::grants);
            for note in grants.map_or(Vec::new(), |grants| {
                for_assay::notes(&name, &source, grants)
            }) {
                watch::tell(&escape_control(&note));
            }
        }
        let mut options = settings.run_options(output.clone());
        let durable = match &store {
            Some(store) => Some(store.begin(
                &mut options,
                &script,
                repo.as_deref(),
                (&config, &run.bounds),
                &labels,
            )?),
            None => None,
        };
        let handle = runtime.run(repo.as_ref(), script, options);
        cancel.set(handle.canceller()).ok();
        let report = handle.await;
        if let Some(durable) = durable {
            durable.conclude(&report).await;
        }
        if !run.watch {
            // Taking the runtime apart is a tenth of a short run, and the end of the process does it for nothing.
            std::mem::forget(runtime);
        }
        Ok::<_, LoadError>(report)
    });
    drop(showing);
    if matches!(ran, Ok(Ended::Signal(..))) {
        patience::until(Some(Instant::now()));
    }
    if let Some(Err(error)) = trace.map(|trace| until_a_signal(|| trace.write())) {
        tracing::warn!("the trace is not written: {error}");
    }
    let outcome = match ran {
        Ok(Ended::Done(Ok(report))) => RunOutcome::Ran(report),
        Ok(Ended::Done(Err(error))) => RunOutcome::NotBegun(error),
        Ok(Ended::Signal(number, ended)) => RunOutcome::Signal(number, ended.and_then(Result::ok)),
        Err(error) => {
            let error = Problem::no_threads(&error);
            return context.finish(&limits, None, Some(error), "", exit::CONFIG);
        }
    };
    context.shown = output.take_shown();
    match outcome {
        RunOutcome::Ran(report) => {
            let (code, error) = (
                exit::of_ending(&report.ending),
                Problem::of_ending(&report.ending).map(|error| error.quoting(texts())),
            );
            let error = error.map(|error| durable::hinted(error, &report));
            let sample_value = settings.dry_run.as_ref().and_then(|dry| dry.last_made_up());
            let error = match (error, sample_value) {
                (Some(error), Some((action, from))) if code != exit::LIMIT => {
                    Some(error.hinted(format!(
                        "the answer of {action} was {}: give another with --answers",
                        from.words()
                    )))
                }
                (error, _) => error,
            };
            context.finish(&limits, Some(&report), error, &output.kept(), code)
        }
        RunOutcome::NotBegun(error) => {
            let code = exit::of_load_error(&error);
            let error = Problem::of_load_error(&error).map(|error| error.quoting(texts()));
            context.finish(&limits, None, error, &output.kept(), code)
        }
        RunOutcome::Signal(number, report) => {
            let error = Problem::signal(number);
            let error = match &report {
                Some(report) if journal => durable::resumable(error, report),
                _ => error,
            };
            context.finish(
                &limits,
                report.as_ref(),
                Some(error),
                &output.kept(),
                exit::SIGNAL + number,
            )
        }
    }
}

/// What was asked for, which decides how the end of the run is shown.
struct RunContext<'a> {
    run: &'a Run,
    shared: &'a Shared,
    /// What a dry run has planned.
    planned: Calls,
    /// Where the page goes, until it is written.
    page: RefCell<Option<Page>>,
    /// How the script is called.
    name: String,
    /// What it has shown.
    shown: Shown,
}

impl RunContext<'_> {
    fn finish(
        &self,
        limits: &Limits,
        report: Option<&RunReport>,
        error: Option<Problem>,
        output: &str,
        code: u8,
    ) -> u8 {
        let told = Told {
            script: &self.name,
            report,
            error: error.as_ref(),
            shown: &self.shown,
            code,
        };
        let written = self
            .page
            .take()
            .map_or(Ok(()), |page| until_a_signal(|| page.write(&told)));
        // What went wrong before is what matters more.
        let (error, code) = match written {
            Err(why) if code == exit::SUCCESS => {
                let error = Problem::usage(format!("the page cannot be written: {why}"));
                (Some(error), exit::OUTPUT_FAILED)
            }
            _ => (error, code),
        };
        #[cfg(feature = "stdlib")]
        let code = match &self.run.assay {
            None => code,
            Some(assay) => {
                let exited = match report.map(|report| &report.ending) {
                    Some(Ending::Exited(code)) => Some(*code),
                    _ => None,
                };
                let mapped = assay.code(code, exited);
                if assay.tool {
                    let document = report::json(report, error.as_ref(), output, limits, code);
                    stderr::write(output.as_bytes());
                    return say_json(&document.for_assay(code), mapped);
                }
                mapped
            }
        };
        if self.run.json {
            let mut document = report::json(report, error.as_ref(), output, limits, code);
            if self.run.dry_run {
                let mut told = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
                document.planned = Some(std::mem::take(&mut told.calls));
                document.planned_left_out = (told.left_out > 0).then_some(told.left_out);
            }
            return say_json(&document, code);
        }
        if let Some(error) = error {
            error.print(self.shared.quiet);
        }
        code
    }
}

/// Whether stdout gets the document of Assay's tool mode.
#[cfg(feature = "stdlib")]
fn is_for_tools(run: &Run) -> bool {
    run.assay.as_ref().is_some_and(|assay| assay.tool)
}

#[cfg(not(feature = "stdlib"))]
const fn is_for_tools(_: &Run) -> bool {
    false
}

/// The script that was named, read.
fn script(run: &Run) -> Result<Script, String> {
    let mut words = run.words.iter();
    let (name, source) = match &run.code {
        Some(code) => ("(command line)".to_owned(), code.clone().into_bytes()),
        None => match words.next() {
            None => {
                return Err(
                    "no script was given: name a file, `-` for stdin, or use -e CODE".to_owned(),
                );
            }
            Some(word) if word != "-" && word.as_encoded_bytes().starts_with(b"-") => {
                let word = word.to_string_lossy();
                return Err(format!(
                    "unexpected argument `{word}` (see kael-host run --help; a file can be named ./{word})"
                ));
            }
            Some(word) => named(word)?,
        },
    };
    #[cfg_attr(
        not(feature = "stdlib"),
        allow(unused_mut, reason = "checks add to it")
    )]
    let mut inputs = inputs::read(&run.inputs)?;
    #[cfg(feature = "stdlib")]
    let source = match run.words.first().map(Path::new) {
        Some(path) if run.code.is_none() && checks::is_one(path) => {
            inputs.extend(checks::inputs(path, file)?);
            kael_stdlib::CHECKS.as_bytes().to_vec()
        }
        _ => source,
    };
    #[cfg(feature = "stdlib")]
    let source = match &run.assay {
        Some(assay) => {
            inputs.extend(assay.inputs.iter().cloned());
            assay.prepared(source)
        }
        None => source,
    };
    let args = words.map(argument).collect::<Result<_, _>>()?;
    let from_stdin = run.code.is_none() && run.words.first().is_some_and(|word| word == "-");
    Ok(Script {
        name,
        source,
        args,
        inputs,
        input: if from_stdin {
            Input::none()
        } else {
            Input::stdin()
        },
        want_result: run.json || is_for_tools(run),
    })
}

/// The script in a file, or on stdin for `-`: how errors name it, and its text.
pub(crate) fn named(word: &OsStr) -> Result<(String, Vec<u8>), String> {
    if word == "-" {
        return Ok(("stdin".to_owned(), read(io::stdin().lock(), "stdin")?));
    }
    Ok((word.to_string_lossy().into_owned(), bytes(Path::new(word))?))
}

fn argument(word: &OsString) -> Result<String, String> {
    word.clone()
        .into_string()
        .map_err(|word| format!("the argument `{}` is not UTF-8", word.to_string_lossy()))
}

/// The text of a script in a file.
pub(super) fn file(path: &Path) -> Result<String, String> {
    String::from_utf8(bytes(path)?).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        let shown = path.display();
        format!("the script `{shown}` is not UTF-8 text (line {line})")
    })
}

/// The bytes of a script in a file.
fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display().to_string();
    let metadata = path.metadata().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("no such script: `{shown}`"),
        _ => format!("cannot read the script `{shown}`: {error}"),
    })?;
    if metadata.is_dir() {
        return Err(format!("the script `{shown}` is a folder"));
    }
    let file = std::fs::File::open(path)
        .map_err(|error| format!("cannot read the script `{shown}`: {error}"))?;
    read(file, &shown)
}

fn read(from: impl io::Read, shown: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    from.take(MAX_SCRIPT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot read the script `{shown}`: {error}"))?;
    if bytes.len() as u64 > MAX_SCRIPT {
        return Err(format!(
            "the script `{shown}` has more than {}",
            ByteSize::new(MAX_SCRIPT)
        ));
    }
    Ok(bytes)
}
