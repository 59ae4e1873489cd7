//! What the commands say of a policy, without running anything.

use kael_tests::Kael;

use super::{POLICY, session};

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
