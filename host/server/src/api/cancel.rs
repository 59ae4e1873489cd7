//! Cancelling a run.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
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
use crate::tables::runs::RunRow;
use crate::tables::{audit, runs};

/// How a run is cancelled.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Cancel {
    /// Why, for the record.
    pub(crate) reason: Option<String>,
}

/// Cancel a run.
///
/// A run that has not begun never does, and one that waits does not go on. One that runs is ended at once with all that it has started; the
/// answer does not wait for that.
#[utoipa::path(
    post, path = "/v1/runs/{id}/cancel", tag = "runs", operation_id = "cancel_run", request_body = Cancel,
    params(("id" = String, Path, description = "The id of the run")),
    responses(
        (status = 202, body = Run),
        (status = 404, body = Problem),
        (status = 409, description = "The run is over", body = Problem)
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
    let run = cancel_run(&app, &scope, run, body.reason).await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(Run::of(&run, &scope.tenant.name)),
    )
        .into_response())
}

/// Cancels a run, and writes down who did.
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
    let detail = json!({ "reason": reason });
    let noted = app.store.write(move |tx| {
        let object = id.to_string();
        runs::cancelled_by(tx, &id, &who)?;
        audit::add(tx, Some(tenant), &who, "run.cancel", &object, &detail)
    });
    noted.await?;
    if !family::cancel(app, id, &by).await? {
        let detail = "the run cannot be cancelled just now: the server is too busy";
        return Err(Problem::new(Kind::Unavailable, detail));
    }
    find(app, scope, &id.to_string()).await
}
