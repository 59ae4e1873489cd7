//! Journals of every format that a release has written are read, and those of this one are replayed.
//!
//! `tests/fixtures/runs/format-N.jsonl` is what `runs export` of the program that wrote format N has printed for a run with
//! effects of every kind, `parallel`, a race with a loser, errors, a timer, a signal and a child. A new format needs a new
//! one; the old ones stay.

use std::path::PathBuf;

use kael_engine::journal::FORMAT;

use super::Session;

fn fixture(format: u32) -> PathBuf {
    kael_tests::project("tests/fixtures/runs").join(format!("format-{format}.jsonl"))
}

const OUTPUT: &str = "from\ta\ttrue\ttrue\n1\t2\nfalse\tshop.fail failed: broken\n3\t4\n2\t6\n\
                      8\tfalse\twait_for failed: the signal `never` did not come in time\n7\n";

#[test]
fn a_journal_of_every_format_is_read_and_replayed() {
    for format in 1..=FORMAT {
        let file = fixture(format);
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| {
            panic!(
                "{}: {error}; export a run of this format there",
                file.display()
            )
        });
        let session = Session::new("", "");
        let path = file.to_str().expect("UTF-8");
        let (code, stdout, stderr) = session.kael(&["runs", "import", path]);
        assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
        let (id, state) = session.run();
        assert_eq!(state, "succeeded");
        let shown = session.json(&["runs", "show", &id, "--json"]);
        assert_eq!(shown["journal"][0]["format"], format, "{shown}");
        let (code, stdout, _) = session.kael(&["runs", "verify", &id]);
        assert!(code == 0 && stdout.contains("whole"), "{stdout}");
        session.prints(&["runs", "show", &id, "--output"], OUTPUT);
        let (code, stdout, _) = session.kael(&["runs", "export", &id]);
        assert!(
            code == 0 && stdout == text,
            "format {format} is written otherwise"
        );
        // It is never replayed by another Lua runtime than its own.
        let (code, stdout, stderr) = session.kael(&["runs", "replay", &id]);
        match stderr.contains("was begun by another version of Kael") {
            true => assert_eq!((code, stdout.as_str()), (3, ""), "{stderr}"),
            false => assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, OUTPUT, "")),
        }
    }
    assert!(!fixture(FORMAT + 1).exists());
}
