//! Signing in by an OpenID Connect provider: a real one, and one that lies.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use kael_tests::{Kael, Need, needs, python};
use serde_json::{Value, json};

use super::{Answer, PATIENCE, Server, read};

/// A provider on a port of its own.
struct Provider {
    child: Child,
    port: u16,
}

impl Provider {
    /// Starts a program of the Python environment, which is told the port where `PORT` stands.
    fn start(program: &str, words: &[&str]) -> Self {
        let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = taken.local_addr().expect("an address").port();
        drop(taken);
        let words = words
            .iter()
            .map(|word| word.replace("PORT", &port.to_string()));
        let child = Command::new(python().expect("needed").join(program))
            .args(words)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the provider starts");
        let late = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < late, "the provider does not listen");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Self { child, port }
    }

    fn real() -> Self {
        Self::start("oidc-provider-mock", &["--port", "PORT"])
    }

    fn lying() -> Self {
        let program = kael_tests::project("tests/python/provider.py");
        Self::start("python3", &[&program.display().to_string(), "PORT"])
    }

    fn send(&self, method: &str, path: &str, kind: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time");
        let (port, length) = (self.port, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(head.as_bytes()).expect("a request");
        read(stream)
    }

    /// Says what it knows of somebody.
    fn knows(&self, sub: &str, claims: &Value) {
        let path = format!("/users/{sub}");
        self.send("PUT", &path, "application/json", &claims.to_string())
            .is(204);
    }

    /// Somebody says yes on its page: where the browser goes then.
    fn accepts(&self, asked: &str, sub: &str) -> String {
        let (_, path) = asked
            .split_once(&self.port.to_string())
            .expect("its own address");
        let form = "application/x-www-form-urlencoded";
        let answer = self.send("POST", path, form, &format!("sub={sub}"));
        let back = answer
            .header("location")
            .unwrap_or_else(|| panic!("{answer:?}"));
        let (_, path) = back
            .split_once("/login/")
            .expect("the address of the server");
        format!("/login/{path}")
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A server whose people come from a provider.
fn server(provider: &Provider, more: &str) -> Server {
    server_of(provider.port, more)
}

/// A server whose people come from a provider on a port.
fn server_of(port: u16, more: &str) -> Server {
    let session = Kael::new()
        .file("secret", "the-secret-of-the-client-which-is-long-enough\n")
        .file(
            "serve.yaml",
            format!(
                "oidc:\n  issuer: http://127.0.0.1:{port}\n  client_id: kael\n  client_secret: secret\n  name: Example\n  \
                 roles: {{ devs: submitter, leads: approver, ops: operator }}\n{more}tenants: [{{ name: default }}, {{ name: web }}]\n"
            ),
        );
    session.write_repo();
    let mut server = Server::start_with(&session, &["--config", "serve.yaml"]);
    server.session = Some(session);
    server
}

/// The value of a cookie that an answer sets; none where it takes it away.
fn cookie(answer: &Answer, name: &str) -> Option<String> {
    let start = format!("{name}=");
    let lines = answer.head.lines().filter_map(|line| line.split_once(": "));
    let mut set = lines.filter(|(key, _)| key.eq_ignore_ascii_case("set-cookie"));
    let (_, value) = set.find(|(_, value)| value.starts_with(&start))?;
    let value = value[start.len()..].split(';').next()?.to_owned();
    (!value.is_empty()).then_some(value)
}

/// A sign-in that was begun: where the provider is asked, and the cookie of the browser.
fn begin(server: &Server) -> (String, String) {
    let answer = server
        .send("GET", "/login/oidc?next=https://evil.example/", &[], "")
        .is(303);
    let asked = answer.header("location").expect("an address").to_owned();
    assert!(!asked.contains("evil"), "{asked}");
    for part in [
        "response_type=code",
        "code_challenge_method=S256",
        "nonce=",
        "state=",
        "scope=openid",
    ] {
        assert!(asked.contains(part), "{asked}");
    }
    assert!(
        answer
            .head
            .contains("; Path=/login/oidc; HttpOnly; SameSite=Lax"),
        "{}",
        answer.head
    );
    let browser = cookie(&answer, "kael_oidc").expect("a cookie");
    (asked, browser)
}

fn back(server: &Server, path: &str, browser: &str) -> Answer {
    let cookies = format!("kael_oidc={browser}; kael_session=chosen-by-somebody-else");
    server.send("GET", path, &[("Cookie", &cookies)], "")
}

/// Signs somebody in: the answer to the browser that comes back.
fn sign_in(server: &Server, provider: &Provider, sub: &str) -> Answer {
    let (asked, browser) = begin(server);
    back(server, &provider.accepts(&asked, sub), &browser)
}

/// Asks something in a session.
fn ask(server: &Server, session: &str, path: &str) -> Answer {
    let cookies = format!("kael_session={session}");
    server.send("GET", path, &[("Cookie", &cookies)], "")
}

#[test]
fn people_have_the_role_and_the_tenant_that_the_provider_says() {
    if !needs(&[Need::Pypi]) {
        return;
    }
    let provider = Provider::real();
    let server = server(&provider, "  tenant_claim: team\n");
    let page = server.send("GET", "/login", &[], "").is(200).body;
    assert!(page.contains("Sign in with Example"), "{page}");
    let ann = |groups: &[&str], team: &str| {
        let claims = json!({ "groups": groups, "team": team, "preferred_username": "ann" });
        provider.knows("ann", &claims);
    };
    ann(&["devs", "others"], "web");
    let answer = sign_in(&server, &provider, "ann").is(200);
    // Only here, and only in this session; no other site's link brings it along.
    assert!(
        answer.body.contains("content=\"0; url=/runs\""),
        "{}",
        answer.body
    );
    assert!(
        answer
            .head
            .contains("Max-Age=43200; Path=/; HttpOnly; SameSite=Strict"),
        "{}",
        answer.head
    );
    let first = cookie(&answer, "kael_session").expect("a session");
    assert_ne!(first, "chosen-by-somebody-else");
    ask(&server, "chosen-by-somebody-else", "/v1/me").is(401);
    let me = ask(&server, &first, "/v1/me").is(200).json();
    assert_eq!(
        (&me["role"], &me["tenant"], &me["name"]),
        (&json!("submitter"), &json!("web"), &json!("ann by Example"))
    );
    ask(&server, &first, "/v1/tokens").is(403);
    // The same again is the same person.
    let second = sign_in(&server, &provider, "ann").is(200);
    let second = cookie(&second, "kael_session").expect("a session");
    let again = ask(&server, &second, "/v1/me").is(200).json();
    assert_eq!(again["token"], me["token"]);
    // Signing out ends this session and no other.
    let runs = ask(&server, &second, "/runs").is(200).body;
    let (_, csrf) = runs.split_once("name=\"csrf\" value=\"").expect("a form");
    let csrf = csrf.split('"').next().expect("a value");
    let cookies = format!("kael_session={second}");
    let form = [
        ("Cookie", cookies.as_str()),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    let out = server.raw(&format!(
        "POST /logout HTTP/1.0\r\nHost: {}\r\n{}Content-Length: {}\r\n\r\ncsrf={csrf}",
        server.address,
        form.map(|(name, value)| format!("{name}: {value}\r\n"))
            .concat(),
        "csrf=".len() + csrf.len()
    ));
    assert_eq!(out.status, 303, "{out:?}");
    ask(&server, &second, "/v1/me").is(401);
    ask(&server, &first, "/v1/me").is(200);
    // Another role: what the old one had begun is over.
    ann(&["leads"], "web");
    let third = sign_in(&server, &provider, "ann").is(200);
    let third = cookie(&third, "kael_session").expect("a session");
    assert_eq!(
        ask(&server, &third, "/v1/me").is(200).json()["role"],
        "approver"
    );
    ask(&server, &first, "/v1/me").is(401);
    let now = ask(&server, &third, "/v1/me").is(200).json();
    assert_eq!(now["token"], me["token"], "it is the same person");
    // Groups that are gone take everything along.
    ann(&["others"], "web");
    let refused = sign_in(&server, &provider, "ann").is(403);
    assert!(
        refused
            .body
            .contains("none of your groups may use this server: the provider says: others"),
        "{}",
        refused.body
    );
    assert_eq!(cookie(&refused, "kael_session"), None);
    ask(&server, &third, "/v1/me").is(401);
    ann(&["devs"], "web");
    let fourth = sign_in(&server, &provider, "ann").is(200);
    let fourth = cookie(&fourth, "kael_session").expect("a session");
    let now = ask(&server, &fourth, "/v1/me").is(200).json();
    assert_eq!(now["token"], me["token"], "it is the same person");
    // A tenant that is not there, and an operator, who has none.
    ann(&["devs"], "nowhere");
    let refused = sign_in(&server, &provider, "ann").is(403);
    assert!(
        refused.body.contains("no tenant of this server: `nowhere`"),
        "{}",
        refused.body
    );
    provider.knows("bob", &json!({ "groups": "ops" }));
    let bob = sign_in(&server, &provider, "bob").is(200);
    let bob = cookie(&bob, "kael_session").expect("a session");
    let me = ask(&server, &bob, "/v1/me").is(200).json();
    assert_eq!(
        (&me["role"], &me["tenant"]),
        (&json!("operator"), &Value::Null)
    );
    // The token of a person ends with the day, and so does what its links make.
    let tokens = server.get("/v1/tokens").is(200).json();
    let tokens = tokens["tokens"].as_array().expect("tokens");
    let of_bob = tokens
        .iter()
        .find(|token| token["id"] == me["token"])
        .expect("it");
    assert!(of_bob["expires"].is_string(), "{of_bob}");
}

#[test]
fn a_provider_that_is_away_is_told() {
    // Nothing listens there.
    let server = server_of(9, "");
    for _ in 0..2 {
        let answer = server.send("GET", "/login/oidc", &[], "").is(502);
        assert!(
            answer.body.contains("the provider cannot be asked")
                && answer.body.contains("href=\"/login\""),
            "{}",
            answer.body
        );
        assert_eq!(cookie(&answer, "kael_oidc"), None);
    }
    server.send("GET", "/login", &[], "").is(200);
}

#[test]
fn nobody_signs_in_with_what_another_browser_began() {
    if !needs(&[Need::Pypi]) {
        return;
    }
    let provider = Provider::real();
    provider.knows("ann", &json!({ "groups": ["devs"] }));
    let server = server(&provider, "");
    let not_begun = "was not begun in this browser";
    let refused = |answer: Answer, why: &str| {
        assert_eq!(cookie(&answer, "kael_session"), None, "{answer:?}");
        let answer = answer.is(401);
        assert!(answer.body.contains(why), "{}", answer.body);
    };
    // Without a cookie, with that of another sign-in, and then with its own: the state is used up.
    let (asked, browser) = begin(&server);
    let (_, other) = begin(&server);
    let path = provider.accepts(&asked, "ann");
    refused(server.send("GET", &path, &[], ""), not_begun);
    refused(back(&server, &path, &browser), not_begun);
    let (asked, browser) = begin(&server);
    let path = provider.accepts(&asked, "ann");
    refused(back(&server, &path, &other), not_begun);
    refused(back(&server, &path, &browser), not_begun);
    // Another state, and none.
    let (asked, browser) = begin(&server);
    let path = provider.accepts(&asked, "ann");
    let (before, state) = path.split_once("state=").expect("a state");
    refused(
        back(&server, &format!("{before}state=x{state}"), &browser),
        not_begun,
    );
    refused(
        back(&server, "/login/oidc/callback?code=x", &browser),
        not_begun,
    );
    // It signs in once, and the same again, or the code in another sign-in, does not.
    let answer = back(&server, &path, &browser).is(200);
    assert!(cookie(&answer, "kael_session").is_some());
    refused(back(&server, &path, &browser), not_begun);
    let (_, code) = path.split_once("code=").expect("a code");
    let code = code.split('&').next().expect("a code");
    let (asked, browser) = begin(&server);
    let (_, state) = asked.split_once("state=").expect("a state");
    let state = state.split('&').next().expect("a state");
    let replayed = format!("/login/oidc/callback?code={code}&state={state}");
    refused(back(&server, &replayed, &browser), "does not take the code");
    // The person said no; what the provider says is no markup.
    let (asked, browser) = begin(&server);
    let (_, state) = asked.split_once("state=").expect("a state");
    let state = state.split('&').next().expect("a state");
    let denied = format!(
        "/login/oidc/callback?error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E&state={state}"
    );
    let answer = back(&server, &denied, &browser);
    assert!(!answer.body.contains("<script>alert"), "{}", answer.body);
    refused(answer, "has signed nobody in: access_denied");
    // Away altogether.
    drop(provider);
    let answer = server.send("GET", "/login/oidc", &[], "");
    // What it said of itself is known for an hour.
    assert_eq!(answer.status, 303);
    let path = format!("/login/oidc/callback?code=x&state={state}");
    refused(back(&server, &path, &browser), not_begun);
}

#[test]
fn a_provider_that_lies_signs_nobody_in() {
    if !needs(&[Need::Pypi]) {
        return;
    }
    let provider = Provider::lying();
    let server = server(&provider, "");
    let come_back = |mode: &str| {
        let (asked, browser) = begin(&server);
        let of = |name: &str| {
            let (_, value) = asked.split_once(&format!("{name}=")).expect("it");
            value.split('&').next().expect("it").to_owned()
        };
        let (state, nonce) = (of("state"), of("nonce"));
        let path = format!("/login/oidc/callback?code={mode}~{nonce}&state={state}");
        back(&server, &path, &browser)
    };
    for mode in [
        "issuer", "audience", "nonce", "no-nonce", "expired", "none", "shared", "key", "changed",
        "no-token",
    ] {
        let answer = come_back(mode);
        assert_eq!(cookie(&answer, "kael_session"), None, "{mode}");
        let answer = answer.is(401);
        assert!(
            answer.body.contains("token is not valid")
                || answer.body.contains("does not take the code"),
            "{mode}: {}",
            answer.body
        );
    }
    // Another issuer answers (RFC 9207).
    let answer = come_back("good~&iss=http://127.0.0.1:1&x=");
    assert_eq!(cookie(&answer, "kael_session"), None);
    answer.is(401);
    let answer = come_back("good").is(200);
    assert!(cookie(&answer, "kael_session").is_some());
}
