//! The page on which a person approves or denies a call: on the loopback address of this machine,
//! from the first question on, each question behind an address that cannot be guessed.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OnceCell, Semaphore};

use super::job::{Asked, Jobs};
use kael_authoring::context::plain;
use kael_engine::gate::approval::Answer;

/// Connections at the same time, and how long one may last.
const MAX_CONNECTIONS: usize = 16;
const MAX_TIME: Duration = Duration::from_secs(30);
/// Bytes of what a form sends.
const MAX_BODY: usize = 1 << 10;
/// Nothing loads, no script runs, no other page frames this one.
const SECURITY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}\
pre{background:#8881;padding:.8rem;overflow-x:auto;white-space:pre-wrap;overflow-wrap:anywhere}\
button{font:inherit;padding:.5rem 1.2rem;margin-right:.8rem}";

/// The page of one server; it listens from the first question on.
#[derive(Default)]
pub(super) struct Page(OnceCell<SocketAddr>);

impl Page {
    /// The address of a question's page.
    pub(super) async fn url(&self, jobs: &Arc<Jobs>, token: &str) -> io::Result<String> {
        let address = self.0.get_or_try_init(|| listen(jobs.clone())).await?;
        Ok(format!("http://{address}/approve/{token}"))
    }
}

async fn listen(jobs: Arc<Jobs>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    tokio::spawn(async move {
        loop {
            let Ok(permit) = free.clone().acquire_owned().await else {
                return;
            };
            let Ok((stream, _)) = listener.accept().await else {
                // Out of descriptors, most likely: there may be some in a moment.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let jobs = jobs.clone();
            tokio::spawn(async move {
                let _permit = permit;
                tokio::time::timeout(MAX_TIME, connection(stream, jobs, address))
                    .await
                    .ok();
            });
        }
    });
    Ok(address)
}

async fn connection(stream: TcpStream, jobs: Arc<Jobs>, address: SocketAddr) {
    let answer = service_fn(move |request| {
        let jobs = jobs.clone();
        async move { Ok::<_, Infallible>(respond(request, &jobs, address).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), answer);
    served.await.ok();
}

async fn respond(
    request: Request<Incoming>,
    jobs: &Jobs,
    address: SocketAddr,
) -> Response<Full<Bytes>> {
    // A page of another name that resolves to this machine, or of another origin, asks for nothing.
    let own = address.to_string();
    let host = text_of(&request, header::HOST);
    let origin = text_of(&request, header::ORIGIN);
    let is_own =
        host == Some(own.as_str()) && origin.is_none_or(|origin| origin == format!("http://{own}"));
    if !is_own {
        return page(
            StatusCode::FORBIDDEN,
            "Not allowed",
            "<p>This page is for the browser of this machine alone.</p>",
        );
    }
    let token = request
        .uri()
        .path()
        .strip_prefix("/approve/")
        .unwrap_or_default()
        .to_owned();
    let Some((job, asked)) = jobs.asked(&token) else {
        return page(
            StatusCode::NOT_FOUND,
            "Nothing to decide",
            "<p>This call was decided already, or its run has ended.</p>",
        );
    };
    match *request.method() {
        Method::GET => page(
            StatusCode::OK,
            "A script wants to call an action",
            &question(job.id(), &asked),
        ),
        Method::POST => {
            let body = Limited::new(request.into_body(), MAX_BODY).collect().await;
            let body = body
                .map(http_body_util::Collected::to_bytes)
                .unwrap_or_default();
            decide(&body, &asked)
        }
        _ => page(StatusCode::METHOD_NOT_ALLOWED, "Not allowed", ""),
    }
}

fn decide(body: &[u8], asked: &Asked) -> Response<Full<Bytes>> {
    let (answer, told) = match body {
        b"decision=approve" => (
            Answer::Yes,
            "<p>The call goes on. You can close this page.</p>",
        ),
        b"decision=deny" => (
            Answer::No,
            "<p>The call was denied. You can close this page.</p>",
        ),
        _ => return page(StatusCode::BAD_REQUEST, "Not understood", ""),
    };
    match asked.answer(answer) {
        true => page(StatusCode::OK, "Decided", told),
        false => page(
            StatusCode::GONE,
            "Too late",
            "<p>This call was decided already.</p>",
        ),
    }
}

fn text_of(request: &Request<Incoming>, name: header::HeaderName) -> Option<&str> {
    request.headers().get(name)?.to_str().ok()
}

/// The call as the host has merged it, and the rules that want a person.
fn question(run: &str, asked: &Asked) -> String {
    let question = &asked.question;
    let rules = question.rules.iter().map(|rule| {
        let reason = rule.reason.as_deref().map(|reason| format!(": {reason}"));
        format!(
            "<li>{}</li>",
            escaped(&format!("{rule}{}", reason.unwrap_or_default()))
        )
    });
    format!(
        "<p>Action</p><pre>{}</pre><p>Parameters</p><pre>{}</pre><p>Rules</p><ul>{}</ul><p>Run {}</p>\
         <form method=\"post\"><button name=\"decision\" value=\"approve\">Approve</button>\
         <button name=\"decision\" value=\"deny\">Deny</button></form>",
        escaped(&question.action),
        escaped(&question.params),
        rules.collect::<String>(),
        escaped(run),
    )
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in plain(text).chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            c => out.push(c),
        }
    }
    out
}

fn page(status: StatusCode, title: &str, body: &str) -> Response<Full<Bytes>> {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style><h1>{title}</h1>{body}</html>"
    );
    let mut response = Response::new(Full::new(Bytes::from(html)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, SECURITY),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_script_says_is_text_on_the_page() {
        assert_eq!(
            escaped("<b>'\"&\u{202e}\u{1b}"),
            "&lt;b&gt;&#39;&quot;&amp;"
        );
    }
}
