//! Sends one request and reads its answer.

use std::error::Error as _;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, USER_AGENT,
};
use hyper::http::response::Parts;
use hyper::{Response, Uri};

use kael_engine::failure::{ActionError, ErrorKind};
use kael_engine::units::ByteSize;
use kael_net::{ConnectError, HeadBounds, Trust, connect_http};

use super::access::Access;
use super::answer::Answer;
use super::pool::{Connection, Pool};
use super::request::Request;

/// The head of an answer.
const HEAD: HeadBounds = HeadBounds {
    bytes: 128 << 10,
    headers: 256,
};

/// Why there is no answer.
pub(super) enum Failure {
    /// There was no connection, and why, with advice where there is some: nothing was sent.
    Connect(ConnectError, Option<String>),
    /// The answer broke off or is none.
    Answer(String),
}

impl Failure {
    pub(super) fn error(self) -> ActionError {
        match self {
            Self::Connect(error @ ConnectError::Prohibited, advice) => ActionError {
                kind: ErrorKind::Denied,
                ..ActionError::unavailable(error.to_string(), advice)
            },
            Self::Connect(error, advice) => ActionError::unavailable(error.to_string(), advice),
            Self::Answer(message) => ActionError::new(ErrorKind::Failed, message),
        }
    }
}

/// An answer whose head was read.
pub(super) struct Opened {
    head: Parts,
    body: Incoming,
    /// What its connection is for.
    key: String,
    connection: Connection,
}

/// Sends a request to an open server, over a connection that waits or a new one.
pub(super) async fn send(
    pool: &Pool,
    trust: &Trust,
    request: &Request,
    access: &Access<'_>,
    headers: HeaderMap,
) -> Result<Opened, Failure> {
    let target = &request.target;
    let key = format!(
        "{} {} {}",
        target.scheme.name(),
        target.authority(),
        access.key()
    );
    let made = message(request, headers)?;
    if let Some(mut connection) = pool.take(&key) {
        match connection.send_request(made.clone()).await {
            Ok(answer) => return Ok(Opened::new(key, connection, answer)),
            // The server had closed it: nothing of the request arrived, or sending it again is the
            // same request.
            Err(error) if error.is_canceled() || request.method.is_idempotent() => {}
            Err(error) => return Err(Failure::Answer(told(&error))),
        }
    }
    let network = access.network(target);
    let mut connection = connect_http(&target.server, &network, trust, HEAD)
        .await
        .map_err(|error| Failure::Connect(error, network.advice()))?;
    let answer = connection.send_request(made).await;
    let answer = answer.map_err(|error| Failure::Answer(told(&error)))?;
    Ok(Opened::new(key, connection, answer))
}

fn message(
    request: &Request,
    headers: HeaderMap,
) -> Result<hyper::Request<Full<bytes::Bytes>>, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::Answer(error.to_string());
    let mut made = hyper::Request::new(Full::new(request.body.clone()));
    *made.method_mut() = request.method.clone();
    *made.uri_mut() = Uri::from(request.target.path.clone());
    *made.headers_mut() = headers;
    let authority = HeaderValue::from_str(&request.target.authority());
    let headers = made.headers_mut();
    headers.insert(HOST, authority.map_err(|error| wrong(&error))?);
    let own = concat!("kael/", env!("CARGO_PKG_VERSION"));
    headers
        .entry(USER_AGENT)
        .or_insert(HeaderValue::from_static(own));
    headers
        .entry(ACCEPT)
        .or_insert(HeaderValue::from_static("*/*"));
    // A body is given as it comes, so none is asked for that would have to be unpacked.
    headers
        .entry(ACCEPT_ENCODING)
        .or_insert(HeaderValue::from_static("identity"));
    Ok(made)
}

impl Opened {
    fn new(key: String, connection: Connection, response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        Self {
            head,
            body,
            key,
            connection,
        }
    }

    /// Whether events follow, which may come for as long as the server likes.
    pub(super) fn has_events(&self) -> bool {
        let kind = self.head.headers.get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        self.head.status.is_success() && kind.eq_ignore_ascii_case("text/event-stream")
    }

    /// Whether the server has done what was asked for.
    pub(super) fn is_success(&self) -> bool {
        self.head.status.is_success()
    }

    /// Its parts, with an answer that has no body.
    pub(super) fn apart(self, request: &Request) -> (Answer, Incoming, Connection) {
        let answer = Answer::new(self.head, Vec::new(), request.target.whole());
        (answer, self.body, self.connection)
    }

    /// Reads it to its end. The connection waits for another request then.
    pub(super) async fn read(mut self, pool: &Pool, request: &Request) -> Result<Answer, Failure> {
        let mut read = Vec::new();
        while let Some(data) = next(&mut self.body).await? {
            if (read.len() + data.len()) as u64 > request.max_bytes {
                return Err(too_large(request));
            }
            read.extend_from_slice(&data);
        }
        pool.keep(self.key, self.connection);
        Ok(Answer::new(self.head, read, request.target.whole()))
    }
}

/// The next bytes of a body.
pub(super) async fn next(body: &mut Incoming) -> Result<Option<bytes::Bytes>, Failure> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::Answer(told(&error)))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

pub(super) fn too_large(request: &Request) -> Failure {
    let most = ByteSize::new(request.max_bytes);
    Failure::Answer(format!(
        "the answer has more than {most} (`max_bytes` sets the limit)"
    ))
}

fn told(error: &hyper::Error) -> String {
    // The method that says so is for servers alone.
    if error.is_parse() && error.to_string().contains("too large") {
        return "the headers of the answer have more than 128 KiB".to_owned();
    }
    let cause = error.source();
    let cause = cause.and_then(|cause| cause.downcast_ref::<std::io::Error>());
    let ended = cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::UnexpectedEof);
    if error.is_incomplete_message() || ended {
        return "the server closed the connection before its answer was complete".to_owned();
    }
    if error.is_parse() {
        return "the answer is no HTTP".to_owned();
    }
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
