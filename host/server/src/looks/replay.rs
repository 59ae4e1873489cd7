//! Runs a script again out of its journal, up to an entry: where it is then, and what it has printed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kael_engine::journal::{Journal, Log};
use kael_engine::limits::Limits;
use kael_engine::run_info::RunId;
use kael_engine::runtime::{Repo, RunOptions};
use kael_engine::sandbox::{Ending, Output, Script, Suspension};
use kael_runs::Replayable;

use super::asking::{Asking, names};
use super::{Held, within};
use crate::api::approvals::{blocking, of_runs_error};
use crate::app::App;
use crate::problem::{Kind, Problem};
use crate::tenant::Tenant;

/// Bytes of the end of the output.
const MAX_OUTPUT: usize = 64 << 10;

/// A script behind an entry of its journal.
pub(crate) struct Replayed {
    /// The Lua frames, innermost first, with the names of their local variables.
    pub(crate) frames: Vec<String>,
    /// The values of these.
    pub(crate) variables: BTreeMap<String, String>,
    /// The end of what it had printed.
    pub(crate) output: String,
    /// The bytes before that.
    pub(crate) output_before: u64,
    /// How it had ended, if it had.
    pub(crate) ended: Option<String>,
}

/// Replays a run up to an entry.
///
/// # Errors
/// When its journal cannot be used, or the script takes too long to get there.
pub(crate) async fn replay(
    app: &Arc<App>,
    tenant: &Tenant,
    id: RunId,
    seq: u64,
    held: &Held,
) -> Result<Replayed, Problem> {
    let run = Loaded::new(app, tenant, id, held).await?;
    let wanted = names(&run.script.source);
    if let Some(found) = once(app, tenant, run, seq, wanted).await? {
        return Ok(found);
    }
    // A value takes that long to show: the frames are there without. The journal is read again, which is rare, and not
    // kept twice for every look.
    let run = Loaded::new(app, tenant, id, held).await?;
    let found = once(app, tenant, run, seq, Vec::new()).await?;
    found.ok_or_else(|| Problem::new(Kind::TooLong, "the run cannot be looked at there"))
}

/// A run that was read from the store.
struct Loaded {
    script: Script,
    limits: Limits,
    repo: Option<Arc<Repo>>,
    log: Log,
}

impl Loaded {
    async fn new(app: &Arc<App>, tenant: &Tenant, id: RunId, held: &Held) -> Result<Self, Problem> {
        let (runs, held) = (app.runs_of(tenant.id), held.clone());
        let reading = move || {
            let _held = held;
            runs.replayable(id)
        };
        let replayable = blocking(reading).await?;
        let replayable = replayable.map_err(|error| of_runs_error(&error))?;
        let Replayable {
            script,
            limits,
            repo,
            log,
            ..
        } = replayable;
        let bundle = log.begin().bundle;
        let repo = match repo {
            None => None,
            Some(snapshot) => {
                let (repos, options) = (&app.runner.repos, tenant.repo_options());
                let restored = repos.restored(&app.engine, tenant.id, bundle, snapshot, options);
                Some(restored.map_err(|error| Problem::new(Kind::Unavailable, error.to_string()))?)
            }
        };
        Ok(Self {
            script,
            limits,
            repo,
            log,
        })
    }
}

/// Replays a run up to an entry, and asks there for the values of names; none if it was a value that took too long.
async fn once(
    app: &Arc<App>,
    tenant: &Tenant,
    run: Loaded,
    seq: u64,
    names: Vec<String>,
) -> Result<Option<Replayed>, Problem> {
    let with_values = !names.is_empty();
    let output = Output::in_memory();
    let asking = Arc::new(Asking::new(names, output.clone()));
    let options = RunOptions {
        tenant: tenant.engine_name(),
        limits: within(&run.limits),
        journal: Some(Journal::replay(run.log, Some(seq)).with_inspector(asking.clone())),
        output: output.clone(),
        ..RunOptions::default()
    };
    let report = app.engine.run(run.repo.as_ref(), run.script, options).await;
    if with_values && asking.has_arrived() && matches!(report.ending, Ending::Limit(..)) {
        return Ok(None);
    }
    let (frames, ended) = place(report.ending)?;
    let (mut printed, values) = asking.found();
    printed.push_str(&output.take());
    let before = printed.ceil_char_boundary(printed.len().saturating_sub(MAX_OUTPUT));
    let locals = locals(&frames);
    let variables = values.into_iter();
    Ok(Some(Replayed {
        variables: variables
            .filter(|(name, _)| locals.contains(name.as_str()))
            .collect(),
        frames,
        output: printed.split_off(before),
        output_before: before as u64,
        ended,
    }))
}

/// The frames that an ending tells of, and how the script has ended, if that was not only the end of the look.
fn place(ending: Ending<Option<String>>) -> Result<(Vec<String>, Option<String>), Problem> {
    let unavailable = |detail: &str| Problem::new(Kind::Unavailable, detail);
    match ending {
        Ending::Suspended(Suspension::LogEnds, frames) => Ok((frames, None)),
        Ending::Suspended(why, frames) => Ok((frames, Some(why.to_string()))),
        Ending::Done(_) => Ok((Vec::new(), Some("the script has returned".to_owned()))),
        Ending::Exited(code) => {
            let how = format!("the script has ended itself with os.exit({code})");
            Ok((Vec::new(), Some(how)))
        }
        Ending::Failed(error) => Ok((error.traceback, Some(error.message))),
        Ending::Limit(hit, frames) if matches!(hit.name(), "cpu" | "timeout" | "output") => {
            let detail = format!("the script gets there only beyond what a look may use: {hit}");
            let problem = Problem::new(Kind::TooLong, detail);
            Err(Problem {
                frames,
                ..problem.hint("an earlier entry may be near enough")
            })
        }
        Ending::Limit(hit, frames) => Ok((frames, Some(hit.to_string()))),
        Ending::Busy(busy) => Err(unavailable(&busy.to_string()).hint("send it again")),
        Ending::Cancelled(_) | Ending::OutputClosed | Ending::OutputFailed(_) => {
            Err(unavailable("the look was ended"))
        }
        Ending::Fault(fault) => {
            tracing::error!("a run was not looked at: {fault}");
            Err(unavailable("the run cannot be looked at"))
        }
    }
}

/// The names of local variables that frames have.
fn locals(frames: &[String]) -> BTreeSet<&str> {
    let lists = frames
        .iter()
        .filter_map(|frame| frame.split_once("; locals "));
    lists.flat_map(|(_, names)| names.split(", ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_name_their_locals() {
        let frames = [
            "s.lua:3: in function <s.lua:2>; locals a, b".to_owned(),
            "s.lua:9: in main chunk".to_owned(),
        ];
        assert_eq!(locals(&frames), BTreeSet::from(["a", "b"]));
    }
}
