//! `kael-host doctor`: what it finds, what it advises, and its exit code.

use kael_tests::Kael;
use serde_json::Value;

fn doctor() -> Kael {
    Kael::new().words(&["doctor"])
}

/// One line of what it prints.
#[track_caller]
fn line<'a>(text: &'a str, name: &str) -> &'a str {
    let found = text
        .lines()
        .find(|line| line.split_whitespace().nth(1) == Some(name));
    found.unwrap_or_else(|| panic!("no {name}: {text}"))
}

#[test]
fn everything_is_looked_at_and_what_is_wrong_has_a_remedy() {
    let ran = doctor().words(&["--json"]).ends();
    let report: Value = serde_json::from_str(&ran.exits(0).stdout).expect("JSON");
    assert_eq!(report["ok"], true);
    let findings = report["findings"].as_array().expect("a list");
    let names: Vec<_> = findings
        .iter()
        .filter_map(|finding| finding["name"].as_str())
        .collect();
    let expected = "envyr data git python node npm containers namespace landlock processes";
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
fn an_envyr_that_is_missing_is_needed() {
    let ran = doctor().option(&["--envyr", "nowhere"]).ends();
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
fn a_language_that_is_missing_concerns_its_actions_alone() {
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
