//! Clients and servers of others, from npm, in the versions of tests/peers.

use std::process::Command;

use kael_tests::{Kael, Need, needs, peers, project};
use serde_json::{Value, json};

use super::example;

/// What the official TypeScript SDK sees of the example `deploy`.
fn driven(mode: &str) -> Value {
    let session = Kael::new();
    let host = session.command();
    let mut node = Command::new("node");
    node.arg(peers().expect("needed").join("drive.mjs"))
        .arg(mode)
        .arg(host.get_program());
    node.args([
        "--actions",
        &example("deploy"),
        "mcp",
        "--approvals",
        "form",
    ]);
    for (name, value) in host.get_envs() {
        match value {
            Some(value) => node.env(name, value),
            None => node.env_remove(name),
        };
    }
    let output = node
        .current_dir(session.path())
        .output()
        .expect("node starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&output.stdout).expect("a document")
}

#[test]
fn the_official_sdk_drives_the_server_by_both_protocols() {
    if !needs(&[Need::Npm]) {
        return;
    }
    for mode in ["legacy", "modern"] {
        let seen = driven(mode);
        assert_eq!(seen["server"], "kael-host", "{mode}: {seen}");
        assert_eq!(
            seen["tools"],
            json!(["check", "describe", "result", "run", "search"])
        );
        assert_eq!(seen["search"]["actions"][0]["name"], "deploy.scale");
        assert_eq!(seen["describe"]["actions"][0]["name"], "deploy.scale");
        assert_eq!(seen["check"]["status"], "invalid");
        assert_eq!(seen["run"]["result"], "dev");
        assert_eq!(seen["approved"]["result"], 12, "{mode}: {seen}");
        assert_eq!(seen["refused"]["error"]["kind"], "denied");
        assert_eq!(seen["asked"].as_array().map(Vec::len), Some(2));
        assert!(seen["cancelled"].is_string(), "{mode}: {seen}");
        assert_eq!(seen["read"], 100_001);
    }
    assert!(project("tests/peers/package-lock.json").exists());
}
