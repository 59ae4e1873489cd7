//! A new run of the beginning of another.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use kael_engine::run_info::RunId;
use kael_runs::{Forking, OtherScript, RunsError, export};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::approvals::{blocking, of_runs_error};
use super::extract::{Body, Names};
use super::runs::find_whole;
use super::submit::{MAX_SCRIPT, NewRun, Noted, must_compile, put, too_large};
use super::types::Run;
use crate::app::App;
use crate::auth::Scope;
use crate::id::Id;
use crate::looks::{Held, fits, look};
use crate::problem::{Kind, Problem};
use crate::role::Role;
use crate::tables::runs::RunRow;
use crate::time;

/// Where a run is forked.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fork {
    /// The number of the last entry of the journal that the new run has.
    #[schema(required, value_type = u64)]
    pub at: Option<u64>,
    /// Another script, which goes on where it asks for what the journal has; else the new run is parked, with both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
}

/// Make a new run of the beginning of another.
///
/// The new run has the journal of the other one up to an entry, and goes on from there, with idempotency keys of its own.
/// Nothing that was called before is called again. The run that it was made of stays as it is.
#[utoipa::path(
    post, path = "/v1/runs/{id}/fork", tag = "runs", operation_id = "fork_run", request_body = Fork,
    params(("id" = String, Path, description = "The id of the run")),
    responses(
        (status = 202, description = "The new run is in the queue", body = Run),
        (status = 404, body = Problem),
        (status = 409, description = "It cannot be forked at that entry, or not by this version of Kael", body = Problem),
        (status = 410, description = "The journal was removed", body = Problem),
        (status = 413, description = "The script or the journal is too large", body = Problem),
        (status = 422, description = "The script is no Lua, a value is not allowed, or the journal takes too long to read", body = Problem),
        (status = 429, description = "The queue or the storage is full", body = Problem)
    ),
    extensions(("x-kael-role" = json!("submitter")))
)]
pub(crate) async fn fork(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(id): Names<String>,
    Body(body): Body<Fork>,
) -> Result<Response, Problem> {
    scope.needs(Role::Submitter)?;
    let run = find_whole(&app, &scope, &id).await?;
    let Some(at) = body.at else {
        let detail = "`at` is missing: the number of the last entry that the new run has";
        return Err(Problem::new(Kind::Invalid, detail));
    };
    let mut other = None;
    if let Some(script) = body.script {
        if script.len() > MAX_SCRIPT {
            return Err(too_large(script.len()));
        }
        let digest: [u8; 32] = Sha256::digest(&script).into();
        must_compile(&app, &scope, &run.name, digest, script.as_bytes()).await?;
        other = Some((run.name.clone(), script.into_bytes()));
    }
    let (of_look, tenant, from) = (
        app.clone(),
        scope.tenant.id,
        RunId::from_bytes(*run.id.bytes()),
    );
    let reading = move |held| async move { forking(&of_look, tenant, from, at, other, held).await };
    let forking = look(&app, tenant, reading).await?;
    let (memory, most) = (forking.memory(), scope.tenant.limits().memory);
    if memory > most {
        let detail = format!(
            "the run may use {memory} of memory, which its fork keeps, and a run of this tenant may use {most}"
        );
        let hint = "submit its script anew; the operator may raise `limits.memory` of the tenant";
        return Err(Problem::new(Kind::WrongState, detail).hint(hint));
    }
    let (row, source) = {
        let (_, source) = forking.script();
        (
            row(&scope, &run, Id::of(*forking.id().bytes()), source),
            source.to_vec(),
        )
    };
    let noted = Noted {
        what: "run.fork",
        object: run.id.to_string(),
        detail: json!({ "at": at, "fork": row.id.to_string() }),
    };
    let new = NewRun {
        row,
        source,
        traceparent: None,
        forking: Some(forking),
        noted: Some(noted),
    };
    let (new, _) = put(&app, &scope.tenant, new, None).await?;
    let location = format!("/v1/runs/{}", new.id);
    let answer = Json(Run::of(&new, &scope.tenant.name));
    let mut response = (StatusCode::ACCEPTED, answer).into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// Reads the journal that is forked, and makes that of the new run of it.
async fn forking(
    app: &App,
    tenant: i64,
    from: RunId,
    at: u64,
    other: Option<OtherScript>,
    held: Held,
) -> Result<Forking, Problem> {
    let (_, bytes) = app.store.read(move |tx| export::size(tx, from)).await?;
    fits(bytes)?;
    let runs = app.runs_of(tenant);
    let reading = move || {
        let _held = held;
        runs.forking(from, at, other)
    };
    let forking = blocking(reading).await?;
    forking.map_err(|error| {
        let hint = match &error {
            RunsError::Fork { .. } => {
                "GET /v1/runs/{id}/journal has the entries with their numbers"
            }
            RunsError::Guest { .. } => "fork it with the version of Kael that began the run",
            _ => "try again",
        };
        of_runs_error(&error).hint(hint)
    })
}

/// The new run: what the other one was asked for, by who forks it.
fn row(scope: &Scope, run: &RunRow, id: Id, source: &[u8]) -> RunRow {
    RunRow {
        source: Sha256::digest(source).into(),
        submitter: scope.caller.name.clone(),
        token: Some(scope.caller.token),
        ..run.clone().anew(id, "fork", time::now())
    }
}
