//! What a script asks for, read and bounded.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use kael_engine::failure::ActionError;

use super::target::Target;
use crate::refusal::{invalid, params};
use crate::wire;

/// Bytes of an answer's body, unless a request says otherwise; and the most.
const DEFAULT_BODY: u64 = 16 << 20;
const MAX_BODY: u64 = 48 << 20;
/// Bytes of a file that is downloaded.
const DEFAULT_FILE: u64 = 1 << 30;
const MAX_FILE: u64 = 4 << 30;
/// The action whose answer becomes a file.
pub(super) const DOWNLOAD: &str = "download";
/// What opens a WebSocket.
pub(crate) const SOCKET: &str = "socket";
/// Headers of a request.
const MAX_HEADERS: usize = 100;

/// Headers that say where a message ends or goes on, which are the host's to set.
const OWN: [&str; 14] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A request of a script.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) target: Target,
    /// Their values may have stand-ins for variables.
    pub(super) headers: Vec<(HeaderName, String)>,
    pub(super) basic: Option<Basic>,
    pub(super) body: Bytes,
    pub(crate) timeout: Duration,
    pub(super) follow: bool,
    pub(super) redirects: u32,
    pub(super) max_bytes: u64,
    pub(super) retries: u32,
    /// Whether events are wanted one after the other, should the answer have such.
    pub(super) events: bool,
    /// The file that the body is written to.
    pub(crate) path: Option<String>,
    /// What may be spoken over a WebSocket.
    pub(crate) protocols: Vec<String>,
}

/// A user and a password for the header `Authorization`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Basic {
    pub(super) username: String,
    pub(super) password: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum HeaderValues {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, HeaderValues>,
    body: Option<String>,
    bytes: Option<String>,
    basic: Option<Basic>,
    timeout: Option<f64>,
    redirects: Option<u32>,
    max_bytes: Option<u64>,
    retries: Option<u32>,
    events: Option<bool>,
    path: Option<String>,
    protocols: Option<Vec<String>>,
}

impl Request {
    /// Reads the parameters of `kael.http.METHOD`, of `kael.http.download`, or those that open a
    /// WebSocket.
    pub(crate) fn parse(method: &str, text: &str) -> Result<Self, ActionError> {
        let params: Params = params(text)?;
        let is_download = method == DOWNLOAD;
        let is_socket = method == SOCKET;
        let (method, default_time, default_bytes, max_bytes) = match method {
            DOWNLOAD => ("get", 600.0, DEFAULT_FILE, MAX_FILE),
            SOCKET => ("get", 30.0, DEFAULT_BODY, MAX_BODY),
            method => (method, 30.0, DEFAULT_BODY, MAX_BODY),
        };
        let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes())
            .map_err(|_| invalid("no such method"))?;
        if is_download != params.path.is_some() {
            return Err(invalid("a download, and no other request, has a `path`"));
        }
        let protocols = params.protocols.unwrap_or_default();
        if protocols
            .iter()
            .any(|name| HeaderName::from_bytes(name.as_bytes()).is_err())
        {
            return Err(invalid("`protocols` has a name that is none"));
        }
        let body = match (params.body, params.bytes) {
            (Some(_), Some(_)) => return Err(invalid("either `body` or `bytes` can be given")),
            (Some(text), None) => Bytes::from(text),
            (None, Some(text)) => Bytes::from(bytes_of(&text)?),
            (None, None) => Bytes::new(),
        };
        let seconds = params.timeout.unwrap_or(default_time);
        let timeout = Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|time| !time.is_zero() && *time <= Duration::from_secs(600))
            .ok_or_else(|| invalid("`timeout` is a number of seconds up to 600"))?;
        let redirects = params.redirects.unwrap_or(10);
        Ok(Self {
            target: match is_socket {
                true => Target::parse_socket(&params.url)?,
                false => Target::parse(&params.url)?,
            },
            headers: headers(params.headers)?,
            basic: params.basic,
            body,
            timeout,
            follow: redirects > 0,
            redirects: redirects.min(20),
            max_bytes: params.max_bytes.unwrap_or(default_bytes).min(max_bytes),
            retries: match method.is_idempotent() {
                true => params.retries.unwrap_or(0).min(5),
                false => 0,
            },
            events: params.events.unwrap_or(false),
            path: params.path,
            protocols,
            method,
        })
    }
}

fn headers(
    given: BTreeMap<String, HeaderValues>,
) -> Result<Vec<(HeaderName, String)>, ActionError> {
    let mut headers = Vec::new();
    for (name, values) in given {
        let shown: String = name.chars().take(60).flat_map(char::escape_debug).collect();
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| invalid(format!("`{shown}` is no name of a header")))?;
        if OWN.contains(&name.as_str()) || name.as_str().starts_with("proxy-") {
            let message = format!("the header `{name}` is set by Kael itself");
            return Err(invalid(message));
        }
        let values = match values {
            HeaderValues::One(value) => vec![value],
            HeaderValues::Several(values) => values,
        };
        for value in values {
            if HeaderValue::from_str(&value).is_err()
                && HeaderValue::from_bytes(value.as_bytes()).is_err()
            {
                let message =
                    format!("the header `{name}` has a line break or another control character");
                return Err(invalid(message));
            }
            headers.push((name.clone(), value));
        }
    }
    if headers.len() > MAX_HEADERS {
        return Err(invalid(format!(
            "a request has at most {MAX_HEADERS} headers"
        )));
    }
    Ok(headers)
}

/// The bytes for which characters up to U+00FF stand.
pub(super) fn bytes_of(text: &str) -> Result<Vec<u8>, ActionError> {
    wire::bytes(text).ok_or_else(|| invalid("`bytes` has a character that stands for no byte"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(params: &str) -> String {
        Request::parse("get", params).expect_err("refused").message
    }

    #[test]
    fn headers_that_frame_a_message_or_break_a_line_are_refused() {
        for (header, message) in [
            (r#""a b": "x""#, "`a b` is no name of a header"),
            (r#""a\r\nb": "x""#, "`a\\r\\nb` is no name of a header"),
            (
                r#""a": "x\r\ny: z""#,
                "the header `a` has a line break or another control character",
            ),
            (
                r#""a": ["x", "\n"]"#,
                "the header `a` has a line break or another control character",
            ),
            (r#""Host": "x""#, "the header `host` is set by Kael itself"),
            (
                r#""Transfer-Encoding": "chunked""#,
                "the header `transfer-encoding` is set by Kael itself",
            ),
            (
                r#""Content-Length": "5""#,
                "the header `content-length` is set by Kael itself",
            ),
            (
                r#""Proxy-Authorization": "x""#,
                "the header `proxy-authorization` is set by Kael itself",
            ),
        ] {
            let params = format!(r#"{{ "url": "http://a/", "headers": {{ {header} }} }}"#);
            assert_eq!(error(&params), message);
        }
    }

    #[test]
    fn bodies_are_texts_or_bytes() {
        let request = |fields: &str| {
            Request::parse("post", &format!(r#"{{ "url": "http://a/", {fields} }}"#))
        };
        assert_eq!(
            &request(r#""bytes": "a\u00ff""#).expect("bytes").body[..],
            b"a\xff"
        );
        assert_eq!(
            &request(r#""body": "ü""#).expect("text").body[..],
            "ü".as_bytes()
        );
        assert!(
            request(r#""bytes": "\u0100""#).is_err()
                && request(r#""bytes": "", "body": """#).is_err()
        );
        assert!(request(r#""timeout": 0"#).is_err() && request(r#""timeout": 1e9"#).is_err());
        assert_eq!(request(r#""retries": 3"#).expect("a request").retries, 0);
    }
}
