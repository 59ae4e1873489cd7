//! Cancelling a run.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use kael_engine::run_info::RunId;
use kael_runs::{CancelOutcome, server};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::extract::{Body, Names};
use super::runs::find;
use super::types::Run;
use crate::app::App;
use crate::auth::Scope;
use crate::problem::{Kind, Problem};
use crate::role::Role;
use crate::runner::family;
use crate::tables::runs::{RunRow, State};
use crate::tables::{audit, runs};

/// How a run is cancelled.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cancel {
    /// `graceful`: the script gets an error where it waits, and has ten seconds to clean up; `now`: nothing more of it
    /// runs. `graceful` unless this says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Why, for the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Cancel a run.
///
/// A run that has not begun never does, and one that is parked does not go on. One that runs or waits cleans up, or is
/// ended at once with all that it has started, as `mode` says; the answer does not wait for that.
#[utoipa::path(
    post, path = "/v1/runs/{id}/cancel", tag = "runs", operation_id = "cancel_run", request_body = Cancel,
    params(("id" = String, Path, description = "The id of the run")),
    responses(
        (status = 202, body = Run),
        (status = 404, body = Problem),
        (status = 409, description = "The run is over", body = Problem),
        (status = 422, description = "There is no such mode", body = Problem)
    ),
    extensions(("x-kael-role" = json!("submitter")))
)]
pub(crate) async fn cancel(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(id): Names<String>,
    Body(body): Body<Cancel>,
) -> Result<Response, Problem> {
    scope.needs(Role::Submitter)?;
    let run = find(&app, &scope, &id).await?;
    let run = match body.mode.as_deref() {
        None | Some("graceful") => ask_to_end(&app, &scope, run, body.reason).await?,
        Some("now") => cancel_run(&app, &scope, run, body.reason).await?,
        Some(other) => {
            let other: String = other.chars().take(40).collect();
            let detail = format!("`mode` is graceful or now, got `{other}`");
            return Err(Problem::new(Kind::Invalid, detail));
        }
    };
    Ok((
        StatusCode::ACCEPTED,
        Json(Run::of(&run, &scope.tenant.name)),
    )
        .into_response())
}

/// Asks a run to end, and writes down who did. One that has nothing to clean up ends at once.
async fn ask_to_end(
    app: &Arc<App>,
    scope: &Scope,
    run: RunRow,
    reason: Option<String>,
) -> Result<RunRow, Problem> {
    if !matches!(run.state, State::Running | State::Waiting) {
        return cancel_run(app, scope, run, reason).await;
    }
    let (who, tenant, id) = (scope.caller.name.clone(), scope.tenant.id, run.id);
    let detail = json!({ "reason": reason, "mode": "graceful" });
    let asking = app.store.write(move |tx| {
        let outcome = server::ask_to_end(tx, RunId::from_bytes(*id.bytes()), &who)?;
        if outcome != CancelOutcome::Ended {
            let object = id.to_string();
            audit::add(tx, Some(tenant), &who, "run.cancel", &object, &detail)?;
        }
        Ok(outcome)
    });
    if asking.await? == CancelOutcome::Ended {
        // It has stopped meanwhile, and may be over.
        let run = find(app, scope, &id.to_string()).await?;
        return cancel_run(app, scope, run, reason).await;
    }
    app.runner.wake.notify_one();
    find(app, scope, &id.to_string()).await
}

/// Cancels a run at once, and writes down who did.
pub(crate) async fn cancel_run(
    app: &Arc<App>,
    scope: &Scope,
    run: RunRow,
    reason: Option<String>,
) -> Result<RunRow, Problem> {
    if run.state.is_over() {
        let detail = format!("the run is over: it {}", run.state.name());
        return Err(Problem::new(Kind::WrongState, detail));
    }
    let (who, tenant, id) = (scope.caller.name.clone(), scope.tenant.id, run.id);
    let by = who.clone();
    let detail = json!({ "reason": reason, "mode": "now" });
    let noted = app.store.write(move |tx| {
        let object = id.to_string();
        runs::cancelled_by(tx, &id, &who)?;
        audit::add(tx, Some(tenant), &who, "run.cancel", &object, &detail)
    });
    noted.await?;
    if !family::cancel(app, id, &by).await? {
        // That somebody wants it is in the store, and holds whatever becomes of this server.
        family::keep_cancelling(app, id, by);
    }
    find(app, scope, &id.to_string()).await
}
