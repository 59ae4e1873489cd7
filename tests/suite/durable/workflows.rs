//! docs/workflows.md: each of its examples is a run with a journal, and prints what the page says.

use std::time::{Duration, Instant};

use kael_tests::{Kael, project};
use serde_json::Value;

/// The scripts of the actions of the page.
const CHARGE: &str = r#"[ "$KAEL_ATTEMPT" = 3 ] || exit 1
echo '{"attempt":'"$KAEL_ATTEMPT"'}'"#;
const SHIP: &str = "exec sleep 60";
const NOTE: &str = "cat";

fn page() -> String {
    std::fs::read_to_string(project("docs/workflows.md")).expect("it is there")
}

/// Each example: the heading above it, the script, and what it prints.
fn examples(page: &str) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for section in page.split("\n## ").skip(1) {
        let (heading, mut rest) = section.split_once('\n').expect("a heading");
        while let Some((_, after)) = rest.split_once("\n```lua\n") {
            let (script, after) = after.split_once("```\n").expect("the end of a script");
            let text = after.strip_prefix("\n```text\n").expect(heading);
            let (text, after) = text.split_once("```\n").expect("the end of a text");
            all.push((heading.to_owned(), script.to_owned(), text.to_owned()));
            rest = after;
        }
    }
    all
}

fn json(kael: &Kael, words: &[&str]) -> Value {
    let output = kael
        .command()
        .args(words)
        .output()
        .expect("the host starts");
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn every_example_prints_what_it_says() {
    let page = page();
    let (_, repo) = page
        .split_once("\n```lua\n-- init.lua\n")
        .expect("the repo");
    let (repo, _) = repo.split_once("```").expect("its end");
    let examples = examples(&page);
    assert!(examples.len() >= 11, "{}", examples.len());
    for (heading, script, text) in examples {
        let kael = Kael::new()
            .file("actions/init.lua", repo)
            .file("actions/charge.sh", CHARGE)
            .file("actions/ship.sh", SHIP)
            .file("actions/note.sh", NOTE)
            .file("script.lua", &script)
            .env("KAEL_ACTIONS", "actions");
        let run = |words: &[&str]| {
            kael.command()
                .args(words)
                .output()
                .expect("the host starts")
        };
        run(&["run", "--journal", "script.lua"]);
        let runs = json(&kael, &["runs", "ls", "--json"])["runs"].clone();
        let runs = runs.as_array().expect("a list").clone();
        let first = runs
            .iter()
            .find(|run| run["parent"].is_null())
            .expect("a run");
        let id = first["run"].as_str().expect("an id").to_owned();
        if script.contains("\"approved\"") {
            let sent = run(&["runs", "signal", &id, "approved", r#"{"by":"ann"}"#]);
            assert!(sent.status.success(), "{heading}");
        }
        let late = Instant::now() + Duration::from_secs(120);
        let shown = loop {
            let shown = json(&kael, &["runs", "show", &id, "--json"]);
            if ["succeeded", "failed", "parked"]
                .contains(&shown["state"].as_str().unwrap_or_default())
            {
                break shown;
            }
            assert!(Instant::now() < late, "{heading}: {shown}");
            run(&["runs", "work", "--once"]);
        };
        assert_eq!(shown["state"], "succeeded", "{heading}: {shown}");
        let output = run(&["runs", "show", &id, "--output"]).stdout;
        assert_eq!(String::from_utf8_lossy(&output), text, "{heading}");
        // Workflows are replayed, whatever is in them.
        let replayed = run(&["runs", "replay", &id]);
        assert_eq!(String::from_utf8_lossy(&replayed.stdout), text, "{heading}");
        if heading == "Queries" {
            assert_eq!(shown["status"], "step 2 of 2");
        }
    }
}
