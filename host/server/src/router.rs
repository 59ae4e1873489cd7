//! All routes, with what holds for every request: a bound on bodies, a time for them, and headers that
//! keep browsers from doing what pages do not need.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use http_body_util::Limited;
use tokio::time::timeout;

use crate::api::{self, functions};
use crate::app::App;
use crate::problem::{Kind, Problem};
use crate::{origin, web};

/// Bytes of a body.
const MAX_BODY: usize = 16 << 20;
/// Bytes of a body that is read before it is known who sends it.
const MAX_OPEN_BODY: usize = 16 << 10;
/// How long a request may take to its answer: longer than the longest poll.
const MAX_TIME: Duration = Duration::from_secs(90);

/// What a page may load and do: what comes from here, and nothing inline.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// All routes of a server.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new()
        .merge(api::router())
        .merge(web::router())
        .fallback(api::not_found)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(app.clone(), around))
        .with_state(app)
}

async fn around(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    // The route and not the path: names in it would be labels without end.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let mut response = match origin::check(&request, app.address()) {
        Err(problem) => problem.into_response(),
        // A function bounds its own time: it answers when its run has ended.
        Ok(()) if route.as_deref() == Some(functions::ROUTE) => next.run(request).await,
        Ok(()) => match timeout(MAX_TIME, next.run(bounded(request))).await {
            Ok(response) => response,
            Err(_) => {
                let detail = "the request took more than 90 seconds";
                Problem::new(Kind::Timeout, detail).into_response()
            }
        },
    };
    let route = route.as_deref().unwrap_or("(none)");
    app.metrics
        .request(route, response.status().as_u16(), begun.elapsed());
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// The request with less room for its body, where signing in is what it asks for.
fn bounded(request: Request) -> Request {
    match request.uri().path() {
        "/login" | "/v1/login" => request.map(|body| Body::new(Limited::new(body, MAX_OPEN_BODY))),
        _ => request,
    }
}
