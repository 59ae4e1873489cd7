//! The forty tasks over the example repos, which tests/suite/tasks.rs solves by `check` and `run`,
//! have the same answers by MCP.

use kael_tests::Kael;
use serde_json::json;

use super::client::Client;
use super::example;
use crate::tasks::tasks;

fn solve(repo: &str) {
    let tasks = tasks(repo);
    assert_eq!(tasks.len(), 10, "{repo}");
    let words = ["--actions", &example(repo), "mcp"];
    let mut client = Client::of_2026(Kael::new(), &words, json!({}));
    for task in tasks {
        let told = client.run(&task.code);
        assert_eq!(told["result"], task.answer, "{repo}: {}: {told}", task.name);
    }
}

#[test]
fn the_tasks_over_hello_have_one_answer() {
    solve("hello");
}

#[test]
fn the_tasks_over_deploy_have_one_answer() {
    solve("deploy");
}

#[test]
fn the_tasks_over_fleet_have_one_answer() {
    solve("fleet");
}

#[test]
fn the_tasks_over_wasm_action_have_one_answer() {
    solve("wasm-action");
}
