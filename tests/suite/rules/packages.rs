//! Packages: what is wrong with them, their tests, and how they change.

use std::fs;

use kael_tests::Kael;

use super::{EVENTS, NAMED_NC, Rules as _, SCHEMA, manifest, session};

#[test]
fn everything_that_is_wrong_is_told_with_its_place() {
    let ran = session()
        .file(
            "rules/a/manifest.json",
            r#"{"format_version":"1.0","metadata":{"rule_id":"../x"}}"#,
        )
        .rule("b", "", "function pred_eval() return = 1 end")
        .words(&["rules", "check", "rules"])
        .ends();
    ran.exits(3);
    let said = ran.stdout.clone();
    for part in [
        "rules/a/manifest.json: `metadata.rule_id` must be 1 to 128 of the characters",
        "rules/a/manifest.json: `metadata.rule_name` is missing: it must be a string",
        "rules/b/predicate.lua: line 1: unexpected symbol near '='",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    let ran = session()
        .rule(
            "c",
            r#","event_types":["process"],"fields":{"1":"process.name"}"#,
            "function pred_eval(e) return true end",
        )
        .words(&["rules", "run", "rules"])
        .ends();
    ran.exits(3);
    ran.says("`event_types`: rules/schema.json has no type \"process\"");
    ran.says("`fields.1` is \"process.name\", and rules/schema.json has \"process.pid\" there");
}

#[test]
fn literal_ids_are_checked_against_the_schema() {
    let predicate = "function pred_eval(e)
  -- event_get_i64(e, 77)
  return kestrel.event_get_i64(e, 99) > 0
    or kestrel.event_get_str(e, 1) == ''
    or kestrel.re_match(2, '')
end";
    let ran = session()
        .rule("a", r#","patterns":{"regexes":["x"]}"#, predicate)
        .words(&["rules", "check", "rules"])
        .ends();
    ran.exits(3);
    assert_eq!(
        ran.stdout,
        "error: rules/a/predicate.lua:3: rules/schema.json has no field 99\n\
         warning: rules/a/predicate.lua:4: event_get_str never has a value of 1: process.pid is an i64\n\
         error: rules/a/predicate.lua:5: there is no regex 2 (the rule has 1)\n\
         1 rule, 2 problems\n"
    );
}

#[test]
fn the_examples_pass_their_tests() {
    let folder = kael_tests::project("examples/rules");
    let ran = Kael::new()
        .words(&["rules", "test", "--both", folder.to_str().expect("text")])
        .ends();
    ran.exits(0);
    assert!(ran.stdout.contains("5 of 5 files pass"), "{}", ran.stdout);
    Kael::new()
        .words(&["rules", "check", folder.to_str().expect("text")])
        .ends()
        .exits(0);
}

#[test]
fn a_test_says_what_was_expected_and_what_came() {
    let tests = r#"{"process.name":"nc","process.pid":5,"_expect":{"pid":5}}
{"process.name":"nc","process.pid":6,"_expect":{"pid":7}}
{"process.name":"nc","process.pid":7}
{"process.name":"sh","_expect":true}
"#;
    let kael = session()
        .rule("nc", "", NAMED_NC)
        .file("rules/nc/tests/a.jsonl", tests)
        .words(&["rules", "test", "rules", "--junit", "report.xml"]);
    let ran = kael.ends();
    ran.exits(1);
    assert_eq!(
        ran.stdout,
        "FAILED rules/nc/tests/a.jsonl:2: expected at least {\"pid\":7}, got {\"pid\":6}\n\
         FAILED rules/nc/tests/a.jsonl:3: expected no alert, got one with {\"pid\":7}\n\
         FAILED rules/nc/tests/a.jsonl:4: expected an alert, got none\n\
         0 of 1 files pass\n"
    );
    let report = fs::read_to_string(ran.path().join("report.xml")).expect("a report");
    assert!(report.contains("failures=\"1\""), "{report}");
}

#[test]
fn a_new_package_passes_its_own_test() {
    let ran = Kael::new().words(&["rules", "init", "listens"]).ends();
    ran.exits(0);
    let folder = ran.path().join("listens");
    let folder = folder.to_str().expect("text");
    let tested = Kael::new().words(&["rules", "test", folder]).ends();
    tested.exits(0);
    assert!(
        tested.stdout.contains("1 of 1 files pass"),
        "{}",
        tested.stdout
    );
}

#[test]
fn a_change_of_rules_is_compared_over_history() {
    let kael = session()
        .rule("nc", "", NAMED_NC)
        .file("new/schema.json", SCHEMA)
        .file("new/nc/manifest.json", manifest("nc", ""))
        .file(
            "new/nc/predicate.lua",
            "function pred_eval(e) return kestrel.event_get_i64(e, 1) < 4 end",
        )
        .file("events.jsonl", EVENTS);
    let ran = kael
        .words(&[
            "rules",
            "diff",
            "rules",
            "new",
            "--schema",
            "rules/schema.json",
            "--events",
            "events.jsonl",
        ])
        .ends();
    ran.exits(1);
    assert_eq!(
        ran.stdout,
        "nc: 1 only in the old rules, 1 only in the new\n  - events 2\n  + events 1\n"
    );
}

#[test]
fn the_module_of_the_example_is_made_of_its_text() {
    let folder = kael_tests::project("examples/rules/reverse-shell");
    let made = wat::parse_file(folder.join("rule.wat")).expect("it is sound");
    assert!(fs::read(folder.join("rule.wasm")).expect("a module") == made);
}
