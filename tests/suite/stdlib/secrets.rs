//! Secrets in grants: the host puts them into requests, and no script, journal or record shows one.

use kael_tests::Kael;

use super::server::{Server, answer};

const VALUE: &str = "hunter2/&\"x\\y-correct";

/// A session with two secrets, and a policy with these lines.
fn session(policy: &str) -> Kael {
    let kael = Kael::new();
    let folder = kael.path().display().to_string();
    let list = format!(
        "version: 1\nsecrets:\n  a/b: {{ file: {folder}/value }}\n  other: {{ env: OTHER_SECRET }}\n"
    );
    kael.file("value", VALUE)
        .file("config/kael/secrets.yaml", list)
        .env("OTHER_SECRET", "another-value")
        .file("p.yaml", format!("version: 1\ndefault: allow\n{policy}"))
        .run_with(&["--policy", "p.yaml"])
}

/// A server that answers with what it was sent, in several encodings; `/away` leads to a port.
fn echo(away: u16) -> Server {
    Server::start(move |got| {
        let sent = got.headers.get("authorization");
        let sent = sent.cloned().unwrap_or_default();
        let hex: String = sent.bytes().map(|byte| format!("{byte:02x}")).collect();
        match got.target.as_str() {
            "/away" => answer(302, &format!("Location: http://127.0.0.1:{away}/x\r\n"), ""),
            _ => answer(200, &format!("X-Echo: {sent}\r\n"), format!("{sent} {hex}")),
        }
    })
}

/// Whether any file of a session but the secret's own holds the value.
fn shows(folder: &std::path::Path) -> bool {
    let holds = |entry: std::fs::DirEntry| {
        let path = entry.path();
        match path.is_dir() {
            true => shows(&path),
            false => {
                let bytes = std::fs::read(&path).unwrap_or_default();
                let found = bytes.windows(8).any(|part| part == b"-correct");
                found && !path.ends_with("value")
            }
        }
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.flatten().any(holds)
}

#[test]
fn a_secret_of_a_grant_is_sent_and_never_shown() {
    let server = echo(0);
    let port = server.port;
    let kael = session(&format!(
        "grants:\n  http: [{{ to: \"127.0.0.1:{port}\", headers: {{ Authorization: \"Bearer {{secret:a/b}}\" }} }}]\n"
    ));
    let folder = kael.path().to_owned();
    let ran = kael
        .words(&["--journal", "--audit", "audit.jsonl", "--record", "r.json"])
        .script(&format!(
            "local r = http.get('http://127.0.0.1:{port}/') print(r.body) print(r.headers['x-echo'])"
        ));
    ran.exits(0);
    assert_eq!(
        ran.stdout,
        "Bearer [secret a/b] 42656172657220[secret a/b]\nBearer [secret a/b]\n"
    );
    let sent = format!("Bearer {VALUE}");
    assert_eq!(server.got()[0].headers["authorization"], sent);
    assert!(!shows(&folder));
}

#[test]
fn a_variable_that_is_a_secret_is_a_stand_in() {
    let server = echo(0);
    let other = echo(0);
    let (port, second) = (server.port, other.port);
    let kael = || {
        session(&format!(
            "grants:\n  http: [{{ to: [\"127.0.0.1:{port}\", \"127.0.0.1:{second}\"] }}]\n  env: [{{ name: TOKEN, secret: a/b, to: \"127.0.0.1:{port}\" }}]\n"
        ))
    };
    let get = |port: u16| {
        format!(
            "print(env.get('TOKEN'), http.get('http://127.0.0.1:{port}/', {{ headers = {{ Authorization = env.get('TOKEN') }} }}).headers['x-echo'])"
        )
    };
    let ran = kael().script(&get(port));
    ran.exits(0).prints("{{kael.env.TOKEN}}\t[secret a/b]\n");
    assert_eq!(server.got()[0].headers["authorization"], VALUE);
    let ran = kael().script(&get(second));
    ran.exits(4)
        .says("sending the variable `TOKEN` to http://127.0.0.1");
    assert!(other.got().is_empty());
    let ran = kael().words(&["--dry-run"]).script(&get(port));
    ran.exits(0);
    assert_eq!(server.got().len(), 1);
}

#[test]
fn a_grant_gives_only_secrets_that_every_policy_allows() {
    let server = echo(0);
    let port = server.port;
    let grant = format!(
        "grants:\n  http: [{{ to: \"127.0.0.1:{port}\", headers: {{ Authorization: \"{{secret:a/b}}\" }} }}]\n"
    );
    let get = format!("http.get('http://127.0.0.1:{port}/')");
    let rule = |actions: &str| format!("secrets: [{{ use: \"a/*\", in: {actions} }}]\n{grant}");
    session(&rule("\"kael.http.get\"")).script(&get).exits(0);
    let ran = session(&rule("\"kael.http.post\"")).script(&get);
    ran.exits(4)
        .says("kael.http.get may not use the secret `a/b`");
    let ran = session(&grant.replace("a/b", "none")).script(&get);
    ran.exits(6).says("the secret `none`");
    assert_eq!(server.got().len(), 1);
}

#[test]
fn a_redirect_takes_no_other_secret_along() {
    let other = echo(0);
    let away = other.port;
    let server = echo(away);
    let port = server.port;
    let grants = |first: &str, second: &str| {
        session(&format!(
            "grants:\n  http:\n    - {{ to: \"127.0.0.1:{port}\"{first} }}\n    - {{ to: \"127.0.0.1:{away}\"{second} }}\n"
        ))
        .script(&format!("print(http.get('http://127.0.0.1:{port}/away').body)"))
    };
    let header = |secret: &str| format!(", headers: {{ Authorization: \"{{secret:{secret}}}\" }}");
    let ran = grants(&header("a/b"), &header("other"));
    ran.exits(4).says("which this call may not use");
    assert!(other.got().is_empty());
    grants(&header("a/b"), "").exits(0).prints(" \n");
    assert!(!other.got()[0].headers.contains_key("authorization"));
}
