//! Cancelling a run.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State as AppState;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use kael_engine::run_info::RunId;
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
use crate::runner::family::{self, FamilyEvents};
use crate::tables::runs::{RunRow, State};
use crate::tables::{audit, queue, runs};

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
    let (who, scoped, id) = (scope.caller.name.clone(), scope.scoped(), run.id);
    let row = run.clone();
    let by = who.clone();
    let written = app.store.write(move |tx| {
        let detail = json!({ "reason": reason });
        audit::add(
            tx,
            Some(scoped.0),
            &who,
            "run.cancel",
            &id.to_string(),
            &detail,
        )?;
        let queued = queue::remove(tx, row.tenant, row.priority, row.ready, &id)?;
        let later = !queued && queue::remove_later(tx, row.ready, &id)?;
        let now = runs::get(tx, scoped, &id)?.map(|run| run.state);
        let stopped = matches!(now, Some(State::Waiting | State::Parked));
        if !queued && !later && !stopped {
            return Ok(None);
        }
        let ended = kael_runs::server::cancel(tx, RunId::from_bytes(*id.bytes()), &who)?;
        let ended = FamilyEvents::write(tx, ended, &format!("run {id}"))?;
        let message = match row.started {
            None => format!("{who} cancelled the run before it began"),
            Some(_) => format!("{who} cancelled the run"),
        };
        let event = family::end(tx, &id, &message)?;
        Ok(Some((event, queued, ended)))
    });
    match written.await? {
        Some((event, queued, ended)) => {
            if queued {
                app.runner.fair().left_queue(run.tenant, 1);
            }
            app.runner.lives.publish(&id, event);
            ended.tell(app);
            app.runner.wake.notify_one();
            app.runner.ended.notify_waiters();
        }
        // It runs, or is about to: the claim loop enters it at once.
        None => {
            for _ in 0..100 {
                if app.runner.cancel(&id, &by) {
                    break;
                }
                let now = find(app, scope, &id.to_string()).await?;
                if now.state.is_over() {
                    return Ok(now);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
    find(app, scope, &id.to_string()).await
}
