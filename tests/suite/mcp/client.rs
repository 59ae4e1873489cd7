//! A client of the protocol that writes and reads lines, so that it can misbehave.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use kael_tests::Kael;
use serde_json::{Value, json};

/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// `kael-host mcp`, and this end of its pipes.
pub(crate) struct Client {
    child: Child,
    pub(crate) input: Option<ChildStdin>,
    lines: Receiver<Value>,
    pub(crate) said: Receiver<String>,
    next: u64,
    /// What every request carries, for a client that shakes no hands.
    meta: Option<Value>,
    /// The session's folder, until the host has ended.
    _session: Kael,
}

impl Client {
    /// Starts the host with these words.
    pub(crate) fn start(session: Kael, words: &[&str]) -> Self {
        let mut command = session.command();
        command
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the host starts");
        let (line, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        thread::spawn(move || {
            for text in stdout.lines().map_while(Result::ok) {
                line.send(serde_json::from_str(&text).expect("a line of JSON"))
                    .ok();
            }
        });
        let (say, said) = channel();
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        thread::spawn(move || {
            for text in stderr.lines().map_while(Result::ok) {
                say.send(text).ok();
            }
        });
        let input = child.stdin.take();
        Self {
            child,
            input,
            lines,
            said,
            next: 0,
            meta: None,
            _session: session,
        }
    }

    /// A client of the protocol of 2025, with these capabilities.
    pub(crate) fn of_2025(session: Kael, words: &[&str], capabilities: Value) -> Self {
        let mut client = Self::start(session, words);
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": { "name": "t", "version": "1" } });
        client.request("initialize", params);
        client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        client
    }

    /// A client of the protocol of 2026, with these capabilities.
    pub(crate) fn of_2026(session: Kael, words: &[&str], capabilities: Value) -> Self {
        let mut client = Self::start(session, words);
        client.meta = Some(json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": capabilities,
        }));
        client
    }

    /// Writes one line.
    pub(crate) fn send(&mut self, message: &Value) {
        self.write(message.to_string().as_bytes());
    }

    /// Writes bytes and a line break. The host may be gone.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("open");
        input
            .write_all(bytes)
            .and_then(|()| input.write_all(b"\n"))
            .ok();
    }

    /// Sends a request, and returns its id.
    pub(crate) fn begin(&mut self, method: &str, mut params: Value) -> u64 {
        self.next += 1;
        if let Some(meta) = &self.meta {
            params["_meta"] = meta.clone();
        }
        let id = self.next;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    /// The next message.
    pub(crate) fn next(&self) -> Value {
        self.lines.recv_timeout(PATIENCE).expect("a message")
    }

    /// The answer to a request; other messages are passed over.
    pub(crate) fn answer(&self, id: u64) -> Value {
        loop {
            let message = self.next();
            if message["id"] == id && message.get("method").is_none() {
                return message;
            }
        }
    }

    /// Sends a request and returns the answer.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.begin(method, params);
        self.answer(id)
    }

    /// Calls a tool: the whole result.
    pub(crate) fn call(&mut self, name: &str, arguments: Value) -> Value {
        let answer = self.request(
            "tools/call",
            json!({ "name": name, "arguments": arguments }),
        );
        answer
            .get("result")
            .unwrap_or_else(|| panic!("{answer}"))
            .clone()
    }

    /// Calls a tool: its document.
    pub(crate) fn tool(&mut self, name: &str, arguments: Value) -> Value {
        self.call(name, arguments)["structuredContent"].clone()
    }

    /// Runs a script.
    pub(crate) fn run(&mut self, code: &str) -> Value {
        self.tool("run", json!({ "code": code }))
    }

    /// A line of stderr that holds a text.
    pub(crate) fn line_with(&self, text: &str) -> String {
        loop {
            let line = self.said.recv_timeout(PATIENCE).expect("a line");
            if line.contains(text) {
                return line;
            }
        }
    }

    /// The most memory that the host has had, in bytes.
    pub(crate) fn most_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("it runs");
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .expect("a line");
        let words: Vec<&str> = line.split_whitespace().collect();
        words[1].parse::<u64>().expect("a number") << 10
    }

    /// Closes the client's side, and waits for the host: its exit code.
    pub(crate) fn ends(&mut self) -> i32 {
        self.input = None;
        self.child.wait().expect("it ends").code().unwrap_or(-1)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
