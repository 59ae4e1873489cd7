//! Takes requests apart; what cannot be read is a problem document.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::words::{self, Words};
use crate::app::App;
use crate::id::Id;
use crate::problem::{Kind, Problem};

/// Bytes of a short body, and how long it may take to arrive.
const SHORT: usize = 1 << 20;
const ARRIVES: Duration = Duration::from_secs(10);
/// Bodies that are read at the same time, of senders that are not known before. Each tenant has a smaller bound of its own,
/// so that its slow senders do not hold up other tenants.
static READING: Semaphore = Semaphore::const_new(256);

/// A body of JSON.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let taken = Json::<T>::from_request(request, app).await;
        match taken {
            Ok(Json(value)) => Ok(Self(value)),
            Err(error) => Err(of_json(&error)),
        }
    }
}

/// A body of bytes that is short and arrives soon.
pub(crate) struct Short(pub(crate) Bytes);

impl FromRequest<Arc<App>> for Short {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Arc<App>) -> Result<Self, Problem> {
        short(request.into_body()).await.map(Self)
    }
}

/// The whole of a short body.
pub(crate) async fn short(body: axum::body::Body) -> Result<Bytes, Problem> {
    let Ok(arrived) = timeout(ARRIVES, Limited::new(body, SHORT).collect()).await else {
        let detail = "the body took more than 10 seconds to arrive";
        return Err(Problem::new(Kind::Timeout, detail));
    };
    arrived.map(|body| body.to_bytes()).map_err(|error| {
        match error.downcast_ref::<LengthLimitError>() {
            Some(_) => Problem::new(Kind::TooLarge, "the body may have 1 MiB"),
            None => Problem::new(Kind::InvalidRequest, "the body stopped half way"),
        }
    })
}

/// A short body of a sender that is not known before, in a place of the tenant that it is for.
pub(crate) async fn unsigned(own: &Semaphore, body: axum::body::Body) -> Result<Bytes, Problem> {
    let _of_tenant = own.acquire().await;
    let _one = READING.acquire().await;
    short(body).await
}

fn of_json(error: &JsonRejection) -> Problem {
    match error {
        JsonRejection::MissingJsonContentType(_) => {
            Problem::new(Kind::UnsupportedMedia, "the body must be JSON")
                .hint("send the header `Content-Type: application/json`")
        }
        JsonRejection::JsonDataError(error) => {
            said(Kind::Invalid, words::of_value(&error.body_text()))
        }
        JsonRejection::BytesRejection(error) => of_bytes(error),
        error => said(Kind::InvalidRequest, words::of_syntax(&error.body_text())),
    }
}

fn said(kind: Kind, words: Words) -> Problem {
    Problem {
        hint: words.hint,
        ..Problem::new(kind, words.detail)
    }
}

fn of_bytes(error: &BytesRejection) -> Problem {
    match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(Kind::TooLarge, "the body has more than 16 MiB")
        }
        _ => {
            Problem::new(Kind::InvalidRequest, "the body did not come whole").hint("send it again")
        }
    }
}

/// The part behind the question mark.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, app).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(error) => Err(of_query(&error)),
        }
    }
}

fn of_query(error: &QueryRejection) -> Problem {
    said(Kind::InvalidRequest, words::of_value(&error.body_text()))
}

/// The names in a path.
pub(crate) struct Names<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<App>> for Names<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        match Path::<T>::from_request_parts(parts, app).await {
            Ok(Path(value)) => Ok(Self(value)),
            Err(_) => Err(Problem::new(
                Kind::NotFound,
                "the path has bytes that are no text",
            )),
        }
    }
}

/// How many elements an answer may have: what was asked for, within bounds.
pub(crate) fn limit(asked: Option<i64>, usual: i64) -> Result<i64, Problem> {
    match asked.unwrap_or(usual) {
        limit @ 1..=500 => Ok(limit),
        limit => {
            let detail = format!("`limit` must be from 1 to 500, got {limit}");
            Err(Problem::new(Kind::InvalidRequest, detail))
        }
    }
}

/// The id in a path. A text that is no id names nothing.
pub(crate) fn id(what: &str, text: &str) -> Result<Id, Problem> {
    text.parse().map_err(|()| {
        let shown: String = text.chars().take(60).collect();
        Problem::not_found(what, shown)
    })
}

/// The text of a header.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
