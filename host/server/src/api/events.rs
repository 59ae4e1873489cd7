//! Following a run: server-sent events that resume without a gap or a repeat, and long polling.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State as AppState;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};
use utoipa::{IntoParams, ToSchema};

use super::extract::{self, Names, Params};
use super::runs;
use crate::app::App;
use crate::auth::{Caller, Scope};
use crate::event::{Event, Kind as EventKind};
use crate::id::Id;
use crate::problem::{Kind, Problem};
use crate::runner::live::Live;
use crate::tables::{events, tokens};
use crate::time;

/// How often a quiet stream shows that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Where to begin.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EventParams {
    /// The id of the last event that the reader has.
    pub(crate) after: Option<String>,
    /// Answer with JSON, once there is an event or after this time, such as `25s`; without, events are
    /// streamed.
    pub(crate) wait: Option<String>,
}

/// Events of a run, for readers that poll.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct Events {
    /// In their order.
    #[schema(value_type = Vec<Object>)]
    events: Vec<Value>,
    /// What to send as `after` for the events behind these.
    after: Option<String>,
    /// Whether the run has ended and these are its last events.
    ended: bool,
}

/// Follow a run.
///
/// Server-sent events: `state`, `output`, `call`, `approval`, `report`, and `end`, which is the last.
/// The id of an event is `SEQ-OFFSET`; `Last-Event-ID` or `after` goes on behind it without a gap or a
/// repeat. With `wait`, the answer is JSON.
#[utoipa::path(
    get, path = "/v1/runs/{id}/events", tag = "runs", operation_id = "follow_run",
    params(
        ("id" = String, Path, description = "The id of the run"),
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that the reader has"),
        EventParams
    ),
    responses(
        (status = 200, content((String = "text/event-stream"), (Events = "application/json"))),
        (status = 404, body = Problem),
        (status = 410, description = "The events were removed", body = Problem)
    ),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn follow(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    headers: HeaderMap,
    Names(id): Names<String>,
    Params(params): Params<EventParams>,
) -> Result<Response, Problem> {
    let run = runs::find_whole(&app, &scope, &id).await?;
    let last = extract::header(&headers, "last-event-id").or(params.after.as_deref());
    let after = match last.filter(|last| !last.is_empty()) {
        None => -1,
        Some(id) => Event::seq_of_id(id).ok_or_else(|| {
            let shown: String = id.chars().take(40).collect();
            Problem::new(
                Kind::InvalidRequest,
                format!("`{shown}` is no id of an event"),
            )
        })?,
    };
    let reader = Reader::new(app, run.id, after).held_to(&scope.caller);
    match params.wait {
        None => Ok(stream_of(reader)),
        Some(wait) => {
            let wait = runs::wait_time(Some(&wait))?;
            poll(reader, wait).await
        }
    }
}

fn stream_of(reader: Reader) -> Response {
    let app = reader.app.clone();
    app.metrics.reader(1);
    let counted = Counted(app);
    let events = stream::unfold((reader, counted), |(mut reader, counted)| async move {
        let event = reader.next().await?;
        let sse = SseEvent::default()
            .id(event.id())
            .event(event.kind.name())
            .data(event.data());
        Some((Ok::<_, Infallible>(sse), (reader, counted)))
    });
    let keep = KeepAlive::new().interval(HEARTBEAT);
    let mut response = Sse::new(events).keep_alive(keep).into_response();
    let headers = response.headers_mut();
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A reader that is counted while it reads.
struct Counted(Arc<App>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.metrics.reader(-1);
    }
}

async fn poll(mut reader: Reader, wait: Duration) -> Result<Response, Problem> {
    let until = Instant::now() + wait;
    let mut events = Vec::new();
    if let Ok(Some(event)) = timeout_at(until, reader.next()).await {
        events.push(event);
        while let Some(event) = reader.ready() {
            events.push(event);
        }
    }
    let ended = events
        .last()
        .is_some_and(|event| event.kind == EventKind::End);
    let after = events.last().map(|event| event.id());
    let events = events.iter().map(|event| event.document()).collect();
    Ok(Json(Events {
        events,
        after,
        ended,
    })
    .into_response())
}

async fn over(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn revoked(caller: &mut Option<(Id, watch::Receiver<()>)>) {
    match caller {
        // The sender lives as long as the server.
        Some((_, revocations)) => _ = revocations.changed().await,
        None => std::future::pending().await,
    }
}

/// Reads the events of a run one after the other.
pub(crate) struct Reader {
    app: Arc<App>,
    run: Id,
    live: Arc<Live>,
    changed: watch::Receiver<i64>,
    /// The number of the last event that was given out.
    after: i64,
    page: VecDeque<Arc<Event>>,
    over: bool,
    /// Who reads, and when a token was taken away.
    caller: Option<(Id, watch::Receiver<()>)>,
    /// When the caller's token ends.
    expires: Option<Instant>,
}

impl Reader {
    /// Begins behind an event.
    pub(crate) fn new(app: Arc<App>, run: Id, after: i64) -> Self {
        let live = app.runner.lives.open(run);
        // Before the first look, so that nothing between the two is missed.
        let changed = live.watch();
        Self {
            app,
            run,
            live,
            changed,
            after,
            page: VecDeque::new(),
            over: false,
            caller: None,
            expires: None,
        }
    }

    /// Ends with the token of a caller.
    fn held_to(mut self, caller: &Caller) -> Self {
        self.caller = Some((caller.token, self.app.authority.revocations()));
        self.expires = caller.expires.map(|expires| {
            let left = u64::try_from(expires - time::now()).unwrap_or(0);
            Instant::now() + Duration::from_micros(left)
        });
        self
    }

    /// The next event; none behind the last one, and when the server ends.
    pub(crate) async fn next(&mut self) -> Option<Arc<Event>> {
        loop {
            if let Some(event) = self.ready() {
                return Some(event);
            }
            if self.over {
                return None;
            }
            self.changed.borrow_and_update();
            // Before the look at the events: an end that comes between the two is seen at the next.
            let newest = self.live.newest();
            match self.live.read(&self.app.store, self.run, self.after).await {
                Ok(page) if !page.is_empty() => {
                    self.page = page.into();
                    continue;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::error!("the events of run {} cannot be read: {error}", self.run);
                    return None;
                }
            }
            let past = match newest {
                Some(kind) => kind == EventKind::End,
                // Nothing has been published here: only the store knows.
                None => self.is_past_the_end().await,
            };
            if past {
                return None;
            }
            let ends = self.app.ends();
            let was_revoked = tokio::select! {
                changed = self.changed.changed() => {
                    changed.ok()?;
                    false
                }
                () = ends => return None,
                () = over(self.expires) => return None,
                () = revoked(&mut self.caller) => true,
            };
            if was_revoked && !self.may_read().await {
                return None;
            }
        }
    }

    /// Whether the caller's token is still there.
    async fn may_read(&self) -> bool {
        let Some((token, _)) = self.caller else {
            return true;
        };
        let found = self
            .app
            .store
            .read(move |tx| tokens::by_id(tx, &token))
            .await;
        found.is_ok_and(|found| found.is_some())
    }

    /// The next event that is in memory already.
    fn ready(&mut self) -> Option<Arc<Event>> {
        let event = self.page.pop_front()?;
        self.after = event.seq;
        self.over = event.kind == EventKind::End;
        Some(event)
    }

    /// Whether the reader has the end of the run already, or its events are not kept any more.
    async fn is_past_the_end(&self) -> bool {
        let (run, after) = (self.run, self.after);
        // One look at both: the end of a run and its last event are written together.
        let past = self.app.store.read(move |tx| {
            let run = crate::tables::runs::any(tx, &run)?;
            let over = run.as_ref().is_none_or(|run| run.state.is_over());
            match run {
                Some(run) if over => Ok(events::after(tx, &run.id, after, 1)?.is_empty()),
                _ => Ok(over),
            }
        });
        past.await.unwrap_or(true)
    }
}
