//! Submitting: a run is durable before its submitter is answered.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use kael_engine::trace_context::TraceContext;
use kael_engine::units::ByteSize;
use kael_runs::Forking;
use kael_store::Tx;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::extract::{Body, header as text_of};
use super::run_row::{Named, check_fields, queued};
use super::types::{Run, Submit};
use crate::app::{App, StoreResult};
use crate::auth::Scope;
use crate::event::{Event, Kind as EventKind};
use crate::id::Id;
use crate::problem::{Kind, Problem};
use crate::role::Role;
use crate::runner::place::Place;
use crate::tables::runs::RunRow;
use crate::tables::{Scoped, audit, events, queue, retention, runs, sources, traces};
use crate::tenant::Tenant;
use crate::time;
use crate::triggers::stored;

/// Bytes of a script.
pub(super) const MAX_SCRIPT: usize = 8 << 20;
/// How long an idempotency key is known.
pub(crate) const KEY_LIVES: i64 = 24 * 3600 * time::SECOND;

/// A run that is to be written, and the text of its script.
pub(crate) struct NewRun {
    pub(crate) row: RunRow,
    pub(crate) source: Vec<u8>,
    /// The distributed trace that it goes on with, as a header has it.
    pub(crate) traceparent: Option<String>,
    /// What it has of another run.
    pub(crate) forking: Option<Forking>,
    /// What the record says of it, in the name of who submits it.
    pub(crate) noted: Option<Noted>,
}

/// A line of the record of what people did to the server.
pub(crate) struct Noted {
    pub(crate) what: &'static str,
    pub(crate) object: String,
    pub(crate) detail: Value,
}

/// Submit a script.
///
/// The answer comes when the run is durable: it will begin even if the server dies now. With an
/// `Idempotency-Key`, the same request sent again is answered with the same run.
#[utoipa::path(
    post, path = "/v1/runs", tag = "runs", operation_id = "submit", request_body = Submit,
    params(("Idempotency-Key" = Option<String>, Header, description = "Any text up to 255 bytes; known for 24 hours"),
        ("traceparent" = Option<String>, Header, description = "The distributed trace that the run goes on with, as the W3C's Trace Context has it")),
    responses(
        (status = 202, description = "The run is in the queue", body = Run),
        (status = 200, description = "The run of an earlier request with the same key", body = Run),
        (status = 409, description = "The key belongs to another request", body = Problem),
        (status = 404, description = "There is no stored script of that name", body = Problem),
        (status = 422, description = "The script is no Lua, or a value is not allowed", body = Problem),
        (status = 429, description = "The queue or the storage is full", body = Problem)
    ),
    extensions(("x-kael-role" = json!("submitter")))
)]
pub(crate) async fn submit(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    headers: HeaderMap,
    Body(body): Body<Submit>,
) -> Result<Response, Problem> {
    scope.needs(Role::Submitter)?;
    let key = idempotency_key(&headers)?;
    let request = digest_of(&body);
    let mut new = new_run(&app, &scope, body, "api").await?;
    new.traceparent = traceparent(&app, &headers);
    let (run, is_new) = put(&app, &scope.tenant, new, key.map(|key| (key, request))).await?;
    let status = if is_new {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    let location = format!("/v1/runs/{}", run.id);
    let mut response = (status, Json(Run::of(&run, &scope.tenant.name))).into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// The tenant's actions repo cannot be used.
pub(crate) fn repo_broken(error: &str) -> Problem {
    Problem::new(
        Kind::Unavailable,
        format!("the actions repo of the tenant cannot be used: {error}"),
    )
    .hint("the operator has to mend it; kael-host actions validate says what is wrong")
}

pub(super) fn too_large(bytes: usize) -> Problem {
    let detail = format!("the script has {bytes} bytes, and may have {MAX_SCRIPT}");
    Problem::new(Kind::TooLarge, detail)
}

/// The trace that a request is a part of. One that is not valid counts as none, as the W3C has it.
fn traceparent(app: &App, headers: &HeaderMap) -> Option<String> {
    app.traces.as_ref()?;
    let text = text_of(headers, "traceparent")?;
    TraceContext::parse(text).map(|_| text.to_owned())
}

pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    match (1..=255).contains(&text.len()) {
        true => Ok(Some(text.to_owned())),
        false => {
            let detail = "`Idempotency-Key` must be 1 to 255 characters of ASCII";
            Err(Problem::new(Kind::InvalidRequest, detail))
        }
    }
}

pub(super) fn digest_of(body: &Submit) -> [u8; 32] {
    // Fields in their order and maps sorted: the same request has the same text.
    let text = serde_json::to_vec(body).unwrap_or_default();
    Sha256::digest(&text).into()
}

/// The name and the text of the script that a request brings or names.
pub(super) async fn named_text(
    app: &App,
    scope: &Scope,
    body: &mut Submit,
) -> Result<(String, Vec<u8>), Problem> {
    let invalid = |detail: String| Problem::new(Kind::Invalid, detail);
    let (name, source) = match (body.script.take(), &body.name) {
        (Some(script), name) => {
            let name = name.clone().unwrap_or_else(|| "script.lua".to_owned());
            if name.is_empty() || name.len() > 200 || name.chars().any(char::is_control) {
                return Err(invalid(
                    "`name` must be 1 to 200 bytes without control characters".to_owned(),
                ));
            }
            (name, script.into_bytes())
        }
        (None, Some(name)) => stored::text(app, scope, name).await?,
        (None, None) => {
            return Err(invalid(
                "`script` is missing: the text of the script to run, or `name`, that of a stored one"
                    .to_owned(),
            ));
        }
    };
    if source.len() > MAX_SCRIPT {
        return Err(too_large(source.len()));
    }
    Ok((name, source))
}

/// Checks a request, and makes the run that it asks for.
pub(crate) async fn new_run(
    app: &App,
    scope: &Scope,
    mut body: Submit,
    origin: &str,
) -> Result<NewRun, Problem> {
    let invalid = |detail: String| Problem::new(Kind::Invalid, detail);
    let (name, source) = named_text(app, scope, &mut body).await?;
    check_fields(&scope.tenant, &body)?;
    let time = |name: &str, text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => time::parse(text)
            .map(Some)
            .map_err(|why| invalid(format!("`{name}`: {why}"))),
    };
    let now = time::now();
    let ready = time("start_at", &body.start_at)?.unwrap_or(now).max(now);
    let deadline = time("deadline", &body.deadline)?.unwrap_or(ready + queue::TO_LIVE);
    if deadline <= ready {
        return Err(invalid(
            "`deadline` must lie behind `start_at`, and in the future".to_owned(),
        ));
    }
    let digest: [u8; 32] = Sha256::digest(&source).into();
    must_compile(app, scope, &name, digest, &source).await?;
    let script = Named { name, digest };
    let row = RunRow {
        ready,
        deadline: Some(deadline),
        ..queued(&scope.caller, scope.tenant.id, script, &body, origin, now)
    };
    Ok(NewRun {
        row,
        source,
        traceparent: None,
        forking: None,
        noted: None,
    })
}

/// Refuses a script that is no Lua. One that was submitted before is not looked at again.
pub(super) async fn must_compile(
    app: &App,
    scope: &Scope,
    name: &str,
    digest: [u8; 32],
    source: &[u8],
) -> Result<(), Problem> {
    if app.compiled.knows(&digest) {
        return Ok(());
    }
    let text = String::from_utf8_lossy(source);
    let checker = scope
        .tenant
        .checker(&app.engine)
        .await
        .map_err(|error| repo_broken(&error))?;
    let found = checker.syntax(name, &text).await.map_err(|error| {
        tracing::error!("a script was not compiled: {error}");
        Problem::new(Kind::Unavailable, "the script cannot be compiled now")
    })?;
    match found {
        None => {
            app.compiled.add(digest);
            Ok(())
        }
        Some(problem) => {
            let place = format!("{name}:{}", problem.line);
            let detail = format!("{place}: {}", problem.message);
            Err(Problem {
                frames: vec![place],
                ..Problem::new(Kind::ScriptError, detail).hint(problem.remedy)
            })
        }
    }
}

/// Writes a run, and wakes the claim loop. False beside it if it is the run of an earlier request.
pub(crate) async fn put(
    app: &Arc<App>,
    tenant: &Tenant,
    new: NewRun,
    key: Option<(String, [u8; 32])>,
) -> Result<(RunRow, bool), Problem> {
    if app.runner.is_draining() {
        let problem = Problem::new(
            Kind::Unavailable,
            "the server is ending, and takes no more runs",
        );
        return Err(Problem {
            retry_after: Some(5),
            ..problem
        });
    }
    let full = |limit: u64, used: u64| {
        let detail = format!(
            "{used} runs of the tenant `{}` wait for their turn",
            tenant.name
        );
        Problem::new(Kind::QueueFull, detail).quota(limit, used, 5)
    };
    if tenant.is_disabled() {
        return Err(Problem::disabled(&tenant.name));
    }
    let place = Place::reserve(app, tenant.id).map_err(|error| full(error.limit, error.used))?;
    let limit = tenant.settings.max_queued;
    let most = i64::try_from(limit).unwrap_or(i64::MAX);
    let (scoped, storage) = (Scoped(tenant.id), tenant.keep.storage);
    let most_waiting = tenant.settings.max_waiting;
    let row = new.row.clone();
    let written = app.store.write(move |tx| {
        if let Some((key, request)) = &key
            && let Some((run, earlier)) = runs::key(tx, scoped, key)?
            // The run of a key may have been removed before the key.
            && runs::get(tx, scoped, &run)?.is_some()
        {
            let same = earlier == *request;
            return Ok(Put::Known(same.then_some(run)));
        }
        if let Some(used) = retention::used_up(tx, scoped, storage)? {
            return Ok(Put::NoRoom(used));
        }
        let asleep = runs::asleep(tx, scoped)?;
        if asleep >= most_waiting {
            return Ok(Put::Asleep(asleep));
        }
        // A run that waits for its time is in the store alone. Whether it does says the clock by which it was made: that of
        // the store may be a millisecond behind.
        if row.ready > row.created && runs::waiting(tx, scoped, most)? >= most {
            return Ok(Put::Full);
        }
        if let Some((key, request)) = &key {
            runs::add_key(tx, scoped, key, &row.id, request, tx.now() + KEY_LIVES)?;
        }
        if let Some(traceparent) = &new.traceparent {
            traces::add(tx, &row.id, traceparent)?;
        }
        if let Some(forking) = &new.forking {
            forking.write(tx)?;
        }
        if let Some(noted) = &new.noted {
            let (who, object) = (&row.submitter, &noted.object);
            audit::add(tx, Some(row.tenant), who, noted.what, object, &noted.detail)?;
        }
        let put = write(tx, scoped, &row, &new.source)?;
        if matches!(put, Put::Queued) {
            place.enter();
        }
        Ok(put)
    });
    match written.await? {
        Put::Queued => {
            app.runner.wake.notify_one();
            app.metrics.submitted(tenant.id);
            Ok((new.row, true))
        }
        Put::Later => {
            app.metrics.submitted(tenant.id);
            Ok((new.row, true))
        }
        Put::Full => Err(full(limit, limit)),
        Put::NoRoom(used) => Err(no_room(tenant, used)),
        Put::Asleep(used) => Err(too_many_wait(tenant, used)),
        Put::Known(None) => {
            let detail = "`Idempotency-Key` was sent with another request before";
            Err(Problem::new(Kind::KeyReused, detail).hint("use a new key for a new request"))
        }
        Put::Known(Some(run)) => {
            let found = app
                .store
                .read(move |tx| runs::get(tx, scoped, &run))
                .await?;
            match found {
                Some(run) => Ok((run, false)),
                None => Err(Problem::not_found("run", run)),
            }
        }
    }
}

/// What became of a run that was to be written.
pub(crate) enum Put {
    /// It waits for its turn.
    Queued,
    /// It waits for its time.
    Later,
    /// As many runs wait as may.
    Full,
    /// The tenant has so many bytes in the store, which are too many.
    NoRoom(u64),
    /// So many runs of the tenant wait for something, which are too many.
    Asleep(u64),
    /// The key was known: with the run, if the request was the same.
    Known(Option<Id>),
}

/// No more runs of the tenant may wait.
fn too_many_wait(tenant: &Tenant, used: u64) -> Problem {
    let limit = tenant.settings.max_waiting;
    let detail = format!(
        "{used} runs of the tenant `{}` wait for a time, a signal or a person, and {limit} may",
        tenant.name
    );
    Problem::new(Kind::QueueFull, detail)
        .hint("kael-host ps --state waiting lists them; the operator may raise `max_waiting`")
        .quota(limit, used, 60)
}

/// The tenant may have no more in the store.
pub(super) fn no_room(tenant: &Tenant, used: u64) -> Problem {
    let limit = tenant.keep.storage;
    let detail = format!(
        "the tenant `{}` has {} in the store, and may have {}",
        tenant.name,
        ByteSize::new(used),
        ByteSize::new(limit)
    );
    Problem::new(Kind::StorageFull, detail)
        .quota(limit, used, 3600)
        .hint("the output of old runs goes by itself; the operator can raise `max_storage` or shorten `keep_output`")
}

fn write(tx: &Tx<'_>, scoped: Scoped, row: &RunRow, source: &[u8]) -> StoreResult<Put> {
    sources::put(tx, scoped, &row.source, source)?;
    enter(tx, row)
}

/// Writes a run whose script is in the store.
pub(crate) fn enter(tx: &Tx<'_>, row: &RunRow) -> StoreResult<Put> {
    runs::insert(tx, row)?;
    let event = Event {
        seq: 0,
        at: row.created,
        kind: EventKind::State,
        offset: 0,
        body: json!({ "state": "queued" }).to_string().into_bytes(),
    };
    events::insert(tx, &row.id, &event)?;
    if row.ready > row.created {
        queue::add_later(tx, row.ready, &row.id)?;
        return Ok(Put::Later);
    }
    queue::add(tx, row.tenant, row.priority, row.ready, &row.id)?;
    Ok(Put::Queued)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_request_has_the_same_digest() {
        let body = |labels: &[(&str, &str)]| Submit {
            script: Some("x = 1".to_owned()),
            labels: labels
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            ..Submit::default()
        };
        let one = digest_of(&body(&[("a", "1"), ("b", "2")]));
        assert_eq!(one, digest_of(&body(&[("b", "2"), ("a", "1")])));
        assert_ne!(one, digest_of(&body(&[("a", "1")])));
    }

    #[test]
    fn a_key_is_short_text() {
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(
                "idempotency-key",
                HeaderValue::from_str(value).expect("a header"),
            );
            idempotency_key(&headers)
        };
        assert_eq!(with("a").expect("a key").as_deref(), Some("a"));
        assert!(with("").is_err() && with(&"x".repeat(256)).is_err());
        assert!(idempotency_key(&HeaderMap::new()).expect("none").is_none());
    }
}
