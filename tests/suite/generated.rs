//! Completions and man pages, checked with real shells and `man`.

use std::process::Command;

use kael_tests::Kael;
use serde_json::{Value, json};

#[test]
fn a_shell_takes_the_completions_and_completes_with_them() {
    let ran = Kael::new().words(&["completions", "bash"]).ends();
    let script = ran.path().join("kael-host.bash");
    std::fs::write(&script, &ran.exits(0).stdout).expect("a file");
    let ask = "source ./kael-host.bash; COMP_WORDS=(kael-host run --max-c); COMP_CWORD=2
        _kael__host kael-host --max-c run; echo \"${COMPREPLY[*]}\"";
    let bash = Command::new("bash")
        .args(["--norc", "-c", ask])
        .current_dir(ran.path())
        .output()
        .expect("bash");
    assert_eq!(
        String::from_utf8_lossy(&bash.stdout).trim(),
        "--max-cpu --max-calls",
        "{}",
        String::from_utf8_lossy(&bash.stderr)
    );
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let ran = Kael::new().words(&["completions", shell]).ends();
        assert!(ran.exits(0).stdout.contains("max-cpu"), "{shell}");
    }
    Kael::new()
        .words(&["completions", "tcsh"])
        .ends()
        .fails_with(2, "error: invalid value 'tcsh' for '<SHELL>'");
}

#[test]
fn every_command_has_a_page() {
    let ran = Kael::new().words(&["man"]).ends();
    assert!(
        ran.exits(0).stdout.contains(".TH kael-host 1"),
        "{}",
        ran.stdout
    );
    let ran = Kael::new().words(&["man", "-o", "pages/man1"]).ends();
    ran.exits(0);
    for page in [
        "kael-host",
        "kael-host-run",
        "kael-host-repl",
        "kael-host-actions-describe",
        "kael-host-cache-ls",
    ] {
        let text = std::fs::read_to_string(ran.path().join(format!("pages/man1/{page}.1")));
        let text = text.unwrap_or_else(|error| panic!("{page}: {error}"));
        assert!(text.contains(&format!(".TH {page} 1")), "{text}");
    }
    Kael::new()
        .file("x", "")
        .words(&["man", "-o", "x/y"])
        .ends()
        .fails(
            74,
            "Error: the pages cannot be written to `x/y`: Not a directory (os error 20)\n",
        );
}

#[test]
fn generated_output_is_available_as_json() {
    let document = |words: &[&str]| -> Value {
        let ran = Kael::new().words(words).ends();
        serde_json::from_str(&ran.exits(0).stdout).expect("a document")
    };
    let plain = Kael::new().words(&["completions", "zsh"]).ends();
    let told = document(&["completions", "zsh", "--json"]);
    assert_eq!((&told["ok"], &told["shell"]), (&json!(true), &json!("zsh")));
    assert_eq!(told["script"].as_str(), Some(plain.stdout.as_str()));
    let told = document(&["man", "--json"]);
    let page = told["page"].as_str().expect("a page");
    assert!(page.contains(".TH kael-host 1"), "{page}");
    let told = document(&["man", "-o", "pages", "--json"]);
    let files = told["files"].as_array().expect("names");
    assert!(
        files.contains(&json!("pages/kael-host-actions-add.1")),
        "{told}"
    );
    let ran = Kael::new()
        .file("x", "")
        .words(&["man", "-o", "x/y", "--json"])
        .ends();
    let told: Value = serde_json::from_str(&ran.exits(74).stdout).expect("a document");
    assert_eq!(told["ok"], json!(false));
}
