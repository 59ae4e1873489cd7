//! The journal of a run that this server runs. Every run has one, so that it goes on when the server has died, and so
//! that it takes no slot while it waits.

use std::collections::BTreeMap;
use std::sync::Arc;

use kael_engine::journal::Journal;
use kael_engine::limits::Limits;
use kael_engine::run_info::{RunId, RunInfo};
use kael_engine::runtime::Repo;
use kael_engine::sandbox::{Input, Script};
use kael_engine::trace_context::TraceContext;
use kael_runs::{Begun, Resumable, Rules, RunsError};
use serde_json::Value;

use super::claimed::Claimed;
use super::ending::problem;
use crate::app::App;
use crate::tenant::Tenant;

/// A run that is about to begin, or to go on.
pub(super) struct Journaled {
    pub(super) info: Arc<RunInfo>,
    pub(super) script: Script,
    pub(super) limits: Limits,
    pub(super) repo: Option<Arc<Repo>>,
    pub(super) begun: Begun,
}

impl Journaled {
    /// For the engine.
    pub(super) fn journal(&self) -> Journal {
        self.begun.journal.clone()
    }

    /// The same as a part of a distributed trace.
    pub(super) fn traced(self, trace: Option<TraceContext>) -> Self {
        let info = RunInfo::traced(self.info.id, self.info.tenant.clone(), trace);
        Self { info, ..self }
    }
}

/// Takes a new run.
///
/// # Errors
/// Why its journal cannot be written.
pub(super) fn begin(
    app: &App,
    tenant: &Tenant,
    claimed: &Claimed,
    source: Vec<u8>,
    repo: Option<Arc<Repo>>,
) -> Result<Journaled, RunsError> {
    let run = &claimed.run;
    let script = Script {
        name: run.name.clone(),
        source,
        args: serde_json::from_str(&run.args).unwrap_or_default(),
        inputs: Vec::new(),
        input: Input::none(),
        want_result: true,
    };
    let info = RunInfo::with_id(RunId::from_bytes(*run.id.bytes()), tenant.engine_name());
    let limits = tenant.limits_of(&run.limits);
    let stored = match &repo {
        None => None,
        Some(repo) => Some(app.runner.repos.stored(tenant.id, repo)?),
    };
    let runs = app.runs_of(tenant.id);
    let begun = runs.begin(
        &info,
        &script,
        &limits,
        stored,
        Rules::default(),
        &BTreeMap::new(),
    )?;
    Ok(Journaled {
        info,
        script,
        limits,
        repo,
        begun,
    })
}

/// Takes a run that goes on, of whose output that many bytes are known.
///
/// # Errors
/// Why it cannot go on, as its page tells it.
pub(super) async fn resume(
    app: &Arc<App>,
    tenant: &Tenant,
    claimed: &Claimed,
    shown: u64,
) -> Result<Journaled, Value> {
    let (runs, id) = (
        app.runs_of(tenant.id),
        RunId::from_bytes(*claimed.run.id.bytes()),
    );
    let taken = tokio::task::spawn_blocking(move || runs.resume_behind(id, shown)).await;
    let taken = match taken {
        Ok(taken) => taken.map_err(|error| refused(&error))?,
        Err(error) => return Err(problem("bug", &error.to_string(), None)),
    };
    let Resumable {
        info,
        script,
        limits,
        repo,
        bundle,
        begun,
    } = taken;
    let repo = match repo {
        None => None,
        Some(snapshot) => {
            let options = tenant.repo_options();
            let repos = &app.runner.repos;
            let restored = repos.restored(&app.engine, tenant.id, bundle, snapshot, options);
            let hint = "the run goes on with the Kael that began it";
            Some(restored.map_err(|error| problem("repo", &error.to_string(), Some(hint)))?)
        }
    };
    // The tenant's own may have become smaller since. The memory is that with which it began.
    let limits = Limits {
        memory: limits.memory,
        ..limits.lower(tenant.limits())
    };
    Ok(Journaled {
        info,
        script,
        limits,
        repo,
        begun,
    })
}

/// Why a run cannot go on.
fn refused(error: &RunsError) -> Value {
    let (kind, hint) = match error {
        RunsError::Guest { .. } => (
            "guest_missing",
            "start the server with the version of Kael that began the run, or cancel the run",
        ),
        RunsError::Broken { .. } | RunsError::Missing { .. } => (
            "journal",
            "restore the store of the server from a backup, or cancel the run",
        ),
        _ => ("journal", "kael-host resume goes on where its journal ends"),
    };
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    problem(kind, &message, Some(hint))
}
