//! Secrets that tenants keep on a server.

use std::process::Stdio;

use kael_tests::Kael;
use serde_json::{Value, json};

use super::Server;

const VALUE: &str = "correct-horse-battery";

/// A repo whose action prints its secret, and how long it is.
fn session() -> Kael {
    Kael::new().shell(
        "show",
        "effects = 'none', secrets = { TOKEN = 'github/deploy' }",
        "echo \"{\\\"is\\\":\\\"$TOKEN\\\",\\\"length\\\":${#TOKEN}}\"",
    )
}

/// All bytes below a folder, a text for each file.
fn files(folder: &std::path::Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        match entry.file_type().expect("a type").is_dir() {
            true => files(&path, found),
            false => found.push((
                path.display().to_string(),
                std::fs::read(&path).unwrap_or_default(),
            )),
        }
    }
}

#[test]
fn a_secret_reaches_its_action_and_nobody_else() {
    let session = session();
    let server = Server::start(&session);
    let manager = server.make_token("default", "manager");
    let approver = server.make_token("default", "approver");
    let run = server.submit("actions.t.show({})");
    let ended = server.ended(&run);
    let error = ended["error"]["message"].as_str().expect("a message");
    assert!(
        error.contains("the tenant has no secret `github/deploy`"),
        "{ended}"
    );
    // From stdin, by the command.
    let client = |words: &[&str], stdin: &str| {
        let mut command = session.command();
        command
            .args(words)
            .env("KAEL_SERVER", format!("http://{}", server.address))
            .env("KAEL_TOKEN", &manager)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut input = child.stdin.take().expect("a pipe");
        std::io::Write::write_all(&mut input, stdin.as_bytes()).expect("written");
        drop(input);
        let output = child.wait_with_output().expect("it ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let kept = client(&["secret", "set", "github/deploy"], &format!("{VALUE}\n"));
    assert_eq!(
        kept,
        (Some(0), "github/deploy is kept\n".to_owned(), String::new())
    );
    let (code, listed, _) = client(&["secret", "ls"], "");
    assert!(
        code == Some(0) && listed.starts_with("github/deploy  20"),
        "{listed}"
    );
    let run = server.submit("local got = actions.t.show({}) print(got.is, got.length)");
    assert_eq!(server.ended(&run)["state"], "succeeded");
    let output = server.get(&format!("/v1/runs/{run}/output")).body;
    assert_eq!(output, format!("[secret github/deploy]\t{}\n", VALUE.len()));
    // Who may less, and another tenant.
    let put = json!({ "value": "another-value" });
    let path = "/v1/secrets/github%2Fdeploy";
    server.ask("PUT", path, Some(&approver), &put).is(403);
    server
        .ask("GET", "/v1/secrets", Some(&approver), &Value::Null)
        .is(403);
    server.make_tenant("other", &json!({}));
    let other = server.make_token("other", "manager");
    let list = server.ask("GET", "/v1/secrets", Some(&other), &Value::Null);
    assert_eq!(list.is(200).json()["secrets"], json!([]));
    server
        .ask("DELETE", path, Some(&other), &Value::Null)
        .is(404);
    let audit = server.get("/v1/audit").is(200).body;
    assert!(
        audit.contains("secret.set") && audit.contains("github/deploy"),
        "{audit}"
    );
    // The value stands in no file: not in the store, the journal, the events or a log.
    let mut found = Vec::new();
    files(session.path(), &mut found);
    for (path, bytes) in found {
        let holds = bytes
            .windows(VALUE.len())
            .any(|part| part == VALUE.as_bytes());
        assert!(!holds, "{path}");
    }
    let removed = client(&["secret", "rm", "github/deploy"], "");
    assert_eq!(removed.1, "github/deploy is removed\n");
    let (code, _, stderr) = client(&["secret", "rm", "github/deploy"], "");
    assert!(
        code == Some(2) && stderr.contains("no secret `github/deploy`"),
        "{stderr}"
    );
}

#[test]
fn names_and_values_that_cannot_be_used_are_refused() {
    let server = Server::owning(Kael::new());
    for (name, value, wrong) in [
        ("a%20b", "long enough", "`a b` is no name of a secret"),
        ("a%2F..%2Fb", "long enough", "is no name of a secret"),
        (
            "result%2Fx",
            "long enough",
            "`result/x` is a name that Kael keeps for results of actions",
        ),
        ("a", "short", "`value` cannot be used"),
        ("a", "", "`value` cannot be used"),
    ] {
        let path = format!("/v1/secrets/{name}");
        let body = json!({ "value": value });
        let refused = server.ask("PUT", &path, Some(&server.token), &body).is(422);
        let detail = refused.json()["detail"]
            .as_str()
            .expect("a text")
            .to_owned();
        assert!(detail.contains(wrong), "{detail}");
        assert!(
            value.is_empty() || !refused.body.contains(value),
            "{}",
            refused.body
        );
    }
}

#[test]
fn a_tenant_keeps_a_thousand_secrets() {
    let server = Server::owning(Kael::new());
    let put = |name: &str| {
        let path = format!("/v1/secrets/{name}");
        let body = json!({ "value": "long enough" });
        server.ask("PUT", &path, Some(&server.token), &body)
    };
    for at in 0..1000 {
        let answer = put(&format!("s{at}"));
        assert_eq!(answer.status, 204, "{}", answer.body);
    }
    let refused = put("more").is(422).json();
    assert_eq!(refused["limit"], 1000, "{refused}");
    assert_eq!(
        refused["detail"],
        "the tenant keeps 1000 secrets, and may keep no more"
    );
    // One that is there takes another value.
    put("s0").is(204);
}

#[test]
fn the_list_of_the_servers_user_is_no_tenants() {
    let list = "version: 1\nsecrets:\n  github/deploy: { file: token }\n";
    let session = session().file("token", VALUE);
    let path = session.path().join("token");
    let list = list.replace("token", &path.display().to_string());
    let session = session
        .file("config/kael/secrets.yaml", &list)
        .file("own.yaml", &list)
        .file(
            "serve.yaml",
            "tenants:\n  - { name: default, actions: actions }\n",
        );
    session.write_repo();
    for file in ["config/kael/secrets.yaml", "own.yaml", "token"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(session.path().join(file), mode).expect("a mode");
    }
    let config = session.path().join("config").display().to_string();
    let session = session.env("XDG_CONFIG_HOME", &config);
    let server = Server::start_with(&session, &["--config", "serve.yaml"]);
    let run = server.submit("actions.t.show({})");
    assert_eq!(server.ended(&run)["state"], "failed");
    let token = server.token.clone();
    assert_eq!(server.terminate(), Some(0));
    // With a list of its own it has one.
    let with = "tenants:\n  - { name: default, actions: actions, secrets: own.yaml }\n";
    std::fs::write(session.path().join("serve.yaml"), with).expect("a file");
    let mut server = Server::spawn(&session, &["--config", "serve.yaml"]);
    server.token = token;
    let run = server.submit("print(actions.t.show({}).length)");
    assert_eq!(server.ended(&run)["state"], "succeeded");
    let output = server.get(&format!("/v1/runs/{run}/output")).body;
    assert_eq!(output, format!("{}\n", VALUE.len()));
}
