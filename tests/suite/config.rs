//! Configuration: files, variables and flags, untrusted projects, and the origin of values.

use kael_tests::Kael;

const REPO: (&str, &str) = ("repo/init.lua", "return { version = 7 }");

fn session(files: &[(&str, &str)]) -> Kael {
    files.iter().fold(Kael::new(), |session, (path, text)| {
        session.file(path, text)
    })
}

#[test]
fn the_users_file_names_the_actions_repo() {
    let session = session(&[REPO, ("config/kael/config.yaml", "actions_path: ~/repo\n")]);
    let home = session.path().display().to_string();
    session
        .env("HOME", &home)
        .run_with(&["-e", "print(actions.version)"])
        .ends()
        .prints("7\n");
    // Relative to the file that sets it.
    self::session(&[
        REPO,
        ("config/kael/config.yaml", "actions_path: ../../repo\n"),
    ])
    .run_with(&["-e", "print(actions.version)"])
    .ends()
    .prints("7\n");
}

#[test]
fn each_place_beats_the_one_before() {
    let ran = session(&[
        (
            "config/kael/config.yaml",
            "timeout: 50s\nmax_cpu: 40s\nmax_calls: 9\ndeny: [a.*]\n",
        ),
        ("kael.yaml", "timeout: 30s\nmax_cpu: 20s\n"),
    ])
    .env("KAEL_MAX_CPU", "10s")
    .env("KAEL_DENY", "b.c")
    .words(&["config", "--max-parallel", "4"])
    .ends();
    ran.exits(0);
    let lines: Vec<String> = ran
        .stdout
        .replace(
            &ran.path()
                .canonicalize()
                .expect("a path")
                .display()
                .to_string(),
            "DIR",
        )
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        lines[..lines.len() - 3],
        [
            "actions_path - not set",
            "runner RUNNER",
            "envyr ENVYR KAEL_ENVYR",
            "fetch_env - default",
            "deny a.*, b.c KAEL_DENY",
            "policy - default",
            "confinement best-effort default",
            "journal off default",
            "max_memory 256 MiB default",
            "max_cpu 10s KAEL_MAX_CPU",
            "timeout 30s DIR/kael.yaml:1",
            "max_output 16 MiB default",
            "max_calls 9 DIR/config/kael/config.yaml:3",
            "max_parallel 4 --max-parallel",
        ]
        .map(|line| {
            let envyr = kael_tests::Program::get().envyr.display().to_string();
            let runner = kael_tests::runner().map(|name| format!("{name} KAEL_RUNNER"));
            let runner = runner.unwrap_or_else(|| "auto default".to_owned());
            line.replace("ENVYR KAEL", &format!("{envyr} KAEL"))
                .replace("RUNNER", &runner)
        })
    );
    assert_eq!(
        lines.last().expect("a line"),
        "read: DIR/kael.yaml (not trusted: it may make limits stricter, no more)"
    );
}

#[test]
fn the_json_of_a_configuration_has_values_and_origins() {
    let ran = session(&[("kael.yaml", "max_memory: 64MiB\n")])
        .words(&["config", "--json", "--timeout", "90s"])
        .ends();
    let config: serde_json::Value = serde_json::from_str(&ran.exits(0).stdout).expect("JSON");
    assert_eq!(config["settings"]["max_memory"]["value"], 64 << 20);
    assert_eq!(config["settings"]["max_memory"]["origin"]["line"], 1);
    assert_eq!(config["settings"]["timeout"]["value"], 90.0);
    assert_eq!(config["settings"]["timeout"]["origin"]["name"], "--timeout");
    assert_eq!(
        config["settings"]["actions_path"]["value"],
        serde_json::Value::Null
    );
    assert_eq!(config["files"][0]["trusted"], false);
}

#[test]
fn a_stricter_limit_of_an_untrusted_project_holds() {
    let ran = session(&[("kael.yaml", "max_output: 1KiB\n")])
        .run_with(&["-e", "print(('x'):rep(2000))"])
        .ends();
    ran.exits(5)
        .says("Error: the script printed more than the 1 KiB it may print (");
}

#[test]
fn an_untrusted_project_names_no_programs_and_raises_no_limit() {
    session(&[
        ("kael.yaml", "actions_path: repo\nmax_memory: 1GiB\nenvyr: ./evil\n"),
        REPO,
    ])
    .run_with(&["-e", "print(actions.version)"])
    .ends()
    .fails(
        3,
        "Error: DIR/kael.yaml:1: `actions_path` may be set by a trusted file only\n  DIR/kael.yaml:2: `max_memory` is 1 GiB, and a file that is not trusted cannot raise it above 256 MiB\n  DIR/kael.yaml:3: `envyr` may be set by a trusted file only\nhint: read the file, and if it is to be obeyed: kael-host trust DIR/kael.yaml\n",
    );
}

#[test]
fn a_project_is_trusted_until_it_changes() {
    let session = session(&[("kael.yaml", "actions_path: repo\n"), REPO]);
    let run = |words: &[&str]| {
        let mut command = session.command();
        command.args(words);
        let output = command.output().expect("the host starts");
        let path = session
            .path()
            .canonicalize()
            .expect("a path")
            .display()
            .to_string();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).replace(&path, "DIR");
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let version = ["run", "-e", "print(actions.version)"];
    assert_eq!(run(&version).0, Some(3));
    let (code, out, _) = run(&["trust"]);
    assert_eq!(code, Some(0));
    assert!(out.starts_with("trusted: DIR/kael.yaml (sha256 "), "{out}");
    assert_eq!(run(&version), (Some(0), "7\n".into(), String::new()));
    let list = session.path().join("data/trust.json");
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(
        list.metadata().expect("a list").permissions().mode() & 0o777,
        0o600
    );
    assert!(run(&["trust", "--list"]).1.ends_with("  DIR/kael.yaml\n"));
    std::fs::write(session.path().join("kael.yaml"), "actions_path: ./repo\n").expect("a file");
    let (code, _, err) = run(&version);
    assert_eq!(code, Some(3));
    assert!(
        err.contains("hint: it has changed since you trusted it: read the file"),
        "{err}"
    );
    assert_eq!(run(&["trust", "kael.yaml"]).0, Some(0));
    assert_eq!(run(&version).0, Some(0));
    assert_eq!(
        run(&["trust", "--revoke"]).1,
        "no longer trusted: DIR/kael.yaml\n"
    );
    assert_eq!(run(&version).0, Some(3));
    assert_eq!(
        run(&["trust", "--revoke"]),
        (
            Some(2),
            String::new(),
            "Error: DIR/kael.yaml was not trusted\n".into()
        )
    );
}

#[test]
fn the_project_is_found_upwards() {
    let session = session(&[("kael.yaml", "max_calls: 5\n"), ("a/b/x", "")]);
    let output = session
        .command()
        .current_dir(session.path().join("a/b"))
        .args(["config", "--json"])
        .output()
        .expect("the host starts");
    let config: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(config["settings"]["max_calls"]["value"], 5);
}

#[test]
fn mistakes_have_their_file_and_line() {
    let user = |text: &str| {
        session(&[("config/kael/config.yaml", text)])
            .run_with(&["-e", ""])
            .ends()
    };
    user("# mine\nmax_memroy: 5\ntimeout: soon\n").fails(
        3,
        "Error: DIR/config/kael/config.yaml:2: unknown key `max_memroy` (did you mean `max_memory`?)\n  DIR/config/kael/config.yaml:3: `timeout` `soon` is not a time (write it like `60`, `60s`, `5m`, `1.5h` or `250ms`)\n",
    );
    user("a: [")
        .exits(3)
        .says("DIR/config/kael/config.yaml:2: ")
        .no_panic();
    user("max_cpu: { a: 1 }\n").fails(
        3,
        "Error: DIR/config/kael/config.yaml:1: `max_cpu` must be a value or a list of values\n",
    );
    Kael::new()
        .env("KAEL_MAX_CALLS", "lots")
        .run_with(&["-e", ""])
        .ends()
        .fails(
            3,
            "Error: KAEL_MAX_CALLS: `lots` is not a whole number from 1 to 10000000\n",
        );
    Kael::new().words(&["trust"]).ends().fails(
        2,
        "Error: there is no kael.yaml here, nor in a folder above\n",
    );
    session(&[("kael.yaml", "no: 1\n")])
        .words(&["trust"])
        .ends()
        .fails(3, "Error: DIR/kael.yaml:1: unknown key `no`\n");
    let ran = session(&[("kael.yaml", "no: 1\n")])
        .words(&["config", "--json"])
        .ends();
    let document: serde_json::Value = serde_json::from_str(&ran.exits(3).stdout).expect("JSON");
    assert_eq!(document["error"]["kind"], "config");
}

#[test]
fn a_configured_pattern_denies_without_a_warning() {
    Kael::new()
        .shell("drop", "", "echo 1")
        .file("config/kael/config.yaml", "deny: ['t.dr*', 'other.*']\n")
        .script("print(pcall(actions.t.drop, {}))")
        .prints("false\tt.drop failed: denied by the policy (deny t.dr*)\n");
}
