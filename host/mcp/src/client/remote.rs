//! A server over HTTP: requests go to the address that the definition names, through the checks of
//! `kael-net`, and nowhere else. A redirect is not followed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT,
};
use hyper::{Method, Request, Response, StatusCode, Uri};
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, ErrorData, JsonRpcMessage, ServerJsonRpcMessage,
    ServerResult,
};
use rmcp::transport::common::client_side_sse::{BoxedSseResponse, NeverRetry};
use rmcp::transport::common::http_header::{
    EVENT_STREAM_MIME_TYPE, HEADER_LAST_EVENT_ID, HEADER_SESSION_ID, JSON_MIME_TYPE,
};
use rmcp::transport::streamable_http_client::{
    StreamableHttpClient, StreamableHttpClientTransport, StreamableHttpClientTransportConfig,
    StreamableHttpError, StreamableHttpPostResponse,
};
use sse_stream::SseStream;
use thiserror::Error;

use kael_engine::catalog::{Destination, McpUrl};
use kael_engine::environment::Environment;
use kael_net::{ConnectError, HeadBounds, NetworkPolicy, Target, Trust, connect_http};

/// Bytes of one answer, as JSON or as a stream of events.
const MAX_ANSWER: usize = 16 << 20;
/// Bytes of an answer that is an error.
const MAX_ERROR: usize = 64 << 10;
/// The head of an answer.
const HEAD: HeadBounds = HeadBounds {
    bytes: 64 << 10,
    headers: 128,
};
/// How long connecting may take, and an answer whose call was given up.
const CONNECTING: Duration = Duration::from_secs(30);
const ANSWERING: Duration = Duration::from_secs(3600);

/// Why a server over HTTP does not answer.
#[derive(Debug, Error)]
pub(super) enum RemoteError {
    /// There was no connection, and what would help.
    #[error("{0}{advice}", advice = advice(.1.as_ref()))]
    Connect(ConnectError, Option<String>),
    /// The URL or the token is none.
    #[error("{0}")]
    Given(&'static str),
    /// The answer broke off, or is none.
    #[error("{0}")]
    Answer(String),
}

fn advice(advice: Option<&String>) -> String {
    advice.map_or_else(String::new, |advice| format!(" ({advice})"))
}

type Failed = StreamableHttpError<RemoteError>;
type Connection = SendRequest<Full<Bytes>>;

/// A server over HTTP. Clones are the same one.
#[derive(Clone)]
pub(super) struct Remote(Arc<Place>);

struct Place {
    target: Target,
    host: HeaderValue,
    path: Uri,
    token: Option<HeaderValue>,
    named: Vec<Destination>,
    trust: Trust,
    /// A connection whose last answer was read to its end.
    waiting: Mutex<Option<Connection>>,
}

impl Remote {
    /// The server that a definition names.
    pub(super) fn new(
        at: &McpUrl,
        token: Option<&str>,
        environment: &Environment,
    ) -> Result<Self, RemoteError> {
        let given = RemoteError::Given;
        let uri: Uri = at.url.parse().map_err(|_| given("the URL is none"))?;
        let target = Target::of(&uri).map_err(|error| RemoteError::Connect(error, None))?;
        let own = format!("{}:{}", target.host, target.port);
        let own = own.parse();
        let own = own.map_err(|_| given("the URL names no host"))?;
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let host = HeaderValue::from_str(authority).map_err(|_| given("the URL names no host"))?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = path.parse().map_err(|_| given("the URL has no path"))?;
        let bearer = |token: &str| {
            let text = format!("Bearer {}", token.trim());
            let mut value = HeaderValue::from_str(&text)
                .map_err(|_| given("the secret has a character that no header may have"))?;
            value.set_sensitive(true);
            Ok(value)
        };
        Ok(Self(Arc::new(Place {
            target,
            host,
            path,
            token: token.map(bearer).transpose()?,
            named: [own]
                .into_iter()
                .chain(at.network.iter().cloned())
                .collect(),
            trust: Trust::new(environment),
            waiting: Mutex::default(),
        })))
    }

    /// The transport of a session.
    pub(super) fn transport(&self, url: &str) -> StreamableHttpClientTransport<Self> {
        let mut config = StreamableHttpClientTransportConfig::with_uri(url);
        config.retry_config = Arc::new(NeverRetry::default());
        StreamableHttpClientTransport::with_client(self.clone(), config)
    }

    fn waiting(&self) -> Option<Connection> {
        let mut waiting = self
            .0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        waiting.take().filter(SendRequest::is_ready)
    }

    fn keep(&self, connection: Connection) {
        if !connection.is_closed() {
            *self
                .0
                .waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(connection);
        }
    }

    async fn connect(&self) -> Result<Connection, RemoteError> {
        let network = NetworkPolicy::new(&self.0.named, "the definition's `network`");
        let connecting = connect_http(&self.0.target, &network, &self.0.trust, HEAD);
        tokio::time::timeout(CONNECTING, connecting)
            .await
            .unwrap_or(Err(ConnectError::Timeout))
            .map_err(|error| RemoteError::Connect(error, network.advice()))
    }

    async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Connection), RemoteError> {
        if let Some(mut connection) = self.waiting() {
            match connection.send_request(request.clone()).await {
                Ok(answer) => return Ok((answer, connection)),
                // The server had closed it, so nothing of the request was sent.
                Err(error) if error.is_canceled() => {}
                Err(error) => return Err(broken(&error)),
            }
        }
        let mut connection = self.connect().await?;
        let answer = connection.send_request(request).await;
        Ok((answer.map_err(|error| broken(&error))?, connection))
    }

    fn request(
        &self,
        method: Method,
        session: Option<&str>,
        more: HashMap<HeaderName, HeaderValue>,
        body: Vec<u8>,
    ) -> Result<Request<Full<Bytes>>, Failed> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = self.0.path.clone();
        let headers = request.headers_mut();
        headers.extend(more);
        headers.insert(HOST, self.0.host.clone());
        let own = concat!("kael/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(own));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(token) = &self.0.token {
            headers.insert(AUTHORIZATION, token.clone());
        }
        if let Some(session) = session {
            let value = HeaderValue::from_str(session)
                .map_err(|_| RemoteError::Given("the server's session has no name"))
                .map_err(Failed::Client)?;
            headers.insert(HeaderName::from_static("mcp-session-id"), value);
        }
        Ok(request)
    }

    async fn post(
        &self,
        message: ClientJsonRpcMessage,
        session: Option<Arc<str>>,
        more: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, Failed> {
        let body = serde_json::to_vec(&message)?;
        let mut request = self.request(Method::POST, session.as_deref(), more, body)?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON_MIME_TYPE));
        let both = HeaderValue::from_static("application/json, text/event-stream");
        headers.insert(ACCEPT, both);
        let (answer, connection) = self.send(request).await.map_err(Failed::Client)?;
        let (head, body) = answer.into_parts();
        let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let kind = text("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let is_json = kind.eq_ignore_ascii_case(JSON_MIME_TYPE);
        let named = text(HEADER_SESSION_ID).map(str::to_owned);
        let status = head.status;
        if status == StatusCode::NOT_FOUND && session.is_some() {
            return Err(Failed::SessionExpired);
        }
        if !status.is_success() {
            let most = if is_json { MAX_ANSWER } else { MAX_ERROR };
            let text = read(body, most).await.unwrap_or_default();
            return refused(&message, session.is_some(), status, &text, named);
        }
        let answers = matches!(message, JsonRpcMessage::Request(_));
        if matches!(status, StatusCode::ACCEPTED | StatusCode::NO_CONTENT) || !answers {
            return Ok(StreamableHttpPostResponse::Accepted);
        }
        if kind.eq_ignore_ascii_case(EVENT_STREAM_MIME_TYPE) {
            return Ok(StreamableHttpPostResponse::Sse(events(body), named));
        }
        if !is_json {
            return Err(Failed::UnexpectedContentType(Some(kind.to_owned())));
        }
        let text = read(body, MAX_ANSWER).await?;
        let mut answer: ServerJsonRpcMessage = serde_json::from_slice(&text)?;
        if let (JsonRpcMessage::Request(request), JsonRpcMessage::Response(response)) =
            (&message, &answer)
            && matches!(request.request, ClientRequest::DiscoverRequest(_))
            && matches!(response.result, ServerResult::EmptyResult(_))
        {
            // A server that answers whatever it does not know, too, is one of an older protocol.
            let error = ErrorData::invalid_request("an empty answer", None);
            answer = ServerJsonRpcMessage::error(error, Some(request.id.clone()));
        }
        self.keep(connection);
        Ok(StreamableHttpPostResponse::Json(answer, named))
    }
}

fn broken(error: &hyper::Error) -> RemoteError {
    RemoteError::Answer(match error.is_incomplete_message() {
        true => "the server closed the connection before its answer was complete".to_owned(),
        false => error.to_string(),
    })
}

/// A body that has at most so many bytes.
async fn read(body: Incoming, most: usize) -> Result<Bytes, Failed> {
    let reading = Limited::new(body, most).collect();
    let read = tokio::time::timeout(ANSWERING, reading).await;
    let late = |_| Failed::Client(RemoteError::Answer("the answer never ended".to_owned()));
    let read = read.map_err(late)?;
    read.map(http_body_util::Collected::to_bytes)
        .map_err(|error| match error.downcast_ref::<LengthLimitError>() {
            Some(_) => Failed::ResponseBodyTooLarge { max_size: most },
            None => Failed::Client(RemoteError::Answer(error.to_string())),
        })
}

fn events(body: Incoming) -> BoxedSseResponse {
    let bounded = Limited::new(body, MAX_ANSWER).map_err(std::io::Error::other);
    Box::pin(SseStream::new(bounded))
}

/// What an answer that is no success means.
fn refused(
    message: &ClientJsonRpcMessage,
    in_session: bool,
    status: StatusCode,
    text: &[u8],
    named: Option<String>,
) -> Result<StreamableHttpPostResponse, Failed> {
    if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
        let why = format!("HTTP {status}: the server wants another token");
        return Err(Failed::UnexpectedServerResponse(Cow::Owned(why)));
    }
    let error = match serde_json::from_slice::<ServerJsonRpcMessage>(text) {
        Ok(JsonRpcMessage::Error(error)) => Some(error),
        _ => None,
    };
    // A server of an older protocol does not know this first request, and may say so in any way.
    if let JsonRpcMessage::Request(request) = message
        && matches!(request.request, ClientRequest::DiscoverRequest(_))
        && !in_session
        && status.is_client_error()
    {
        let error = error.map_or_else(
            || ErrorData::invalid_request(format!("HTTP {status}"), None),
            |error| error.error,
        );
        let answer = ServerJsonRpcMessage::error(error, Some(request.id.clone()));
        return Ok(StreamableHttpPostResponse::Json(answer, None));
    }
    match error {
        Some(error) => Ok(StreamableHttpPostResponse::Json(
            JsonRpcMessage::Error(error),
            named,
        )),
        None => Err(Failed::UnexpectedServerResponse(Cow::Owned(format!(
            "HTTP {status}"
        )))),
    }
}

impl StreamableHttpClient for Remote {
    type Error = RemoteError;

    async fn post_message(
        &self,
        _uri: Arc<str>,
        message: ClientJsonRpcMessage,
        session_id: Option<Arc<str>>,
        _auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<StreamableHttpPostResponse, Failed> {
        self.post(message, session_id, custom_headers).await
    }

    async fn delete_session(
        &self,
        _uri: Arc<str>,
        session_id: Arc<str>,
        _auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<(), Failed> {
        let request = self.request(
            Method::DELETE,
            Some(&*session_id),
            custom_headers,
            Vec::new(),
        )?;
        self.send(request).await.map_err(Failed::Client)?;
        Ok(())
    }

    async fn get_stream(
        &self,
        _uri: Arc<str>,
        session_id: Option<Arc<str>>,
        last_event_id: Option<String>,
        _auth_header: Option<String>,
        custom_headers: HashMap<HeaderName, HeaderValue>,
    ) -> Result<BoxedSseResponse, Failed> {
        let mut request = self.request(
            Method::GET,
            session_id.as_deref(),
            custom_headers,
            Vec::new(),
        )?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static(EVENT_STREAM_MIME_TYPE));
        if let Some(last) = last_event_id.and_then(|id| HeaderValue::from_str(&id).ok()) {
            let name = HeaderName::from_bytes(HEADER_LAST_EVENT_ID.as_bytes());
            headers.extend(name.ok().map(|name| (name, last)));
        }
        // A stream of its own: it stays open beside the answers.
        let mut connection = self.connect().await.map_err(Failed::Client)?;
        let answer = connection.send_request(request).await;
        let answer = answer.map_err(|error| Failed::Client(broken(&error)))?;
        match answer.status() {
            StatusCode::METHOD_NOT_ALLOWED => Err(Failed::ServerDoesNotSupportSse),
            StatusCode::NOT_FOUND if session_id.is_some() => Err(Failed::SessionExpired),
            status if !status.is_success() => Err(Failed::UnexpectedServerResponse(Cow::Owned(
                format!("HTTP {status}"),
            ))),
            _ => Ok(events(answer.into_body())),
        }
    }
}
