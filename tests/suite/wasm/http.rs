//! HTTP requests of WebAssembly actions, allowed and refused.

use std::net::TcpListener;
use std::sync::atomic::Ordering::SeqCst;

use super::server::{secure_server, server};
use super::*;

/// The probe as a component that makes requests.
fn client() -> &'static [u8] {
    static CLIENT: OnceLock<Vec<u8>> = OnceLock::new();
    let read = || fs::read(project("tests/fixtures/probe-http.wasm")).expect("a fixture");
    CLIENT.get_or_init(|| component(&read()))
}

/// `t.h` makes requests.
fn requests(fields: &str) -> Kael {
    define(shared(), "h", client(), fields)
}

/// The outcome of one request, on one line.
fn ask(fields: &str, params: &str) -> kael_tests::Ran {
    requests(fields).script(&format!(
        "local ok, r = pcall(actions.t.h, {{ ['do'] = 'fetch', {params} }})
         if not ok then print(r.kind, r.message) elseif r.refused then print(r.refused) else print(r.status, r.body) end"
    ))
}

fn at(port: u16) -> String {
    format!("network = {{ '127.0.0.1:{port}' }}")
}

#[test]
fn requests_have_methods_headers_and_bodies_and_so_have_answers() {
    let (port, _) = server();
    let here = format!("at = '127.0.0.1:{port}'");
    ask(&at(port), &here).prints(&format!(
        "200\tGET / HTTP/1.1 host: 127.0.0.1:{port}|connection: close \n"
    ));
    ask(
        &at(port),
        &format!("{here}, method = 'POST', body = 'a body', headers = {{ ['X-Own'] = 'h', ['Content-Length'] = '6' }}"),
    )
    .prints(&format!(
        "200\tPOST / HTTP/1.1 host: 127.0.0.1:{port}|content-length: 6|x-own: h|connection: close a body\n"
    ));
    // Without a length the body is sent in chunks.
    ask(
        &at(port),
        &format!("{here}, method = 'PUT', path = '/size', upload = 3000000"),
    )
    .prints("200\t3000000\n");
    ask(&at(port), &format!("{here}, path = '/teapot'")).prints("418\t\n");
    // A client that follows the redirect makes a new request, which is refused.
    ask(&at(port), &format!("{here}, path = '/moved'")).prints("302\telsewhere\n");
    requests(&at(port))
        .script(&format!("local r = actions.t.h({{ ['do'] = 'fetch', {here} }}) print(r.headers['x-one'], r.headers['x-two'])"))
        .prints("1\t2\n");
    // A name is looked up, and its addresses are tried in order.
    ask(
        &format!("network = {{ 'localhost:{port}' }}"),
        &format!("at = 'LOCALHOST:{port}', path = '/teapot'"),
    )
    .prints("418\t\n");
}

#[test]
fn requests_go_only_to_allowed_hosts() {
    let ((port, _), (other, _)) = (server(), server());
    let by_name = format!("network = {{ 'localhost:{port}' }}");
    for (fields, authority, said) in [
        (
            &at(port),
            format!("127.0.0.1:{other}"),
            "answer: ErrorCode::HttpRequestDenied",
        ),
        (
            &at(port),
            format!("localhost:{port}"),
            "answer: ErrorCode::HttpRequestDenied",
        ),
        (
            &by_name,
            format!("localhost:{other}"),
            "answer: ErrorCode::HttpRequestDenied",
        ),
        (
            &by_name,
            format!("127.0.0.1:{port}"),
            "answer: ErrorCode::HttpRequestDenied",
        ),
        (
            &by_name,
            format!("127.1:{port}"),
            "answer: ErrorCode::HttpRequestDenied",
        ),
        (
            &by_name,
            "localhost".to_owned(),
            "answer: ErrorCode::HttpRequestDenied",
        ),
        (
            &by_name,
            format!("localhost@127.0.0.1:{port}"),
            "answer: ErrorCode::HttpRequestUriInvalid",
        ),
        (
            &by_name,
            format!("localhost:{port}@127.0.0.1:{port}"),
            "answer: ErrorCode::HttpRequestUriInvalid",
        ),
        (
            &format!("network = {{ '0.0.0.0/8:{port}' }}"),
            format!("0.0.0.0:{port}"),
            "answer: ErrorCode::DestinationIpProhibited",
        ),
    ] {
        ask(fields, &format!("at = '{authority}'")).prints(&format!("{said}\n"));
    }
    let here = format!("at = '127.0.0.1:{port}'");
    ask(&at(port), &format!("{here}, method = 'CONNECT'"))
        .prints("answer: ErrorCode::HttpRequestMethodInvalid\n");
    ask(&at(port), &format!("{here}, scheme = 'ftp'"))
        .prints("handle: ErrorCode::HttpProtocolError\n");
    ask(
        &at(port),
        &format!("{here}, path = 'http://localhost:{other}/'"),
    )
    .prints("request\n");
    ask(
        &at(port),
        &format!("{here}, headers = {{ Host = 'localhost' }}"),
    )
    .prints("header: HeaderError::Forbidden\n");
    // The reason is shown if the action fails.
    requests(&at(port))
        .script(&format!("local _, e = pcall(actions.t.h, {{ ['do'] = 'fetch', must = true, at = '127.0.0.1:{other}' }}) print(e.detail.hint)"))
        .prints(&format!("a request to `127.0.0.1:{other}` was refused: the definition's `network` says where the action may connect to\n"));
}

/// This machine's own names for its loopback address, except localhost.
fn own_names() -> Vec<String> {
    let hosts = fs::read_to_string("/etc/hosts").unwrap_or_default();
    let mut names = Vec::new();
    for line in hosts.lines() {
        let mut words = line
            .split('#')
            .next()
            .unwrap_or_default()
            .split_whitespace();
        let ip = words
            .next()
            .and_then(|ip| ip.parse::<std::net::IpAddr>().ok());
        if ip.is_some_and(|ip| ip.is_loopback()) {
            let own = words.filter(|name| !name.ends_with("localhost"));
            names.extend(own.map(str::to_owned));
        }
    }
    names
}

#[test]
fn a_name_that_turns_out_to_be_this_machine_is_not_connected_to() {
    let (port, _) = server();
    for name in own_names() {
        let params = format!("at = '{name}:{port}', path = '/teapot'");
        ask(&format!("network = {{ '{name}:{port}' }}"), &params)
            .prints("answer: ErrorCode::DestinationIpProhibited\n");
        // Allowed if the definition names the address, too.
        ask(
            &format!("network = {{ '{name}:{port}', '127.0.0.0/8:{port}' }}"),
            &params,
        )
        .prints("418\t\n");
    }
    let ran = ask(
        "network = { 'no.such.host.invalid:80' }",
        "at = 'no.such.host.invalid'",
    );
    assert!(
        ran.stdout.starts_with("answer: ErrorCode::DnsError"),
        "{}",
        ran.stdout
    );
}

#[test]
fn without_network_it_does_not_run_and_validate_reports_it() {
    let said =
        "`h.wasm` needs `network` in its definition, for what it imports: wasi:http/types@0.2.";
    let ran = requests("").script("actions.t.h({ ['do'] = 'echo' })");
    ran.exits(6).says(&format!("Error: t.h failed: {said}"));
    assert!(
        ran.stderr.contains(", wasi:http/outgoing-handler@0.2."),
        "{}",
        ran.stderr
    );
    let ran = requests("").words(&["actions", "validate"]).ends();
    assert!(ran.exits(3).stdout.contains(said), "{}", ran.stdout);
    let ran = requests(&at(80))
        .words(&["actions", "describe", "t.h"])
        .ends();
    assert!(
        ran.exits(0)
            .stdout
            .contains("wasi:http/outgoing-handler@0.2."),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_server_that_does_not_answer_is_not_waited_for() {
    let (port, _) = server();
    let here = format!("at = '127.0.0.1:{port}'");
    // Waiting does not count as computing.
    let limited = format!(
        "{}, timeout = '1500ms', limits = {{ cpu = '1s' }}",
        at(port)
    );
    ask(&limited, &format!("{here}, path = '/wait'")).prints("timeout\ttimed out after 1.5s\n");
    ask(
        &at(port),
        &format!("{here}, path = '/wait', answer_ms = 50"),
    )
    .prints("answer: ErrorCode::ConnectionReadTimeout\n");
    ask(
        &at(port),
        &format!("{here}, path = '/trickle', pause_ms = 50"),
    )
    .prints("body: broken off after 4\n");
    // A port without a listener.
    let gone = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .port();
    ask(&at(gone), &format!("at = '127.0.0.1:{gone}'"))
        .prints("answer: ErrorCode::ConnectionRefused\n");
}

#[test]
fn a_finished_call_has_no_open_connection() {
    let late = "repeat pcall(actions.t.late, slow) until came() > 0";
    let cancelled = "repeat
          race(function() return actions.t.h(slow) end, function() return fetch('/pause') end)
        until came() > 0";
    let unread = "slow['do'] = 'abandon' print(actions.t.h(slow))";
    for (over, path, said) in [
        (late, "/wait", ""),
        (late, "/trickle", ""),
        (cancelled, "/wait", ""),
        (cancelled, "/trickle", ""),
        (unread, "/trickle", "200\n"),
    ] {
        let (port, _) = server();
        let late = format!("{}, timeout = '200ms'", at(port));
        let code = format!(
            "local slow = {{ ['do'] = 'fetch', at = '127.0.0.1:{port}', path = '{path}' }}
             local function fetch(path) return actions.t.h({{ ['do'] = 'fetch', at = slow.at, path = path }}).body end
             local function came() return tonumber(fetch('/came')) end
             {over}
             print(fetch('/closed'))"
        );
        define(requests(&at(port)), "late", client(), &late)
            .script(&code)
            .prints(&format!("{said}all\n"));
    }
}

#[test]
fn certificates_are_checked() {
    let port = secure_server();
    let fixture = |name: &str| {
        project("tests/fixtures/tls")
            .join(name)
            .display()
            .to_string()
    };
    let (authority, other) = (fixture("authority.pem"), fixture("server.pem"));
    let fields = format!("network = {{ 'localhost:{port}', '127.0.0.1:{port}' }}");
    // The outcome, and the details of the failure.
    let ask = |host: &str, authorities: &str| {
        let params = format!(
            "['do'] = 'fetch', scheme = 'https', at = '{host}:{port}', path = '/size', method = 'POST', body = 'secret'"
        );
        requests(&fields)
            .env("SSL_CERT_FILE", authorities)
            .script(&format!(
                "local r = actions.t.h({{ {params} }})
                 print(r.refused or r.body)
                 local ok, e = pcall(actions.t.h, {{ must = true, {params} }})
                 if not ok then print(e.detail.hint) end"
            ))
    };
    ask("localhost", &authority).prints("6\n");
    let refused = "answer: ErrorCode::TlsCertificateError\n";
    let starts = |ran: kael_tests::Ran, hint: &str| {
        let start = format!("{refused}{hint}");
        assert!(ran.exits(0).stdout.starts_with(&start), "{}", ran.stdout);
    };
    // The certificate is only for localhost.
    let hint = format!("`127.0.0.1:{port}` is not trusted: invalid peer certificate: ");
    starts(ask("127.0.0.1", &authority), &hint);
    ask("localhost", &other).prints(&format!(
        "{refused}`localhost:{port}` is not trusted: invalid peer certificate: UnknownIssuer; its authority is looked for in {other}, and in another file if SSL_CERT_FILE names one\n"
    ));
    for (file, error) in [
        ("/no/such/file", "certificate authorities cannot be read: "),
        ("/dev/null", "it has no certificate\n"),
    ] {
        let hint = format!("{file} (from SSL_CERT_FILE): {error}");
        starts(ask("localhost", file), &hint);
    }
}

#[test]
fn responses_are_bounded() {
    let (port, _) = server();
    let here = format!("at = '127.0.0.1:{port}'");
    let small = format!("{}, limits = {{ memory = '16MiB' }}", at(port));
    let ran = ask(&small, &format!("{here}, path = '/huge'"));
    assert!(
        ran.exits(0).stdout.starts_with("failed\t") && ran.stdout.contains("memory"),
        "{}",
        ran.stdout
    );
    for path in ["/head", "/headers"] {
        ask(&at(port), &format!("{here}, path = '{path}'"))
            .prints("answer: ErrorCode::HttpResponseHeaderSectionSize(Some(131072))\n");
    }
    ask(&at(port), &format!("{here}, path = '/half'")).prints("body: broken off after 4\n");
    ask(&at(port), &format!("{here}, path = '/junk'"))
        .prints("answer: ErrorCode::HttpProtocolError\n");
}

#[test]
fn requests_at_the_same_time_are_bounded_and_all_answered() {
    let (port, seen) = server();
    let many = |count: &str, path: &str| {
        format!(
            "print(json.encode(actions.t.h({{ ['do'] = 'fetch-many', {count}, connect_ms = 60000, at = '127.0.0.1:{port}', path = '{path}' }})))"
        )
    };
    let count = "times = 80, at_once = 80";
    requests(&at(port))
        .script(&many(count, "/pause"))
        .prints("{\"200\":80}\n");
    let most = seen.most.load(SeqCst);
    assert!(most <= 32, "{most} at the same time");
    // One after the other, more requests than an instance has handles.
    let count = "times = 600, at_once = 1";
    requests(&at(port))
        .script(&many(count, "/teapot"))
        .prints("{\"418\":600}\n");
}
