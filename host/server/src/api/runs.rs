//! Looking at runs.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State as AppState;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use kael_engine::units::TimeLimit;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};
use utoipa::IntoParams;

use super::extract::{self, Names, Params};
use super::types::{Run, Runs};
use crate::app::App;
use crate::auth::Scope;
use crate::id::Id;
use crate::problem::{Kind, Problem};
use crate::tables::runs::{Filter, RunRow, State};
use crate::tables::{events, retention, runs, sources};
use crate::time;

/// The longest that a request waits for something to happen.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// Pieces of output that are read at once.
const PIECES: i64 = 512;

/// Which runs a list has.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ListParams {
    /// Only runs of this state.
    pub(crate) state: Option<String>,
    /// Only runs with this label: `KEY=VALUE`.
    pub(crate) label: Option<String>,
    /// Only runs of scripts of this name.
    pub(crate) name: Option<String>,
    /// Only runs that this token submitted, by its name.
    pub(crate) submitter: Option<String>,
    /// Only runs with this origin, such as `schedule nightly`.
    pub(crate) origin: Option<String>,
    /// Only runs that were submitted at this time or later, as RFC 3339 has it.
    pub(crate) since: Option<String>,
    /// What an earlier answer gave as `next`.
    pub(crate) cursor: Option<String>,
    /// Runs of one answer: 1 to 500, 50 unless this says otherwise.
    pub(crate) limit: Option<i64>,
}

impl ListParams {
    pub(crate) fn filter(&self) -> Result<Filter, Problem> {
        let invalid = |detail: String| Problem::new(Kind::InvalidRequest, detail);
        let state = match self.state.as_deref().filter(|state| !state.is_empty()) {
            None => None,
            Some(name) => Some(State::named(name).ok_or_else(|| {
                let all = State::ALL.map(State::name).join(", ");
                invalid(format!("`state` is one of {all}"))
            })?),
        };
        let label = match self.label.as_deref().filter(|label| !label.is_empty()) {
            None => None,
            Some(label) => match label.split_once('=') {
                Some((key, value)) => Some((key.to_owned(), value.to_owned())),
                None => return Err(invalid("`label` must be KEY=VALUE".to_owned())),
            },
        };
        let since = match self.since.as_deref().filter(|since| !since.is_empty()) {
            None => None,
            Some(since) => {
                Some(time::parse(since).map_err(|why| invalid(format!("`since`: {why}")))?)
            }
        };
        let before = match &self.cursor {
            None => None,
            Some(cursor) => {
                let id = cursor.parse::<Id>();
                Some(id.map_err(|()| invalid("`cursor` is none of an earlier answer".to_owned()))?)
            }
        };
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Ok(Filter {
            state,
            name: given(&self.name),
            submitter: given(&self.submitter),
            label,
            origin: given(&self.origin),
            since,
            before,
        })
    }

    pub(crate) fn limit(&self) -> Result<i64, Problem> {
        extract::limit(self.limit, 50)
    }
}

/// List runs, the newest first.
#[utoipa::path(
    get, path = "/v1/runs", tag = "runs", operation_id = "list_runs", params(ListParams),
    responses((status = 200, body = Runs)),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn list(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Params(params): Params<ListParams>,
) -> Result<Json<Runs>, Problem> {
    let (filter, limit) = (params.filter()?, params.limit()?);
    let scoped = scope.scoped();
    let rows = app
        .store
        .read(move |tx| runs::list(tx, scoped, &filter, limit + 1));
    let mut rows = rows.await?;
    let more = rows.len() as i64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(0));
    let next = rows.last().filter(|_| more).map(|row| row.id.to_string());
    let runs = rows
        .iter()
        .map(|row| Run::of(row, &scope.tenant.name))
        .collect();
    Ok(Json(Runs { runs, next }))
}

/// How long a request waits.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WaitParams {
    /// Answer when the run has ended, or after this time, such as `30s`; 60 s at most.
    pub(crate) wait: Option<String>,
}

/// The time of a parameter that says how long to wait.
pub(crate) fn wait_time(text: Option<&str>) -> Result<Duration, Problem> {
    let Some(text) = text else {
        return Ok(Duration::ZERO);
    };
    let time: TimeLimit = text
        .parse()
        .map_err(|error| Problem::new(Kind::InvalidRequest, format!("`wait` {error}")))?;
    Ok(time.duration().min(MAX_WAIT))
}

/// A run of the caller's tenant.
pub(crate) async fn find(app: &App, scope: &Scope, text: &str) -> Result<RunRow, Problem> {
    let id = extract::id("run", text)?;
    let scoped = scope.scoped();
    let found = app.store.read(move |tx| runs::get(tx, scoped, &id)).await?;
    found.ok_or_else(|| Problem::not_found("run", id))
}

/// Waits until a run has ended, or the time is over.
pub(crate) async fn until_over(
    app: &App,
    scope: &Scope,
    run: RunRow,
    wait: Duration,
) -> Result<RunRow, Problem> {
    until(app, scope, run, wait, State::is_over).await
}

/// Waits until a run is in a state of a kind, or the time is over.
pub(crate) async fn until(
    app: &App,
    scope: &Scope,
    run: RunRow,
    wait: Duration,
    is_so: impl Fn(State) -> bool + Send,
) -> Result<RunRow, Problem> {
    if is_so(run.state) || wait.is_zero() {
        return Ok(run);
    }
    let until = Instant::now() + wait;
    let live = app.runner.lives.open(run.id);
    let mut changed = live.watch();
    let id = run.id.to_string();
    loop {
        // Looks behind the subscription, so that no end is missed.
        let run = find(app, scope, &id).await?;
        if is_so(run.state) {
            return Ok(run);
        }
        let ends = app.ends();
        tokio::select! {
            changed = timeout_at(until, changed.changed()) => {
                if !matches!(changed, Ok(Ok(()))) {
                    return find(app, scope, &id).await;
                }
            }
            () = ends => return Ok(run),
        }
    }
}

/// Look at a run.
#[utoipa::path(
    get, path = "/v1/runs/{id}", tag = "runs", operation_id = "get_run",
    params(("id" = String, Path, description = "The id of the run"), WaitParams),
    responses((status = 200, body = Run), (status = 404, body = Problem)),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn get(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(id): Names<String>,
    Params(params): Params<WaitParams>,
) -> Result<Json<Run>, Problem> {
    let wait = wait_time(params.wait.as_deref())?;
    let run = find(&app, &scope, &id).await?;
    let run = until_over(&app, &scope, run, wait).await?;
    Ok(Json(Run::of(&run, &scope.tenant.name)))
}

/// A run of the caller's tenant whose output, calls and result are there.
pub(crate) async fn find_whole(app: &App, scope: &Scope, text: &str) -> Result<RunRow, Problem> {
    let run = find(app, scope, text).await?;
    match is_whole(app, &run).await? {
        true => Ok(run),
        false => Err(gone(scope)),
    }
}

/// What is asked for of a run was removed.
pub(crate) fn gone(scope: &Scope) -> Problem {
    Problem::new(Kind::Gone, removed(scope))
        .hint("GET /v1/runs/{id} has the state of the run, and its error")
}

/// Whether the output, the calls and the result of a run are there.
pub(crate) async fn is_whole(app: &App, run: &RunRow) -> Result<bool, Problem> {
    let id = run.id;
    let whole = app.store.read(move |tx| retention::is_whole(tx, &id));
    Ok(whole.await?)
}

/// Why they are not.
pub(crate) fn removed(scope: &Scope) -> String {
    format!(
        "the output, the calls and the result of the run were removed: the tenant keeps them for {}",
        scope.tenant.settings.keep_output
    )
}

/// Get the value that a script returned.
///
/// The answer is the value itself as JSON: null, if the script returned nothing.
#[utoipa::path(
    get, path = "/v1/runs/{id}/result", tag = "runs", operation_id = "get_result",
    params(("id" = String, Path, description = "The id of the run")),
    responses(
        (status = 200, body = Value),
        (status = 404, body = Problem),
        (status = 409, description = "The run has not ended", body = Problem),
        (status = 410, description = "The result was removed", body = Problem)
    ),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn result(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(id): Names<String>,
) -> Result<Response, Problem> {
    let run = find_whole(&app, &scope, &id).await?;
    if !run.state.is_over() {
        let detail = format!("the run is {}", run.state.name());
        return Err(Problem::new(Kind::NotFinished, detail)
            .hint("GET /v1/runs/{id}?wait=30s waits for its end"));
    }
    let result = app.store.read(move |tx| runs::result(tx, &run.id)).await?;
    let text = result.unwrap_or_else(|| "null".to_owned());
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// Which part of the output.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OutputParams {
    /// The byte to begin with; 0 unless this says otherwise.
    #[param(minimum = 0)]
    pub(crate) from: Option<i64>,
}

/// Get what a run has printed so far.
///
/// `Kael-Offset` is the position behind the last byte of the answer: more may be there already.
#[utoipa::path(
    get, path = "/v1/runs/{id}/output", tag = "runs", operation_id = "get_output",
    params(("id" = String, Path, description = "The id of the run"), OutputParams),
    responses(
        (status = 200, description = "The bytes that were printed", content_type = "text/plain", body = String),
        (status = 404, body = Problem),
        (status = 410, description = "The output was removed", body = Problem)
    ),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn output(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(id): Names<String>,
    Params(params): Params<OutputParams>,
) -> Result<Response, Problem> {
    let from = params.from.unwrap_or(0);
    if from < 0 {
        return Err(Problem::new(
            Kind::InvalidRequest,
            "`from` must not be negative",
        ));
    }
    let run = find_whole(&app, &scope, &id).await?;
    let (offset, bytes) = printed(&app, &run.id, from).await?;
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
    ];
    let mut response = (StatusCode::OK, headers, bytes).into_response();
    response
        .headers_mut()
        .insert("kael-offset", HeaderValue::from(offset));
    Ok(response)
}

/// What a run has printed behind a position, up to 16 MiB of it, and the position behind that.
pub(crate) async fn printed(app: &App, run: &Id, from: i64) -> Result<(i64, Vec<u8>), Problem> {
    let run = *run;
    let pieces = app
        .store
        .read(move |tx| events::output(tx, &run, from, PIECES))
        .await?;
    let (mut bytes, mut end) = (Vec::new(), from);
    for (offset, piece) in pieces {
        let start = offset - i64::try_from(piece.len()).unwrap_or(0);
        let skip = usize::try_from(from - start).unwrap_or(0).min(piece.len());
        bytes.extend_from_slice(&piece[skip..]);
        end = offset;
    }
    Ok((end, bytes))
}

/// Get the text of a run's script.
#[utoipa::path(
    get, path = "/v1/runs/{id}/script", tag = "runs", operation_id = "get_run_script",
    params(("id" = String, Path, description = "The id of the run")),
    responses(
        (status = 200, content_type = "text/plain", body = String),
        (status = 404, body = Problem)
    ),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn source(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(id): Names<String>,
) -> Result<Response, Problem> {
    let run = find(&app, &scope, &id).await?;
    let text = text_of(&app, &scope, &run).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, text).into_response())
}

/// The text of a run's script.
pub(crate) async fn text_of(app: &App, scope: &Scope, run: &RunRow) -> Result<Vec<u8>, Problem> {
    let (scoped, digest) = (scope.scoped(), run.source);
    let text = app
        .store
        .read(move |tx| sources::get(tx, scoped, &digest))
        .await?;
    text.ok_or_else(|| Problem::not_found("script of the run", run.id))
}
