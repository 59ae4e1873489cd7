//! Calls that a person must approve.

use kael_tests::Terminal;

use super::{POLICY, marked, session};

#[test]
fn without_a_terminal_nothing_is_approved() {
    let ran = session()
        .file("p.yaml", POLICY)
        .run_with(&["--policy", "p.yaml"])
        .script("actions.t.scale({ n = 11 })");
    ran.fails(
        4,
        "Error: t.scale failed: denied by p.yaml:6 (approve t.scale): a person must approve this call, and none can be asked here: more than ten cost money\n  script.lua:1: in main chunk\nhint: run the script on a terminal with kael-host run, which shows the call and asks, or with --journal, which waits for kael-host runs approve\n",
    );
    assert!(!marked(&ran));
    // So it does where there is no source to read: that is looked at when somebody can be asked.
    let sourceless = session().file("p.yaml", POLICY);
    std::fs::remove_dir_all(sourceless.path().join("impl")).expect("a folder");
    sourceless
        .run_with(&["--policy", "p.yaml"])
        .script("actions.t.scale({ n = 11 })")
        .exits(4)
        .says("and none can be asked here");
    // A dry run runs nothing, and so asks no person.
    session()
        .file("p.yaml", POLICY)
        .run_with(&["--policy", "p.yaml", "--dry-run"])
        .script("actions.t.scale({ n = 11 })")
        .exits(0);
}

fn asked(policy: &str, types: &str) -> (i32, String, bool) {
    let session = session()
        .file("p.yaml", policy)
        .file("s.lua", "print(actions.t.scale({ n = 11 }))");
    let mut terminal = Terminal::start(&session, &["run", "--policy", "p.yaml", "s.lua"]);
    terminal
        .shows("approval wanted: t.scale")
        .shows("run t.scale? [y/N]");
    terminal.types(types);
    let (code, text) = terminal.ends();
    (code, text, session.path().join("state/mark").exists())
}

#[test]
fn on_a_terminal_a_person_is_asked() {
    let (code, text, marked) = asked(POLICY, "y\r");
    assert!(code == 0 && marked, "{code} {text}");
    for shown in [
        r#"params   {"env":"dev","n":11,"owner":"us"}"#,
        "rule     p.yaml:6 (approve t.scale)",
        "reason   more than ten cost money",
    ] {
        assert!(text.contains(shown), "{text}");
    }
    for no in ["\r", "n\r", "yep\r", "\x04"] {
        let (code, text, marked) = asked(POLICY, no);
        assert!(code == 4 && !marked, "{no:?} {code} {text}");
        assert!(
            text.contains("the person who was asked did not approve it"),
            "{text}"
        );
    }
    let quick = POLICY.replace("    reason: more", "    within: 1s\n    reason: more");
    let (code, text, marked) = asked(&quick, "");
    assert!(
        code == 4 && !marked && text.contains("the time for an approval is over"),
        "{text}"
    );
}

#[test]
fn a_program_that_changes_while_a_person_is_asked_is_not_run() {
    let session = session()
        .file("p.yaml", POLICY)
        .file("s.lua", "print(actions.t.scale({ n = 11 }))");
    let mut terminal = Terminal::start(&session, &["run", "--policy", "p.yaml", "s.lua"]);
    terminal.shows("run t.scale? [y/N]");
    std::fs::write(session.path().join("impl/other"), "").expect("a file");
    terminal.types("y\r");
    let (code, text) = terminal.ends();
    assert_eq!(code, 4, "{text}");
    assert!(
        text.contains("the files of its source have changed since the person was asked"),
        "{text}"
    );
    assert!(!session.path().join("state/mark").exists());
}

#[test]
fn a_policy_that_denies_by_the_time_of_the_yes_denies_the_call() {
    let denying = "version: 1\ndefault: allow\nrules:\n  - deny: t.scale\n    reason: not today\n";
    for (by_now, told) in [
        (
            Some(denying),
            "denied by p.yaml:4 (deny t.scale): not today",
        ),
        (
            Some("version: 2\n"),
            "the policy cannot be used any more: p.yaml:1",
        ),
        (
            None,
            "the policy cannot be used any more: cannot read the policy",
        ),
    ] {
        let session = session()
            .file("p.yaml", POLICY)
            .file("s.lua", "print(actions.t.scale({ n = 11 }))");
        let mut terminal = Terminal::start(&session, &["run", "--policy", "p.yaml", "s.lua"]);
        terminal.shows("run t.scale? [y/N]");
        let path = session.path().join("p.yaml");
        match by_now {
            Some(text) => std::fs::write(path, text).expect("a file"),
            None => std::fs::remove_file(path).expect("a file"),
        }
        terminal.types("y\r");
        let (code, text) = terminal.ends();
        assert_eq!(code, 4, "{text}");
        assert!(text.contains(told), "{text}");
        assert!(!session.path().join("state/mark").exists());
    }
}

#[test]
fn one_terminal_cannot_approve_for_two_people() {
    for by in ["count: 2", "not_submitter: true", "role: approver"] {
        let policy = POLICY.replace(
            "    reason: more",
            &format!("    by: {{ {by} }}\n    reason: more"),
        );
        let session = session()
            .file("p.yaml", policy)
            .file("s.lua", "actions.t.scale({ n = 11 })");
        let (code, text) =
            Terminal::start(&session, &["run", "--policy", "p.yaml", "s.lua"]).ends();
        assert_eq!(code, 4, "{text}");
        assert!(text.contains("must approve it"), "{text}");
    }
}

#[test]
fn an_error_names_the_rule_whose_approval_cannot_be_had() {
    let policy = POLICY.replace(
        "  - deny",
        "  - approve: \"t.s*\"\n    by: { role: boss }\n    reason: ask the boss\n  - deny",
    );
    session()
        .file("p.yaml", policy)
        .run_with(&["--policy", "p.yaml"])
        .script("actions.t.scale({ n = 11 })")
        .fails_with(
            4,
            "Error: t.scale failed: denied by p.yaml:9 (approve t.s*): a person with a role must approve it: ask the boss",
        );
}

#[test]
fn a_question_that_is_taken_back_says_so_and_the_next_one_waits() {
    let script = "print(pcall(race,
          function() return actions.t.scale({ n = 11 }) end,
          function() sleep(1.5) print('in between') return 'over' end))
        print(actions.t.scale({ n = 12, note = ('x'):rep(3000) }))";
    let session = session().file("p.yaml", POLICY).file("s.lua", script);
    let mut terminal = Terminal::start(&session, &["run", "--policy", "p.yaml", "s.lua"]);
    terminal.shows("run t.scale? [y/N]").shows("(taken back)");
    // It is no answer to the next question, which has not been asked.
    terminal.types("y\r");
    terminal.shows("param    n = 12").shows("(2609 bytes more)");
    terminal.shows("run t.scale? [y/N]");
    terminal.types("n\r");
    let (code, text) = terminal.ends();
    assert_eq!(code, 4, "{text}");
    assert!(!session.path().join("state/mark").exists(), "{text}");
    // What the script printed while the question was open came behind it.
    let (taken, printed) = (text.find("(taken back)"), text.find("in between"));
    assert!(taken.is_some() && taken < printed, "{text}");
}
