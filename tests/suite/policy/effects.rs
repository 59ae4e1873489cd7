//! What actions do to the world, and which call they answer.

use kael_tests::Kael;

use super::{marked, session};

#[test]
fn read_only_runs_only_what_has_no_effects() {
    let with = || session().run_with(&["--read-only"]);
    with()
        .script("print(actions.t.look({ a = 1 }).a)")
        .prints("1\n");
    let ran = with().script("actions.t.delete({})");
    ran.fails_with(4, "Error: t.delete failed: denied by --read-only");
    assert!(!marked(&ran));
    let words = [
        "actions",
        "exec",
        "--read-only",
        "t.delete",
        "--params",
        "{}",
    ];
    let ran = session().words(&words).ends();
    ran.exits(4).says("denied by --read-only");
    assert!(!marked(&ran));
    let ran = session()
        .words(&["repl", "--read-only"])
        .stdin("actions.t.delete({})\n")
        .ends();
    ran.exits(4).says("denied by --read-only");
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
fn validate_says_what_it_assumes() {
    let validate = |kael: Kael| kael.words(&["actions", "validate"]).ends();
    let session = Kael::new()
        .shell("a", "reads = {}", "echo 1")
        .shell("b", "reads = {}, retry = {}", "echo 1")
        .shell("c", "reads = {}, cache = '1m'", "echo 1")
        .shell("d", "reads = {}, effects = 'none'", "echo 1");
    validate(session).prints(
        "note: `effects` is assumed where definitions name none: \"once\" of t.a, \"idempotent\" of t.b, \"none\" of t.c\n\
         4 valid actions, no problems\n",
    );
    validate(Kael::new().shell("d", "reads = {}, effects = 'once'", "echo 1"))
        .prints("1 valid action, no problems\n");
}
