//! What reaches a run that waits or is parked: signals, the word of a person, and looking at its journal.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use kael_engine::journal::Verdict;
use kael_engine::run_info::RunId;
use kael_runs::{Settlement, Signal};
use kael_store::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::approvals::{blocking, of_runs_error};
use super::extract::{Body, Names, Params};
use super::runs::{find, find_whole};
use super::types::Run;
use crate::app::App;
use crate::auth::Scope;
use crate::problem::{Kind, Problem};
use crate::role::Role;
use crate::runner::wake;
use crate::tables::audit;
use crate::tables::runs::{RunRow, State};

/// Bytes of entries that one answer has.
const JOURNAL_PAGE: u64 = 8 << 20;

/// A signal for a run.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SendSignal {
    /// What `wait_for` returns: any JSON, null unless it is given.
    #[schema(value_type = Value)]
    pub payload: Option<Box<RawValue>>,
    /// A signal with the same text as an earlier one of the run is that one, and comes once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// What became of a signal.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SentSignal {
    /// The run.
    pub run: String,
    /// False if the run has got it before.
    pub is_new: bool,
}

/// Send a signal to a run.
///
/// The run keeps it until its script asks for it with `wait_for`.
#[utoipa::path(
    post, path = "/v1/runs/{id}/signals/{name}", tag = "runs", operation_id = "signal_run", request_body = SendSignal,
    params(
        ("id" = String, Path, description = "The id of the run"),
        ("name" = String, Path, description = "The name of the signal")
    ),
    responses(
        (status = 202, description = "The run has it safe", body = SentSignal),
        (status = 404, body = Problem),
        (status = 409, description = "The run is over", body = Problem)
    ),
    extensions(("x-kael-role" = json!("submitter")))
)]
pub(crate) async fn signal(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names((id, name)): Names<(String, String)>,
    Body(body): Body<SendSignal>,
) -> Result<Response, Problem> {
    scope.needs(Role::Submitter)?;
    let run = find(&app, &scope, &id).await?;
    if run.state.is_over() {
        let detail = format!("the run is over: it {}", run.state.name());
        return Err(Problem::new(Kind::WrongState, detail));
    }
    let signal = Signal {
        name,
        payload: body
            .payload
            .map_or_else(|| "null".to_owned(), |payload| payload.get().to_owned()),
        by: scope.caller.name.clone(),
        once: body.id,
    };
    let (runs, run_id) = (app.runs_of(scope.tenant.id), journal_id(&run));
    let sent = blocking(move || runs.signal(run_id, signal)).await?;
    let is_new = sent.map_err(|error| of_runs_error(&error))?;
    app.runner.wake.notify_one();
    let run = run.id.to_string();
    Ok((StatusCode::ACCEPTED, Json(SentSignal { run, is_new })).into_response())
}

fn journal_id(run: &RunRow) -> RunId {
    RunId::from_bytes(*run.id.bytes())
}

/// Nothing to say beside the request itself.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Resume {
    /// Why, for the record.
    reason: Option<String>,
}

/// Let a parked run go on.
#[utoipa::path(
    post, path = "/v1/runs/{id}/resume", tag = "runs", operation_id = "resume_run", request_body = Resume,
    params(("id" = String, Path, description = "The id of the run")),
    responses(
        (status = 202, body = Run),
        (status = 404, body = Problem),
        (status = 409, description = "The run is not parked, or a call of it is in doubt", body = Problem)
    ),
    extensions(("x-kael-role" = json!("submitter")))
)]
pub(crate) async fn resume(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(id): Names<String>,
    Body(body): Body<Resume>,
) -> Result<Response, Problem> {
    scope.needs(Role::Submitter)?;
    let run = find(&app, &scope, &id).await?;
    resume_run(&app, &scope, &run, body.reason).await?;
    let run = find(&app, &scope, &id).await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(Run::of(&run, &scope.tenant.name)),
    )
        .into_response())
}

/// Lets a parked run go on, and writes down who did.
pub(crate) async fn resume_run(
    app: &Arc<App>,
    scope: &Scope,
    run: &RunRow,
    reason: Option<String>,
) -> Result<(), Problem> {
    if run.state != State::Parked {
        let detail = format!(
            "the run is {}, and only a parked run is resumed",
            run.state.name()
        );
        return Err(Problem::new(Kind::WrongState, detail));
    }
    if run.reason.as_deref() == Some("in_doubt") {
        let error: Value =
            serde_json::from_str(run.error.as_deref().unwrap_or("null")).unwrap_or_default();
        let detail = error["message"]
            .as_str()
            .unwrap_or("a call of the run is in doubt")
            .to_owned();
        let hint = error["hint"]
            .as_str()
            .unwrap_or("kael-host resolve settles it");
        return Err(Problem::new(Kind::WrongState, detail).hint(hint));
    }
    let detail = json!({ "reason": reason });
    queue(app, scope, run, ("run.resume", detail), None).await
}

/// Puts a parked run into the queue, with what settles its call in doubt, and writes down who did.
async fn queue(
    app: &Arc<App>,
    scope: &Scope,
    run: &RunRow,
    (what, detail): (&'static str, Value),
    settlement: Option<Settlement>,
) -> Result<(), Problem> {
    let (who, tenant, id) = (scope.caller.name.clone(), scope.tenant.id, run.id);
    let queued = app.store.write(move |tx| {
        let event = wake::go_on(tx, &id, State::Parked)?;
        if event.is_some() {
            if let Some(settlement) = &settlement {
                settlement.write(tx)?;
            }
            audit::add(tx, Some(tenant), &who, what, &id.to_string(), &detail)?;
        }
        Ok(event)
    });
    let event = match queued.await {
        Ok(Some(event)) => event,
        // It went on, and was parked anew, since the doubt was looked at.
        Ok(None) | Err(StoreError::Conflict(_)) => {
            let detail = "the run is not parked any more: another person has let it go on";
            return Err(Problem::new(Kind::WrongState, detail));
        }
        Err(error) => return Err(error.into()),
    };
    app.runner.fair().add_queued(tenant, 1);
    app.runner.lives.publish(&id, event);
    app.runner.wake.notify_one();
    Ok(())
}

/// Whether a call in doubt took place.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    /// `done`: it took place; `failed`: it did not, and the script gets an error; `retry`: it did not, and is begun again.
    pub outcome: String,
    /// What the action would have answered, for `done`: any JSON, null unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value)]
    pub result: Option<Box<RawValue>>,
    /// The message of the error, for `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// Settle whether a call in doubt took place. The run then goes on.
#[utoipa::path(
    post, path = "/v1/runs/{id}/calls/{call}/resolve", tag = "runs", operation_id = "resolve_call",
    request_body = Resolve,
    params(
        ("id" = String, Path, description = "The id of the run"),
        ("call" = u64, Path, description = "The number of the call in its run")
    ),
    responses(
        (status = 202, body = Run),
        (status = 404, description = "There is no such run, or no such call in doubt", body = Problem),
        (status = 409, description = "The run is not parked", body = Problem),
        (status = 422, description = "A value is not allowed", body = Problem)
    ),
    extensions(("x-kael-role" = json!("approver")))
)]
pub(crate) async fn resolve(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names((id, call)): Names<(String, u64)>,
    Body(body): Body<Resolve>,
) -> Result<Response, Problem> {
    scope.needs(Role::Approver)?;
    let run = find(&app, &scope, &id).await?;
    if run.state != State::Parked {
        let detail = format!(
            "the run is {}, and no call of it is in doubt",
            run.state.name()
        );
        return Err(Problem::new(Kind::WrongState, detail));
    }
    let result = body.result.as_deref().map_or("null", RawValue::get);
    let verdict = match body.outcome.as_str() {
        "done" => Verdict::Done(result.to_owned()),
        "failed" => {
            let message = body
                .message
                .unwrap_or_else(|| "a person found that it failed".to_owned());
            Verdict::Failed(message)
        }
        "retry" => Verdict::Retry,
        other => {
            let other: String = other.chars().take(40).collect();
            let detail = format!("`outcome` is done, failed or retry, got `{other}`");
            return Err(Problem::new(Kind::Invalid, detail));
        }
    };
    let (runs, run_id) = (app.runs_of(scope.tenant.id), journal_id(&run));
    let by = scope.caller.name.clone();
    let settlement = blocking(move || runs.settlement(run_id, call, verdict, &by)).await?;
    let settlement = settlement.map_err(|error| of_runs_error(&error))?;
    let detail = json!({ "call": call, "outcome": body.outcome });
    queue(
        &app,
        &scope,
        &run,
        ("call.resolve", detail),
        Some(settlement),
    )
    .await?;
    let run = find(&app, &scope, &id).await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(Run::of(&run, &scope.tenant.name)),
    )
        .into_response())
}

/// Which part of a journal.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct JournalParams {
    /// The number of the entry to begin with; 0 unless this says otherwise.
    from: Option<u64>,
}

/// Get the journal of a run: a line of JSON for each entry, as far as it is durable.
///
/// An answer has about 8 MiB of entries. `Kael-Next` is the number of the next one, if there are more.
#[utoipa::path(
    get, path = "/v1/runs/{id}/journal", tag = "runs", operation_id = "get_journal",
    params(("id" = String, Path, description = "The id of the run"), JournalParams),
    responses(
        (status = 200, content_type = "application/jsonl", body = String),
        (status = 404, body = Problem),
        (status = 410, description = "The journal was removed", body = Problem)
    ),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn journal(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(id): Names<String>,
    Params(params): Params<JournalParams>,
) -> Result<Response, Problem> {
    let run = find_whole(&app, &scope, &id).await?;
    let (id, from) = (journal_id(&run), params.from.unwrap_or(0));
    let page = app
        .store
        .read(move |tx| kael_runs::export::page(tx, id, from, JOURNAL_PAGE));
    let (lines, next) = page.await?;
    let mut response = ([(header::CONTENT_TYPE, "application/jsonl")], lines).into_response();
    if let Some(next) = next {
        response
            .headers_mut()
            .insert("kael-next", HeaderValue::from(next));
    }
    Ok(response)
}
