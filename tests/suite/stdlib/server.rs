//! A server that knows a table of requests, and refuses every other one.

use std::collections::BTreeMap;
use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// A request as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Got {
    pub(crate) method: String,
    /// The path and the query.
    pub(crate) target: String,
    /// By their names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

type Answer = dyn Fn(&Got) -> Vec<u8> + Send + Sync;

/// A server on a port of its own, until the test ends.
pub(crate) struct Server {
    pub(crate) port: u16,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Server {
    /// Answers each request with the bytes that `answer` makes, and closes the connection.
    pub(crate) fn start(answer: impl Fn(&Got) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let (kept, answer): (_, Arc<Answer>) = (got.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answer) = (kept.clone(), answer.clone());
                thread::spawn(move || serve(stream, &kept, &*answer));
            }
        });
        Self { port, got }
    }

    /// Every request so far.
    pub(crate) fn got(&self) -> Vec<Got> {
        self.got.lock().expect("no panic").clone()
    }
}

fn serve(stream: TcpStream, kept: &Mutex<Vec<Got>>, answer: &Answer) {
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok();
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let Some(got) = read(&mut reader) else {
        return;
    };
    let bytes = answer(&got);
    kept.lock().expect("no panic").push(got);
    let mut stream = stream;
    stream.write_all(&bytes).ok();
}

fn read(reader: &mut impl std::io::BufRead) -> Option<Got> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let mut got = Got {
        method: words.next()?.to_owned(),
        target: words.next()?.to_owned(),
        ..Got::default()
    };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        let name = name.to_ascii_lowercase();
        got.headers.insert(name, value.trim().to_owned());
    }
    let length = got.headers.get("content-length");
    let length = length.and_then(|length| length.parse().ok()).unwrap_or(0);
    got.body = vec![0; length];
    reader.read_exact(&mut got.body).ok()?;
    Some(got)
}

/// An answer with a body and further headers, each ended by a line break.
pub(crate) fn answer(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A line of a table: `METHOD TARGET [header: value] BODY -> STATUS [header: value] BODY`.
///
/// A body is compared as JSON, or as text where it is none. In an answer `{url}` is the server's.
#[derive(Debug)]
pub(crate) struct Route {
    line: String,
    method: String,
    target: String,
    header: Option<(String, String)>,
    /// `*` for any.
    body: Option<String>,
    status: u16,
    answer: String,
    answer_header: Option<(String, String)>,
}

/// `[name: value] rest`, as a header and the rest; a list of JSON is no header.
fn header(text: &str) -> (Option<(String, String)>, &str) {
    let split = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    match split.and_then(|(header, rest)| Some((header.split_once(": ")?, rest))) {
        Some(((name, value), rest)) if !name.starts_with(['{', '"']) => {
            (Some((name.to_owned(), value.to_owned())), rest.trim())
        }
        _ => (None, text),
    }
}

/// The routes in the lines of a text that begin with `--> `.
pub(crate) fn routes(text: &str) -> Vec<Route> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("--> "));
    let route = |line: &str| {
        let (request, answered) = line.split_once(" -> ").expect("an answer");
        let (method, rest) = request.split_once(' ').expect("a target");
        let (target, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let (header, rest) = self::header(rest);
        let (status, body) = answered.split_once(' ').unwrap_or((answered, ""));
        let (answer_header, body) = self::header(body);
        Route {
            line: line.to_owned(),
            method: method.to_owned(),
            target: target.to_owned(),
            header,
            body: (!rest.is_empty()).then(|| rest.to_owned()),
            status: status.parse().expect("a status"),
            answer: body.to_owned(),
            answer_header,
        }
    };
    lines.map(route).collect()
}

impl Route {
    fn fits(&self, got: &Got) -> bool {
        let by_header = self
            .header
            .as_ref()
            .is_none_or(|(name, value)| got.headers.get(name).is_some_and(|found| found == value));
        let by_body = match self.body.as_deref() {
            None => got.body.is_empty(),
            Some("*") => true,
            Some(body) => match serde_json::from_str::<Value>(body) {
                Ok(wanted) => {
                    serde_json::from_slice::<Value>(&got.body).is_ok_and(|found| found == wanted)
                }
                Err(_) => got.body == body.as_bytes(),
            },
        };
        self.method == got.method && self.target == got.target && by_header && by_body
    }
}

/// A server that knows these routes, and which of them were asked for.
pub(crate) fn table(routes: Vec<Route>) -> (Server, impl Fn() -> Vec<String>) {
    let routes = Arc::new(routes);
    let known = routes.clone();
    let server = Server::start(
        move |got| match known.iter().find(|route| route.fits(got)) {
            Some(route) => {
                let host = got.headers.get("host").map_or("", String::as_str);
                let filled = |text: &str| text.replace("{url}", &format!("http://{host}"));
                let header = route.answer_header.as_ref();
                let header = header.map(|(name, value)| format!("{name}: {}\r\n", filled(value)));
                let header = header.unwrap_or_default();
                answer(route.status, &header, filled(&route.answer))
            }
            None => {
                let body = String::from_utf8_lossy(&got.body);
                let said = format!("no route for {} {} {body}", got.method, got.target);
                answer(501, "", said)
            }
        },
    );
    let got = server.got.clone();
    let unused = move || {
        let got = got.lock().expect("no panic");
        let asked = |route: &&Route| !got.iter().any(|got| route.fits(got));
        routes
            .iter()
            .filter(asked)
            .map(|route| route.line.clone())
            .collect()
    };
    (server, unused)
}
