//! Actions that are called because of alerts, through the gate.

use kael_tests::{Kael, Ran};

use super::{EVENTS, NAMED_NC, Rules as _, session};

const ACTIONS: &str = r#"
return {
  tickets = {
    open = define_action {
      description = "Opens a ticket.", source = "../tickets", entrypoint = "append.sh", executor = "native",
      writable = { "OUT" }, params = { title = "string", pid = "integer", alert = "string?" },
    },
  },
}
"#;

/// Appends its parameters to `out/tickets`, in one write: two of these may run at once.
const TICKETS: &str =
    "#!/bin/sh\nline=$(cat)\nprintf '%s\\n' \"$line\" >> OUT/tickets\necho '{}'\n";

/// Rules and actions whose tickets are lines of `out/tickets`.
fn with(file: &str) -> Kael {
    let kael = session();
    let out = kael.path().join("out").display().to_string();
    kael.rule("nc", "", NAMED_NC)
        .rule(
            "other",
            "",
            "function pred_eval(e) return kestrel.event_get_i64(e, 1) == 1 end",
        )
        .file("actions/init.lua", ACTIONS.replace("OUT", &out))
        .program("tickets/append.sh", &TICKETS.replace("OUT", &out))
        .file("out/.keep", "")
        .file("on-match.yaml", file)
        .file("events.jsonl", EVENTS)
}

fn run(kael: Kael, more: &[&str]) -> Ran {
    let mut words = vec![
        "--actions",
        "actions",
        "rules",
        "run",
        "rules",
        "--events",
        "events.jsonl",
        "--on-match",
        "on-match.yaml",
    ];
    words.extend(more);
    kael.words(&words).ends()
}

fn tickets(ran: &Ran) -> Vec<String> {
    let text = std::fs::read_to_string(ran.path().join("out/tickets")).unwrap_or_default();
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines
}

const OPEN: &str = "version: 1
on_match:
  - rules: nc
    severity: High
    action: tickets.open
    params: { title: \"${title} in ${fields.process.name}\", pid: \"${context.captures.pid}\", alert: \"${id}\" }
";

#[test]
fn alerts_call_actions_with_what_they_hold() {
    let ran = run(with(OPEN), &["--audit", "audit.jsonl"]);
    ran.exits(0).says("on_match: 2 calls, 0 failed");
    assert_eq!(
        tickets(&ran),
        [
            r#"{"alert":"nc-2000000000-2","pid":17790,"title":"Rule nc in nc"}"#,
            r#"{"alert":"nc-3000000000-5","pid":3,"title":"Rule nc in ncat"}"#,
        ]
    );
    let audit = std::fs::read_to_string(ran.path().join("audit.jsonl")).expect("it was written");
    assert_eq!(audit.matches("tickets.open").count(), 2, "{audit}");
}

#[test]
fn policies_decide_and_what_an_alert_lacks_calls_nothing() {
    let deny = "version: 1\nrules: [{ deny: \"tickets.*\" }]\n";
    let ran = run(with(OPEN).file("p.yaml", deny), &["--policy", "p.yaml"]);
    ran.exits(6)
        .says("nc: tickets.open failed: ")
        .says("on_match: 2 calls, 2 failed");
    assert!(tickets(&ran).is_empty());
    let approve = "version: 1\nrules: [{ approve: \"tickets.*\" }]\n";
    let ran = run(
        with(OPEN).file("p.yaml", approve),
        &["--policy", "p.yaml", "--json"],
    );
    ran.exits(6).says("\"on_match\":{\"calls\":2,\"failed\":2}");
    assert!(tickets(&ran).is_empty());
    let lacks = OPEN
        .replace("rules: nc", "rules: other")
        .replace("severity: High", "severity: Low");
    let ran = run(with(&lacks), &[]);
    ran.exits(6)
        .says(
            "other: tickets.open failed: on-match.yaml:3: the alert has no `context.captures.pid`",
        )
        .says("on_match: 0 calls, 1 failed");
    assert!(tickets(&ran).is_empty());
}

#[test]
fn a_file_that_means_nothing_is_refused_before_any_event() {
    for (file, said) in [
        (
            "version: 1\non_match: [{ rules: ncc, action: tickets.open }]\n",
            "no rule that is loaded matches `ncc` (did you mean `nc`?)",
        ),
        (
            "version: 1\non_match: [{ action: tickets.opn }]\n",
            "on-match.yaml:2: ",
        ),
        (
            "version: 1\non_match: [{ action: tickets.open, parms: {} }]\n",
            "unknown key `parms` (did you mean `params`?)",
        ),
        ("version: 2\non_match: []\n", "`version` must be 1"),
    ] {
        let ran = run(with(file), &[]);
        ran.exits(3).says(said);
        assert_eq!(ran.stdout, "");
    }
    let ran = with(OPEN)
        .words(&["rules", "run", "rules", "--on-match", "on-match.yaml"])
        .ends();
    ran.exits(2).says("there is no actions repo");
}
