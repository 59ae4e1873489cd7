//! What people see of a run: its journal, its output, a replay, and damage.

use super::Session;

#[test]
fn a_run_that_is_written_down_prints_what_any_run_prints() {
    let session = Session::new(
        "",
        "print('a', os.time() > 0) print(actions.t.note({}).n) return 7",
    );
    session.prints(&["run", "--journal", "script.lua"], "a\ttrue\n1\n");
    let (id, state) = session.run();
    assert_eq!(state, "succeeded");
    session.prints(&["runs", "show", &id, "--output"], "a\ttrue\n1\n");
    let shown = session.json(&["runs", "show", &id, "--json"]);
    let kinds = shown["journal"].as_array().expect("a list").iter();
    let kinds: Vec<&str> = kinds
        .map(|entry| entry["kind"].as_str().expect("a kind"))
        .collect();
    assert_eq!(kinds[0], "begin", "{shown}");
    assert!(
        kinds.contains(&"intent") && kinds.contains(&"outcome"),
        "{kinds:?}"
    );
    assert_eq!(kinds.last(), Some(&"end"));
    // By the beginning of its id, and by none.
    let (code, stdout, _) = session.kael(&["runs", "show", &id[..12]]);
    assert!(
        code == 0 && stdout.contains("state    succeeded"),
        "{stdout}"
    );
    let (code, _, stderr) = session.kael(&["runs", "show", "nonsense"]);
    assert_eq!(
        (code, stderr.as_str()),
        (
            2,
            "Error: there is no run `nonsense`\nhint: kael-host runs ls lists them\n"
        )
    );
    // A run that is over stays as it is.
    let (code, _, stderr) = session.kael(&["runs", "resume", &id]);
    assert_eq!(code, 2, "{stderr}");
    assert!(
        stderr.contains("is succeeded: only a run that is not over"),
        "{stderr}"
    );
    session.prints(&["runs", "rm", &id], "removed: 1\n");
    session.runs(0);
}

#[test]
fn a_run_is_replayed_without_a_call_and_another_script_is_held_to_it() {
    let script = "local t = os.time()\nprint(actions.t.note({}).n)\nlocal ok, e = pcall(function() return actions.t.no end)\n\
                  print(t, ok, 0/0, math.random(1, 1 << 40))";
    let session = Session::new("", script);
    let (code, output, _) = session.kael(&["run", "--journal", "script.lua"]);
    assert_eq!((code, session.notes().len()), (0, 1));
    let (id, _) = session.run();
    session.prints(&["runs", "replay", &id], &output);
    assert_eq!(session.notes().len(), 1);
    // To an entry: the frames there, with the names of their variables.
    let (code, stdout, stderr) = session.kael(&["runs", "replay", &id, "--to", "3"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stderr.contains("the journal ends here")
            && stderr.contains("script.lua:2: in main chunk")
            && stderr.contains("; locals t\n"),
        "{stdout}{stderr}"
    );
    std::fs::write(
        session.kael.path().join("other.lua"),
        "local t = os.time()\nactions.t.note({ other = true })",
    )
    .expect("written");
    let (code, _, stderr) = session.kael(&["runs", "replay", &id, "--script", "other.lua"]);
    assert_eq!(code, 1);
    assert!(
        stderr.contains("the script does not do what its journal says")
            && stderr.contains("other.lua:2"),
        "{stderr}"
    );
    assert_eq!(session.notes().len(), 1);
}

#[test]
fn one_changed_byte_of_a_journal_is_found() {
    let session = Session::new("", "for i = 1, 3 do print(actions.t.note({}).n) end");
    assert_eq!(session.kael(&["run", "--journal", "script.lua"]).0, 0);
    let (id, _) = session.run();
    let (code, stdout, _) = session.kael(&["runs", "verify", &id]);
    assert!(
        code == 0 && stdout.contains(" entries, whole; the last chain is "),
        "{stdout}"
    );
    // The name and the parameters of the action stand in every intent, as they are, behind their lengths.
    let file = session.kael.path().join("data/store/kael.db");
    let mut bytes = std::fs::read(&file).expect("a file");
    let wanted = b"\x06t.note\x02{}";
    let at = bytes
        .windows(wanted.len())
        .position(|bytes| bytes == wanted)
        .expect("an intent");
    bytes[at + 6] ^= 1;
    std::fs::write(&file, bytes).expect("written");
    let (code, _, stderr) = session.kael(&["runs", "verify", &id]);
    assert_eq!(code, 1, "{stderr}");
    assert!(
        stderr.contains("of the journal are not what was written"),
        "{stderr}"
    );
    let (code, _, stderr) = session.kael(&["runs", "replay", &id]);
    assert!(code == 1 && stderr.contains("is damaged"), "{stderr}");
}
