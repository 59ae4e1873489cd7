//! `kael-host runs resume`: goes on with a run where its journal ends.

use std::sync::{Arc, OnceLock};

use super::{finish, refused};
use crate::approver;
use crate::args::{Bounds, Shared};
use crate::durable::{self, RunStore};
use crate::exit;
use crate::progress;
use crate::report::Problem;
use crate::runtime::{Ended, block_run};
use crate::settings;
use crate::snippet::SourceMap;
use kael_engine::environment::Environment;
use kael_engine::limits::Limits;
use kael_engine::runtime::LoadError;
use kael_runs::{Resumable, Rules};

/// Goes on with a run, and says how that ended; with `quietly` nothing but the exit code.
pub(super) fn resume(
    shared: &Shared,
    store: &RunStore,
    id: &str,
    bounds: &Bounds,
    as_json: bool,
    quietly: bool,
    environment: Environment,
) -> u8 {
    if bounds.max_memory.is_some() {
        let message = "a run keeps the memory that it began with: --max-memory cannot be changed";
        return Problem::usage(message.to_owned()).report(shared, as_json, exit::USAGE);
    }
    let found = store.0.find(id);
    let found = found.and_then(|id| Ok((id, store.0.rules(id)?)));
    let (id, rules) = match found {
        Ok(found) => found,
        Err(error) => return refused(shared, &error, as_json),
    };
    let confinement = rules.confinement;
    let bounds = &held_to(bounds, rules);
    let config = match settings::config(shared, bounds, &environment) {
        Ok(config) => config,
        Err(error) => {
            return Problem::of_config_error(&error).report(shared, as_json, exit::CONFIG);
        }
    };
    let mut settings = settings::settings(&config, bounds, environment);
    if confinement < settings.envyr.confinement {
        settings.envyr.confinement = confinement;
    }
    settings.policy.approver = approver::at_terminal();
    let taken = store.0.resume(id);
    let Resumable {
        info,
        script,
        limits,
        repo,
        begun,
        ..
    } = match taken {
        Ok(taken) => taken,
        Err(error) => return refused(shared, &error, as_json),
    };
    let before = limits.clone();
    let limits = changed(limits, bounds);
    if limits != before
        && let Err(error) = store.0.keep_limits(id, &limits)
    {
        return refused(shared, &error, as_json);
    }
    let output = progress::script_output(as_json || quietly);
    let texts = {
        let source = String::from_utf8_lossy(&script.source).into_owned();
        SourceMap::default().with(&script.name, &source)
    };
    let cancel = OnceLock::new();
    let ran = block_run(&cancel, async {
        let runtime = settings.runtime(2)?;
        runtime.require_confinement().await?;
        let repo = match repo {
            Some(snapshot) => Some(Arc::new(
                runtime.restored(snapshot, settings.repo_options(&output))?,
            )),
            None => None,
        };
        let mut options = settings.run_options(output.clone());
        options.tenant = info.tenant.clone();
        options.limits = limits.clone();
        options.journal = Some(begun.journal.clone());
        options.run = Some(info);
        let durable = store.going_on(begun);
        let handle = runtime.run(repo.as_ref(), script, options);
        cancel.set(handle.canceller()).ok();
        let report = handle.await;
        durable.conclude(&report).await;
        Ok::<_, LoadError>(report)
    });
    let (report, error, code) = match ran {
        Ok(Ended::Done(Ok(report))) => {
            let error = Problem::of_ending(&report.ending).map(|error| error.quoting(texts));
            let error = error.map(|error| durable::hinted(error, &report));
            let code = exit::of_ending(&report.ending);
            (Some(report), error, code)
        }
        Ok(Ended::Done(Err(error))) => {
            let code = exit::of_load_error(&error);
            (None, Problem::of_load_error(&error), code)
        }
        Ok(Ended::Signal(number, ended)) => {
            let report = ended.and_then(Result::ok);
            let error = Problem::signal(number);
            let error = match &report {
                Some(report) => durable::resumable(error, report),
                None => error,
            };
            (report, Some(error), exit::SIGNAL + number)
        }
        Err(error) => (None, Some(Problem::no_threads(&error)), exit::CONFIG),
    };
    match quietly {
        true => code,
        false => finish(shared, as_json, (report, error, code), &output, &limits),
    }
}

/// What was typed, and what the run was held to when it began.
fn held_to(bounds: &Bounds, rules: Rules) -> Bounds {
    let mut bounds = bounds.clone();
    bounds.policy.extend(rules.policies);
    bounds.deny.extend(rules.deny);
    bounds.read_only |= rules.read_only;
    bounds.audit = bounds.audit.or(rules.audit);
    bounds
}

/// The limits of the run, with those that were typed.
fn changed(mut limits: Limits, bounds: &Bounds) -> Limits {
    limits.cpu = bounds.max_cpu.unwrap_or(limits.cpu);
    limits.wall = bounds.timeout.unwrap_or(limits.wall);
    limits.output = bounds.max_output.unwrap_or(limits.output);
    limits.calls = bounds.max_calls.unwrap_or(limits.calls);
    limits.parallel = bounds.max_parallel.unwrap_or(limits.parallel);
    limits
}
