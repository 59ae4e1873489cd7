use serde_json::{Value, json};

use super::*;
use crate::catalog::{Catalog, Definition, Location, RawDefinition};

const NAMES: [&str; 4] = ["deploy.scale", "deploy.delete", "text.upper", "db.query"];

fn catalog() -> Catalog {
    let define = |(line, name): (usize, &&str)| RawDefinition {
        names: vec![(*name).to_owned()],
        location: Location {
            file: "init.lua".into(),
            line: u32::try_from(line).expect("small"),
        },
        body: match *name {
            "text.upper" => json!({ "source": "x", "executor": "native", "effects": "none" }),
            _ => json!({ "source": "x", "executor": "native" }),
        }
        .to_string(),
        error: None,
    };
    let raw: Vec<_> = NAMES.iter().enumerate().map(define).collect();
    Catalog::new(&raw).expect("valid")
}

fn compiled(texts: &[&str]) -> Result<Rulebook, PolicyError> {
    let files: Result<Vec<_>, _> = texts
        .iter()
        .enumerate()
        .map(|(at, text)| PolicyFile::parse(&format!("p{at}.yaml"), text))
        .collect();
    Rulebook::compile(&files?, &catalog(), false)
}

fn decide(texts: &[&str], action: &str, params: &Value, tenant: Option<&str>) -> String {
    let catalog = catalog();
    let definition: &Definition = catalog.get(action).expect("an action");
    let rulebook = compiled(texts).expect("valid");
    let decision = rulebook.decide(definition, &params.to_string(), tenant);
    let explained = rulebook.explain(definition, &params.to_string(), tenant);
    assert_eq!(explained.decision, decision);
    decision.source.to_string()
}

/// What a rule with these words says of these parameters, for allow and for deny.
fn holds(when: &str, params: &Value) -> (bool, bool) {
    let policy = |rule: &str, default: &str| {
        format!(
            "version: 1\ndefault: {default}\nrules:\n  - {rule}: deploy.scale\n    when: {when}\n"
        )
    };
    let said = |rule: &str, default: &str| {
        !decide(&[&policy(rule, default)], "deploy.scale", params, None).contains("default")
    };
    let (allow, deny) = (said("allow", "deny"), said("deny", "allow"));
    assert_eq!(deny, said("approve", "allow"), "{when} {params}");
    (allow, deny)
}

const YES: (bool, bool) = (true, true);
const NO: (bool, bool) = (false, false);
/// A test that cannot be decided: allow does not hold, deny does.
const DOUBT: (bool, bool) = (false, true);

#[test]
fn conditions_hold_or_not_or_leave_a_doubt() {
    for (when, params, expected) in [
        ("{ n: 1 }", json!({ "n": 1 }), YES),
        ("{ n: 1 }", json!({ "n": 1.0 }), YES),
        ("{ n: 1.0 }", json!({ "n": 1 }), YES),
        ("{ n: 1 }", json!({ "n": "1" }), DOUBT),
        ("{ n: 50 }", json!({ "n": " 50.0" }), DOUBT),
        ("{ n: 50 }", json!({ "n": "5" }), NO),
        ("{ n: 1 }", json!({ "n": [1] }), DOUBT),
        ("{ n: 1 }", json!({ "n": true }), NO),
        ("{ n: 1 }", json!({}), NO),
        ("{ n: \"1\" }", json!({ "n": 1 }), DOUBT),
        ("{ n: \"1\" }", json!({ "n": 2 }), NO),
        ("{ n: null }", json!({ "n": null }), YES),
        ("{ n: null }", json!({}), NO),
        ("{ n: \"null\" }", json!({ "n": null }), NO),
        ("{ n: null }", json!({ "n": [] }), NO),
        ("{ f: true }", json!({ "f": true }), YES),
        ("{ f: true }", json!({ "f": "true" }), DOUBT),
        ("{ f: true }", json!({ "f": "false" }), NO),
        ("{ f: \"true\" }", json!({ "f": true }), DOUBT),
        ("{ e: [dev, staging] }", json!({ "e": "dev" }), YES),
        ("{ e: [dev, staging] }", json!({ "e": "prod" }), NO),
        ("{ e: [dev, staging] }", json!({ "e": ["prod"] }), DOUBT),
        ("{ e: [50, 60] }", json!({ "e": "60" }), DOUBT),
        ("{ e: [\"60\", 60] }", json!({ "e": "60" }), YES),
        ("{ e: prod }", json!({ "e": ["prod"] }), DOUBT),
        ("{ e: prod }", json!({ "e": { "1": "prod" } }), DOUBT),
        ("{ e: [dev, 1, null] }", json!({ "e": null }), YES),
        ("{ e: { not: prod } }", json!({ "e": "dev" }), YES),
        ("{ e: { not: prod } }", json!({}), YES),
        ("{ e: { not: prod } }", json!({ "e": ["prod"] }), DOUBT),
        ("{ e: { not: 50 } }", json!({ "e": "50" }), DOUBT),
        ("{ e: { not: [prod, live] } }", json!({ "e": "live" }), NO),
        ("{ n: { at_most: 10 } }", json!({ "n": 10 }), YES),
        ("{ n: { at_most: 10 } }", json!({ "n": 10.5 }), NO),
        ("{ n: { at_most: 10 } }", json!({ "n": "5" }), DOUBT),
        ("{ n: { at_most: 10 } }", json!({ "n": null }), DOUBT),
        ("{ n: { at_most: 10 } }", json!({}), DOUBT),
        ("{ n: { at_most: 10 } }", json!({ "n": [5] }), DOUBT),
        ("{ n: { not: { over: 10 } } }", json!({}), DOUBT),
        ("{ n: { over: 10 } }", json!({ "n": i64::MAX }), YES),
        ("{ n: { over: 10 } }", json!({ "n": 1e300 }), YES),
        (
            "{ n: { over: 9007199254740992 } }",
            json!({ "n": 9_007_199_254_740_993_i64 }),
            YES,
        ),
        ("{ n: { at_least: 1, under: 5 } }", json!({ "n": 5 }), NO),
        ("{ n: { at_least: 1, under: 5 } }", json!({ "n": 1 }), YES),
        (
            "{ q: { starts: \"select \" } }",
            json!({ "q": "select 1" }),
            YES,
        ),
        (
            "{ q: { starts: \"select \" } }",
            json!({ "q": "SELECT 1" }),
            NO,
        ),
        (
            "{ q: { starts: \"select \" } }",
            json!({ "q": ["select "] }),
            DOUBT,
        ),
        ("{ q: { ends: é } }", json!({ "q": "cafe\u{301}" }), NO),
        ("{ q: { ends: é } }", json!({ "q": "café" }), YES),
        ("{ q: { glob: \"a*z\" } }", json!({ "q": "abcz" }), YES),
        (
            "{ q: { matches: \"^(?i)drop\" } }",
            json!({ "q": "DrOp" }),
            YES,
        ),
        (
            "{ q: { matches: x } }",
            json!({ "q": "x".repeat(100_000) }),
            DOUBT,
        ),
        (
            "{ q: { length: { at_most: 3 } } }",
            json!({ "q": "äöü" }),
            YES,
        ),
        ("{ q: { length: 2 } }", json!({ "q": [1, 2] }), YES),
        ("{ q: { length: 0 } }", json!({ "q": {} }), YES),
        ("{ q: { length: 0 } }", json!({ "q": 5 }), DOUBT),
        ("{ a.b: present }", json!({ "a": { "b": null } }), YES),
        ("{ a.b: present }", json!({ "a": {} }), NO),
        ("{ a.b: missing }", json!({}), YES),
        ("{ a.b: missing }", json!({ "a": 5 }), DOUBT),
        ("{ a.b: \"present\" }", json!({ "a": { "b": 1 } }), NO),
        (
            "{ \"i.*.n\": { at_most: 5 } }",
            json!({ "i": [{ "n": 1 }, { "n": 5 }] }),
            YES,
        ),
        // One element too many: an allow wants all of them, a deny has enough with one.
        (
            "{ \"i.*.n\": { at_most: 5 } }",
            json!({ "i": [{ "n": 1 }, { "n": 9 }] }),
            DOUBT,
        ),
        (
            "{ \"i.*.n\": { at_most: 5 } }",
            json!({ "i": [{ "n": 9 }] }),
            NO,
        ),
        ("{ \"i.*.n\": { at_most: 5 } }", json!({ "i": "x" }), DOUBT),
        (
            "{ _: { schema: { required: [t] } } }",
            json!({ "t": 1 }),
            YES,
        ),
        ("{ _: { schema: { required: [t] } } }", json!({}), NO),
        (
            "{ t: { schema: { type: integer, maximum: 5 } } }",
            json!({ "t": 3 }),
            YES,
        ),
        ("{ t: { schema: { type: integer } } }", json!({}), DOUBT),
        ("{ n: 1, m: { over: 2 } }", json!({ "n": 1 }), DOUBT),
        ("{ n: 1, m: { over: 2 } }", json!({ "n": 2 }), NO),
    ] {
        assert_eq!(holds(when, &params), expected, "{when} of {params}");
    }
}

#[test]
fn a_test_that_takes_too_many_steps_leaves_a_doubt() {
    // Alternatives that multiply with each level.
    let level = |at: usize| {
        let next = json!({ "$ref": format!("#/$defs/n{}", at + 1) });
        (format!("n{at}"), json!({ "anyOf": [next, next] }))
    };
    let schema = |levels: usize| {
        let mut defs: serde_json::Map<String, Value> = (0..levels).map(level).collect();
        defs.insert(format!("n{levels}"), json!({ "const": "z" }));
        json!({ "$ref": "#/$defs/n0", "$defs": defs })
    };
    let when = |path: &str, levels| format!("{{ \"{path}\": {{ schema: {} }} }}", schema(levels));
    let one = json!({ "t": "x" });
    assert_eq!(holds(&when("t", 2), &one), NO);
    assert_eq!(holds(&when("t", 40), &one), DOUBT);
    // All elements share the steps of one decision.
    let several = json!({ "t": vec!["x"; 400] });
    assert_eq!(holds(&when("t.*", 2), &several), NO);
    assert_eq!(holds(&when("t", 16), &one), NO);
    assert_eq!(holds(&when("t.*", 16), &several), DOUBT);
    let texts = json!({ "t": vec!["x".repeat(60_000); 500] });
    assert_eq!(holds("{ \"t.*\": { matches: q } }", &texts), DOUBT);
    // What is too large for a tree becomes none.
    let many = json!({ "t": vec![1; 200_000] });
    assert_eq!(holds("{ t: { schema: { type: object } } }", &many), DOUBT);
}

#[test]
fn deny_beats_approve_beats_allow_in_every_file() {
    let team = "version: 1\ndefault: allow\nrules:\n  - deny: \"*.delete\"\n  - approve: deploy.scale\n    when: { n: { over: 10 } }\n";
    let ours = "version: 1\nrules:\n  - allow: \"deploy.*\"\n  - deny: deploy.scale\n    when: { n: { over: 100 } }\n    tenants: [\"team-*\"]\n";
    let both = [team, ours];
    for (action, n, tenant, expected) in [
        ("deploy.delete", 1, Some("x"), "p0.yaml:4 (deny *.delete)"),
        ("deploy.scale", 1, Some("x"), "p0.yaml:2 (default: allow)"),
        (
            "deploy.scale",
            50,
            Some("x"),
            "p0.yaml:5 (approve deploy.scale)",
        ),
        (
            "deploy.scale",
            500,
            Some("x"),
            "p0.yaml:5 (approve deploy.scale)",
        ),
        (
            "deploy.scale",
            500,
            Some("team-a"),
            "p1.yaml:4 (deny deploy.scale)",
        ),
        // An unknown tenant may be any tenant.
        ("deploy.scale", 500, None, "p1.yaml:4 (deny deploy.scale)"),
        ("db.query", 1, None, "p1.yaml:1 (default: deny)"),
    ] {
        assert_eq!(
            decide(&both, action, &json!({ "n": n }), tenant),
            expected,
            "{action} {n}"
        );
    }
    let read_only = "version: 1\ndefault: allow\nmode: read-only\n";
    assert_eq!(
        decide(&[read_only], "db.query", &json!({}), None),
        "p0.yaml:3 (mode: read-only)"
    );
    assert_eq!(
        decide(&[read_only], "text.upper", &json!({}), None),
        "p0.yaml:2 (default: allow)"
    );
}

#[test]
fn all_that_is_wrong_is_told_with_its_line() {
    let of = |text: &str| compiled(&[text]).expect_err("refused").to_string();
    for (text, expected) in [
        (
            "",
            "p0.yaml:1: the policy is empty: it begins with `version: 1`",
        ),
        ("- a", "p0.yaml:1: a policy must be a table, got a list"),
        ("rules: []", "p0.yaml:1: `version: 1` is missing"),
        ("version: 2", "p0.yaml:1: `version` must be 1"),
        (
            "version: 1\nrulse: []",
            "p0.yaml:2: unknown key `rulse` (did you mean `rules`?)",
        ),
        (
            "version: 1\ndefault: maybe",
            "p0.yaml:2: `default` must be `deny` or `allow`",
        ),
        (
            "version: 1\nmode: ro",
            "p0.yaml:2: `mode` must be `normal` or `read-only`",
        ),
        (
            "version: 1\nrules: x",
            "p0.yaml:2: `rules` must be a list of rules, got a word",
        ),
        (
            "version: 1\nrules: [x]",
            "p0.yaml:2: a rule must be a table, got a word",
        ),
        (
            "version: 1\nrules:\n- { allow: \"*\", deny: \"*\" }",
            "p0.yaml:3: a rule says one of `allow`, `approve` and `deny`",
        ),
        (
            "version: 1\nrules:\n- { allow: deploy.scael }",
            "p0.yaml:3: no action `deploy.scael` (did you mean `deploy.scale`?)",
        ),
        (
            "version: 1\nrules:\n- allow:\n  - text.upper\n  - \"depoly.*\"",
            "p0.yaml:5: `depoly.*` matches no action (did you mean `deploy.*`?)",
        ),
        (
            "version: 1\nrules:\n- { allow: \"*\", within: 1h }",
            "p0.yaml:3: `within` is for rules that say `approve`",
        ),
        (
            "version: 1\nrules:\n- { allow: \"*\", when: {} }",
            "p0.yaml:3: `when` must be a table of paths and tests, got an empty one",
        ),
        (
            "version: 1\nrules:\n- { allow: \"*\", when: { n: { at_mots: 1 } } }",
            "p0.yaml:3: unknown test `at_mots` (did you mean `at_most`?)",
        ),
        (
            "version: 1\nrules:\n- { allow: \"*\", when: { n: { at_most: ten } } }",
            "p0.yaml:3: `at_most` wants a number, got \"ten\"",
        ),
        (
            "version: 1\nrules:\n- { allow: \"*\", when: { n: no } }",
            "p0.yaml:3: `no` is read differently by different programs: write true or false, or put a text in quotes",
        ),
        (
            "version: 1\nrules:\n- { allow: \"*\", when: { n: 99999999999999999999 } }",
            "p0.yaml:3: `99999999999999999999` has more than 64 bits",
        ),
        (
            "version: 1\nrules:\n- { allow: \"*\", when: { a..b: 1 } }",
            "p0.yaml:3: `a..b` has an empty key",
        ),
        (
            "version: 1\nrules:\n- { allow: \"*\", when: { a: { matches: \"(\" } } }",
            "p0.yaml:3: `matches`: `(`: error: unclosed group",
        ),
        (
            "version: 1\nrules:\n- { allow: \"*\", when: { a: { matches: \"(a{1000}){1000}\" } } }",
            "p0.yaml:3: `matches`: `(a{1000}){1000}`: it is too large when compiled",
        ),
        (
            "version: 1\nrules:\n- { allow: \"*\", when: { a: { length: x } } }",
            "p0.yaml:3: `length` wants a number, or tests of one, as in { at_most: 10 }",
        ),
        (
            "version: 1\nrules:\n- { allow: \"*\", when: { a: [] } }",
            "p0.yaml:3: a list of values holds 1 to 1000 of them",
        ),
        (
            "version: 1\nrules:\n- { allow: \"*\", when: { a: } }",
            "p0.yaml:3: a condition has no value",
        ),
        (
            "version: 1\nrules:\n- { approve: \"*\", by: { count: 0, rolle: x } }",
            "p0.yaml:3: unknown key `rolle` (did you mean `role`?)\np0.yaml:3: `count` must be a whole number from 1 to 100",
        ),
    ] {
        assert_eq!(of(text), expected, "{text}");
    }
    assert!(
        of(&format!(
            "version: 1\nrules:\n{}",
            "- { deny: \"*\" }\n".repeat(2001)
        ))
        .contains("a policy has at most 2000 rules")
    );
    assert!(
        of("version: 1\nrules:\n- { allow: \"*\", when: { a: { schema: { type: 5 } } } }")
            .starts_with("p0.yaml:3: `schema`: ")
    );
}

/// Numbers that look random, the same at every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    fn rule(&mut self, verdict: &str) -> String {
        let actions = self.of(&[
            "\"*\"",
            "\"deploy.*\"",
            "deploy.scale",
            "\"*.delete\"",
            "db.query",
        ]);
        let when = self.of(&[
            "",
            ", when: { n: { over: 5 } }",
            ", when: { n: [1, 7] }",
            ", when: { n: { not: { at_most: 3 } }, e: dev }",
            ", when: { \"l.*\": { starts: a } }",
            ", when: { \"l.*\": missing }",
            ", tenants: [acme]",
            ", tenants: [\"a*\"], when: { e: present }",
        ]);
        format!("  - {{ {verdict}: {actions}{when} }}\n")
    }

    fn params(&mut self) -> Value {
        let mut params = json!({});
        for (key, values) in [
            ("n", ["1", "7", "4.5", "\"7\"", "null"]),
            ("e", ["\"dev\"", "\"prod\"", "5", "{}", "null"]),
            ("l", ["[]", "[\"a\"]", "[\"b\",\"a\"]", "{}", "7"]),
        ] {
            if self.below(4) > 0 {
                params[key] = serde_json::from_str(self.of(&values)).expect("JSON");
            }
        }
        params
    }
}

#[test]
fn more_rules_against_a_script_never_help_it_and_order_never_matters() {
    let catalog = catalog();
    let policy = |rules: &[String], default: &str| {
        compiled(&[&format!(
            "version: 1\ndefault: {default}\nrules:\n{}",
            rules.concat()
        )])
        .expect("valid")
    };
    let mut chance = Chance(18);
    for _ in 0..400 {
        let default = chance.of(&["allow", "deny"]);
        let count = 1 + chance.below(5);
        let rules: Vec<String> = (0..count)
            .map(|_| {
                let verdict = chance.of(&["allow", "allow", "approve", "deny"]);
                chance.rule(verdict)
            })
            .collect();
        let mut turned = rules.clone();
        turned.rotate_left(chance.below(count));
        turned.reverse();
        let with = |more: String| [&[more][..], &rules].concat();
        let (plain, turned) = (policy(&rules, default), policy(&turned, default));
        let denies = policy(&with(chance.rule("deny")), default);
        let approves = policy(&with(chance.rule("approve")), default);
        for _ in 0..20 {
            let definition = catalog.get(chance.of(&NAMES)).expect("an action");
            let (params, tenant) = (chance.params().to_string(), chance.of(&["acme", "b", ""]));
            let tenant = (!tenant.is_empty()).then_some(tenant);
            let of = |rulebook: &Rulebook| rulebook.decide(definition, &params, tenant).verdict;
            let verdict = of(&plain);
            assert_eq!(verdict, of(&turned), "{rules:?} {params}");
            assert!(
                verdict <= of(&denies),
                "a deny has widened: {rules:?} {params}"
            );
            // An approve may stand before an allow and behind a deny, and lets through what neither did.
            let approved = of(&approves);
            assert!(
                approved != Verdict::Allow || verdict == Verdict::Allow,
                "{rules:?} {params}"
            );
            // A second file never allows what the first does not.
            let files = [
                format!("version: 1\ndefault: {default}\nrules:\n{}", rules.concat()),
                "version: 1\ndefault: allow\n".to_owned(),
            ];
            let both = compiled(&[&files[0], &files[1]]).expect("valid");
            assert_eq!(both.decide(definition, &params, tenant).verdict, verdict);
        }
    }
}
