//! `kael-host context`: what a model must know of a repo, within a budget.

use kael_tests::{Kael, project};
use serde_json::Value;

/// A repo of many actions, one of which restarts pods.
fn large(count: usize) -> Kael {
    let other = |n: usize| {
        format!(
            "t.job_{n} = define_action({{ source = '.', executor = 'native', entrypoint = 'a.sh', \
             description = 'Counts the widgets of shelf {n}.', params = {{ shelf = 'integer' }} }})\n"
        )
    };
    let all: String = (0..count).map(other).collect();
    let wanted = "t.restart = define_action({ source = '.', executor = 'native', entrypoint = 'a.sh', effects = 'once', \
                  description = 'Restarts the pods of a deployment.', params = { name = 'string', token = 'string' }, locked = { token = 's3cret' } })\n";
    Kael::new()
        .file(
            "actions/init.lua",
            format!("local t = {{}}\n{all}{wanted}return {{ ops = t }}\n"),
        )
        .option(&["--actions", "actions"])
}

#[test]
fn the_best_match_is_told_first_and_in_full() {
    let ran = large(300)
        .words(&["context", "restart pod", "--budget", "2500"])
        .ends();
    let text = &ran.exits(0).stdout;
    let actions = text.split("## Actions").nth(1).expect("actions");
    assert!(
        actions.trim_start().starts_with("### ops.restart\n"),
        "{actions}"
    );
    assert!(
        actions.contains("actions.ops.restart({ name = \"...\" })"),
        "{actions}"
    );
    assert!(actions.contains("of 301 actions did not fit"), "{actions}");
    assert!(text.len() <= 2500 * 4, "{}", text.len());
    // A locked parameter is named, and its value is the team's alone.
    assert!(actions.contains("Locked: `[\"token\"]`"), "{actions}");
    assert!(!text.contains("s3cret"));
}

#[test]
fn every_form_stays_within_its_budget() {
    for format in ["markdown", "llms-txt", "json"] {
        for budget in [2000, 4000, 20_000] {
            let budget_text = budget.to_string();
            let words = ["context", "--format", format, "--budget", &budget_text];
            let ran = large(400).words(&words).ends();
            let size = ran.exits(0).stdout.len();
            assert!(size <= budget * 4, "{format} {budget}: {size}");
        }
    }
}

#[test]
fn the_json_has_schemas_rules_and_globals() {
    let ran = Kael::new()
        .option(&[
            "--actions",
            &project("examples/deploy/actions").display().to_string(),
        ])
        .words(&["context", "scale", "--json"])
        .ends();
    let document: Value = serde_json::from_str(&ran.exits(0).stdout).expect("JSON");
    let action = &document["actions"][0];
    assert_eq!(action["name"], "deploy.scale");
    assert_eq!(
        action["params"]["properties"]["replicas"]["type"],
        "integer"
    );
    assert!(
        document["rules"]
            .as_array()
            .is_some_and(|rules| rules.len() > 6)
    );
    assert!(
        document["globals"]["json.encode(value)"].is_string(),
        "{document}"
    );
}

#[test]
fn what_the_policy_denies_is_not_offered() {
    let repo = project("examples/deploy/actions").display().to_string();
    let ran = Kael::new()
        .option(&["--actions", &repo])
        .words(&["context", "--json"])
        .ends();
    let document: Value = serde_json::from_str(&ran.exits(0).stdout).expect("JSON");
    let told = document["actions"].as_array().expect("a list").iter();
    let told: Vec<_> = told
        .map(|one| {
            (
                one["name"].as_str().expect("text"),
                one["decision"].as_str().expect("text"),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("deploy.scale", "depends on the call"),
            ("deploy.status", "allowed")
        ]
    );
}

#[test]
fn a_description_cannot_carry_hidden_text() {
    let description = "Reads.\u{200b}\u{e0041}\u{202e}\u{1b}[2J";
    let ran = Kael::new()
        .shell("read", &format!("description = '{description}'"), "echo 1")
        .words(&["context"])
        .ends();
    let text = &ran.exits(0).stdout;
    assert!(text.contains("Reads.[2J"), "{text}");
    assert!(
        text.chars()
            .all(|c| !matches!(c, '\u{200b}' | '\u{e0041}' | '\u{202e}' | '\u{1b}'))
    );
}

#[test]
fn a_new_repo_tells_models_how_to_use_it() {
    let ran = Kael::new().words(&["actions", "init", "team"]).ends();
    ran.exits(0);
    let text = std::fs::read_to_string(ran.path().join("team/AGENTS.md")).expect("it is there");
    for command in [
        "context",
        "check script.lua",
        "actions describe",
        "--dry-run",
    ] {
        assert!(text.contains(command), "{command}");
    }
}

#[test]
fn modules_that_fit_the_query_are_told_with_their_methods() {
    let ran = large(50)
        .words(&[
            "context",
            "silence an alert in alertmanager",
            "--budget",
            "6000",
        ])
        .ends();
    let text = &ran.exits(0).stdout;
    let modules = text.split("## Modules").nth(1).expect("modules");
    assert!(
        modules
            .trim_start()
            .starts_with("- `require(\"assay.alertmanager\")`: Alertmanager"),
        "{modules}"
    );
    assert!(modules.contains("c.silences:silence_alert("), "{modules}");
    assert!(text.len() <= 6000 * 4, "{}", text.len());
    // Small budgets are kept, and the actions have their room.
    for format in ["markdown", "llms-txt", "json"] {
        let words = [
            "context",
            "vault secrets",
            "--budget",
            "2000",
            "--format",
            format,
        ];
        let ran = large(400).words(&words).ends();
        assert!(ran.exits(0).stdout.len() <= 2000 * 4, "{format}");
        assert!(ran.stdout.contains("assay.vault"), "{}", ran.stdout);
        assert!(ran.stdout.contains("ops.job"), "{format}");
    }
    // Without a query there are none.
    assert!(
        !large(3)
            .words(&["context"])
            .ends()
            .stdout
            .contains("## Modules")
    );
}
