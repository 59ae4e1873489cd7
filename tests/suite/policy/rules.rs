//! Which calls the rules allow, for every command that calls actions.

use kael_tests::Kael;

use super::{POLICY, marked, session};

#[test]
fn what_the_rules_deny_does_not_run_by_any_command() {
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

/// A key that is written twice has one value, for the rules and for the action; one that only looks
/// the same is another key for both.
#[test]
fn keys_written_twice_or_otherwise_get_past_no_condition() {
    let policy = "version: 1
default: allow
rules:
  - deny: t.look
    when: { env: prod }
  - deny: t.look
    when: { who.n: { over: 10 }, who: present }
";
    let exec = |params: &str| {
        session()
            .file("p.yaml", policy)
            .words(&[
                "actions", "exec", "--policy", "p.yaml", "t.look", "--params", params,
            ])
            .ends()
    };
    for params in [
        r#"{"env":"dev","env":"prod","who":{"n":1}}"#,
        r#"{"\u0065nv":"prod","who":{"n":1}}"#,
        r#"{"env":"dev","e\u006ev":"prod","who":{"n":1}}"#,
        // The other key takes nothing away from this one: capitals, Cyrillic, full width, a space of
        // no width, a zero, an accent that joins the letter before it.
        r#"{"env":"prod","ENV":"dev","who":{"n":1}}"#,
        r#"{"\u0435nv":"dev","env":"prod","who":{"n":1}}"#,
        r#"{"env":"prod","\uff45\uff4e\uff56":"dev","who":{"n":1}}"#,
        r#"{"env":"prod","e\u200bnv":"dev","who":{"n":1}}"#,
        r#"{"env\u0000":"dev","env":"prod","who":{"n":1}}"#,
        r#"{"env":"prod","e\u0301nv":"dev","who":{"n":1}}"#,
        // The same below another key, and a table that is written twice.
        r#"{"env":"dev","who":{"n":1,"n":11}}"#,
        r#"{"env":"dev","who":{"n":1},"who":{"n":11}}"#,
        r#"{"env":"dev","wh\u006f":{"\u006e":11,"N":1}}"#,
    ] {
        let ran = exec(params);
        ran.exits(4).says("denied by p.yaml:");
    }
    // What goes on is what the rules saw: the last of equal keys, once.
    for (params, seen) in [
        (
            r#"{"env":"prod","env":"dev","who":{"n":11,"n":1}}"#,
            r#"{"env":"dev","who":{"n":1}}"#,
        ),
        (
            r#"{"env":"prod","e\u006ev":"dev","who":{"n":11},"who":{"n":2}}"#,
            r#"{"env":"dev","who":{"n":2}}"#,
        ),
        // Another key is there for the action, too, which finds no `env`.
        (
            r#"{"ENV":"prod","who":{"n":1}}"#,
            r#"{"ENV":"prod","who":{"n":1}}"#,
        ),
    ] {
        let ran = exec(params);
        assert_eq!(ran.exits(0).stdout.trim(), seen, "{params}");
    }
    // From Lua, where equal keys are one from the beginning.
    session()
        .file("p.yaml", policy)
        .run_with(&["--policy", "p.yaml"])
        .script("actions.t.look({ env = 'prod', ENV = 'dev', ['e\\u{200b}nv'] = 'dev', who = { n = 1 } })")
        .exits(4)
        .says("denied by p.yaml:4 (deny t.look)");
    // Where a definition says which parameters there are, another key is refused before any rule.
    Kael::new()
        .shell(
            "look",
            "effects = 'none', params = { env = 'string?' }",
            "cat",
        )
        .script("print(select(2, pcall(actions.t.look, { ENV = 'prod' })).kind)")
        .prints("invalid_params\n");
}

#[test]
fn what_cannot_be_decided_is_denied() {
    let deny = |when: &str| {
        let policy =
            format!("version: 1\ndefault: allow\nrules:\n- deny: t.scale\n  when: {{ {when} }}\n");
        session()
            .file("p.yaml", policy)
            .run_with(&["--policy", "p.yaml"])
    };
    for (when, params) in [
        ("n: { over: 10 }", "{ n = 'many' }"),
        ("n: { over: 10 }", "{}"),
        ("n: 50", "{ n = '50' }"),
        ("env: prod", "{ env = { 'prod' } }"),
        ("env: { not: dev }", "{ env = { 'dev' } }"),
        ("\"hosts.*.name\": { starts: db }", "{ hosts = { 'db1' } }"),
        ("n: { matches: x }", "{ n = ('x'):rep(100000) }"),
    ] {
        let ran = deny(when).script(&format!("actions.t.scale({params})"));
        ran.exits(4).says("denied by p.yaml:4 (deny t.scale)");
        assert!(!marked(&ran), "{when} {params}");
    }
    deny("n: { over: 10 }")
        .script("print(actions.t.scale({ n = 3 }))")
        .prints("1\n");
}

#[test]
fn a_kept_result_of_a_denied_call_is_not_given() {
    let session = Kael::new()
        .shell("read", "cache = '1h'", "echo 7")
        .file("p.yaml", "version: 1\n")
        .file("s.lua", "print(actions.t.read({}))");
    let run = |words: &[&str]| {
        let out = session
            .command()
            .arg("run")
            .args(words)
            .output()
            .expect("it ends");
        let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        (out.status.code(), said)
    };
    for _ in 0..2 {
        assert_eq!(run(&["s.lua"]), (Some(0), "7\n".to_owned()));
    }
    let (code, said) = run(&["--policy", "p.yaml", "s.lua"]);
    assert_eq!(code, Some(4), "{said}");
    assert!(!said.contains('7'), "{said}");
}
