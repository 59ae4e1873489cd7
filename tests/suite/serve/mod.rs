//! `kael-host serve` from outside: a real server on a port of its own, in a folder of its own.

mod alerts;
mod api;
mod approvals;
mod backup;
mod bounds;
mod browser;
mod budgets;
mod cancel;
mod commands;
mod crash;
mod doctor;
mod durable;
mod editor;
mod events;
mod fork;
mod functions;
mod grants;
mod hooks;
mod house;
mod looks;
mod mcp;
mod noting;
mod oidc;
mod openapi;
mod operate;
mod origin;
mod page;
mod quickstart;
mod repos;
mod retention;
mod runs;
mod schedules;
mod scripts;
mod secrets;
mod soak;
mod subscriptions;
mod tenants;
mod tour;
mod traces;
mod webhooks;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use kael_tests::Kael;
use serde_json::{Value, json};

/// How long a test waits for something that happens in milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
pub(crate) struct Server {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    /// What it said when it was ready.
    pub(crate) started: Value,
    /// `127.0.0.1:PORT`.
    pub(crate) address: String,
    /// The operator's token.
    pub(crate) token: String,
    /// Its folder, where no other holds it.
    session: Option<Kael>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut found = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, value)| value)
    }

    /// The answer, which must have this status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{} {}", self.head, self.body);
        self
    }
}

impl Server {
    /// Starts a server in the folder of a session, and signs the operator in.
    pub(crate) fn start(session: &Kael) -> Self {
        Self::start_with(session, &[])
    }

    /// Starts a server in a folder that lives as long as it does.
    pub(crate) fn owning(session: Kael) -> Self {
        let mut server = Self::start(&session);
        server.session = Some(session);
        server
    }

    pub(crate) fn start_with(session: &Kael, arguments: &[&str]) -> Self {
        let mut server = Self::spawn(session, arguments);
        let link = server.started["sign_in"]
            .as_str()
            .expect("a link")
            .to_owned();
        let (_, code) = link.split_once("code=").expect("a code");
        let made = server
            .ask("POST", "/v1/login", None, &json!({ "code": code }))
            .is(201);
        server.token = made.json()["secret"].as_str().expect("a token").to_owned();
        server
    }

    /// Starts a server whose operator has signed in before.
    pub(crate) fn restart(session: &Kael, token: &str) -> Self {
        Self::restart_with(session, token, &[])
    }

    pub(crate) fn restart_with(session: &Kael, token: &str, arguments: &[&str]) -> Self {
        let mut server = Self::spawn(session, arguments);
        token.clone_into(&mut server.token);
        server
    }

    fn spawn(session: &Kael, arguments: &[&str]) -> Self {
        let mut command: Command = session.command();
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--json"])
            .args(arguments);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut child = command.spawn().expect("the server starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line");
        let started: Value = serde_json::from_str(&line).unwrap_or_else(|error| {
            stdout.read_to_string(&mut line).ok();
            panic!("{error}: {line}")
        });
        let address = started["address"].as_str().expect("an address").to_owned();
        Self {
            child,
            _stdout: stdout,
            started,
            address,
            token: String::new(),
            session: None,
        }
    }

    /// Opens a connection and sends the head of a request, with a body of JSON.
    pub(crate) fn open(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        // Without chunks, and closed behind the answer.
        let mut head = format!("{method} {path} HTTP/1.0\r\nHost: {}\r\n", self.address);
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            head += &format!(
                "Content-Type: application/json\r\nContent-Length: {}\r\n",
                body.len()
            );
        }
        head += "\r\n";
        stream.write_all(head.as_bytes()).expect("a request");
        stream.write_all(body.as_bytes()).ok();
        stream
    }

    /// Sends a request, and reads the whole answer.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        read(self.open(method, path, headers, body))
    }

    /// Sends these bytes, and reads the whole answer.
    pub(crate) fn raw(&self, text: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        stream.write_all(text.as_bytes()).ok();
        read(stream)
    }

    /// Sends a request with a token.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Answer {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer
            .iter()
            .map(|bearer| ("Authorization", bearer.as_str()))
            .collect();
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        self.send(method, path, &headers, &body)
    }

    /// Gets something as the operator.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, Some(&self.token), &Value::Null)
    }

    /// Sends something as the operator.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, Some(&self.token), body)
    }

    /// Changes something as the operator.
    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        self.ask("PUT", path, Some(&self.token), body)
    }

    /// Stores a script as the operator.
    pub(crate) fn store(&self, name: &str, script: &str) -> Value {
        let body = json!({ "script": script });
        self.put(&format!("/v1/scripts/{name}"), &body)
            .is(200)
            .json()
    }

    /// Submits a script as the operator: the id of its run.
    pub(crate) fn submit(&self, script: &str) -> String {
        let answer = self.post("/v1/runs", &json!({ "script": script })).is(202);
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    /// Waits for the end of a run.
    pub(crate) fn ended(&self, run: &str) -> Value {
        for _ in 0..20 {
            let run = self.get(&format!("/v1/runs/{run}?wait=10s")).is(200).json();
            if run["ended"].is_string() {
                return run;
            }
        }
        panic!(
            "the run {run} does not end: {}",
            self.get(&format!("/v1/runs/{run}")).body
        );
    }

    /// A token of a tenant.
    pub(crate) fn make_token(&self, tenant: &str, role: &str) -> String {
        let bearer = format!("Bearer {}", self.token);
        let headers = [("Authorization", bearer.as_str()), ("Kael-Tenant", tenant)];
        let body = json!({ "name": format!("{role} of {tenant}"), "role": role }).to_string();
        let made = self.send("POST", "/v1/tokens", &headers, &body).is(201);
        made.json()["secret"].as_str().expect("a token").to_owned()
    }

    /// The code of a one-time link that the holder of a token makes.
    pub(crate) fn code(&self, token: &str) -> String {
        let made = self
            .ask("POST", "/v1/sign-ins", Some(token), &json!({}))
            .is(201)
            .json();
        let (_, code) = made["url"]
            .as_str()
            .and_then(|url| url.split_once("code="))
            .expect("a code");
        code.to_owned()
    }

    /// Makes a tenant without actions.
    pub(crate) fn make_tenant(&self, name: &str, settings: &Value) {
        let body = json!({ "settings": settings });
        self.ask(
            "PUT",
            &format!("/v1/tenants/{name}"),
            Some(&self.token),
            &body,
        )
        .is(200);
    }

    /// Ends the process as the kernel does when memory is short.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    /// Asks the process to end.
    pub(crate) fn signal(&self) {
        let pid = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.expect("a pid"), rustix::process::Signal::TERM)
            .expect("a signal");
    }

    /// Asks the process to end, and waits for it: its exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        self.signal();
        self.child.wait().expect("gone").code()
    }
}

fn read(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A server that has answered may close before it has read the rest of a body.
    stream.read_to_end(&mut bytes).ok();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Answer {
        status: status.unwrap_or_else(|| panic!("no status: {text}")),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        drop(self.session.take());
    }
}
