//! `kael-host rules run`: evaluates a stream of events.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::args::Run;
use super::input::{Input, Stop, sources};
use super::load::{Loaded, engine, options, read, unusable, usage};
use super::on_match::Caller;
use super::output::Alerts;
#[cfg(feature = "serve")]
use super::send::Sender;
use super::summary;
use super::watch::{Asked, Watch};
use crate::args::Shared;
use crate::exit;
use crate::report::Problem;
use crate::stderr;
use kael_engine::environment::Environment;
use kael_rules::alert::Alert;
use kael_rules::engine::{Engine, WasmEngine};
use kael_rules::event::Reader;
use kael_rules::format::Format;
use kael_rules::metrics;
use kael_rules::package::Severity;
use kael_rules::stream::{Next, Stream};

/// How long to wait for lines between two looks at signals and files.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often metrics are written.
const METRICS: Duration = Duration::from_secs(10);

pub(super) fn run(
    shared: &Shared,
    run: &Run,
    wasm: &Arc<WasmEngine>,
    environment: &Environment,
) -> u8 {
    evaluate(shared, run, wasm, environment).unwrap_or_else(|code| code)
}

fn evaluate(
    shared: &Shared,
    run: &Run,
    wasm: &Arc<WasmEngine>,
    environment: &Environment,
) -> Result<u8, u8> {
    let fail_on = match &run.fail_on {
        None => None,
        Some(name) => Some(Severity::of(name).ok_or_else(|| {
            let all = Severity::ALL.map(Severity::name).join(", ");
            usage(
                shared,
                format!("--fail-on: there is no severity \"{name}\" (there are: {all})"),
            )
        })?),
    };
    let format = match &run.format {
        None => None,
        Some(name) => Some(Format::of(name).ok_or_else(|| {
            let all = Format::ALL.map(|(name, _)| name).join(", ");
            usage(
                shared,
                format!("--format: there is no format \"{name}\" (there are: {all})"),
            )
        })?),
    };
    let mut loaded = read(shared, &run.set.folders, run.set.schema.as_deref(), format)?;
    only(shared, run, &mut loaded)?;
    if let Some(folder) = &run.state {
        fs::create_dir_all(folder).map_err(|error| unusable(shared, folder, &error))?;
    }
    let threads = usize::from(run.speed.threads);
    let (runtime, mut engine) = engine(shared, &loaded, options(wasm, threads, run.state.clone()))?;
    let path = run.alerts.as_deref();
    let alerts = Alerts::new(path, fail_on)
        .map_err(|error| unusable(shared, path.unwrap_or(Path::new("")), &error))?;
    let rules = loaded.packages.iter();
    let rules: Vec<&str> = rules
        .map(|package| package.manifest.rule_id.as_str())
        .collect();
    let caller = run.on_match.as_deref();
    let caller = caller.map(|path| Caller::start(shared, run, path, &rules, environment));
    #[cfg(feature = "serve")]
    let sender = run
        .server
        .as_ref()
        .map(|address| Sender::start(shared, run, address.as_deref(), environment));
    let mut alerts = Out {
        alerts,
        caller: caller.transpose()?,
        #[cfg(feature = "serve")]
        sender: sender.transpose()?,
    };
    let sources = sources(&run.events);
    let reader = Reader::new(&loaded.schema, shared.verbose > 0);
    let letters = run.dead_letter.as_deref();
    let mut input = Input::new(reader, &sources, run.bad, letters)
        .map_err(|error| unusable(shared, letters.unwrap_or(Path::new("")), &error))?;
    input.format = format;
    let no_threads =
        |error: io::Error| Problem::no_threads(&error).report(shared, false, exit::CONFIG);
    let asked = Asked::listen().map_err(no_threads)?;
    let mut watch = Watch::new(
        &run.set.folders,
        &run.only,
        &loaded.schema,
        (&runtime, wasm),
        &engine,
        run.watch,
    );
    let names: Vec<String> = sources
        .iter()
        .map(kael_rules::event::Source::name)
        .collect();
    let mut stream =
        Stream::start(sources, run.follow, usize::from(run.speed.batch)).map_err(no_threads)?;
    let mut last_metrics = Instant::now();
    let mut code = exit::SUCCESS;
    while !asked.end.load(Ordering::Acquire) {
        match stream.next(PATIENCE) {
            Next::Lines(piece) => match input.events(piece.source, piece.lines) {
                Ok(events) => {
                    alerts.write(&engine.feed(events))?;
                    if stream.is_live() {
                        alerts.write(&engine.flush())?;
                    }
                }
                Err(Stop::Bad(message)) => {
                    code = Problem::usage(message).report(shared, false, exit::SCRIPT_FAILED);
                    break;
                }
                Err(Stop::DeadLetter(error)) => {
                    code = unusable(shared, letters.unwrap_or(Path::new("")), &error);
                    break;
                }
            },
            Next::Nothing => {}
            Next::Failed(source, error) => {
                let path = Path::new(&names[source]);
                code = unusable(shared, path, &error);
                break;
            }
            Next::End => break,
        }
        alerts_of_changes(&mut watch, &asked, &mut engine, &mut alerts)?;
        if last_metrics.elapsed() >= METRICS {
            last_metrics = Instant::now();
            write_metrics(shared, run, &input, &engine)?;
        }
    }
    alerts.write(&engine.finish())?;
    #[cfg(feature = "serve")]
    let delivered = alerts
        .sender
        .take()
        .map_or(Ok(()), |sender| sender.finish(shared));
    #[cfg(not(feature = "serve"))]
    let delivered = Ok(());
    let called = alerts.caller.take();
    let called = called.map(|caller| caller.finish(asked.end.load(Ordering::Acquire)));
    write_metrics(shared, run, &input, &engine)?;
    let counts = engine.counts();
    if run.json {
        let document = summary::json(&input.counts, &counts, called.as_deref());
        stderr::write(format!("{document}\n").as_bytes());
    } else if !shared.quiet {
        let text = summary::text(&input.counts, &input.reader, &counts, called.as_deref());
        stderr::write(text.as_bytes());
    }
    if code != exit::SUCCESS {
        return Ok(code);
    }
    delivered?;
    if alerts.alerts.failed {
        return Ok(exit::SCRIPT_FAILED);
    }
    let off = counts
        .iter()
        .any(|(_, counts)| counts.disabled || counts.skipped > 0);
    let failed = called.is_some_and(|counts| counts.failed.load(Ordering::Relaxed) > 0);
    Ok(match (off, failed) {
        (true, _) => exit::LIMIT,
        (false, true) => exit::ACTION_FAILED,
        (false, false) => exit::SUCCESS,
    })
}

/// Where alerts go: out, and to what calls actions because of them.
struct Out {
    alerts: Alerts,
    caller: Option<Caller>,
    #[cfg(feature = "serve")]
    sender: Option<Sender>,
}

impl Out {
    fn write(&mut self, alerts: &[Alert]) -> Result<(), u8> {
        self.alerts.write(alerts)?;
        #[cfg(feature = "serve")]
        if let Some(sender) = &self.sender {
            sender.take(alerts);
        }
        if let Some(caller) = &self.caller {
            caller.take(alerts);
        }
        Ok(())
    }
}

/// Changes are looked for between two batches, with nothing in flight.
fn alerts_of_changes(
    watch: &mut Watch,
    asked: &Asked,
    engine: &mut Engine,
    alerts: &mut Out,
) -> Result<(), u8> {
    if watch.is_due(asked) {
        alerts.write(&engine.flush())?;
        watch.look(asked, engine);
    }
    Ok(())
}

/// Keeps only the rules that were named.
fn only(shared: &Shared, run: &Run, loaded: &mut Loaded) -> Result<(), u8> {
    for id in &run.only {
        if !loaded
            .packages
            .iter()
            .any(|package| package.manifest.rule_id == *id)
        {
            let all: Vec<&str> = loaded
                .packages
                .iter()
                .map(|package| package.manifest.rule_id.as_str())
                .collect();
            let message = format!(
                "--only: there is no rule \"{id}\" (there are: {})",
                all.join(", ")
            );
            return Err(usage(shared, message));
        }
    }
    if !run.only.is_empty() {
        loaded
            .packages
            .retain(|package| run.only.contains(&package.manifest.rule_id));
    }
    Ok(())
}

fn write_metrics(shared: &Shared, run: &Run, input: &Input<'_>, engine: &Engine) -> Result<(), u8> {
    let Some(path) = &run.metrics else {
        return Ok(());
    };
    let text = metrics::text(&input.counts, &engine.counts());
    // A reader sees the old file or the new one.
    let aside = path.with_extension("new");
    fs::write(&aside, text)
        .and_then(|()| fs::rename(&aside, path))
        .map_err(|error| unusable(shared, path, &error))
}
