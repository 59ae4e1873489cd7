//! Policy files from outside: what a script may call, for every command that calls actions.

use std::os::unix::fs::symlink;
use std::time::Duration;

use kael_tests::{Kael, Ran, Terminal};

/// A repo with an action that leaves a mark, one that is careful, and one that reads.
fn session() -> Kael {
    let kael = Kael::new();
    let (_, writable) = kael.state();
    let mark = r#"p=$(cat); echo "$p" >> "$KAEL_TEST_MARK""#;
    let mark = mark.replace(
        "$KAEL_TEST_MARK",
        &kael.path().join("state/mark").display().to_string(),
    );
    kael.shell(
        "scale",
        &format!("{writable}, defaults = {{ env = 'dev' }}, locked = {{ owner = 'us' }}"),
        &format!("{mark}; echo 1"),
    )
    .shell("delete", &writable, &format!("{mark}; echo 2"))
    .shell("look", "effects = 'none'", "cat")
}

fn marked(ran: &Ran) -> bool {
    ran.path().join("state/mark").exists()
}

const POLICY: &str = "version: 1
rules:
  - allow: [t.look]
  - allow: t.scale
    when: { n: { at_most: 10 }, env: [dev, staging] }
  - approve: t.scale
    when: { n: { over: 10 } }
    reason: more than ten cost money
  - deny: \"*.delete\"
    reason: ask the operators
";

#[test]
fn what_the_rules_deny_does_not_run_whoever_calls_it() {
    let with = || session().file("p.yaml", POLICY);
    let ran = with()
        .run_with(&["--policy", "p.yaml"])
        .script("print(actions.t.look({}).x, actions.t.scale({ n = 3 })) actions.t.delete({})");
    ran.fails(
        4,
        "Error: t.delete failed: denied by p.yaml:9 (deny *.delete): ask the operators\n  script.lua:1: in main chunk\nhint: kael-host policy explain t.delete says which rule decides and what would change it\n",
    );
    assert_eq!(ran.stdout, "nil\t1\n");
    let ran = with()
        .words(&[
            "actions", "exec", "--policy", "p.yaml", "t.delete", "--params", "{}",
        ])
        .ends();
    ran.fails_with(
        4,
        "Error: t.delete failed: denied by p.yaml:9 (deny *.delete): ask the operators",
    );
    assert!(!marked(&ran));
    let ran = with()
        .run_with(&["--policy", "p.yaml", "--dry-run"])
        .script("actions.t.delete({})");
    ran.exits(4).says("denied by p.yaml:9 (deny *.delete)");
    let ran = with()
        .words(&["repl", "--policy", "p.yaml"])
        .stdin("actions.t.delete({})\n")
        .ends();
    ran.exits(4).says("denied by p.yaml:9 (deny *.delete)");
    assert!(!marked(&ran));
}

#[test]
fn a_script_can_catch_a_denial_and_see_the_rule() {
    let script = "local ok, e = pcall(actions.t.delete, {})
        print(ok, e.kind, e.detail.rule, e.detail.file, e.detail.line)
        local ok, e = pcall(actions.t.scale, { n = 3, env = 'prod' })
        print(ok, e.kind, e.message)";
    session()
        .file("p.yaml", POLICY)
        .run_with(&["--policy", "p.yaml"])
        .script(script)
        .prints(
            "false\tdenied\tdeny *.delete\tp.yaml\t9\nfalse\tdenied\tdenied by p.yaml:1 (default: deny): no rule allows this call\n",
        );
}

#[test]
fn rules_see_the_merged_parameters() {
    let policy = "version: 1\nrules:\n- allow: t.scale\n  when: { env: dev, owner: us }\n";
    let with = || {
        session()
            .file("p.yaml", policy)
            .run_with(&["--policy", "p.yaml"])
    };
    with().script("print(actions.t.scale({}))").prints("1\n");
    with().script("actions.t.scale({ env = 'prod' })").exits(4);
    // What is locked cannot be said at all.
    with().script("actions.t.scale({ owner = 'me' })").exits(1);
}

#[test]
fn every_place_that_names_a_policy_tightens() {
    let allow = "version: 1\ndefault: allow\n";
    let deny = "version: 1\ndefault: allow\nrules:\n- deny: t.delete\n";
    let call = "print(pcall(actions.t.delete, {}))";
    let denied = |ran: &Ran| {
        ran.exits(0);
        assert!(
            ran.stdout.starts_with("false"),
            "{} {}",
            ran.stdout,
            ran.stderr
        );
        assert!(!marked(ran));
    };
    session()
        .file("p.yaml", allow)
        .run_with(&["--policy", "p.yaml"])
        .script(call)
        .prints("true\t2\n");
    // The repo's own.
    let own = || session().file("actions/policy.yaml", deny);
    denied(&own().script(call));
    denied(
        &own()
            .file("p.yaml", allow)
            .run_with(&["--policy", "p.yaml"])
            .script(call),
    );
    // The user's file, a variable, an untrusted project; and an allow behind them changes nothing.
    let more = ["--policy", "p.yaml"];
    let with = || {
        session()
            .file("p.yaml", allow)
            .file("d.yaml", deny)
            .run_with(&more)
    };
    denied(
        &with()
            .file("config/kael/config.yaml", "policy: ../../d.yaml\n")
            .script(call),
    );
    denied(&with().env("KAEL_POLICY", "d.yaml").script(call));
    denied(&with().file("kael.yaml", "policy: [d.yaml]\n").script(call));
    denied(
        &session()
            .file("p.yaml", allow)
            .run_with(&["--policy", "p.yaml", "--deny", "t.delete"])
            .script(call),
    );
    // Such a project cannot name a file outside its own folder.
    let ran = with()
        .file("kael.yaml", "policy: /etc/passwd\n")
        .script(call);
    ran.exits(3).says(
        "kael.yaml:1: `policy` of a file that is not trusted must name files of its own folder",
    );
    let session = with().file("kael.yaml", "policy: link.yaml\n");
    symlink("/etc/passwd", session.path().join("link.yaml")).expect("a link");
    session
        .script(call)
        .exits(3)
        .says("must name files of its own folder");
}

#[test]
fn a_policy_that_is_wrong_stops_everything() {
    let repo = |text: &str| {
        session()
            .file("actions/policy.yaml", text)
            .script("print(1)")
    };
    repo("version: 1\nrules:\n- deny: t.delet\n").fails(
        3,
        "Error: actions/policy.yaml:3: no action `t.delet` (did you mean `t.delete`?)\n    3 | - deny: t.delet\n",
    );
    repo("").fails_with(
        3,
        "Error: actions/policy.yaml:1: the policy is empty: it begins with `version: 1`",
    );
    repo("version: 1\nrules:\n- allow: &a [t.look]\n- deny: *a\n")
        .exits(3)
        .says("anchors (`&name`)");
    repo(&format!("version: 1\n{}", "#".repeat(300 << 10)))
        .exits(3)
        .says("a policy has more than 256 KiB");
    for name in ["Policy.yaml", "policy.yml"] {
        session()
            .file(&format!("actions/{name}"), "version: 1\n")
            .script("print(1)")
            .exits(3)
            .says("is not read as the policy of the actions repo: call it `policy.yaml`");
    }
    // The operator's.
    for (text, why) in [
        (
            "version: 1\nrulse: []\n".to_owned(),
            "p.yaml:2: unknown key `rulse` (did you mean `rules`?)",
        ),
        (
            "#".repeat(10 << 20),
            "cannot read the policy `p.yaml`: it has more than 256 KiB",
        ),
    ] {
        session()
            .file("p.yaml", text)
            .run_with(&["--policy", "p.yaml"])
            .script("print(1)")
            .exits(3)
            .says(why);
    }
    session()
        .run_with(&["--policy", "none.yaml"])
        .script("print(1)")
        .fails(
            3,
            "Error: cannot read the policy `none.yaml`: No such file or directory (os error 2)\n",
        );
    session()
        .run_with(&["--policy", "."])
        .script("print(1)")
        .exits(3)
        .says("it is not a regular file");
}

#[test]
fn a_policy_of_the_repo_is_a_file_of_the_repo() {
    let link = |target: &str| {
        let session = session()
            .file("actions/real.yaml", "version: 1\n")
            .file("actions/state/p.yaml", "version: 1\n");
        session.write_repo();
        symlink(target, session.path().join("actions/policy.yaml")).expect("a link");
        session.script("actions.t.look({})")
    };
    link("real.yaml")
        .exits(4)
        .says("denied by actions/policy.yaml:1 (default: deny)");
    link("/etc/passwd")
        .exits(3)
        .says("is a symbolic link that leads out of the actions repo");
    link("state/p.yaml")
        .exits(3)
        .says("is a symbolic link into `state/`");
    link("gone.yaml").exits(3);
    let session = session();
    session.write_repo();
    let fifo = session.path().join("actions/policy.yaml");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .expect("a FIFO");
    session.script("print(1)").exits(3);
}

#[test]
fn no_spelling_of_parameters_gets_past_a_rule() {
    let policy = "version: 1
rules:
  - allow: t.look
    when: { n: { at_most: 10 }, mode: [read, list] }
";
    let exec = |params: &str| {
        session()
            .file("p.yaml", policy)
            .words(&[
                "actions", "exec", "--policy", "p.yaml", "t.look", "--params", params,
            ])
            .ends()
    };
    exec(r#"{"n":10,"mode":"read"}"#).exits(0);
    exec(r#"{"n":1e1,"mode":"r\u0065ad"}"#).exits(0);
    for params in [
        r#"{"n":"1","mode":"read"}"#,
        r#"{"n":null,"mode":"read"}"#,
        r#"{"mode":"read"}"#,
        r#"{"n":[1],"mode":"read"}"#,
        r#"{"n":9223372036854775807,"mode":"read"}"#,
        r#"{"n":1e300,"mode":"read"}"#,
        // The last of equal keys holds, for the rule and for the action.
        r#"{"n":1,"mode":"read","n":11}"#,
        r#"{"n":1,"mode":"read","\u006e":11}"#,
        r#"{"N":1,"mode":"read"}"#,
        r#"{"n":1,"mode":"Read"}"#,
        r#"{"n":1,"mode":"read "}"#,
        r#"{"n":1,"mode":"re\u0430d"}"#,
        r#"{"n":1,"mode":["read"]}"#,
    ] {
        let ran = exec(params);
        ran.exits(4);
    }
    // An integer of more than 64 bits is no parameter at all.
    exec(r#"{"n":18446744073709551617,"mode":"read"}"#).exits(1);
}

#[test]
fn without_a_terminal_nothing_is_approved() {
    let ran = session()
        .file("p.yaml", POLICY)
        .run_with(&["--policy", "p.yaml"])
        .script("actions.t.scale({ n = 11 })");
    ran.fails(
        4,
        "Error: t.scale failed: denied by p.yaml:6 (approve t.scale): a person must approve this call, and none can be asked here: more than ten cost money\n  script.lua:1: in main chunk\nhint: run the script on a terminal with kael-host run, which shows the call and asks\n",
    );
    assert!(!marked(&ran));
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
        .shows("run it? [y/N]");
    std::thread::sleep(Duration::from_millis(300));
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
fn nobody_at_a_terminal_can_be_two_people() {
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
fn read_only_runs_only_what_has_no_effects() {
    let with = || session().run_with(&["--read-only"]);
    with()
        .script("print(actions.t.look({ a = 1 }).a)")
        .prints("1\n");
    let ran = with().script("actions.t.delete({})");
    ran.fails_with(4, "Error: t.delete failed: denied by --read-only");
    assert!(!marked(&ran));
    session()
        .file(
            "actions/policy.yaml",
            "version: 1\ndefault: allow\nmode: read-only\n",
        )
        .script("actions.t.delete({})")
        .fails_with(
            4,
            "Error: t.delete failed: denied by actions/policy.yaml:3 (mode: read-only)",
        );
}

#[test]
fn the_report_says_what_was_decided() {
    let ran = session()
        .file("p.yaml", POLICY)
        .run_with(&["--policy", "p.yaml", "--json"])
        .script("actions.t.look({}) pcall(actions.t.delete, {})");
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let decision = |at: usize| report["calls"][at]["decision"].clone();
    assert_eq!(
        decision(0),
        serde_json::json!({ "verdict": "allow", "rule": "allow t.look", "file": "p.yaml", "line": 3, "reason": null })
    );
    assert_eq!(decision(1)["rule"], "deny *.delete");
    assert_eq!(decision(1)["line"], 9);
}

#[test]
fn check_says_what_is_wrong() {
    let check = |text: &str| {
        session()
            .file("p.yaml", text)
            .words(&["policy", "check", "p.yaml"])
            .ends()
    };
    check(POLICY).prints("p.yaml: 4 rules, no problems\n");
    check("version: 1\nrules:\n- allow: t.x\n- alow: t.look\n").fails(
        3,
        "Error: p.yaml:4: unknown key `alow` (did you mean `allow`?)\n  p.yaml:4: a rule says one of `allow`, `approve` and `deny`\n",
    );
    check("version: 1\nrules:\n- allow: t.lok\n").fails(
        3,
        "Error: p.yaml:3: no action `t.lok` (did you mean `t.look`?)\n",
    );
    Kael::new()
        .file("p.yaml", "version: 1\nrules:\n- allow: t.lok\n")
        .words(&["policy", "check", "p.yaml"])
        .ends()
        .prints("p.yaml: 1 rule, no problems (names of actions are checked with --actions DIR)\n");
}

#[test]
fn explain_says_which_rule_decides_and_what_would_change_it() {
    let explain = |action: &str, params: &str| {
        session()
            .file("p.yaml", POLICY)
            .words(&[
                "policy", "explain", action, "--params", params, "--policy", "p.yaml",
            ])
            .ends()
    };
    explain("t.scale", r#"{"n":20}"#).prints(
        "t.scale: waits for a person's approval by p.yaml:6 (approve t.scale)
  params {\"env\":\"dev\",\"n\":20,\"owner\":\"us\"}, tenant default
rules:
  p.yaml:6 (approve t.scale): holds
    `n` over 10 (is 20): yes
  p.yaml:4 (allow t.scale): does not hold
    `n` at most 10 (is 20): no
    `env` one of \"dev\", \"staging\" (is \"dev\"): yes
what would change the answer:
  p.yaml:6 (approve t.scale) not holding: one of `n` over 10 (is 20)
",
    );
    explain("t.scale", r#"{"n":"5"}"#).exits(0);
    let ran = explain("t.scale", r#"{"n":5,"env":"prod"}"#);
    ran.exits(0);
    assert!(
        ran.stdout
            .starts_with("t.scale: denied by p.yaml:1 (default: deny)\n"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.ends_with(
            "p.yaml:4 (allow t.scale) holding: `env` one of \"dev\", \"staging\" (is \"prod\")\n"
        ),
        "{}",
        ran.stdout
    );
    explain("t.scael", "{}").fails_with(2, "Error: no action 't.scael' (did you mean 't.scale'?)");
    explain("t.scale", r#"{"owner":"me"}"#)
        .exits(2)
        .says("locked");
}

#[test]
fn cases_are_held_against_the_policy() {
    let test = |cases: &str| {
        session()
            .file("actions/policy.yaml", POLICY)
            .file("cases.yaml", cases)
            .words(&["policy", "test", "cases.yaml"])
            .ends()
    };
    test(
        "cases:
- { action: t.scale, params: { n: 3 }, expect: allow }
- { action: t.scale, params: { n: 30 }, expect: approve }
- { action: t.delete, expect: deny, tenant: acme }
- { action: t.scale, params: { owner: me }, expect: invalid_params }
",
    )
    .prints("4 cases, all as expected\n");
    let ran =
        test("cases:\n- { action: t.look, expect: deny }\n- { action: t.nil, expect: deny }\n");
    ran.exits(1);
    assert_eq!(
        ran.stdout,
        "cases.yaml:2: failed: t.look is to be deny, and is allow (actions/policy.yaml:3 (allow t.look))
cases.yaml:3: failed: t.nil is to be deny, and is unknown_action (no such action)
2 cases, 2 failed
"
    );
    test("cases:\n- { action: t.look, expect: maybe }\n")
        .exits(3)
        .says("cases.yaml:2: `expect` must be one of");
    test("").exits(3);
}

#[test]
fn describe_and_validate_say_what_the_policy_does() {
    let with = || session().file("actions/policy.yaml", POLICY);
    let ran = with().words(&["actions", "describe", "t.scale"]).ends();
    ran.exits(0);
    for line in [
        "effects     once (assumed)\n",
        "policy      actions/policy.yaml:6 (approve t.scale), depending on the call\n",
        "            actions/policy.yaml:1 (default: deny)\n",
    ] {
        assert!(
            ran.stdout.contains(line),
            "{line:?} is not in {}",
            ran.stdout
        );
    }
    let ran = with().words(&["actions", "validate"]).ends();
    ran.exits(0);
    assert!(
        ran.stdout.contains(
            "note: t.delete: no script can call it: denied by actions/policy.yaml:9 (deny *.delete)"
        ),
        "{}",
        ran.stdout
    );
    let ran = session()
        .file("actions/policy.yaml", "version: 1\nrules:\n- allow: t.x\n")
        .words(&["actions", "validate"])
        .ends();
    ran.exits(3);
    assert!(
        ran.stdout
            .contains("actions/policy.yaml:3: error: no action `t.x`"),
        "{}",
        ran.stdout
    );
}

#[test]
fn effects_hold_a_definition_to_what_it_says() {
    let validate = |fields: &str| {
        Kael::new()
            .shell("a", fields, "echo 1")
            .words(&["actions", "validate"])
            .ends()
    };
    for (fields, why) in [
        (
            "effects = 'some'",
            "field 'effects' `some` is none of \"none\", \"idempotent\", \"once\"",
        ),
        (
            "effects = 'once', retry = { on = { 'failed' } }",
            "field 'retry' `on` may only be { \"unavailable\" }",
        ),
        (
            "effects = 'once', cache = '1m'",
            "field 'cache' is for actions with effects = \"none\"",
        ),
    ] {
        let ran = validate(fields);
        ran.exits(3);
        assert!(ran.stdout.contains(why), "{}", ran.stdout);
    }
}

#[test]
fn an_action_knows_which_call_it_answers() {
    let env = r#"printf '{"key":"%s","run":"%s","call":%s,"attempt":%s}' "$KAEL_IDEMPOTENCY_KEY" "$KAEL_RUN" "$KAEL_CALL" "$KAEL_ATTEMPT""#;
    let kael = Kael::new();
    let (state, writable) = kael.state();
    let tried = format!(
        "echo $KAEL_IDEMPOTENCY_KEY $KAEL_ATTEMPT >> {state}/tries; test $KAEL_ATTEMPT = 3 || exit 1; {env}"
    );
    let kael = kael.shell("env", "", env).shell(
        "tried",
        &format!("{writable}, retry = {{ backoff = 0.01 }}"),
        &tried,
    );
    kael.env("KAEL_RUN", "the host's own")
        .script(
            "local a, b = actions.t.env({}), actions.t.env({ KAEL_RUN = 'mine' })
            assert(a.run == b.run and #a.run >= 32 and a.run ~= 'mine', a.run)
            assert(a.call == 1 and b.call == 2 and a.attempt == 1)
            assert(#a.key == 32 and a.key ~= b.key)
            local c = actions.t.tried({})
            assert(c.attempt == 3 and c.call == 3)
            print(c.key)",
        )
        .exits(0);
}

#[test]
fn a_definition_cannot_take_the_variables_of_a_call_from_the_host() {
    let ran = Kael::new()
        .shell("a", "env = { 'KAEL_IDEMPOTENCY_KEY' }", "echo 1")
        .script("print(1)");
    ran.exits(3)
        .says("`KAEL_IDEMPOTENCY_KEY` is always set by Kael itself");
}

#[test]
fn a_budget_bounds_the_calls_of_a_run() {
    let policy = "version: 1\ndefault: allow\nbudgets:\n- { actions: [\"t.s*\", t.look], calls: 3, per: run }\n";
    let script = "local n = 0
        for i = 1, 5 do
          local ok, e = pcall(i % 2 == 0 and actions.t.look or actions.t.scale, {})
          if ok then n = n + 1 else print(e.kind, e.message, e.detail.line) end
        end
        actions.t.delete({})
        print(n)";
    let why = "denied\tdenied by p.yaml:4 (budget of 3 calls of t.s*, t.look): the budget of the run is spent\t4\n";
    session()
        .file("p.yaml", policy)
        .run_with(&["--policy", "p.yaml"])
        .script(script)
        .prints(&format!("{why}{why}3\n"));
    for (budget, wrong) in [
        (
            "{ actions: t.look, calls: 3, per: 1h }",
            "a budget over several runs needs a server",
        ),
        (
            "{ actions: t.look, calls: 3, per: run, of: tenant }",
            "a budget over several runs needs a server",
        ),
        (
            "{ actions: t.look, calls: 0, per: run }",
            "`calls` must be a whole number from 1 to 10000000",
        ),
        (
            "{ actions: t.lok, calls: 1, per: run }",
            "no action `t.lok` (did you mean `t.look`?)",
        ),
        ("{ actions: t.look }", "a budget needs `calls`"),
    ] {
        session()
            .file("p.yaml", format!("version: 1\nbudgets:\n- {budget}\n"))
            .words(&["policy", "check", "p.yaml"])
            .ends()
            .exits(3)
            .says(&format!("p.yaml:3: {wrong}"));
    }
}

#[test]
fn the_record_the_trace_and_the_page_say_what_was_decided() {
    let ran = session()
        .file("p.yaml", POLICY)
        .run_with(&[
            "--policy", "p.yaml", "--record", "r.json", "--trace", "t.json", "--html", "p.html",
        ])
        .script("actions.t.look({}) pcall(actions.t.delete, {})");
    ran.exits(0);
    let read = |name: &str| std::fs::read_to_string(ran.path().join(name)).expect("it was written");
    let record = read("r.json");
    assert!(
        record.contains(
            r#""decision":{"file":"p.yaml","line":3,"rule":"allow t.look","verdict":"allow"}"#
        ),
        "{record}"
    );
    assert!(read("t.json").contains("p.yaml:9 (deny *.delete)"));
    let page = read("p.html");
    assert!(
        page.contains("deny by p.yaml:9 (deny *.delete)") && page.contains("allow by p.yaml:3"),
        "{page}"
    );
    // What was recorded can be answered from.
    session()
        .file("r.json", record)
        .run_with(&["--dry-run", "--answers", "r.json", "--quiet"])
        .script("print(type(actions.t.look({})))")
        .exits(0);
}

#[test]
fn an_audit_log_shows_what_was_done_to_it() {
    let session = session().file("p.yaml", POLICY).file(
        "s.lua",
        "actions.t.look({ a = 1 }) pcall(actions.t.delete, {}) actions.t.look({ b = 2 })",
    );
    let words = [
        "run",
        "--policy",
        "p.yaml",
        "--audit",
        "audit.jsonl",
        "s.lua",
    ];
    let run = |words: &[&str]| session.command().args(words).output().expect("it ends");
    for _ in 0..2 {
        assert_eq!(run(&words).status.code(), Some(0));
    }
    let log = session.path().join("audit.jsonl");
    let text = std::fs::read_to_string(&log).expect("a log");
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(
        log.metadata().expect("a file").permissions().mode() & 0o777,
        0o600
    );
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), 6);
    assert_eq!(lines[1]["decision"]["rule"], "deny *.delete");
    assert_eq!(lines[1]["outcome"], "denied");
    assert_eq!(
        (&lines[0]["call"], &lines[2]["outcome"]),
        (&1.into(), &"ok".into())
    );
    assert_eq!(
        (&lines[0]["effects"], &lines[3]["number"]),
        (&"none".into(), &4.into())
    );
    assert_ne!(lines[0]["run"], lines[3]["run"]);
    assert_eq!(lines[0]["params_sha256"].as_str().map(str::len), Some(64));
    let verify = |text: &str| {
        std::fs::write(&log, text).expect("a file");
        let out = run(&["audit", "verify", "audit.jsonl"]);
        let said = [out.stdout, out.stderr].concat();
        (out.status.code(), String::from_utf8(said).expect("text"))
    };
    let (code, said) = verify(&text);
    let last = lines[5]["hash"].as_str().expect("a hash");
    assert_eq!(
        (code, said),
        (
            Some(0),
            format!("audit.jsonl: 6 calls, whole; the last hash is {last}\n")
        )
    );
    let parts: Vec<&str> = text.split_inclusive('\n').collect();
    let without = |at: usize| {
        let mut parts = parts.clone();
        parts.remove(at);
        parts.concat()
    };
    for (changed, line) in [
        (text.replacen("denied", "failed", 1), 2),
        (without(0), 1),
        (without(3), 4),
        (
            [&parts[0], &parts[0], &parts[1]].map(|part| *part).concat(),
            2,
        ),
        ([&parts[1], &parts[0]].map(|part| *part).concat(), 1),
        (text.trim_end().to_owned(), 6),
        ("{}\n".to_owned(), 1),
    ] {
        let (code, said) = verify(&changed);
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains(&format!("the audit log breaks at audit.jsonl:{line}: ")),
            "{line}: {said}"
        );
    }
    // A run does not go on behind a line that was changed.
    std::fs::write(&log, text.replace("denied", "failed")).expect("a file");
    let out = run(&words);
    assert_eq!(out.status.code(), Some(0), "its last line is sound");
    std::fs::write(&log, "{}\n").expect("a file");
    assert_eq!(run(&words).status.code(), Some(3));
}
