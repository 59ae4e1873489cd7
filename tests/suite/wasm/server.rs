//! HTTP servers for tests. The path of a request decides how they answer.

use std::fs;
use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use kael_tests::project;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Longer than every limit of these tests.
const VERY_LONG: Duration = Duration::from_secs(60);

/// What a server has recorded.
#[derive(Default)]
pub(super) struct Seen {
    /// Requests that are never answered: how many came, and how many of those lost their
    /// connection.
    unanswered: Mutex<(usize, usize)>,
    changed: Condvar,
    /// Requests in progress, and their highest number.
    now: AtomicUsize,
    pub(super) most: AtomicUsize,
}

struct Asked {
    line: String,
    headers: Vec<String>,
    body: Vec<u8>,
}

/// Reads a request. None if the connection ended first.
fn read(stream: &mut impl std::io::BufRead) -> Option<Asked> {
    let mut line = || {
        let mut line = String::new();
        let size = stream.read_line(&mut line).ok()?;
        (size > 0).then(|| line.trim_end().to_owned())
    };
    let first = line()?;
    let mut headers = Vec::new();
    loop {
        match line()? {
            header if header.is_empty() => break,
            header => headers.push(header.to_ascii_lowercase()),
        }
    }
    let value = |name: &str| headers.iter().find_map(|header| header.strip_prefix(name));
    let mut body = Vec::new();
    if let Some(size) = value("content-length: ") {
        body.resize(size.parse().ok()?, 0);
        stream.read_exact(&mut body).ok()?;
    } else if value("transfer-encoding: chunked").is_some() {
        loop {
            let mut size = String::new();
            stream.read_line(&mut size).ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk).ok()?;
            body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                break;
            }
        }
    }
    Some(Asked {
        line: first,
        headers,
        body,
    })
}

fn respond(stream: &mut impl Write, status: &str, headers: &str, body: &str) {
    let size = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-length: {size}\r\n{headers}\r\n{body}"
    )
    .ok();
}

fn serve(stream: impl Read + Write, seen: &Seen) {
    let mut stream = BufReader::new(stream);
    let Some(asked) = read(&mut stream) else {
        return;
    };
    seen.most
        .fetch_max(seen.now.fetch_add(1, SeqCst) + 1, SeqCst);
    let path = asked.line.split(' ').nth(1).unwrap_or_default();
    let out = stream.get_mut();
    match path {
        "/" => {
            let headers = asked.headers.join("|");
            let body = String::from_utf8_lossy(&asked.body);
            respond(
                out,
                "200 OK",
                "x-one: 1\r\nX-Two: 2\r\n",
                &format!("{} {headers} {body}", asked.line),
            );
        }
        "/size" => respond(out, "200 OK", "", &asked.body.len().to_string()),
        "/teapot" => respond(out, "418 I'm a teapot", "", ""),
        "/moved" => respond(
            out,
            "302 Found",
            "location: http://127.0.0.1:1/\r\n",
            "elsewhere",
        ),
        "/huge" => {
            out.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok();
            while out.write_all(&[b'y'; 1 << 16]).is_ok() {}
        }
        "/head" => {
            out.write_all(b"HTTP/1.1 200 OK\r\n").ok();
            while out.write_all(&[b'a'; 1 << 10]).is_ok() {}
        }
        "/headers" => respond(out, "200 OK", &"a: b\r\n".repeat(1000), ""),
        "/half" => drop(out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")),
        "/junk" => drop(out.write_all(b"220 mail.example.org ESMTP\r\n")),
        "/pause" => {
            std::thread::sleep(Duration::from_millis(50));
            seen.now.fetch_sub(1, SeqCst);
            return respond(out, "200 OK", "", "");
        }
        "/came" => {
            let came = seen.unanswered.lock().expect("nobody failed").0;
            respond(out, "200 OK", "", &came.to_string());
        }
        // Waits until every unanswered request has lost its connection.
        "/closed" => {
            let counts = seen.unanswered.lock().expect("nobody failed");
            let left = |counts: &mut (usize, usize)| counts.1 < counts.0;
            let wait = seen.changed.wait_timeout_while(counts, VERY_LONG, left);
            let all = !left(&mut wait.expect("nobody failed").0);
            respond(out, "200 OK", "", if all { "all" } else { "not all" });
        }
        // An answer that begins, or does not begin, and never ends.
        "/wait" | "/trickle" => {
            seen.unanswered.lock().expect("nobody failed").0 += 1;
            if path == "/trickle" {
                out.write_all(b"HTTP/1.1 200 OK\r\n\r\nsome").ok();
            }
            drop(stream.read(&mut [0]));
            seen.unanswered.lock().expect("nobody failed").1 += 1;
            seen.changed.notify_all();
        }
        _ => respond(out, "404 Not Found", "", ""),
    }
    seen.now.fetch_sub(1, SeqCst);
}

/// A server that runs until the tests end: its port, and what it has recorded.
pub(super) fn server() -> (u16, Arc<Seen>) {
    listen(serve)
}

/// The same over TLS, as `localhost`, with a certificate of the tests' own authority.
pub(super) fn secure_server() -> u16 {
    let read = |name: &str| fs::read(project("tests/fixtures/tls").join(name)).expect("a fixture");
    let certificate = CertificateDer::from_pem_slice(&read("server.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(&read("server.key")).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| {
            config
                .with_no_client_auth()
                .with_single_cert(vec![certificate], key)
        });
    let config = Arc::new(config.expect("a configuration"));
    let serve = move |stream, seen: &Seen| {
        let server = rustls::ServerConnection::new(config.clone()).expect("a server");
        serve(rustls::StreamOwned::new(server, stream), seen);
    };
    listen(serve).0
}

fn listen(serve: impl Fn(TcpStream, &Seen) + Send + Sync + 'static) -> (u16, Arc<Seen>) {
    let serve = Arc::new(serve);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let seen = Arc::<Seen>::default();
    let own = seen.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (serve, seen) = (serve.clone(), own.clone());
            std::thread::spawn(move || serve(stream, &seen));
        }
    });
    (port, seen)
}
