//! `kael-host assay`: scripts and checks as they were written for Assay.

use std::path::Path;

use kael_tests::{Kael, Need, Ran, Server, needs, project};
use serde_json::{Value, json};

/// A session with a script, to be run as Assay runs one.
fn assay(script: &str) -> Kael {
    Kael::new().file("a.lua", script)
}

fn ran(session: Kael, words: &[&str]) -> Ran {
    session.option(&["assay"]).option(words).ends()
}

fn json_of(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{}{}", ran.stdout, ran.stderr))
}

#[test]
fn every_failure_ends_with_one() {
    ran(assay("#!/usr/bin/assay\nprint(arg[1])"), &["a.lua", "x"]).prints("x\n");
    ran(assay("error('no')"), &["a.lua"]).exits(1);
    ran(assay("syntax error here"), &["a.lua"]).exits(1);
    ran(assay("while true do end"), &["--max-cpu", "100ms", "a.lua"]).exits(1);
    ran(assay("http.get('http://127.0.0.1:1')"), &["a.lua"]).exits(1);
    ran(assay("os.exit(5)"), &["a.lua"]).exits(5);
    ran(assay(""), &["none.lua"]).exits(1);
    ran(assay("").file("a.txt", "x"), &["a.txt"]).fails_with(
        1,
        "Error: `a.txt` is neither .lua nor .yaml, which is how Assay tells scripts from checks",
    );
}

#[test]
fn globals_that_are_not_granted_or_not_there_are_named() {
    let script =
        "local t = env.get and 1\nif false then http.get('x') shell.exec('x') end\nprint(template)";
    let policy = "version: 1\ndefault: allow\ngrants: { env: [X] }\n";
    let session = assay(script).file("p.yaml", policy);
    let ended = ran(session, &["--policy", "p.yaml", "a.lua"]);
    ended.exits(0);
    assert_eq!(
        ended.stderr,
        "note: a.lua:2: `http` is not granted: a policy opens it with grants: { http: [{ to: \"service.internal:8080\" }] }\n\
         note: a.lua:2: there is no `shell`: an action of the team's does it\n\
         note: a.lua:3: there is no `template`: an action of the team's does it\n"
    );
    let ended = ran(assay(script), &["a.lua"]);
    assert!(
        ended
            .stderr
            .starts_with("note: a.lua:1: `env` is not granted"),
        "{}",
        ended.stderr
    );
    assert_eq!(ran(assay(script), &["-q", "a.lua"]).stderr, "");
}

#[test]
fn the_tool_mode_prints_one_document_and_ends_with_zero() {
    let ended = ran(
        assay("print('said') return { a = { 1, 2 } }"),
        &["--mode", "tool", "a.lua"],
    );
    ended.exits(0);
    let ok =
        json!({ "ok": true, "status": "ok", "output": { "a": [1, 2] }, "requiresApproval": null });
    assert_eq!(json_of(&ended), ok);
    assert_eq!(ended.stderr, "said\n");
    let by_variable = assay("error('wrong', 0)").env("ASSAY_MODE", "tool");
    let ended = ran(by_variable, &["a.lua"]);
    ended.exits(0);
    assert_eq!(
        json_of(&ended),
        json!({ "ok": false, "status": "error", "error": "wrong" })
    );
    // Assay's own limit does not end a loop; this one does.
    let ended = ran(
        assay("while true do end"),
        &["--mode", "tool", "--timeout", "1", "a.lua"],
    );
    ended.exits(0);
    assert_eq!(json_of(&ended)["status"], "timeout");
}

#[test]
fn variables_mean_what_they_mean_to_assay() {
    let script = "print(template, fs.write, fs.read ~= nil)\nerror('line two')";
    let ended = ran(
        assay(script).env("ASSAY_BLOCK_GLOBALS", "template, fs.write"),
        &["-q", "a.lua"],
    );
    ended.exits(1);
    assert_eq!(ended.stdout, "nil\tnil\ttrue\n");
    let ended = ran(
        assay(script).env("ASSAY_BLOCK_GLOBALS", "template"),
        &["a.lua"],
    );
    assert!(
        ended.stderr.contains("Error: a.lua:2: line two"),
        "{}",
        ended.stderr
    );
    let ended = ran(
        assay("").env("ASSAY_BLOCK_GLOBALS", "x']=1 os.exit() --"),
        &["a.lua"],
    );
    ended.fails_with(
        1,
        "Error: ASSAY_BLOCK_GLOBALS: `x']=1 os.exit() --` is no name such as `shell` or `fs.write`",
    );

    let policy = "version: 1\ndefault: allow\ngrants: { http: [{ to: \"127.0.0.1:1\" }] }\n";
    let post = "local _, wrong = pcall(http.post, 'http://127.0.0.1:1', 'x') print(wrong.kind)";
    let session = || assay(post).file("p.yaml", policy);
    let words = ["--policy", "p.yaml", "a.lua"];
    assert_ne!(ran(session(), &words).stdout, "denied\n");
    assert_eq!(
        ran(session().env("ASSAY_READONLY", "1"), &words).stdout,
        "denied\n"
    );
    assert_ne!(
        ran(session().env("ASSAY_READONLY", "0"), &words).stdout,
        "denied\n"
    );

    // What would restrict the script in Assay, and is not read here, is not passed over.
    for (name, value) in [("ASSAY_POLICY_FILE", "p.yaml"), ("ASSAY_APPROVAL", "1")] {
        let ended = ran(assay("print('ran')").env(name, value), &["a.lua"]);
        ended.exits(1);
        assert_eq!(ended.stdout, "");
        assert!(ended.stderr.contains(name), "{}", ended.stderr);
    }
}

#[test]
fn modules_beside_the_script_go_before_kaels() {
    let session = assay(
        "print(require('assay.team').name, require('assay.loki').mine, require('assay.deep.er').name, require('assay.far').name)
         print(type(require('assay.grafana').client))
         print(pcall(require, 'assay.broken'))",
    )
    .file("modules/team.lua", "#!/x\nreturn { name = ... }")
    .file("modules/loki.lua", "return { mine = true }")
    .file("modules/deep/er/init.lua", "return { name = 'deep' }")
    .file("modules/broken.lua", "return (")
    .file("far/far.lua", "return { name = 'far' }")
    .file("far/team.lua", "error('the nearer one is meant')");
    let secret = session.path().join("secret.lua");
    std::fs::write(&secret, "return { name = 'secret' }").expect("a file");
    std::os::unix::fs::symlink(&secret, session.path().join("modules/link.lua")).expect("a link");
    let far = session.path().join("far").display().to_string();
    let ended = ran(session.env("ASSAY_MODULES_PATH", &far), &["a.lua"]);
    ended.exits(0);
    let mut lines = ended.stdout.lines();
    assert_eq!(lines.next(), Some("assay.team\ttrue\tdeep\tfar"));
    assert_eq!(lines.next(), Some("function"));
    let broken = lines.next().unwrap_or_default();
    assert!(
        broken.starts_with("false\tmodules/broken.lua:1:"),
        "{broken}"
    );
}

/// A link among the modules could lead to any file that the host can read.
#[test]
fn a_link_among_the_modules_is_passed_over() {
    let session = assay("print(pcall(require, 'assay.link'))").file("modules/a.lua", "return 1");
    std::os::unix::fs::symlink("/etc/hostname", session.path().join("modules/link.lua"))
        .expect("a link");
    let ended = ran(session, &["a.lua"]);
    ended.exits(0);
    assert!(
        ended
            .stdout
            .starts_with("false\tmodule 'assay.link' not found"),
        "{}",
        ended.stdout
    );
}

/// The job and the checks of examples/assay, against a real OpenBao and a real Prometheus.
#[test]
fn the_example_runs_against_real_servers() {
    if !needs(&[Need::Pypi, Need::Promtool]) {
        return;
    }
    let words = [
        "server",
        "-dev",
        "-dev-root-token-id=root",
        "-dev-no-store-token",
        "-dev-listen-address=127.0.0.1:{port}",
    ];
    let vault = Server::start(&Server::program("bao"), &words, &[], "/v1/sys/health");
    let settings = "global: { scrape_interval: 1s }
scrape_configs: [{ job_name: billing, static_configs: [{ targets: [\"127.0.0.1:{port}\"] }] }]
";
    let words = [
        "--config.file=p.yml",
        "--storage.tsdb.path=data",
        "--web.listen-address=127.0.0.1:{port}",
    ];
    let files = [("p.yml", settings)];
    let prometheus = Server::start(Path::new("prometheus"), &words, &files, "/-/ready");
    let text = |name: &str| {
        let text = std::fs::read_to_string(project("examples/assay").join(name)).expect("text");
        text.replace("vault.internal:8200", &format!("127.0.0.1:{}", vault.port))
            .replace(
                "prometheus.internal:9090",
                &format!("127.0.0.1:{}", prometheus.port),
            )
    };
    let session = || {
        let mut session = Kael::new();
        for name in [
            "postsync.lua",
            "checks.yaml",
            "alerts.lua",
            "policy.yaml",
            "modules/team.lua",
        ] {
            session = session.file(name, text(name));
        }
        session
            .env("VAULT_ADDR", &vault.url)
            .env("VAULT_TOKEN", "root")
            .env("PROMETHEUS_URL", &prometheus.url)
    };
    // The checks wait for the first scrape by being tried again.
    let ended = ran(session(), &["--policy", "policy.yaml", "checks.yaml"]);
    ended.exits(0);
    assert_eq!(json_of(&ended)["passed"], true);
    for _ in 0..2 {
        let ended = ran(session(), &["--policy", "policy.yaml", "postsync.lua"]);
        ended.prints("apps/billing/database\t1\n");
    }
    let ended = ran(session(), &["postsync.lua"]);
    ended.exits(1);
    assert!(
        ended.stderr.contains("note: postsync.lua:"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_report_has_the_result_and_assays_exit_code() {
    let ended = ran(assay("error('no', 0)"), &["--json", "a.lua"]);
    ended.exits(1);
    assert_eq!(json_of(&ended)["error"]["message"], "no");
    let ended = ran(assay("return 7"), &["--json", "a.lua"]);
    assert_eq!(json_of(&ended)["result"], 7);
}
