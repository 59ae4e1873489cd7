//! `kael-host mcp install` writes the configuration of clients, and keeps what it held.

use std::fs;

use kael_tests::{Kael, Terminal};
use serde_json::Value;

use super::example;

fn install(session: Kael, words: &[&str]) -> kael_tests::Ran {
    session
        .option(&["--actions", &example("hello")])
        .words(&["mcp", "install"])
        .words(words)
        .ends()
}

#[test]
fn the_entry_starts_this_very_server() {
    let ran = install(Kael::new(), &["claude", "--yes"]);
    assert_eq!(ran.exits(0).stdout, "written: .mcp.json\n");
    // What is written is shown before, also without a question.
    ran.says(".mcp.json:\n+ {\n").says("+     \"kael\": {");
    let text = fs::read_to_string(ran.path().join(".mcp.json")).expect("it is there");
    let entry = serde_json::from_str::<Value>(&text).expect("JSON")["mcpServers"]["kael"].clone();
    let args: Vec<&str> = entry["args"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(args, ["--actions", &example("hello"), "mcp"]);
    assert!(fs::metadata(entry["command"].as_str().expect("a path")).is_ok());
}

#[test]
fn what_a_file_held_stays() {
    let before = "{\n  \"mcpServers\": {\n    \"other\": {\"command\": \"x\", \"n\": 1.50}\n  },\n  \"z\": [3, 2]\n}\n";
    let ran = install(
        Kael::new().file(".cursor/mcp.json", before),
        &["cursor", "--yes"],
    );
    ran.exits(0);
    let after = fs::read_to_string(ran.path().join(".cursor/mcp.json")).expect("it is there");
    assert!(
        after.contains("\"other\": {\"command\": \"x\", \"n\": 1.50}\n  },\n  \"z\": [3, 2]\n}\n"),
        "{after}"
    );
    assert!(after.contains("\"kael\""), "{after}");
    let toml = "# mine\nmodel = \"m\"\n\n[mcp_servers.other]\ncommand = 'x'\n";
    let session = Kael::new()
        .file("codex/config.toml", toml)
        .env("CODEX_HOME", "codex");
    let ran = install(session, &["codex", "--yes", "--name", "ops"]);
    ran.exits(0);
    let after = fs::read_to_string(ran.path().join("codex/config.toml")).expect("it is there");
    assert!(after.starts_with(toml), "{after}");
    assert!(
        after.contains("\n[mcp_servers.ops]\ncommand = \""),
        "{after}"
    );
}

#[test]
fn what_cannot_be_edited_safely_is_not_written() {
    for (file, client, before) in [
        (
            ".vscode/mcp.json",
            "vscode",
            "{ // mine\n \"servers\": {} }",
        ),
        (".mcp.json", "claude", "{\"mcpServers\": [1]}"),
        (
            "codex/config.toml",
            "codex",
            "[mcp_servers.kael]\ncommand = \"other\"\n",
        ),
    ] {
        let session = Kael::new().file(file, before).env("CODEX_HOME", "codex");
        let ran = install(session, &[client, "--yes"]);
        ran.exits(2);
        assert!(ran.stderr.contains("is not changed"), "{}", ran.stderr);
        assert!(
            ran.stderr.contains("hint: add this as `kael` by hand"),
            "{}",
            ran.stderr
        );
        assert_eq!(
            fs::read_to_string(ran.path().join(file)).ok().as_deref(),
            Some(before)
        );
    }
}

#[test]
fn nothing_is_written_without_a_yes() {
    let ran = install(Kael::new(), &["vscode"]);
    ran.exits(2);
    assert!(
        ran.stderr.contains("is not written without being asked"),
        "{}",
        ran.stderr
    );
    assert!(!ran.path().join(".vscode").exists());
    let (session, repo) = (Kael::new(), example("hello"));
    for (answer, is_written) in [("n", false), ("", false), ("y", true)] {
        let mut terminal =
            Terminal::start(&session, &["--actions", &repo, "mcp", "install", "vscode"]);
        terminal.shows("+   \"servers\"").shows("Write it? [y/N]");
        terminal.types(&format!("{answer}\r"));
        let (code, text) = terminal.ends();
        assert_eq!(code, if is_written { 0 } else { 2 }, "{text}");
        assert_eq!(session.path().join(".vscode/mcp.json").exists(), is_written);
    }
}
