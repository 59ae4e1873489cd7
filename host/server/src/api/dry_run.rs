//! Running a script without its actions: which it would call, and with which parameters.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State as AppState;
use kael_engine::gate::answers::{Answers, DryRun, Planned};
use kael_engine::runtime::RunOptions;
use kael_engine::sandbox::{Input, Output, Script};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::extract::Body;
use super::run_row::check_fields;
use super::submit::{named_text, repo_broken};
use super::types::{RunError, Submit};
use crate::app::App;
use crate::auth::Scope;
use crate::looks::{look, start, within};
use crate::problem::Problem;
use crate::role::Role;
use crate::runner::ending::{self, Outcome};

/// Calls that a dry run may make, and bytes of the output and of each call's parameters that the answer has.
const MAX_CALLS: u32 = 1000;
const MAX_OUTPUT: usize = 256 << 10;
const MAX_PARAMS: usize = 16 << 10;

/// What a script would do.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct DryRunAnswer {
    /// `succeeded` or `failed`.
    pub(crate) state: String,
    /// What it printed: the beginning, up to 256 KiB.
    pub(crate) output: String,
    /// What it would have called, in the order in which the calls came.
    pub(crate) calls: Vec<PlannedCall>,
    /// Why it failed, if it did.
    pub(crate) error: Option<RunError>,
}

/// A call that would have been made.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PlannedCall {
    /// The action.
    pub(crate) action: String,
    /// What it would get, as JSON text: the beginning, where it has more than 16 KiB.
    pub(crate) params: String,
    /// What the script got instead of an answer, and from where.
    pub(crate) answer: String,
    /// Where that came from, in words.
    pub(crate) from: String,
}

/// Run a script without its actions.
///
/// Nothing is called and nothing is kept: each call that the policy allows is answered with the example of its
/// definition, or what fits its `returns`. It may take 10 seconds, and one runs at a time for each tenant.
#[utoipa::path(
    post, path = "/v1/runs/dry-run", tag = "runs", operation_id = "dry_run", request_body = Submit,
    responses(
        (status = 200, description = "What it would do", body = DryRunAnswer),
        (status = 404, description = "There is no stored script of that name", body = Problem),
        (status = 422, description = "A value is not allowed, or the script takes too long", body = Problem),
        (status = 429, description = "Another one goes on", body = Problem),
        (status = 503, description = "The actions repo of the tenant cannot be used", body = Problem)
    ),
    extensions(("x-kael-role" = json!("submitter")))
)]
pub(crate) async fn dry_run(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Body(mut body): Body<Submit>,
) -> Result<Json<DryRunAnswer>, Problem> {
    scope.needs(Role::Submitter)?;
    let (name, source) = named_text(&app, &scope, &mut body).await?;
    let tenant = &scope.tenant;
    let mut limits = within(&check_fields(tenant, &body)?);
    limits.calls = limits.calls.min(MAX_CALLS);
    let repo = tenant.repo(&app.engine).await;
    let repo = repo.map_err(|error| repo_broken(&error))?;
    let planned = Arc::new(Mutex::new(Vec::new()));
    let told = planned.clone();
    let tell = move |planned: &Planned| {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        told.push(of_planned(planned));
    };
    let output = Output::in_memory();
    let options = RunOptions {
        tenant: tenant.engine_name(),
        limits,
        policy: tenant.policy(body.read_only),
        secrets: Some(tenant.secrets()),
        output: output.clone(),
        without_repo: repo.is_none().then(|| tenant.without_repo(&app.engine)),
        dry_run: Some(Arc::new(DryRun::new(Answers::default(), tell))),
        ..RunOptions::default()
    };
    let script = Script {
        name,
        source,
        args: body.args,
        inputs: Vec::new(),
        input: Input::none(),
        want_result: true,
    };
    let engine = app.engine.clone();
    let run = move |held| async move {
        let _held = held;
        Ok(engine.run(repo.as_ref(), script, options).await)
    };
    let report = look(&app, tenant.id, run).await?;
    let (state, error) = match ending::of_report(report, Some("the server")) {
        Outcome::Ended(ended) => (ended.state.name(), ended.error),
        _ => ("failed", None),
    };
    let calls = std::mem::take(&mut *planned.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Json(DryRunAnswer {
        state: state.to_owned(),
        output: start(&output.take(), MAX_OUTPUT),
        calls,
        error: error.and_then(|error| serde_json::from_str(&error).ok()),
    }))
}

fn of_planned(planned: &Planned) -> PlannedCall {
    PlannedCall {
        action: planned.action.clone(),
        params: start(&planned.params, MAX_PARAMS),
        answer: match &planned.answer {
            Ok(text) => start(text, MAX_PARAMS),
            Err(error) => Value::from(start(&error.message, MAX_PARAMS)).to_string(),
        },
        from: planned.from.words().to_owned(),
    }
}
