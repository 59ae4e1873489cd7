//! Every example runs, and prints what its expected.txt says.

use std::process::Command;

use kael_tests::{Kael, Program, project};

#[test]
fn every_example_prints_the_expected_output() {
    let mut seen = 0;
    for entry in std::fs::read_dir(project("examples"))
        .expect("examples/")
        .flatten()
    {
        let folder = entry.path();
        // `embed` is a program, and has no repo of its own.
        if !folder.join("actions").is_dir() {
            continue;
        }
        let expected = std::fs::read_to_string(folder.join("expected.txt")).expect("expected.txt");
        let (actions, script) = (folder.join("actions"), folder.join("script.lua"));
        let ran = Kael::new()
            .option(&["--actions", &actions.display().to_string()])
            .run_with(&[&script.display().to_string()])
            .ends();
        ran.prints(&expected);
        seen += 1;
    }
    assert!(seen >= 2, "{seen} examples");
}

/// What docs/embedding.md says, done by a program.
#[test]
fn a_program_that_embeds_kael_follows_and_reports_a_run() {
    let own = std::env::current_exe().expect("a path of our own");
    let built = own.ancestors().find(|path| path.ends_with("deps"));
    let folder = built
        .and_then(|deps| deps.parent())
        .expect("target/PROFILE");
    let program = folder.join("examples/embed");
    if !program.is_file() {
        // Cargo builds it with all tests, and not with one that is named.
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(project("."));
        cargo.args(["build", "--quiet", "-p", "kael-tests", "--example", "embed"]);
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().expect("cargo starts").success());
    }
    let session = Kael::new();
    let output = Command::new(program)
        .env("KAEL_ENVYR", &Program::get().envyr)
        .env("KAEL_DATA", session.path().join("data"))
        .output()
        .expect("it starts");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let script = std::fs::read_to_string(project("examples/hello/expected.txt")).expect("text");
    let expected = format!(
        "call 1 of team-a: text.wordcount\ncall 1 failed with: None\n\
         {script}Done(None), 1 calls\n"
    );
    assert_eq!(
        (printed.as_str(), output.status.code()),
        (expected.as_str(), Some(0)),
        "{said}"
    );
    let source = std::fs::read_to_string(project("examples/embed/main.rs")).expect("text");
    assert!(source.lines().count() <= 60);
}
