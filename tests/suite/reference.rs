//! docs/reference.md: its examples work, and it covers everything. (The fields of definitions are
//! checked where they are parsed.)

use kael_tests::{Kael, project};
use serde_json::Value;

use crate::cookbook::tried;

fn reference() -> String {
    std::fs::read_to_string(project("docs/reference.md")).expect("it is there")
}

/// Whether a name stands in backquotes, alone or in a call or path.
fn names(text: &str, name: &str) -> bool {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.into_iter().any(|words| {
        let rest = words.strip_prefix(name);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    })
}

#[test]
fn every_example_prints_what_it_says() {
    let commands = tried("docs/reference.md");
    assert!(commands >= 40, "{commands} commands");
}

#[test]
fn no_global_of_a_script_is_missing() {
    let ask = "local names = {}
        for name, value in pairs(_G) do
          names[#names + 1] = name
          -- Lua's own libraries are told by their names, those that were changed by what is left of
          -- them.
          local own = { actions = 1, _G = 1, package = 1, string = 1, table = 1, math = 1, utf8 = 1, coroutine = 1 }
          if type(value) == 'table' and not own[name] then
            for field in pairs(value) do if type(field) == 'string' then names[#names + 1] = name .. '.' .. field end end
          end
        end
        return names";
    let ran = Kael::new().run_with(&["--json", "-e", ask]).ends();
    let report: Value = serde_json::from_str(&ran.exits(0).stdout).expect("a report");
    let globals = report["result"].as_array().expect("names");
    let text = reference();
    let missing: Vec<&str> = globals
        .iter()
        .map(|name| name.as_str().expect("text"))
        .filter(|name| !names(&text, name))
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
    assert!(globals.len() > 40, "{}", globals.len());
}

#[test]
fn no_setting_is_missing() {
    let ran = Kael::new().words(&["config", "--json"]).ends();
    let document: Value = serde_json::from_str(&ran.exits(0).stdout).expect("a document");
    let settings = document["settings"].as_object().expect("settings");
    let text = reference();
    for key in settings.keys() {
        assert!(names(&text, key), "{key}");
    }
    assert!(settings.len() >= 11, "{}", settings.len());
}

/// Every command that does something, as words.
fn commands() -> Vec<Vec<String>> {
    let (mut open, mut found) = (vec![Vec::new()], Vec::new());
    while let Some(words) = open.pop() {
        let inner = inner(&words);
        match inner.is_empty() {
            true => found.push(words),
            false => open.extend(
                inner
                    .into_iter()
                    .map(|word| [words.clone(), vec![word]].concat()),
            ),
        }
    }
    found
}

fn help(words: &[String]) -> String {
    let words: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
    Kael::new().words(&words).ends().exits(0).stdout.clone()
}

/// The commands below one.
fn inner(words: &[String]) -> Vec<String> {
    let help = help(words);
    let Some((_, list)) = help.split_once("\nCommands:\n") else {
        return Vec::new();
    };
    let lines = list.lines().take_while(|line| !line.is_empty());
    // Longer descriptions continue in lines with more indentation.
    let named = lines.filter_map(|line| {
        line.strip_prefix("  ")?
            .split_whitespace()
            .next()
            .filter(|_| !line.starts_with("   "))
    });
    named
        .filter(|word| *word != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_is_documented_has_an_example_and_prints_json() {
    let (text, commands) = (reference(), commands());
    for words in &commands {
        let name = format!("kael-host {}", words.join(" "));
        assert!(names(&text, &name), "{name} is not in the reference");
        let help = help(words);
        assert!(help.contains("\nExample"), "{name} --help has no example");
        assert!(help.contains(" --json"), "{name} has no --json");
        // The error must be about the next word, so this one is known. Nothing is run.
        let line = [
            &words[..],
            &["--json".to_owned(), "--no-such-option".to_owned()],
        ]
        .concat();
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        let ran = Kael::new().words(&line).ends();
        ran.exits(2);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains("--no-such-option"), "{name}: {said}");
    }
    assert!(commands.len() >= 20, "{commands:?}");
}
