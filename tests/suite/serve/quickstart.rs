//! Follows docs/quickstart-server.md: writes its files, runs its commands in their order, and compares what they print.

use std::collections::BTreeMap;

use kael_tests::{Kael, project};

use super::{PATIENCE, Server};

/// A piece of the page: a file with its path, or commands with what they print.
enum Piece {
    File(String, String),
    Commands(String),
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut before = "";
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            before = match line {
                "" => before,
                line => line,
            };
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let block = block.join("\n") + "\n";
        // "The rule of the team, `actions/policy.yaml`:" names a file.
        let path = before.rsplit('`').nth(1).filter(|path| path.contains('.'));
        match (language, path) {
            ("text", _) if block.starts_with("$ ") => pieces.push(Piece::Commands(block)),
            ("text", _) | (_, None) => {}
            (_, Some(path)) => pieces.push(Piece::File(path.to_owned(), block)),
        }
    }
    pieces
}

/// Whether a line is as the page has it; `…` stands for any text.
fn is_like(wanted: &str, line: &str) -> bool {
    let mut parts = wanted.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    rest.is_empty() || last == Some("")
}

#[test]
fn the_page_leads_to_a_scheduled_approved_and_recorded_run() {
    let text = std::fs::read_to_string(project("docs/quickstart-server.md")).expect("the page");
    let pieces = pieces(&text);
    let mut session = Kael::new();
    for piece in &pieces {
        if let Piece::File(path, content) = piece {
            session = match path.strip_suffix(".sh") {
                Some(_) => session.program(path, content),
                None => session.file(path, content),
            };
        }
    }
    let server = Server::spawn(&session, &["--actions", "actions"]);
    let link = server.started["sign_in"].as_str().expect("a link");
    let mut known = BTreeMap::from([
        ("LINK", link.to_owned()),
        ("ADDRESS", format!("http://{}", server.address)),
    ]);
    let mut count = 0;
    for piece in &pieces {
        let Piece::Commands(block) = piece else {
            continue;
        };
        for command in block.split("$ ").skip(1) {
            let (words, wanted) = command.split_once('\n').expect("a line");
            let filled = |text: &str| {
                let known = known.iter();
                known.fold(text.to_owned(), |text, (name, value)| {
                    text.replace(name, value)
                })
            };
            if words.contains("approvals") {
                // The run asks when it has got there.
                let late = std::time::Instant::now() + PATIENCE;
                while run(&session, words).contains("no call waits") {
                    assert!(std::time::Instant::now() < late, "the run does not ask");
                    std::thread::sleep(std::time::Duration::from_millis(50));
                }
            }
            let printed = run(&session, &filled(words));
            if words.contains("schedule run") {
                known.insert("RUN", printed.trim().to_owned());
            }
            if let Some((_, digest)) = printed.trim_end().rsplit_once(" 1 ")
                && words.contains("approvals")
            {
                known.insert("DIGEST", digest.to_owned());
            }
            let filled = |text: &str| {
                let known = known.iter();
                known.fold(text.to_owned(), |text, (name, value)| {
                    text.replace(name, value)
                })
            };
            let wanted = filled(wanted.trim_end());
            match &*wanted {
                "…" => {}
                wanted => {
                    let lines: Vec<&str> = printed.lines().collect();
                    let same = wanted.lines().count() == lines.len();
                    let like = wanted
                        .lines()
                        .zip(&lines)
                        .all(|(wanted, line)| is_like(wanted, line));
                    assert!(same && like, "{words}\n{printed}\nis not\n{wanted}");
                }
            }
            count += 1;
        }
    }
    assert_eq!(count, 7);
    // What the last section says is there.
    let token = std::fs::read_to_string(session.path().join("config/kael/server.json"));
    let kept =
        token.or_else(|_| std::fs::read_to_string(session.path().join(".config/kael/server.json")));
    let kept: serde_json::Value =
        serde_json::from_str(&kept.expect("a token is kept")).expect("JSON");
    let token = kept["token"].as_str().expect("a token");
    let record = server
        .ask("GET", "/v1/audit", Some(token), &serde_json::Value::Null)
        .is(200)
        .body;
    for what in ["script.put", "schedule.", "call.decide", "sale tonight"] {
        assert!(record.contains(what), "{what}: {record}");
    }
}

fn run(session: &Kael, words: &str) -> String {
    let mut command = session.command();
    let words = words.strip_prefix("kael-host ").expect("a command");
    command.args(split(words));
    let output = command.output().expect("it ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}: {stderr}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The words of a line, as a shell takes them where only single quotes are used.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        match index % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}
