//! Requests to the provider: bounded in time and size, and no redirect is followed.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response};
use kael_net::Trust;
use openidconnect::{HttpRequest, HttpResponse};
use tokio::time::timeout;

use crate::config::is_private;
use crate::dial::{Address, connect};

/// Bytes of an answer.
const MAX_ANSWER: usize = 1 << 20;
/// How long an answer may take.
const MAX_TIME: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct FetchError(String);

/// Sends one request.
pub(super) async fn fetch(trust: &Trust, request: HttpRequest) -> Result<HttpResponse, FetchError> {
    let url = request.uri().to_string();
    let failed = |why: &str| FetchError(format!("{url}: {why}"));
    if !is_private(&url) {
        return Err(failed("it is neither https:// nor on this machine"));
    }
    let answer = timeout(MAX_TIME, send(trust, request)).await;
    let answer = answer.map_err(|_| failed("no answer within 10 s"))?;
    answer.map_err(|why| failed(&why))
}

async fn send(trust: &Trust, request: HttpRequest) -> Result<HttpResponse, String> {
    let (mut parts, body) = request.into_parts();
    let scheme = parts.uri.scheme_str().unwrap_or("https").to_owned();
    let authority = parts.uri.authority().map(ToString::to_string);
    let authority = authority.ok_or("it names no server")?;
    let address = Address::parse(&format!("{scheme}://{authority}"));
    let address = address.map_err(|_| "it names no server")?;
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = path.parse().map_err(|_| "it has no path")?;
    let host = HeaderValue::from_str(&authority).map_err(|error| error.to_string())?;
    parts.headers.insert(HOST, host);
    let mut sender = connect(&address, trust).await?;
    let request = Request::from_parts(parts, Full::new(Bytes::from(body)));
    let answer = sender.send_request(request).await;
    let (parts, body) = answer.map_err(|error| error.to_string())?.into_parts();
    let body = Limited::new(body, MAX_ANSWER).collect().await;
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    Ok(Response::from_parts(parts, body.to_vec()))
}
