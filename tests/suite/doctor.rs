//! `kael-host doctor`: its findings, remedies and exit code.

use kael_tests::{Kael, Program};
use serde_json::Value;

fn doctor() -> Kael {
    Kael::new().words(&["doctor"])
}

/// One line of the output.
#[track_caller]
fn line<'a>(text: &'a str, name: &str) -> &'a str {
    let found = text
        .lines()
        .find(|line| line.split_whitespace().nth(1) == Some(name));
    found.unwrap_or_else(|| panic!("no {name}: {text}"))
}

#[test]
fn everything_is_checked_and_every_problem_has_a_remedy() {
    let ran = doctor().words(&["--json"]).ends();
    let report: Value = serde_json::from_str(&ran.exits(0).stdout).expect("JSON");
    assert_eq!(report["ok"], true);
    let findings = report["findings"].as_array().expect("a list");
    let names: Vec<_> = findings
        .iter()
        .filter_map(|finding| finding["name"].as_str())
        .collect();
    let expected = "config envyr data cache repo git python node npm containers namespace landlock seccomp processes";
    assert_eq!(names.join(" "), expected);
    for finding in findings {
        assert_eq!(
            finding["remedy"].is_string(),
            finding["status"] != "ok",
            "{finding}"
        );
    }
}

#[test]
fn an_envyr_that_is_missing_is_needed_where_one_was_named() {
    let ran = doctor()
        .env("KAEL_RUNNER", "auto")
        .option(&["--envyr", "nowhere"])
        .ends();
    let text = &ran.exits(1).stdout;
    assert_eq!(
        line(text, "envyr"),
        "MISSING  envyr       no envyr at nowhere: No such file or directory (os error 2)"
    );
    assert!(
        text.contains("remedy: install it with: kael-host setup"),
        "{text}"
    );
}

#[test]
fn without_envyr_kael_runs_native_actions_itself() {
    let session = || doctor().env("KAEL_ENVYR", "").env("PATH", "/usr/bin:/bin");
    for runner in ["auto", "builtin"] {
        let ran = session().env("KAEL_RUNNER", runner).ends();
        assert_eq!(
            line(&ran.exits(0).stdout, "envyr"),
            "absent   envyr       envyr is not installed; Kael runs native actions itself, and only those with executor = \"docker\" need it"
        );
    }
    let ran = session().env("KAEL_RUNNER", "envyr").ends();
    assert!(line(&ran.exits(1).stdout, "envyr").starts_with("MISSING"));
    let ran = doctor().env("KAEL_RUNNER", "builtin").ends();
    let found = line(&ran.exits(0).stdout, "envyr");
    assert!(
        found.ends_with("; native actions run without it"),
        "{found}"
    );
}

#[test]
fn a_data_folder_that_cannot_be_written_is_named() {
    let session = doctor().file("file", "");
    let data = session.path().join("file/data").display().to_string();
    let ran = session.env("KAEL_DATA", &data).ends();
    let text = &ran.exits(1).stdout;
    assert!(
        line(text, "data").ends_with("cannot be written: Not a directory (os error 20)"),
        "{text}"
    );
    assert!(
        text.contains("name another folder with KAEL_DATA"),
        "{text}"
    );
}

#[test]
fn a_missing_language_affects_only_its_actions() {
    let ran = doctor().env("PATH", "/nonexistent").ends();
    let text = &ran.exits(0).stdout;
    for (name, users) in [
        ("git", "only sources from git repositories need it"),
        ("python", "only actions in Python need it"),
        ("node", "only actions in Node need it"),
        (
            "containers",
            "only actions with executor = \"docker\" need one",
        ),
    ] {
        let line = line(text, name);
        assert!(
            line.starts_with("absent") && line.ends_with(users),
            "{line}"
        );
    }
}

#[test]
fn a_container_engine_has_to_answer() {
    let session = doctor().program(
        "bin/docker",
        "#!/bin/sh\necho 'no daemon here' >&2\nexit 1\n",
    );
    let path = format!("{}/bin:/nonexistent", session.path().display());
    let ran = session.env("PATH", &path).ends();
    let found = line(&ran.exits(0).stdout, "containers");
    assert!(
        found.contains("`docker ps` says: no daemon here; there is no podman"),
        "{found}"
    );
    let session = doctor().program("bin/docker", "#!/bin/sh\nexit 0\n");
    let path = format!("{}/bin:/nonexistent", session.path().display());
    let ran = session.env("PATH", &path).ends();
    assert!(line(&ran.exits(0).stdout, "containers").starts_with("ok"));
}

/// A session that names no envyr, and has its own programs first on PATH.
fn bare() -> Kael {
    let session = doctor()
        .words(&["--fix"])
        .env("KAEL_ENVYR", "")
        .env("KAEL_RUNNER", "envyr");
    let path = format!("{}/bin:/usr/bin:/bin", session.path().display());
    session.env("PATH", &path)
}

#[test]
fn fixes_are_applied_and_reported() {
    use std::os::unix::fs::PermissionsExt as _;
    let real = Program::get().envyr.display();
    // Does what `cargo install --root DIR` would do.
    let cargo = format!(
        "#!/bin/sh\nwhile [ $# -gt 0 ]; do [ \"$1\" = --root ] && root=$2; shift; done\nmkdir -p $root/bin && cp {real} $root/bin/envyr\n"
    );
    let session = bare().program("bin/cargo", &cargo);
    let kept = session.path().join("data/cache/abc");
    std::fs::create_dir_all(&kept).expect("a folder");
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&kept, open).expect("a mode");
    let ran = session.ends();
    let text = ran
        .exits(0)
        .stdout
        .replace(&ran.path().display().to_string(), "DIR");
    let mut lines = text.lines();
    assert_eq!(
        lines.next(),
        Some("fixed    envyr       installed envyr 0.4.2 at DIR/data/tools/bin/envyr")
    );
    let modes = lines.next().unwrap_or_default();
    assert!(
        modes.starts_with("fixed    cache") && modes.contains("DIR/data/cache/abc is 0700 now"),
        "{modes}"
    );
    assert!(
        line(&text[text.find("ok ").unwrap_or_default()..], "envyr").starts_with("ok"),
        "{text}"
    );
    assert!(
        text.contains("ok       cache       DIR/data/cache is this user's alone"),
        "{text}"
    );
    let mode = ran
        .path()
        .join("data/cache/abc")
        .metadata()
        .expect("there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_problem_without_a_fix_keeps_its_remedy() {
    let ran = bare()
        .program("bin/cargo", "#!/bin/sh\necho no network >&2\nexit 1\n")
        .ends();
    let text = &ran.exits(1).stdout;
    assert!(
        text.starts_with(
            "UNFIXED  envyr       cargo could not install envyr 0.4.2 (exit status: 1)\n"
        ),
        "{text}"
    );
    assert!(
        text.contains("remedy: install it with: kael-host setup"),
        "{text}"
    );
    // The data folder did not exist.
    assert!(text.contains("fixed    data        made "), "{text}");
    // The user chose that program.
    let ran = doctor()
        .words(&["--fix"])
        .env("KAEL_RUNNER", "auto")
        .option(&["--envyr", "nowhere"])
        .ends();
    assert!(
        !ran.exits(1).stdout.contains("envyr       installed"),
        "{}",
        ran.stdout
    );
    let ran = doctor().words(&["--fix", "--json"]).ends();
    let report: Value = serde_json::from_str(&ran.exits(0).stdout).expect("JSON");
    assert_eq!(report["fixed"][0]["name"], "data");
    assert!(report["fixed"][0]["done"].is_string() && report["fixed"][0]["problem"].is_null());
}

#[test]
fn a_configuration_and_a_repo_that_are_wrong_are_named_and_the_rest_is_looked_at() {
    let ran = doctor()
        .file("config/kael/config.yaml", "actions_pth: x\n")
        .ends();
    let found = line(&ran.exits(1).stdout, "config");
    assert!(
        found.starts_with("MISSING")
            && found.contains("config.yaml:1")
            && found.contains("actions_pth"),
        "{found}"
    );
    assert!(line(&ran.stdout, "git").starts_with("ok"));
    let bad = doctor()
        .file(
            "actions/init.lua",
            "define_action(5)\ndefine_action({})\nreturn {}",
        )
        .env("KAEL_ACTIONS", "actions")
        .ends();
    let found = line(&bad.exits(1).stdout, "repo");
    assert_eq!(
        found.split_whitespace().collect::<Vec<_>>().join(" "),
        "MISSING repo actions/init.lua:1: define_action: expected a table, got number; and 2 more"
    );
    assert!(
        bad.stdout.contains("remedy: kael-host actions validate"),
        "{}",
        bad.stdout
    );
    let good = doctor()
        .file(
            "actions/init.lua",
            "return { a = define_action({ source = 'x', executor = 'native' }) }",
        )
        .env("KAEL_ACTIONS", "actions")
        .ends();
    assert!(
        line(&good.exits(0).stdout, "repo").contains("1 actions in "),
        "{}",
        good.stdout
    );
}
