//! `kael-host runs replay`: runs a script again out of its journal.

use std::ffi::OsStr;
use std::sync::{Arc, OnceLock};

use super::super::run::named;
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
use kael_runs::Runs;

pub(super) fn replay(
    shared: &Shared,
    runs: &Runs,
    id: &str,
    to: Option<u64>,
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
    let limits = replayable.limits.clone();
    let cancel = OnceLock::new();
    let ran = block_run(&cancel, async {
        let runtime = settings.runtime(2)?;
        let options = settings.repo_options(&output);
        let repo = replayable.repo.map(|repo| runtime.restored(repo, options));
        let repo = repo.transpose()?.map(Arc::new);
        let mut options = settings.run_options(output.clone());
        options.limits = limits.clone();
        options.journal = Some(Journal::replay(replayable.log, to));
        let handle = runtime.run(repo.as_ref(), replayable.script, options);
        cancel.set(handle.canceller()).ok();
        Ok::<_, LoadError>(handle.await)
    });
    let (report, error, code) = match ran {
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
