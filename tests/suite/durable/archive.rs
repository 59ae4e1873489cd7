//! Runs as files: exported here, imported elsewhere, changed on the way.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::Session;

const SCRIPT: &str =
    "print('begin', inputs.file) for i = 1, 3 do print(i, actions.t.note({}).n) end return { 7 }";

/// A session with a run, its id, and the run as a file.
fn exported() -> (Session, String, String) {
    let session = Session::new("effects = 'idempotent'", SCRIPT);
    let kael = session.kael.file("in.txt", "text");
    let session = Session { kael, ..session };
    let words = ["run", "--journal", "--input", "file=in.txt", "script.lua"];
    assert_eq!(session.kael(&words).0, 0);
    let (id, _) = session.run();
    let (code, lines, stderr) = session.kael(&["runs", "export", &id]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    (session, id, lines)
}

/// The same command line with another data folder: another machine.
fn elsewhere(session: &Session, words: &[&str], stdin: &str) -> (i32, String, String) {
    let mut command = session.kael.command();
    command.env("KAEL_DATA", session.kael.path().join("elsewhere"));
    piped(command.args(words), stdin)
}

fn piped(command: &mut Command, stdin: &str) -> (i32, String, String) {
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut host = command.spawn().expect("the host starts");
    let mut pipe = host.stdin.take().expect("a pipe");
    // The host may stop to read at what is wrong.
    pipe.write_all(stdin.as_bytes()).ok();
    drop(pipe);
    let output = host.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let code = output.status.code().unwrap_or(-1);
    (code, text(output.stdout), text(output.stderr))
}

#[test]
fn a_run_is_exported_and_imported_whole() {
    let (session, id, lines) = exported();
    let output = "begin\ttext\n1\t1\n2\t2\n3\t3\n";
    let (code, stdout, stderr) = elsewhere(&session, &["runs", "import", "-"], &lines);
    assert_eq!(
        (code, stdout.as_str(), stderr.as_str()),
        (0, format!("{id}: imported, succeeded\n").as_str(), "")
    );
    for (words, wanted) in [
        (vec!["runs", "export", &id], lines.as_str()),
        (vec!["runs", "show", &id, "--output"], output),
        (vec!["runs", "replay", &id], output),
    ] {
        let (code, stdout, stderr) = elsewhere(&session, &words, "");
        assert_eq!(
            (code, stdout.as_str(), stderr.as_str()),
            (0, wanted, ""),
            "{words:?}"
        );
    }
    assert_eq!(elsewhere(&session, &["runs", "verify", &id], "").0, 0);
    // Again, there and here: it is the same run.
    let (code, stdout, _) = elsewhere(&session, &["runs", "import", "-"], &lines);
    assert_eq!(
        (code, stdout),
        (0, format!("{id}: is here already, succeeded\n"))
    );
    let file = session.kael.path().join("run.jsonl");
    std::fs::write(&file, &lines).expect("written");
    session.prints(
        &["runs", "import", "run.jsonl"],
        &format!("{id}: is here already, succeeded\n"),
    );
    let (code, _, stderr) = session.kael(&["runs", "import", "none.jsonl"]);
    assert!(
        code == 2 && stderr.contains("`none.jsonl` cannot be read"),
        "{stderr}"
    );
    assert_eq!(session.notes().len(), 3);
}

#[test]
fn a_file_that_was_changed_or_cut_off_is_refused_and_nothing_is_written() {
    let (session, _, lines) = exported();
    let refused = |lines: &str, wanted: &str| {
        let (code, stdout, stderr) = elsewhere(&session, &["runs", "import", "-"], lines);
        assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
        assert!(stderr.contains(wanted), "{wanted}: {stderr}");
        let (_, listed, _) = elsewhere(&session, &["runs", "ls"], "");
        assert!(listed.starts_with("no runs"), "{listed}");
    };
    let count = lines.lines().count();
    refused("", "line 1 of the file: the file ends here");
    refused(
        &lines[..lines.len() - 1],
        &format!("line {count} of the file: the file ends here"),
    );
    refused(
        &format!("{lines}x"),
        &format!("line {} of the file: comes after the end", count + 1),
    );
    refused(
        &lines.replacen(r#""params":"{}""#, r#""params":"[]""#, 1),
        "the journal that ends here is damaged: entries ",
    );
    refused(
        &lines.replacen("\"succeeded\"", "\"cancelled\"", 1),
        "line 1 of the file: is not what",
    );
    refused(
        &lines.replacen("begin\\ttext", "begin\\ttexT", 1),
        "is not what kael-host runs export has written",
    );
    refused(&"[".repeat(100_000), "line 1 of the file: ");
}

#[test]
fn a_run_that_was_imported_goes_on_only_when_the_file_is_trusted() {
    let session = Session::new("effects = 'idempotent'", SCRIPT);
    let kael = session.kael.file("in.txt", "text");
    let session = Session { kael, ..session };
    let words = [
        "run",
        "--journal",
        "--max-calls",
        "2",
        "--input",
        "file=in.txt",
        "script.lua",
    ];
    assert_eq!(session.kael(&words).0, 5);
    let (id, _) = session.run();
    let (_, lines, _) = session.kael(&["runs", "export", &id]);
    let resume = ["runs", "resume", &id, "--max-calls", "9"];
    assert_eq!(elsewhere(&session, &["runs", "import", "-"], &lines).0, 0);
    let (code, _, stderr) = elsewhere(&session, &resume, "");
    assert!(
        code == 2 && stderr.contains("runs import --trust FILE lets it go on"),
        "{stderr}"
    );
    // Neither does a fork of it.
    let (code, stdout, stderr) = elsewhere(&session, &["runs", "fork", &id, "--at", "1"], "");
    assert_eq!(code, 0, "{stderr}");
    let fork = stdout.split(':').next().expect("an id");
    let (code, _, stderr) = elsewhere(&session, &["runs", "resume", fork], "");
    assert!(
        code == 2 && stderr.contains("runs import --trust"),
        "{stderr}"
    );
    assert_eq!(
        elsewhere(&session, &["runs", "work", "--once"], ""),
        (0, String::new(), String::new())
    );
    assert_eq!(session.notes().len(), 2);
    assert_eq!(
        elsewhere(&session, &["runs", "import", "--trust", "-"], &lines).0,
        0
    );
    let (code, stdout, stderr) = elsewhere(&session, &resume, "");
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "3\t3\n", ""));
    assert_eq!(session.notes().len(), 3);
    // It has gone on: the file is an older state of it, and changes nothing.
    let (code, stdout, _) = elsewhere(&session, &["runs", "import", "-"], &lines);
    assert_eq!(
        (code, stdout),
        (0, format!("{id}: is here already, succeeded\n"))
    );
    // Here it has not: the newer state is not put in its place.
    let (_, newer, _) = elsewhere(&session, &["runs", "export", &id], "");
    let mut command = session.kael.command();
    let (code, _, stderr) = piped(command.args(["runs", "import", "-"]), &newer);
    assert!(
        code == 2 && stderr.contains("or an older state of it"),
        "{stderr}"
    );
}

/// A decision of an imported file approves nothing.
#[test]
fn no_approval_is_imported() {
    let script = "actions.t.note({ mode = 'big' })";
    let session = Session::new("effects = 'idempotent'", script);
    let policy = "version: 1\ndefault: allow\nrules:\n  - approve: t.note\n";
    let kael = session.kael.file("p.yaml", policy);
    let session = Session { kael, ..session };
    let words = ["run", "--journal", "--policy", "p.yaml", "script.lua"];
    assert_eq!(session.kael(&words).0, 7);
    let (id, _) = session.run();
    let waiting = session.json(&["runs", "approvals", "--json"]);
    let digest = waiting["approvals"][0]["digest"]
        .as_str()
        .expect("a digest");
    assert_eq!(session.kael(&["runs", "approve", &id, "1", digest]).0, 0);
    let (_, lines, _) = session.kael(&["runs", "export", &id]);
    assert!(lines.contains(r#""kind":"letter""#), "{lines}");
    let (code, stdout, _) = elsewhere(&session, &["runs", "import", "--trust", "-"], &lines);
    assert_eq!((code, stdout), (0, format!("{id}: imported, parked\n")));
    let (code, _, stderr) = elsewhere(&session, &["runs", "resume", &id], "");
    assert!(
        code == 7 && stderr.contains("an approval of call 1, t.note"),
        "{stderr}"
    );
    assert_eq!(session.notes().len(), 0);
}

/// The file says how much memory and time its run may have. That holds where the file is trusted, and raises nothing else.
#[test]
fn limits_of_a_file_that_is_not_trusted_raise_none() {
    let script = "local s = ('x'):rep(100 << 20) print(#s)";
    let session = Session::new("", script);
    let words = ["run", "--journal", "--max-memory", "512MiB", "script.lua"];
    assert_eq!(session.kael(&words).0, 0);
    let (id, _) = session.run();
    let (_, lines, _) = session.kael(&["runs", "export", &id]);
    let replayed = |memory: &str| {
        let mut command = session.kael.command();
        command.env("KAEL_DATA", session.kael.path().join("elsewhere"));
        command.env("KAEL_MAX_MEMORY", memory);
        piped(command.args(["runs", "replay", &id]), "")
    };
    assert_eq!(elsewhere(&session, &["runs", "import", "-"], &lines).0, 0);
    let (code, stdout, stderr) = replayed("32MiB");
    assert_eq!((code, stdout.as_str()), (5, ""), "{stderr}");
    assert!(stderr.contains("32 MiB"), "{stderr}");
    assert_eq!(replayed("300MiB").1, "104857600\n");
    assert_eq!(
        elsewhere(&session, &["runs", "import", "--trust", "-"], &lines).0,
        0
    );
    assert_eq!(replayed("32MiB").1, "104857600\n");
}
