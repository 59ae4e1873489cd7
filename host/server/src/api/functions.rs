//! A stored script as a function: JSON in, JSON out, and a run like any other in between.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State as AppState;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, timeout_at};

use super::extract::{Names, Short};
use super::runs::gone;
use super::submit;
use super::types::{RunError, Submit};
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::event::Kind as EventKind;
use crate::id::Id;
use crate::problem::{Kind, Problem};
use crate::role::Role;
use crate::sender;
use crate::tables::runs::{self, RunRow, State};
use crate::tables::{Scoped, retention};
use crate::time;

/// The route.
pub(crate) const ROUTE: &str = "/v1/t/{tenant}/f/{name}";
/// How long a run may wait for its turn while its caller waits.
const TURN: Duration = Duration::from_secs(30);

/// Call a stored script.
///
/// The body is the first argument of the script, and the answer is the value that it returns. The run is one of
/// the tenant's: it waits for its turn, 30 seconds at most, and has its policy and limits. `Location` names it.
#[utoipa::path(
    post, path = "/v1/t/{tenant}/f/{name}", tag = "functions", operation_id = "call_function",
    request_body(content = Value, description = "Any JSON up to 1 MiB; null without"),
    params(
        ("tenant" = String, Path, description = "The name of the tenant"),
        ("name" = String, Path, description = "The name of the script, or `NAME@VERSION`"),
        ("Idempotency-Key" = Option<String>, Header, description = "Any text up to 255 bytes: the same call again has the same run")
    ),
    responses(
        (status = 200, description = "What the script returned; null if that is nothing", body = Value),
        (status = 404, body = Problem),
        (status = 409, description = "The key belongs to another call", body = Problem),
        (status = 410, description = "The run of the key has lost its result", body = Problem),
        (status = 413, body = Problem),
        (status = 422, description = "The body is no JSON", body = Problem),
        (status = 429, description = "The queue is full", body = Problem),
        (status = 502, description = "The run did not succeed", body = Problem),
        (status = 504, description = "The run has not ended in time, and goes on", body = Problem)
    ),
    extensions(("x-kael-role" = json!("submitter")))
)]
pub(crate) async fn call(
    AppState(app): AppState<Arc<App>>,
    caller: Caller,
    Names((tenant, name)): Names<(String, String)>,
    headers: HeaderMap,
    Short(body): Short,
) -> Result<Response, Problem> {
    caller.needs(Role::Submitter)?;
    let scope = sender::scope(&app, caller, Some(&tenant))?;
    let argument = argument(&body)?;
    let key = submit::idempotency_key(&headers)?;
    let asked = Submit {
        name: Some(name.clone()),
        args: vec![argument],
        deadline: Some(time::text(time::now() + time::micros(TURN))),
        ..Submit::default()
    };
    let request = json!([name, asked.args]).to_string();
    let request: [u8; 32] = Sha256::digest(request.as_bytes()).into();
    let new = submit::new_run(&app, &scope, asked, &format!("function {name}")).await?;
    // Held before the run is written, so that its end is not missed.
    let live = app.runner.lives.open(new.row.id);
    let mut changed = live.watch();
    let (run, is_new) =
        submit::put(&app, &scope.tenant, new, key.map(|key| (key, request))).await?;
    let until = Instant::now() + scope.tenant.limits().wall.duration() + TURN;
    let run = match is_new {
        true => {
            let ended = async {
                while live.newest() != Some(EventKind::End) {
                    if changed.changed().await.is_err() {
                        break;
                    }
                }
            };
            tokio::select! {
                _ = timeout_at(until, ended) => {}
                () = app.ends() => {}
            }
            current(&app, scope.scoped(), run.id).await?
        }
        false => super::runs::until_over(&app, &scope, run, until - Instant::now()).await?,
    };
    let mut response = answer(&app, &scope, &run).await?;
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/runs/{}", run.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// The body as the text of an argument.
fn argument(body: &[u8]) -> Result<String, Problem> {
    if body.is_empty() {
        return Ok("null".to_owned());
    }
    let checked = serde_json::from_slice::<&serde_json::value::RawValue>(body);
    match checked {
        Ok(value) => Ok(value.get().to_owned()),
        Err(error) => Err(Problem::new(
            Kind::Invalid,
            format!("the body is no JSON: {error}"),
        )),
    }
}

async fn current(app: &App, scoped: Scoped, id: Id) -> Result<RunRow, Problem> {
    let found = app.store.read(move |tx| runs::get(tx, scoped, &id)).await?;
    found.ok_or_else(|| Problem::not_found("run", id))
}

/// The value that the script returned, or why there is none.
async fn answer(app: &App, scope: &Scope, run: &RunRow) -> Result<Response, Problem> {
    let id = run.id;
    let of_run = |problem: Problem| Problem {
        run: Some(id.to_string()),
        ..problem
    };
    if !run.state.is_over() {
        let detail = format!("the run is {}", run.state.name());
        return Err(of_run(
            Problem::new(Kind::RunGoesOn, detail)
                .hint("GET /v1/runs/{id}?wait=30s waits for its end"),
        ));
    }
    if run.state == State::Succeeded {
        // A result that was removed is not one that was nothing.
        let result = app
            .store
            .read(move |tx| match retention::is_whole(tx, &id)? {
                true => Ok(Some(runs::result(tx, &id)?)),
                false => Ok(None),
            });
        let Some(result) = result.await? else {
            return Err(of_run(gone(scope)));
        };
        let text = result.unwrap_or_else(|| "null".to_owned());
        return Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response());
    }
    let error = run
        .error
        .as_deref()
        .and_then(|text| serde_json::from_str::<RunError>(text).ok());
    let problem = match error {
        None => Problem::new(Kind::RunFailed, format!("the run {}", run.state.name())),
        Some(error) => Problem {
            frames: error.traceback,
            hint: error.hint,
            ..Problem::new(
                Kind::RunFailed,
                format!("{}: {}", error.kind, error.message),
            )
        },
    };
    Err(of_run(problem))
}
