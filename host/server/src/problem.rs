//! What went wrong with a request: a problem document of RFC 9457, with a hint.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kael_store::StoreError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a request was refused. The content type is `application/problem+json`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The kind: `urn:kael:` and a word that stays the same.
    #[serde(rename = "type")]
    #[schema(example = "urn:kael:not_found")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened, to which thing, and what was allowed.
    pub detail: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
    /// Places in a script, where the problem is one of a script.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub frames: Vec<String>,
    /// How much is allowed, where a quota is the reason.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<u64>,
    /// How much is used of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub used: Option<u64>,
    /// Seconds after which the request may be sent again; in `Retry-After`, too.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after: Option<u64>,
    /// The id of the run, where the problem is one of a run.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run: Option<String>,
}

/// The kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    InvalidRequest,
    Unauthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    NotFinished,
    WrongState,
    KeyReused,
    DigestChanged,
    AlreadyDecided,
    Expired,
    NotAllowed,
    NotCurrent,
    TooLarge,
    UnsupportedMedia,
    ScriptError,
    Invalid,
    QueueFull,
    TooManyRequests,
    StorageFull,
    Gone,
    Unavailable,
    Timeout,
    RunFailed,
    RunGoesOn,
    TooLong,
}

impl Kind {
    fn facts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::InvalidRequest => (
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "The request cannot be read",
            ),
            Self::Unauthenticated => (
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                "The request names nobody who is known",
            ),
            Self::Forbidden => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "The caller may not do this",
            ),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found", "There is no such thing"),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "The path does not take this method",
            ),
            Self::NotFinished => (
                StatusCode::CONFLICT,
                "not_finished",
                "The run has not ended",
            ),
            Self::WrongState => (
                StatusCode::CONFLICT,
                "wrong_state",
                "The state does not allow this",
            ),
            Self::KeyReused => (
                StatusCode::CONFLICT,
                "key_reused",
                "The idempotency key belongs to another request",
            ),
            Self::DigestChanged => (
                StatusCode::CONFLICT,
                "digest_changed",
                "What was decided on has changed",
            ),
            Self::AlreadyDecided => (
                StatusCode::CONFLICT,
                "already_decided",
                "It was decided on before",
            ),
            Self::Expired => (StatusCode::GONE, "expired", "The time for this is over"),
            Self::NotAllowed => (
                StatusCode::FORBIDDEN,
                "not_allowed",
                "This person may not decide this",
            ),
            Self::NotCurrent => (
                StatusCode::PRECONDITION_FAILED,
                "not_current",
                "It has changed since it was read",
            ),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "The request is too large",
            ),
            Self::UnsupportedMedia => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "The body has another content type",
            ),
            Self::ScriptError => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "script_error",
                "The script is no Lua",
            ),
            Self::Invalid => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid",
                "A value is not allowed",
            ),
            Self::QueueFull => (
                StatusCode::TOO_MANY_REQUESTS,
                "queue_full",
                "The queue of the tenant is full",
            ),
            Self::TooManyRequests => (
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_requests",
                "Too many requests",
            ),
            Self::StorageFull => (
                StatusCode::TOO_MANY_REQUESTS,
                "storage_full",
                "The storage of the tenant is full",
            ),
            Self::Gone => (StatusCode::GONE, "gone", "It is not kept any more"),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "The server cannot do this now",
            ),
            Self::Timeout => (
                StatusCode::REQUEST_TIMEOUT,
                "timeout",
                "The request took too long to arrive",
            ),
            Self::RunFailed => (
                StatusCode::BAD_GATEWAY,
                "run_failed",
                "The run did not succeed",
            ),
            Self::RunGoesOn => (
                StatusCode::GATEWAY_TIMEOUT,
                "run_goes_on",
                "The run has not ended in time",
            ),
            Self::TooLong => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "too_long",
                "This takes longer than it may",
            ),
        }
    }
}

impl Problem {
    /// A problem of a kind, with what happened.
    #[must_use]
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (status, word, title) = kind.facts();
        Self {
            kind: format!("urn:kael:{word}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            hint: None,
            frames: Vec::new(),
            limit: None,
            used: None,
            retry_after: None,
            run: None,
        }
    }

    /// There is no such thing, or it belongs to another tenant.
    #[must_use]
    pub(crate) fn not_found(what: &str, name: impl std::fmt::Display) -> Self {
        Self::new(Kind::NotFound, format!("there is no {what} `{name}`"))
    }

    /// The tenant has one of that name.
    #[must_use]
    pub(crate) fn taken(what: &str, name: &str) -> Self {
        let detail = format!("the tenant has a {what} `{name}`");
        Self::new(Kind::WrongState, detail).hint("delete it first, or choose another name")
    }

    /// The tenant has as many of these as it may have.
    #[must_use]
    pub(crate) fn too_many(things: &str, most: impl std::fmt::Display) -> Self {
        let detail = format!("the tenant has {most} {things}, and may have no more");
        Self::new(Kind::Invalid, detail).hint("delete what is not needed any more")
    }

    /// The tenant may do nothing.
    #[must_use]
    pub(crate) fn disabled(tenant: &str) -> Self {
        let detail = format!("the tenant `{tenant}` is disabled");
        Self::new(Kind::Forbidden, detail).hint("the operator can enable it again")
    }

    /// The same with what to do.
    #[must_use]
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }

    /// The same with a quota.
    #[must_use]
    pub(crate) fn quota(self, limit: u64, used: u64, retry_after: u64) -> Self {
        Self {
            limit: Some(limit),
            used: Some(used),
            retry_after: Some(retry_after),
            ..self
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        let set = |headers: &mut axum::http::HeaderMap, name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set(headers, header::CONTENT_TYPE, "application/problem+json");
        if status == StatusCode::UNAUTHORIZED {
            set(headers, header::WWW_AUTHENTICATE, "Bearer realm=\"kael\"");
        }
        if let Some(seconds) = retry {
            set(headers, header::RETRY_AFTER, &seconds.to_string());
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Full => {
                let problem = Self::new(Kind::Unavailable, "the disk of the server is full");
                Self {
                    retry_after: Some(30),
                    ..problem
                }
            }
            StoreError::Closed => Self {
                retry_after: Some(5),
                ..Self::new(Kind::Unavailable, "the server is ending")
            },
            _ => {
                let mut causes = error.to_string();
                let mut source = std::error::Error::source(&error);
                while let Some(cause) = source {
                    causes.push_str(&format!(": {cause}"));
                    source = cause.source();
                }
                tracing::error!("the store refused a request: {causes}");
                Self {
                    retry_after: Some(5),
                    ..Self::new(Kind::Unavailable, "the store of the server failed")
                        .hint("the log of the server says why")
                }
            }
        }
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        tracing::error!("a request failed: {error}");
        Self::new(
            Kind::Unavailable,
            "the server lacks something from its system",
        )
        .hint("the log of the server says what")
    }
}
