//! Every recipe of docs/COOKBOOK.md works, and prints what it says.

use std::path::Path;

use kael_tests::{Kael, project};

/// A line of a recipe's text, or a block of it with its language.
enum Part<'a> {
    Line(&'a str),
    Block(&'a str, String),
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        match line.strip_prefix("```") {
            Some(language) => {
                let block = lines.by_ref().take_while(|line| *line != "```");
                let block = block.flat_map(|line| [line, "\n"]).collect();
                parts.push(Part::Block(language, block));
            }
            None if line.is_empty() => {}
            None => parts.push(Part::Line(line)),
        }
    }
    parts
}

/// Runs the commands of a console and compares what they print.
fn run(session: &Kael, name: &str, console: &str) -> usize {
    let mut commands = 0;
    for command in console.split("$ ").skip(1) {
        let (words, expected) = command.split_once('\n').expect("a line");
        let mut shell = session.command();
        let host = shell.get_program().to_owned();
        let path = Path::new(&host).parent().expect("a folder");
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", path.display());
        let mut line = std::process::Command::new("sh");
        line.args(["-c", words]).current_dir(session.path());
        for (variable, value) in shell.env("PATH", path).get_envs() {
            match value {
                Some(value) => line.env(variable, value),
                None => line.env_remove(variable),
            };
        }
        let output = line.output().expect("sh");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            expected,
            "{name}: {words}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.status.success(), "{name}: {words}");
        commands += 1;
    }
    commands
}

#[test]
fn every_recipe_prints_what_it_says() {
    let text = std::fs::read_to_string(project("docs/COOKBOOK.md")).expect("it is there");
    let mut commands = 0;
    for recipe in text.split("\n## ").skip(1) {
        let name = recipe.lines().next().expect("a title");
        let mut session = Kael::new();
        let mut file = None;
        for part in parts(recipe) {
            match part {
                Part::Line(line) => {
                    file = line
                        .strip_prefix('`')
                        .and_then(|line| line.strip_suffix("`:"));
                }
                Part::Block("console", console) => commands += run(&session, name, &console),
                Part::Block(_, content) => {
                    let path = file
                        .take()
                        .unwrap_or_else(|| panic!("{name}: a block without a file"));
                    session = session.program(path, &content);
                }
            }
        }
    }
    assert!(commands >= 6, "{commands} commands");
}
