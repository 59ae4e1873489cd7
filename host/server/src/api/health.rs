//! Whether the process lives, whether it is ready, and its metrics.

use std::sync::Arc;

use axum::extract::State as AppState;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};

use crate::app::App;
use crate::auth::Caller;
use crate::problem::{Kind, Problem};

/// Say that the process lives.
#[utoipa::path(
    get, path = "/healthz", tag = "health", operation_id = "health", security(()),
    responses((status = 200, content_type = "text/plain", body = String))
)]
pub(crate) async fn health() -> &'static str {
    "ok\n"
}

/// Say whether the server takes and begins runs: the store answers, and the claim loop moves.
#[utoipa::path(
    get, path = "/readyz", tag = "health", operation_id = "ready", security(()),
    responses(
        (status = 200, content_type = "text/plain", body = String),
        (status = 503, body = Problem)
    )
)]
pub(crate) async fn ready(AppState(app): AppState<Arc<App>>) -> Result<&'static str, Problem> {
    let not = |why: &str| Problem {
        retry_after: Some(5),
        ..Problem::new(Kind::Unavailable, why)
    };
    if app.runner.is_draining() {
        return Err(not("the server is ending"));
    }
    if !app.runner.moves() {
        return Err(not(
            "no run was claimed or looked for in the last 5 seconds",
        ));
    }
    app.store.read(crate::tables::tenants::all).await?;
    Ok("ready\n")
}

/// Get the metrics, in the format of Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "health", operation_id = "metrics",
    responses((status = 200, content_type = "text/plain", body = String)),
    extensions(("x-kael-role" = json!("operator")))
)]
pub(crate) async fn metrics(
    AppState(app): AppState<Arc<App>>,
    caller: Caller,
) -> Result<Response, Problem> {
    caller.needs_operator()?;
    Ok(text(&app).await)
}

/// The metrics as a response.
async fn text(app: &App) -> Response {
    let content = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let tenants: Vec<i64> = app.tenants.all().iter().map(|tenant| tenant.id).collect();
    // A store that does not answer takes none of the other metrics away.
    let stopped = app.store.read(crate::tables::runs::stopped).await;
    app.metrics.stopped(&tenants, &stopped.unwrap_or_default());
    let stored = app.store.read(crate::tables::retention::every_bytes).await;
    let stored = stored.unwrap_or_default().into_iter();
    let stored: Vec<_> = stored
        .filter_map(|(id, bytes)| Some((id, bytes, app.tenants.get(id)?.keep.storage)))
        .collect();
    let free = kael_store::free_room(app.store.path()).unwrap_or(0);
    app.metrics.stored(
        app.store_bytes(),
        i64::try_from(free).unwrap_or(i64::MAX),
        &stored,
    );
    let text = app.metrics.text(&app.runner, &tenants);
    ([(header::CONTENT_TYPE, content)], text).into_response()
}
