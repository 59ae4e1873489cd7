//! `kael-host runs replay`: runs a script again out of its journal.

use std::ffi::OsStr;
use std::sync::{Arc, OnceLock};

use super::super::run::named;
use super::inspect::StdinInspector;
use super::{finish, refused};
use crate::args::{Bounds, Shared};
use crate::exit;
use crate::progress;
use crate::report::Problem;
use crate::runtime::{Ended, block_run};
use crate::settings;
use crate::snippet::SourceMap;
use kael_engine::environment::Environment;
use kael_engine::journal::Journal;
use kael_engine::runtime::LoadError;
use kael_engine::sandbox::{Ending, Suspension};
use kael_engine::units::TimeLimit;
use kael_runs::Runs;

/// As long as a limit may be.
const FOR_EVER: TimeLimit = TimeLimit::from_secs(366 * 86_400);

/// What is replayed.
pub(super) struct At<'a> {
    pub(super) id: &'a str,
    /// The last entry.
    pub(super) to: Option<u64>,
    /// Whether the run is opened there.
    pub(super) repl: bool,
}

pub(super) fn replay(
    shared: &Shared,
    runs: &Runs,
    At { id, to, repl }: At<'_>,
    other: Option<&OsStr>,
    as_json: bool,
    environment: Environment,
) -> u8 {
    let config = match settings::config(shared, &Bounds::default(), &environment) {
        Ok(config) => config,
        Err(error) => {
            return Problem::of_config_error(&error).report(shared, as_json, exit::CONFIG);
        }
    };
    let settings = settings::settings(&config, &Bounds::default(), environment);
    let mut replayable = match runs.find(id).and_then(|id| runs.replayable(id)) {
        Ok(replayable) => replayable,
        Err(error) => return refused(shared, &error, as_json),
    };
    if let Some(other) = other {
        match named(other) {
            Ok((name, source)) => {
                (replayable.script.name, replayable.script.source) = (name, source);
            }
            Err(message) => return Problem::usage(message).report(shared, as_json, exit::USAGE),
        }
    }
    let output = progress::script_output(as_json);
    let texts = {
        let source = String::from_utf8_lossy(&replayable.script.source).into_owned();
        SourceMap::default().with(&replayable.script.name, &source)
    };
    let mut limits = match replayable.is_trusted {
        true => replayable.limits.clone(),
        // What an untrusted file says of limits raises none.
        false => replayable.limits.lower(&settings.limits),
    };
    let inspector = repl.then(|| Arc::new(StdinInspector::new(shared.quiet)));
    if repl {
        // A person thinks as long as they like; each input may compute as long as the run.
        limits.wall = FOR_EVER;
    }
    let journal = Journal::replay(replayable.log, to);
    let journal = match replayable.is_trusted {
        true => journal,
        false => journal.held_to_limits(),
    };
    let journal = match &inspector {
        Some(inspector) => journal.with_inspector(inspector.clone()),
        None => journal,
    };
    let cancel = OnceLock::new();
    let ran = block_run(&cancel, async {
        let runtime = settings.runtime(2)?;
        let options = settings.repo_options(&output);
        let repo = replayable.repo.map(|repo| runtime.restored(repo, options));
        let repo = repo.transpose()?.map(Arc::new);
        let mut options = settings.run_options(output.clone());
        options.limits = limits.clone();
        options.journal = Some(journal);
        let handle = runtime.run(repo.as_ref(), replayable.script, options);
        cancel.set(handle.canceller()).ok();
        Ok::<_, LoadError>(handle.await)
    });
    let (report, error, code) = match ran {
        Ok(Ended::Done(Ok(report))) if let Some(inspector) = &inspector => {
            match (inspector.ended(), &report.ending) {
                (Some(code), Ending::Suspended(Suspension::LogEnds, _) | Ending::Exited(_)) => {
                    (Some(report), None, code)
                }
                (None, Ending::Done(_) | Ending::Exited(_)) => {
                    let error = Problem::usage("the script ends before that".to_owned());
                    let error = error.hinted("--to SEQ stops at an entry before its last call");
                    (Some(report), Some(error), exit::USAGE)
                }
                (_, ending) => {
                    let error = Problem::of_ending(ending).map(|error| error.quoting(texts));
                    let code = exit::of_ending(ending);
                    (Some(report), error, code)
                }
            }
        }
        Ok(Ended::Done(Ok(report))) => {
            let code = match &report.ending {
                // Where the journal ends, or where the user wanted to stop, nothing is wrong.
                Ending::Suspended(Suspension::LogEnds, _) => exit::SUCCESS,
                Ending::Suspended(..) => exit::SCRIPT_FAILED,
                ending => exit::of_ending(ending),
            };
            let error = Problem::of_ending(&report.ending).map(|error| error.quoting(texts));
            (Some(report), error, code)
        }
        Ok(Ended::Done(Err(error))) => {
            let code = exit::of_load_error(&error);
            (None, Problem::of_load_error(&error), code)
        }
        Ok(Ended::Signal(number, _)) => {
            (None, Some(Problem::signal(number)), exit::SIGNAL + number)
        }
        Err(error) => (None, Some(Problem::no_threads(&error)), exit::CONFIG),
    };
    finish(shared, as_json, (report, error, code), &output, &limits)
}
