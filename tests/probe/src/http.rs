//! Requests over HTTP, through WASI 0.2's own words: what a hostile component could say.

use serde_json::{Map, Value, json};
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, RequestOptions, Scheme,
};
use wasip2::io::streams::StreamError;

fn refused(step: &str, why: impl std::fmt::Debug) -> Value {
    json!({ "refused": format!("{step}: {why:?}") })
}

fn method(name: &str) -> Method {
    match name {
        "" | "GET" => Method::Get,
        "POST" => Method::Post,
        "CONNECT" => Method::Connect,
        other => Method::Other(other.to_owned()),
    }
}

/// Starts a request, with its whole body.
fn start(params: &Value) -> Result<FutureIncomingResponse, Value> {
    let text = |name: &str| params[name].as_str();
    let fields = Fields::new();
    for (name, value) in params["headers"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default().as_bytes();
        fields.append(name, value).map_err(|error| refused("header", error))?;
    }
    let request = OutgoingRequest::new(fields);
    let scheme = match text("scheme").unwrap_or("http") {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    request
        .set_method(&method(text("method").unwrap_or_default()))
        .and_then(|()| request.set_scheme(Some(&scheme)))
        .and_then(|()| request.set_authority(text("at")))
        .and_then(|()| request.set_path_with_query(Some(text("path").unwrap_or("/"))))
        .map_err(|()| json!({ "refused": "request" }))?;
    let options = RequestOptions::new();
    let wait = |name: &str| params[name].as_u64().map(|ms| ms * 1_000_000);
    options
        .set_connect_timeout(wait("connect_ms"))
        .and_then(|()| options.set_first_byte_timeout(wait("answer_ms")))
        .and_then(|()| options.set_between_bytes_timeout(wait("pause_ms")))
        .map_err(|()| json!({ "refused": "options" }))?;
    let body = text("body").map(str::to_owned);
    let size = params["upload"].as_u64();
    if body.is_none() && size.is_none() {
        return handle(request, Some(options)).map_err(|code| refused("handle", code));
    }
    let outgoing = request.body().map_err(|()| json!({ "refused": "body" }))?;
    let answer = handle(request, Some(options)).map_err(|code| refused("handle", code))?;
    let stream = outgoing.write().map_err(|()| json!({ "refused": "write" }))?;
    let mut left = size.unwrap_or_default() as usize;
    let text = body.unwrap_or_default();
    let pieces = text.as_bytes().chunks(4096).map(<[u8]>::to_vec);
    let filler = std::iter::from_fn(|| {
        let size = left.min(4096);
        left -= size;
        (size > 0).then(|| vec![b'x'; size])
    });
    for piece in pieces.chain(filler) {
        // The answer tells why nobody takes it.
        if stream.blocking_write_and_flush(&piece).is_err() {
            break;
        }
    }
    drop(stream);
    OutgoingBody::finish(outgoing, None).map_err(|code| refused("finish", code))?;
    Ok(answer)
}

fn head(answer: &FutureIncomingResponse) -> Result<IncomingResponse, Value> {
    answer.subscribe().block();
    match answer.get() {
        Some(Ok(Ok(response))) => Ok(response),
        Some(Ok(Err(code))) => Err(refused("answer", code)),
        _ => Err(json!({ "refused": "no answer" })),
    }
}

/// Reads a body to its end: its bytes if they are to be kept, and how many they were.
fn read(response: &IncomingResponse, keep: bool) -> Result<(Vec<u8>, u64), Value> {
    let body = response.consume().map_err(|()| json!({ "refused": "consume" }))?;
    let stream = body.stream().map_err(|()| json!({ "refused": "stream" }))?;
    let (mut kept, mut count) = (Vec::new(), 0);
    loop {
        match stream.blocking_read(1 << 16) {
            Ok(bytes) => {
                count += bytes.len() as u64;
                if keep {
                    kept.extend_from_slice(&bytes);
                }
            }
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(_)) => {
                return Err(json!({ "refused": format!("body: broken off after {count}") }));
            }
        }
    }
    drop(stream);
    drop(IncomingBody::finish(body));
    Ok((kept, count))
}

/// One request and its whole answer.
pub fn fetch(params: &Value) -> Value {
    let run = || {
        let response = head(&start(params)?)?;
        let headers: Map<String, Value> = response
            .headers()
            .entries()
            .into_iter()
            .map(|(name, value)| (name, json!(String::from_utf8_lossy(&value))))
            .collect();
        let keep = !params["count"].as_bool().unwrap_or_default();
        let (bytes, count) = read(&response, keep)?;
        Ok(json!({
            "status": response.status(),
            "headers": headers,
            "body": String::from_utf8_lossy(&bytes),
            "count": count,
        }))
    };
    match run() {
        Err(error) if params["must"] == true => {
            eprintln!("{error}");
            std::process::exit(1)
        }
        outcome => outcome.unwrap_or_else(|error| error),
    }
}

/// The same request so many times, so many of them at the same time: how often each outcome came.
pub fn fetch_many(params: &Value) -> Value {
    let number = |name: &str| params[name].as_u64().unwrap_or_default();
    let mut seen = std::collections::BTreeMap::<String, u64>::new();
    for _ in 0..number("times") / number("at_once").max(1) {
        let started: Vec<_> = (0..number("at_once")).map(|_| start(params)).collect();
        for answer in started {
            let outcome = answer.and_then(|answer| {
                let response = head(&answer)?;
                read(&response, false)?;
                Ok(response.status().to_string())
            });
            let outcome = outcome.unwrap_or_else(|error| error["refused"].to_string());
            *seen.entry(outcome).or_default() += 1;
        }
    }
    json!(seen)
}

/// Waits for the head of an answer and is done, with the body unread.
pub fn abandon(params: &Value) -> Value {
    match start(params).and_then(|answer| head(&answer)) {
        Ok(response) => {
            let status = response.status();
            std::mem::forget(response);
            json!(status)
        }
        Err(error) => error,
    }
}
