//! Forty tasks over the example repos with reference scripts: each passes `check`, and gives its
//! answer. They show that scripts can say what such tasks need, and nothing of how well a model
//! writes.

use kael_tests::{Kael, project};
use serde_json::Value;

/// A task with its reference script and its answer.
pub(crate) struct Task {
    pub(crate) name: String,
    pub(crate) code: String,
    pub(crate) answer: Value,
}

/// The tasks over one of the example repos.
pub(crate) fn tasks(repo: &str) -> Vec<Task> {
    let path = project(&format!("tests/fixtures/tasks/{repo}.lua"));
    let text = std::fs::read_to_string(path).expect("it is there");
    let task = |part: &str| {
        let (head, code) = part.split_once('\n').expect("a line");
        let (name, answer) = head.rsplit_once(" => ").expect("an answer");
        Task {
            name: name.to_owned(),
            code: code.to_owned(),
            answer: serde_json::from_str(answer).expect("JSON"),
        }
    };
    text.split("--# ").skip(1).map(task).collect()
}

fn solve(repo: &str) {
    let tasks = tasks(repo);
    assert_eq!(tasks.len(), 10, "{repo}");
    let actions = project(&format!("examples/{repo}/actions"));
    let actions = actions.display().to_string();
    let mut session = Kael::new();
    let names: Vec<String> = (0..tasks.len()).map(|at| format!("{at}.lua")).collect();
    for (name, task) in names.iter().zip(&tasks) {
        session = session.file(name, &task.code);
    }
    let kael = |words: &[&str]| {
        let mut command = session.command();
        command.args(["--actions", &actions]).args(words);
        let output = command.output().expect("the host starts");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        (output.status.code(), text)
    };
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    let (code, said) = kael(&[&["check"], &all[..]].concat());
    assert_eq!(code, Some(0), "{repo}: {said}");
    for (name, task) in names.iter().zip(&tasks) {
        let (_, report) = kael(&["run", "--json", name]);
        let report: Value = serde_json::from_str(&report).expect("a report");
        let told = (&report["result"], &task.answer);
        assert_eq!(told.0, told.1, "{repo}: {}: {report}", task.name);
    }
}

#[test]
fn the_tasks_over_hello_are_solved() {
    solve("hello");
}

#[test]
fn the_tasks_over_deploy_are_solved() {
    solve("deploy");
}

#[test]
fn the_tasks_over_fleet_are_solved() {
    solve("fleet");
}

#[test]
fn the_tasks_over_wasm_action_are_solved() {
    solve("wasm-action");
}
