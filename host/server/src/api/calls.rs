//! The calls of a run.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use kael_engine::run_info::RunId;
use kael_runs::server;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::extract::Names;
use super::runs::find_whole;
use crate::app::App;
use crate::auth::Scope;
use crate::event::{Event, Kind as EventKind};
use crate::id::Id;
use crate::problem::Problem;
use crate::tables::{events, runs};

/// Calls that one answer has.
const MAX_CALLS: i64 = 100_000;

/// The calls of a run.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct Calls {
    /// In the order in which they began or ended, whichever came last. The outcome `journaled` is that of a call whose
    /// end the server could not write before it died: the journal has it. One of which it could write nothing at all
    /// stands at the beginning, if it had effects.
    #[schema(value_type = Vec<Object>)]
    calls: Vec<Box<RawValue>>,
}

/// List the calls of a run: which action, when, how long, how it ended, and which rule decided.
#[utoipa::path(
    get, path = "/v1/runs/{id}/calls", tag = "runs", operation_id = "list_calls",
    params(("id" = String, Path, description = "The id of the run")),
    responses(
        (status = 200, body = Calls),
        (status = 404, body = Problem),
        (status = 410, description = "The calls were removed", body = Problem)
    ),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn calls(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(id): Names<String>,
) -> Result<Json<Calls>, Problem> {
    let run = find_whole(&app, &scope, &id).await?;
    let calls = calls_of(&app, run.id).await?.into_iter();
    let calls = calls
        .filter_map(|call| RawValue::from_string(call).ok())
        .collect();
    Ok(Json(Calls { calls }))
}

/// The calls of a run as JSON texts: those that have ended, then those that have not.
pub(crate) async fn calls_of(app: &App, run: Id) -> Result<Vec<String>, Problem> {
    let (started, ended, goes_on, is_over, mut unseen) = app
        .store
        .read(move |tx| {
            let started = events::of_kind(tx, &run, EventKind::CallStarted, MAX_CALLS)?;
            let ended = events::of_kind(tx, &run, EventKind::CallEnded, MAX_CALLS)?;
            // It is queued and begins, and each time that it goes on twice more.
            let goes_on = events::count(tx, &run, EventKind::State)? > 2;
            let row = runs::any(tx, &run)?;
            let is_over = row.as_ref().is_none_or(|row| row.state.is_over());
            // Only a server that was killed may have written nothing of a call.
            let effects = match row.is_some_and(|row| row.restarts > 0) {
                true => server::effects(tx, RunId::from_bytes(*run.bytes()), MAX_CALLS)?,
                false => BTreeMap::new(),
            };
            Ok((started, ended, goes_on, is_over, effects))
        })
        .await?;
    let number = |body: &[u8]| {
        let value: Option<Value> = serde_json::from_slice(body).ok();
        value.and_then(|value| value["call"].as_u64())
    };
    let over: HashSet<_> = match started.is_empty() {
        true => HashSet::new(),
        false => ended
            .iter()
            .filter_map(|event| number(&event.body))
            .collect(),
    };
    let open = started
        .into_iter()
        .filter(|event| number(&event.body).is_none_or(|call| !over.contains(&call)));
    let mut all: Vec<_> = ended.iter().cloned().chain(open).collect();
    if goes_on {
        // A call that was made anew after its server had died stands there as it was last.
        let mut seen = HashSet::new();
        all.reverse();
        all.retain(|event| number(&event.body).is_none_or(|call| seen.insert(call)));
        all.reverse();
    }
    // A server that was killed had not even written that these began. The journal has them before they do.
    if !unseen.is_empty() {
        let seen: HashSet<_> = all.iter().filter_map(|event| number(&event.body)).collect();
        unseen.retain(|call, _| !seen.contains(call));
    }
    let unseen = unseen.into_iter().map(|(call, action)| {
        json!({ "call": call, "action": action, "status": "ended", "outcome": "journaled" })
            .to_string()
    });
    let text = |event: Event| match is_over && event.kind == EventKind::CallStarted {
        // The server died before it had written how the call ended; the journal of the run has it.
        true => match serde_json::from_slice::<Value>(&event.body) {
            Ok(mut call) => {
                call["status"] = "ended".into();
                call["outcome"] = "journaled".into();
                call.to_string()
            }
            Err(_) => String::new(),
        },
        false => String::from_utf8_lossy(&event.body).into_owned(),
    };
    Ok(unseen.chain(all.into_iter().map(text)).collect())
}
