//! The protocol's own conformance checks, from npm, in both roles, and the official SDK over HTTP.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use kael_tests::{Kael, Need, needs, peers};
use serde_json::{Value, json};

use crate::serve::Server;

/// A command of node in the folder of the peers.
fn node(words: &[&str]) -> Command {
    let mut node = Command::new("node");
    node.current_dir(peers().expect("needed")).args(words);
    node
}

/// Runs conformance checks; they have to pass.
fn passes(words: &[&str], session: &Kael) {
    let program = "node_modules/@modelcontextprotocol/conformance/dist/index.js";
    let output = node(&["--import", "./older-node.mjs", program])
        .args(words)
        .arg("-o")
        .arg(session.path())
        .output()
        .expect("node starts");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {said}");
}

/// Calls a tool of the server whose URL comes last, as an action.
const CLIENT: &str = r#"#!/bin/sh
set -e
cd "$(mktemp -d)"
mkdir actions
echo 'return {}' > actions/init.lua
"$HOST" --actions actions actions mcp add peer "$1"
[ "$MCP_CONFORMANCE_SCENARIO" = tools_call ] || exit 0
echo 'return { peer = require("peer") }' > actions/init.lua
"$HOST" --actions actions run -e 'print(actions.peer.add_numbers({ a = 5, b = 3 }))'
"#;

#[test]
fn servers_as_actions_conform() {
    if !needs(&[Need::Npm]) {
        return;
    }
    for (version, scenario) in [
        ("2025-11-25", "initialize"),
        ("2025-11-25", "tools_call"),
        ("2026-07-28", "tools_call"),
        ("2026-07-28", "request-metadata"),
        ("2026-07-28", "http-standard-headers"),
    ] {
        let session = Kael::new().program("client.sh", CLIENT);
        let host = session.command();
        let mut script = String::from("#!/bin/sh\n");
        for (name, value) in host.get_envs() {
            if let Some(value) = value {
                let value = value.to_string_lossy();
                script += &format!("export {}='{value}'\n", name.to_string_lossy());
            }
        }
        let place = session.path().display().to_string();
        let program = host.get_program().to_string_lossy().into_owned();
        script +=
            &format!("export HOST='{program}' TMPDIR='{place}'\nexec {place}/client.sh \"$@\"\n");
        let session = session.program("begin.sh", &script);
        let begin = format!("{place}/begin.sh");
        let words = [
            "client",
            "--command",
            &begin,
            "--spec-version",
            version,
            "--scenario",
            scenario,
        ];
        passes(&words, &session);
    }
}

/// Adds the token to the requests of a client that has none, and gives the address to ask.
fn with_token(address: String, token: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let own = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (address, token) = (address.clone(), token.clone());
            std::thread::spawn(move || forward(stream, &address, &token));
        }
    });
    format!("http://{own}/mcp")
}

/// Passes one request on, and its answer back.
fn forward(mut stream: TcpStream, address: &str, token: &str) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut head, mut size) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            size = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
        if !lower.starts_with("connection:") {
            head += &line;
        }
    }
    let mut body = vec![0; size];
    reader.read_exact(&mut body).ok()?;
    let mut server = TcpStream::connect(address).ok()?;
    let more = format!("Authorization: Bearer {token}\r\nConnection: close\r\n\r\n");
    server
        .write_all(&[head.as_bytes(), more.as_bytes(), &body].concat())
        .ok()?;
    std::io::copy(&mut server, &mut stream).ok()?;
    Some(())
}

/// A server, and a token of its operator's default tenant.
fn server() -> (Server, String) {
    let server = Server::owning(Kael::new());
    let token = server.token.clone();
    (server, token)
}

#[test]
fn the_server_conforms_over_http() {
    if !needs(&[Need::Npm]) {
        return;
    }
    let (server, token) = server();
    let url = with_token(server.address.clone(), token);
    let session = Kael::new();
    for (version, scenarios) in [
        (
            "2025-11-25",
            &["server-initialize", "ping", "tools-list"][..],
        ),
        (
            "2026-07-28",
            &[
                "tools-list",
                "tools-call-error",
                "resources-list",
                "sep-2164-resource-not-found",
                "http-header-validation",
            ][..],
        ),
    ] {
        for scenario in scenarios {
            let words = [
                "server",
                "--url",
                &url,
                "--spec-version",
                version,
                "--scenario",
                scenario,
            ];
            passes(&words, &session);
        }
    }
}

#[test]
fn the_official_sdk_works_over_http_by_both_protocols() {
    if !needs(&[Need::Npm]) {
        return;
    }
    let (server, token) = server();
    let url = format!("http://{}/mcp", server.address);
    for mode in ["legacy", "modern"] {
        let output = node(&["http.mjs", mode, &url, &token])
            .output()
            .expect("node starts");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{mode}: {error}");
        let seen: Value = serde_json::from_slice(&output.stdout).expect("a document");
        let names = json!(["check", "describe", "result", "run", "search"]);
        assert_eq!(
            (&seen["server"], &seen["tools"]),
            (&"kael-host".into(), &names),
            "{seen}"
        );
        assert_eq!(seen["run"]["result"], json!({ "n": 7 }), "{mode}: {seen}");
        assert_eq!(seen["run"]["output"], "x\n");
        assert_eq!(seen["result"]["run"], seen["run"]["run"]);
        assert_eq!(seen["wrong"]["status"], "invalid", "{seen}");
    }
}
