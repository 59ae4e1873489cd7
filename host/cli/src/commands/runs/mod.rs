//! `kael-host runs`: looks at the runs of `run --journal`, and continues them.

mod approvals;
pub(crate) mod args;
mod cancel;
mod fork;
mod import;
mod inspect;
mod list;
mod replay;
mod resume;
mod show;
mod work;

use serde_json::{Value, json};

use super::run::named;
use crate::args::Shared;
use crate::durable::{problem, store_in};
use crate::exit;
use crate::labels;
use crate::report::{self, Problem};
use crate::terminal::{say, say_by, say_json};
use kael_engine::environment::Environment;
use kael_engine::journal::Verdict;
use kael_engine::limits::Limits;
use kael_engine::run_info::RunId;
use kael_engine::runtime::RunReport;
use kael_engine::sandbox::Output;
use kael_runs::{Runs, RunsError, Signal, Verified};

use args::{ResolveWord, Runs as Arguments, RunsCommand};

pub(super) fn run(shared: &Shared, arguments: &Arguments, environment: Environment) -> u8 {
    let command = &arguments.command;
    let as_json = is_json(command);
    let store = match store_in(&environment.data_folder()) {
        Ok(store) => store,
        Err(error) => return error.report(shared, as_json, exit::CONFIG),
    };
    let runs = &store.0;
    let outcome = match command {
        RunsCommand::Ls { count, labels, .. } => {
            let labels = match labels::labels(labels) {
                Ok(labels) => labels,
                Err(message) => {
                    return Problem::usage(message).report(shared, as_json, exit::USAGE);
                }
            };
            list::list(runs, *count, &labels, as_json)
        }
        RunsCommand::Show { id, output, .. } => show::show(runs, id, *output, as_json),
        RunsCommand::Resume { id, bounds, .. } => {
            return resume::resume(shared, &store, id, bounds, as_json, false, environment);
        }
        RunsCommand::Work { once, bounds, .. } => {
            return work::work(shared, &store, *once, bounds, as_json, &environment);
        }
        RunsCommand::Replay {
            id,
            to,
            repl,
            script,
            ..
        } => {
            let at = replay::At {
                id,
                to: *to,
                repl: *repl,
            };
            return replay::replay(shared, runs, at, script.as_deref(), as_json, environment);
        }
        RunsCommand::Cancel { id, now, .. } => cancel::cancel(runs, id, *now, as_json),
        RunsCommand::Resolve {
            id,
            call,
            verdict,
            result,
            message,
            ..
        } => {
            let verdict = match verdict {
                ResolveWord::Retry => Verdict::Retry,
                ResolveWord::Failed => Verdict::Failed(message.clone()),
                ResolveWord::Done => match serde_json::from_str::<Value>(result) {
                    Ok(_) => Verdict::Done(result.clone()),
                    Err(error) => {
                        let message = format!("--result is not JSON: {error}");
                        return Problem::usage(message).report(shared, as_json, exit::USAGE);
                    }
                },
            };
            resolve(runs, id, *call, verdict, as_json)
        }
        RunsCommand::Signal {
            id,
            name,
            payload,
            once,
            ..
        } => {
            let signal = Signal {
                name: name.clone(),
                payload: payload.clone(),
                by: "local".to_owned(),
                once: once.clone(),
            };
            signalled(runs, id, signal, as_json)
        }
        RunsCommand::Approvals { .. } => approvals::list(runs, as_json),
        RunsCommand::Approve { decision } | RunsCommand::Deny { decision } => {
            let yes = matches!(command, RunsCommand::Approve { .. });
            let (of, note) = ((&*decision.id, decision.call), decision.note.as_deref());
            approvals::decide(runs, of, &decision.digest, yes, note, as_json)
        }
        RunsCommand::Rm { ids, force, .. } => remove(runs, ids, *force, as_json),
        RunsCommand::Fork { id, at, script, .. } => {
            let script = script.as_deref().map(named).transpose();
            match script {
                Ok(script) => fork::fork(runs, id, *at, script, as_json),
                Err(message) => {
                    return Problem::usage(message).report(shared, as_json, exit::USAGE);
                }
            }
        }
        RunsCommand::Export { id, .. } => export(runs, id),
        RunsCommand::Import { file, trust, .. } => {
            return import::import(shared, runs, file, *trust, as_json);
        }
        RunsCommand::Verify { id, .. } => verify(shared, runs, id, as_json),
    };
    outcome.unwrap_or_else(|error| refused(shared, &error, as_json))
}

fn is_json(command: &RunsCommand) -> bool {
    match command {
        RunsCommand::Ls { json, .. }
        | RunsCommand::Show { json, .. }
        | RunsCommand::Resume { json, .. }
        | RunsCommand::Cancel { json, .. }
        | RunsCommand::Signal { json, .. }
        | RunsCommand::Approvals { json }
        | RunsCommand::Resolve { json, .. }
        | RunsCommand::Rm { json, .. }
        | RunsCommand::Replay { json, .. }
        | RunsCommand::Work { json, .. }
        | RunsCommand::Fork { json, .. }
        | RunsCommand::Import { json, .. }
        | RunsCommand::Export { json, .. }
        | RunsCommand::Verify { json, .. } => *json,
        RunsCommand::Approve { decision } | RunsCommand::Deny { decision } => decision.json,
    }
}

/// What cannot be done, with what would help.
fn refused(shared: &Shared, error: &RunsError, as_json: bool) -> u8 {
    let (hint, code) = match error {
        RunsError::Unknown(_) | RunsError::Ambiguous { .. } => {
            (Some("kael-host runs ls lists them"), exit::USAGE)
        }
        RunsError::NoDoubt { .. } => (
            Some("kael-host runs show tells which calls are"),
            exit::USAGE,
        ),
        RunsError::Undecided { .. } => (
            Some("kael-host runs approvals prints the calls that wait"),
            exit::USAGE,
        ),
        RunsError::Fork { .. } => (
            Some("kael-host runs show prints the entries with their numbers"),
            exit::USAGE,
        ),
        RunsError::OtherRun(_)
        | RunsError::State { .. }
        | RunsError::Document(_)
        | RunsError::TooLarge { .. } => (None, exit::USAGE),
        RunsError::Busy(_) => (Some("wait until that process has ended"), exit::USAGE),
        RunsError::Broken { .. } => (
            Some("kael-host runs verify says where"),
            exit::SCRIPT_FAILED,
        ),
        RunsError::Guest { .. } => (Some("go on with the Kael that began it"), exit::CONFIG),
        RunsError::Missing { .. } | RunsError::Store(_) => (None, exit::CONFIG),
    };
    let problem = problem(error);
    let problem = match hint {
        Some(hint) => problem.hinted(hint),
        None => problem,
    };
    problem.report(shared, as_json, code)
}

/// Prints how a run ended: its report, the error and the exit code.
fn finish(
    shared: &Shared,
    as_json: bool,
    (report, error, code): (Option<RunReport>, Option<Problem>, u8),
    output: &Output,
    limits: &Limits,
) -> u8 {
    if as_json {
        let kept = output.kept();
        let document = report::json(report.as_ref(), error.as_ref(), &kept, limits, code);
        return say_json(&document, code);
    }
    if let Some(error) = error {
        error.print(shared.quiet);
    }
    code
}

fn signalled(runs: &Runs, id: &str, signal: Signal, as_json: bool) -> Result<u8, RunsError> {
    let id = runs.find(id)?;
    let what = match runs.signal(id, signal)? {
        true => "signalled",
        false => "had this signal",
    };
    Ok(done(id, what, as_json))
}

fn resolve(
    runs: &Runs,
    id: &str,
    call: u64,
    verdict: Verdict,
    as_json: bool,
) -> Result<u8, RunsError> {
    let id = runs.find(id)?;
    runs.resolve(id, call, verdict, "local")?;
    Ok(done(id, "settled", as_json))
}

fn remove(runs: &Runs, ids: &[String], force: bool, as_json: bool) -> Result<u8, RunsError> {
    let ids = ids.iter().map(|id| runs.find(id));
    let ids = ids.collect::<Result<Vec<RunId>, _>>()?;
    for id in &ids {
        runs.remove(*id, force)?;
    }
    let count = ids.len();
    Ok(match as_json {
        true => say_json(
            &json!({ "ok": true, "exit_code": exit::SUCCESS, "removed": count }),
            exit::SUCCESS,
        ),
        false => say(&format!("removed: {count}\n"), exit::SUCCESS),
    })
}

fn export(runs: &Runs, id: &str) -> Result<u8, RunsError> {
    let id = runs.find(id)?;
    let mut refused = None;
    let code = say_by(exit::SUCCESS, |out| match runs.export(id, out) {
        Ok(written) => written,
        Err(error) => {
            refused = Some(error);
            Ok(())
        }
    });
    match refused {
        Some(error) => Err(error),
        None => Ok(code),
    }
}

fn verify(shared: &Shared, runs: &Runs, id: &str, as_json: bool) -> Result<u8, RunsError> {
    let id = runs.find(id)?;
    Ok(match runs.verify(id)? {
        Verified::Whole(entries, chain) if as_json => {
            let document = json!({ "ok": true, "exit_code": exit::SUCCESS, "entries": entries, "chain": chain });
            say_json(&document, exit::SUCCESS)
        }
        Verified::Whole(entries, chain) => {
            let text = format!("{id}: {entries} entries, whole; the last chain is {chain}\n");
            say(&text, exit::SUCCESS)
        }
        Verified::Broken(broken) => {
            let problem = Problem::usage(format!("run {id}: {broken}"));
            problem.report(shared, as_json, exit::SCRIPT_FAILED)
        }
    })
}

fn done(id: RunId, what: &str, as_json: bool) -> u8 {
    match as_json {
        true => say_json(
            &json!({ "ok": true, "exit_code": exit::SUCCESS, "run": id.to_string(), "state": what }),
            exit::SUCCESS,
        ),
        false => say(&format!("{id}: {what}\n"), exit::SUCCESS),
    }
}
