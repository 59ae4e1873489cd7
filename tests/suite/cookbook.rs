//! Runs every recipe of docs/cookbook.md, and compares its output. `book` and `reference` do the
//! same for other pages.

use std::path::Path;
use std::process::Command;

use kael_tests::{Kael, Program, project};

/// Pages in which every block is a file or a session. They have their own tests.
pub(crate) const COMPLETE: [&str; 2] = ["docs/cookbook.md", "docs/reference.md"];

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

/// Runs the commands of a console block, and compares their output. For commands that fail, also
/// compares stderr.
fn run(session: &Session, name: &str, console: &str) -> usize {
    let mut commands = 0;
    for command in console.split("$ ").skip(1) {
        let (words, expected) = command.split_once('\n').expect("a line");
        let mut line = Command::new("sh");
        line.args(["-c", words]).current_dir(session.kael.path());
        for (variable, value) in session.command(words).get_envs() {
            match value {
                Some(value) => line.env(variable, value),
                None => line.env_remove(variable),
            };
        }
        let output = line.output().expect("sh");
        let text = |bytes: &[u8]| {
            let folder = session.kael.path().display().to_string();
            String::from_utf8_lossy(bytes).replace(&folder, "…")
        };
        let (mut shown, stderr) = (text(&output.stdout), text(&output.stderr));
        if !output.status.success() {
            shown += &stderr;
        }
        assert!(
            is_like(expected, &shown),
            "{name}: {words}\n{shown}\nis not\n{expected}\nstderr: {stderr}"
        );
        commands += 1;
    }
    commands
}

/// Whether a text matches a pattern, in which `…` stands for any part of a line, or, alone on a
/// line, for any lines.
fn is_like(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('…') else {
        return pattern == text;
    };
    let Some(tail) = text.strip_prefix(head) else {
        return false;
    };
    let alone = (head.is_empty() || head.ends_with('\n')) && rest.starts_with('\n');
    let end = if alone { None } else { tail.find('\n') };
    let end = end.unwrap_or(tail.len());
    let mut places = tail.char_indices().map(|(at, _)| at).chain([tail.len()]);
    places.any(|at| at <= end && is_like(rest, &tail[at..]))
}

/// A folder, and the environment of its commands.
struct Session {
    kael: Kael,
}

impl Session {
    fn command(&self, words: &str) -> Command {
        let mut command = self.kael.command();
        let host = command.get_program().to_owned();
        let folder = Path::new(&host).parent().expect("a folder");
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display());
        command
            .env("PATH", path)
            .env("EXAMPLES", project("examples"));
        if words == "kael-host setup" {
            // The data folder of the tests, so that envyr is not installed again.
            command.env("KAEL_DATA", &Program::get().data);
        }
        command
    }
}

/// Runs every section of a document. Returns the number of commands.
pub(crate) fn tried(document: &str) -> usize {
    let text = std::fs::read_to_string(project(document)).expect("it is there");
    tried_text(document, &text)
}

/// The same for a text. A block is a file if the line before it ends in a path, as in ``
/// `script.lua`: ``. Other blocks are not run.
pub(crate) fn tried_text(document: &str, text: &str) -> usize {
    let mut commands = 0;
    for section in text.split("\n## ").skip(1) {
        let title = section.lines().next().expect("a title");
        let name = format!("{document}: {title}");
        let mut session = Session { kael: Kael::new() };
        if section.contains("--actions examples/") {
            copy(&project("examples"), &session.kael.path().join("examples"));
        }
        let mut file = None;
        for part in parts(section) {
            match part {
                Part::Line(line) => file = path(line),
                Part::Block("console", console) => commands += run(&session, &name, &console),
                Part::Block(_, content) => match file.take() {
                    // An example in the text must equal the file.
                    Some(path) if path.starts_with("examples/") => {
                        let there = std::fs::read_to_string(project(path));
                        assert_eq!(there.ok(), Some(content), "{name}: {path}");
                    }
                    Some(path) => session.kael = session.kael.program(path, &content),
                    None => assert!(
                        !COMPLETE.contains(&document),
                        "{name}: a block without a file"
                    ),
                },
            }
        }
    }
    commands
}

/// The path at the end of a line, between backquotes and before a colon.
fn path(line: &str) -> Option<&str> {
    let (_, path) = line.strip_suffix("`:")?.rsplit_once('`')?;
    Some(path)
}

/// Copies a folder, so that commands do not change the project.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

#[test]
fn every_recipe_prints_what_it_says() {
    let commands = tried("docs/cookbook.md");
    assert!(commands >= 6, "{commands} commands");
}

#[test]
fn ellipses_are_left_out_of_the_comparison() {
    for (pattern, text, like) in [
        ("a\n", "a\n", true),
        ("a…c\n", "abc\n", true),
        ("a…c\n", "ab\nc\n", false),
        ("a\n…\nc\n", "a\nb\nb\nc\n", true),
        ("a…\n", "abc", false),
    ] {
        assert_eq!(is_like(pattern, text), like, "{pattern:?} {text:?}");
    }
}
