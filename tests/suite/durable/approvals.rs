//! Calls that a person must approve, in runs with a journal that no person watches.

use super::Session;

const POLICY: &str = "version: 1\ndefault: allow\nrules:\n  - approve: t.note\n    when: { mode: big }\n    reason: it costs money\n    within: WITHIN\n";
const SCRIPT: &str = "print(actions.t.note({}).n)\n\
    local ok, e = pcall(actions.t.note, { mode = 'big' }) print(ok, ok and e.n or (e.kind .. ' ' .. e.message))";

fn session(within: &str) -> Session {
    let session = Session::new("", SCRIPT);
    let policy = POLICY.replace("WITHIN", within);
    let kael = session.kael.file("p.yaml", &policy);
    Session { kael, ..session }
}

/// Begins the run, which waits for an approval: its id, and the digest of the call.
fn asked(session: &Session) -> (String, String) {
    let words = ["run", "--journal", "--policy", "p.yaml", "script.lua"];
    let (code, stdout, stderr) = session.kael(&words);
    assert_eq!((code, stdout.as_str()), (7, "1\n"), "{stderr}");
    assert!(
        stderr.contains("an approval of call 2, t.note until 20")
            && stderr.contains("runs approvals"),
        "{stderr}"
    );
    let waiting = session.json(&["runs", "approvals", "--json"]);
    let one = &waiting["approvals"][0];
    assert_eq!(
        (&one["call"], &one["params"]["mode"]),
        (&2.into(), &"big".into())
    );
    let text = |key: &str| one[key].as_str().expect("a text").to_owned();
    (text("run"), text("digest"))
}

#[test]
fn a_call_waits_for_a_yes_that_comes_later() {
    let session = session("24h");
    let (id, digest) = asked(&session);
    let (_, listed, _) = session.kael(&["runs", "approvals"]);
    assert!(
        listed.contains("it costs money")
            && listed.contains(&format!("runs approve {id} 2 {}", &digest[..16])),
        "{listed}"
    );
    assert_eq!(session.notes().len(), 1);
    // Nobody has said yes: the run is woken for nothing.
    assert_eq!(session.kael(&["runs", "resume", &id]).0, 7);
    for (words, why) in [
        (["runs", "approve", &id, "1", &digest], "does not wait"),
        (
            ["runs", "approve", &id, "2", "ffffffffffff"],
            "not what the digest says",
        ),
        (
            ["runs", "approve", &id, "2", &digest[..4]],
            "8 characters of the digest",
        ),
    ] {
        let (code, _, stderr) = session.kael(&words);
        assert!(code == 2 && stderr.contains(why), "{stderr}");
    }
    session.prints(
        &["runs", "approve", &id, "2", &digest],
        &format!("{id}: approved\n"),
    );
    let (code, _, stderr) = session.kael(&["runs", "deny", &id, "2", &digest]);
    assert!(
        code == 2 && stderr.contains("was decided on before"),
        "{stderr}"
    );
    session.prints(&["runs", "work", "--once"], &format!("{id}: succeeded\n"));
    session.prints(&["runs", "show", &id, "--output"], "1\ntrue\t2\n");
    session.prints(&["runs", "replay", &id], "1\ntrue\t2\n");
    session.prints(&["runs", "approvals"], "no call waits for an approval\n");
    assert_eq!(session.notes().len(), 2);
}

#[test]
fn a_no_is_an_error_that_a_script_catches() {
    let session = session("24h");
    let (id, digest) = asked(&session);
    let words = ["runs", "deny", &id, "2", &digest, "--note", "not today"];
    session.prints(&words, &format!("{id}: denied\n"));
    session.prints(&["runs", "work", "--once"], &format!("{id}: succeeded\n"));
    let (_, output, _) = session.kael(&["runs", "show", &id, "--output"]);
    assert!(
        output.contains("false\tdenied ") && output.contains("not today"),
        "{output}"
    );
    assert_eq!(session.notes().len(), 1);
}

#[test]
fn without_an_answer_in_time_the_call_is_denied() {
    let session = session("1s");
    let words = ["run", "--journal", "--policy", "p.yaml", "script.lua"];
    let (code, stdout, stderr) = session.kael(&words);
    assert_eq!(code, 0, "{stderr}");
    assert!(
        stdout.contains("the time for an approval is over"),
        "{stdout}"
    );
}

/// The program may become another between the yes and the start.
#[test]
fn a_yes_is_for_the_files_that_were_there() {
    let session = session("24h");
    let (id, digest) = asked(&session);
    session.prints(
        &["runs", "approve", &id, "2", &digest],
        &format!("{id}: approved\n"),
    );
    let program = session.kael.path().join("impl/note.sh");
    let text = std::fs::read_to_string(&program).expect("a program");
    std::fs::write(&program, text + "# and something else\n").expect("a file");
    session.kael(&["runs", "work", "--once"]);
    assert_eq!(session.notes().len(), 1, "nobody has said yes to this");
    let waiting = session.json(&["runs", "approvals", "--json"]);
    let other = waiting["approvals"][0]["digest"].as_str();
    let other = other.expect("it is asked again").to_owned();
    assert_ne!(other, digest);
    session.prints(
        &["runs", "approve", &id, "2", &other],
        &format!("{id}: approved\n"),
    );
    session.prints(&["runs", "work", "--once"], &format!("{id}: succeeded\n"));
    assert_eq!(session.notes().len(), 2);
}

/// The policy may turn to deny between the yes and the start.
#[test]
fn a_policy_that_denies_by_now_denies_what_was_approved() {
    let session = session("24h");
    let (id, digest) = asked(&session);
    session.prints(
        &["runs", "approve", &id, "2", &digest],
        &format!("{id}: approved\n"),
    );
    let policy = "version: 1\ndefault: allow\nrules:\n  - deny: t.note\n";
    std::fs::write(session.kael.path().join("p.yaml"), policy).expect("a file");
    session.prints(&["runs", "work", "--once"], &format!("{id}: succeeded\n"));
    let (_, output, _) = session.kael(&["runs", "show", &id, "--output"]);
    assert!(output.contains("false\tdenied "), "{output}");
    assert_eq!(session.notes().len(), 1);
}
