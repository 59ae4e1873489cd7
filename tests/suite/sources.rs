//! The sources of implementations, and the preparation of their languages.

use std::path::Path;
use std::process::Command;

use kael_tests::Kael;

const PYTHON: &str =
    "import json, sys\nprint(json.dumps({'got': json.load(sys.stdin), 'by': 'python'}))\n";
const NODE: &str = "let t = ''; process.stdin.on('data', d => t += d).on('end', () => console.log(JSON.stringify({ got: JSON.parse(t), by: 'node' })));\n";

#[test]
fn python_and_node_run_beside_shell_in_one_folder() {
    Kael::new()
        .file("impl/p.py", PYTHON)
        .file("impl/n.js", NODE)
        .shell("s", "", "cat > /dev/null; echo '{\"by\":\"shell\"}'")
        .define("p", "source = '../impl', entrypoint = 'p.py', executor = 'native'")
        .define("n", "source = '../impl', entrypoint = 'n.js', executor = 'native'")
        .script("local t = actions.t print(t.p({ a = 1 }).by, t.p({ a = 1 }).got.a, t.n({ a = 2 }).by, t.n({ a = 2 }).got.a, t.s({}).by)")
        .prints("python\t1\tnode\t2\tshell\n");
}

#[test]
fn a_subdir_and_an_interpreter_are_used() {
    Kael::new()
        .file("impl/deep/x.txt", "import sys\nprint(sys.version_info[0])\n")
        .file("impl/deep/y", "echo \"\\\"$0\\\"\"\n")
        .define("x", "source = '../impl', subdir = 'deep', entrypoint = 'x.txt', executor = 'native', type = 'python'")
        .define("y", "source = '../impl', subdir = 'deep', entrypoint = 'y', executor = 'native', interpreter = '/usr/bin/env sh'")
        .script("print(actions.t.x({}), actions.t.y({}))")
        .prints("3\ty\n");
}

#[test]
fn a_missing_source_is_named() {
    let session = |fields: &str| {
        Kael::new()
            .file("impl/a.sh", "echo 1")
            .define("a", fields)
            .script("actions.t.a({})")
    };
    session("source = '../nowhere', executor = 'native'").fails_with(
        6,
        "Error: t.a failed: the source DIR/actions/../nowhere cannot be opened: no such file or directory",
    );
    session("source = '../impl', entrypoint = 'b.sh', executor = 'native'").fails_with(
        6,
        "Error: t.a failed: entrypoint `b.sh` is not in DIR/impl: no such file or directory",
    );
    session("source = '../impl', subdir = 'x', entrypoint = 'b.sh', executor = 'native'")
        .fails_with(
            6,
            "Error: t.a failed: subdir `x` is not in DIR/impl: no such file or directory",
        );
    session("source = '../impl', executor = 'native', interpreter = '/nonexistent/python'")
        .fails(6, "Error: t.a failed: `/nonexistent/python`, the interpreter of `a.sh`, is not on this machine\n  script.lua:1: in main chunk\nhint: install Python 3 (on Debian: python3), or name another program with `interpreter`\n");
}

fn git(folder: &Path, words: &[&str]) {
    let output = Command::new("git")
        .args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.org",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(words)
        .current_dir(folder)
        .output()
        .expect("git starts");
    assert!(
        output.status.success(),
        "{words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A bare repository `repos/tools.git` with two tags and a later commit on the default branch.
fn with_repository(session: Kael) -> Kael {
    let work = session.path().join("work");
    std::fs::create_dir_all(&work).expect("a folder");
    git(&work, &["init", "-q"]);
    for (state, tag) in [("one", Some("v1")), ("two", Some("v2")), ("three", None)] {
        std::fs::write(
            work.join("say.sh"),
            format!("#!/bin/sh\nsleep 0.05\necho '\"{state}\"'\n"),
        )
        .expect("a file");
        std::fs::write(
            work.join("say.py"),
            format!("print('\"python {state}\"')\n"),
        )
        .expect("a file");
        git(&work, &["add", "-A"]);
        git(&work, &["commit", "-qm", state]);
        if let Some(tag) = tag {
            git(&work, &["tag", tag]);
        }
    }
    std::fs::create_dir_all(session.path().join("repos")).expect("a folder");
    git(
        session.path(),
        &["clone", "-q", "--bare", "work", "repos/tools.git"],
    );
    session
}

#[test]
fn git_sources_are_fetched_at_their_tags_and_eight_first_runs_at_once_all_succeed() {
    let session = with_repository(Kael::new());
    let url = format!("file://{}/repos/tools.git", session.path().display());
    let session = ["v1", "v2"].iter().fold(session, |session, tag| {
        session.define(
            tag,
            &format!("source = '{url}', tag = '{tag}', entrypoint = 'say.sh', executor = 'native'"),
        )
    });
    session
        .define("latest", &format!("source = '{url}', entrypoint = 'say.sh', executor = 'native'"))
        .script(
            "local fs = {}
             for i = 1, 8 do fs[i] = function() return actions.t[i % 2 == 0 and 'v1' or 'v2']({}) end end
             print(table.concat(parallel(fs), ' '))
             print(table.concat(parallel(fs), ' '))
             print(actions.t.latest({}))",
        )
        .prints("two one two one two one two one\ntwo one two one two one two one\nthree\n");
}

#[test]
fn eight_first_runs_of_a_python_source_all_succeed() {
    Kael::new()
        .file("impl/p.py", PYTHON)
        .define("p", "source = '../impl', entrypoint = 'p.py', executor = 'native'")
        .script("local fs = {} for i = 1, 8 do fs[i] = function() return actions.t.p({ a = i }).got.a end end print(table.concat(parallel(fs), ' '))")
        .prints("1 2 3 4 5 6 7 8\n");
}

#[test]
fn first_runs_in_two_processes_wait_for_each_other() {
    let session = with_repository(Kael::new());
    let url = format!("file://{}/repos/tools.git", session.path().display());
    let session = session
        .define(
            "a",
            &format!("source = '{url}', entrypoint = 'say.py', executor = 'native'"),
        )
        .run_with(&["-e", "print(actions.t.a({}))"]);
    let children: Vec<_> = (0..3).map(|_| session.start()).collect();
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "python three\n");
    }
}

#[test]
fn a_repository_in_the_form_of_ssh_is_fetched_with_the_users_own_git_settings() {
    let session = with_repository(Kael::new());
    let base = format!("url.file://{}/repos/.insteadOf", session.path().display());
    let ran = session
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", &base)
        .env("GIT_CONFIG_VALUE_0", "git@git.example.org:team/")
        .env("KAEL_FETCH_ENV", "GIT_CONFIG_COUNT,GIT_CONFIG_KEY_0,GIT_CONFIG_VALUE_0")
        .define("a", "source = 'git@git.example.org:team/tools.git', tag = 'v1', entrypoint = 'say.sh', executor = 'native'")
        .define("b", "source = 'git@git.example.org:team/nothing.git', entrypoint = 'say.sh', executor = 'native'")
        .script("print(actions.t.a({})) local _, e = pcall(actions.t.b, {}) print(e.kind, e.message:match('^fetching git@git.example.org:team/nothing.git failed: ') ~= nil)");
    ran.prints("one\nunavailable\ttrue\n");
}

#[test]
fn a_clone_that_failed_is_tried_again() {
    let session = Kael::new();
    let url = format!("file://{}/repos/tools.git", session.path().display());
    let session = session.define(
        "a",
        &format!("source = '{url}', tag = 'v1', entrypoint = 'say.sh', executor = 'native'"),
    );
    let session = session.run_with(&["-e", "print(actions.t.a({}))"]);
    assert_eq!(
        session
            .start()
            .wait_with_output()
            .expect("it ends")
            .status
            .code(),
        Some(6)
    );
    with_repository(session).ends().prints("one\n");
}

#[test]
fn tools_that_prepare_a_source_do_not_write_into_its_results() {
    Kael::new()
        .file("py/requirements.txt", "--no-index\n")
        .file("py/p.py", PYTHON)
        .file(
            "node/package.json",
            r#"{ "name": "n", "version": "1.0.0", "main": "n.js", "dependencies": { "own": "file:./own" } }"#,
        )
        .file("node/n.js", NODE)
        .file("node/other.js", "")
        .file("node/own/package.json", r#"{ "name": "own", "version": "1.0.0" }"#)
        .define(
            "p",
            "source = '../py', entrypoint = 'p.py', executor = 'native'",
        )
        .define(
            "n",
            "source = '../node', entrypoint = 'n.js', executor = 'native'",
        )
        .script("for _ = 1, 2 do print(actions.t.p({}).by, actions.t.n({}).by) end")
        .prints("python\tnode\npython\tnode\n");
}

#[test]
fn node_modules_are_made_once() {
    let session = Kael::new()
        .file(
            "node/package.json",
            r#"{ "name": "n", "version": "1.0.0", "dependencies": { "own": "file:./own" } }"#,
        )
        .file(
            "node/own/package.json",
            r#"{ "name": "own", "version": "1.0.0" }"#,
        )
        .file("node/n.js", NODE)
        .define(
            "n",
            "source = '../node', entrypoint = 'n.js', executor = 'native'",
        )
        .run_with(&["-e", "print(actions.t.n({}).by)"]);
    let made = session.path().join("node/node_modules");
    for round in 0..3 {
        assert!(
            session
                .start()
                .wait_with_output()
                .expect("it ends")
                .status
                .success()
        );
        let mark = made.join("mark");
        assert_eq!(mark.exists(), round > 0, "round {round}");
        std::fs::write(mark, "").expect("a file");
    }
}

#[test]
fn node_modules_that_were_there_are_left_alone() {
    let session = Kael::new()
        .file(
            "node/package.json",
            r#"{ "name": "n", "version": "1.0.0" }"#,
        )
        .file("node/node_modules/own/index.js", "module.exports = 7")
        .file("node/n.js", "console.log(require('own'))")
        .define(
            "n",
            "source = '../node', entrypoint = 'n.js', executor = 'native'",
        )
        .run_with(&["-e", "print(actions.t.n({}))"]);
    for version in ["1.0.0", "1.0.1"] {
        let script = r#"{ "postinstall": "true" }"#;
        let manifest = format!(r#"{{ "name": "n", "version": "{version}", "scripts": {script} }}"#);
        std::fs::write(session.path().join("node/package.json"), manifest).expect("a file");
        let output = session.start().wait_with_output().expect("it ends");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "7\n",
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn sources_are_fetched_anew_where_that_is_asked_for() {
    let session = with_repository(Kael::new());
    let url = format!("file://{}/repos/tools.git", session.path().display());
    let native = "entrypoint = 'say.sh', executor = 'native'";
    let session = session
        .define("latest", &format!("source = '{url}', {native}"))
        .define("v1", &format!("source = '{url}', tag = 'v1', {native}"))
        .shell("here", "", "echo 1");
    let run = |words: &[&str]| {
        let output = session.command().args(words).output().expect("the host");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let call = || run(&["run", "-e", "print(actions.t.latest({}))"]).1;
    let fetch = |words: &[&str]| run(&[&["actions", "fetch"], words].concat());
    let commit = |of: &str| {
        let output = Command::new("git")
            .args(["-C", "work", "rev-parse", of])
            .current_dir(session.path())
            .output();
        let printed = output.expect("git").stdout;
        String::from_utf8_lossy(&printed).trim().to_owned()
    };
    let (code, stdout, stderr) = fetch(&[]);
    let expected = format!(
        "fetched  {}  {url}  (t.latest)\nfetched  {}  {url} at v1  (t.v1)\n",
        commit("HEAD"),
        commit("v1")
    );
    assert_eq!((code, stdout, stderr.as_str()), (Some(0), expected, ""));
    assert_eq!(call(), "three\n");
    let work = session.path().join("work");
    std::fs::write(work.join("say.sh"), "#!/bin/sh\necho '\"four\"'\n").expect("a file");
    git(&work, &["commit", "-qam", "four"]);
    git(&work, &["push", "-q", "../repos/tools.git", "HEAD"]);
    // What is there is used as it is, until somebody asks.
    let (_, stdout, _) = fetch(&["t.latest"]);
    assert!(
        stdout.starts_with(&format!("there    {}", commit("HEAD~1"))),
        "{stdout}"
    );
    assert_eq!(call(), "three\n");
    for _ in 0..3 {
        let (code, stdout, _) = fetch(&["t.latest", "--refresh", "--json"]);
        assert_eq!(code, Some(0), "{stdout}");
        let report: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
        let sources = report["sources"].as_array().expect("a list");
        assert_eq!(sources.len(), 1);
        assert_eq!(sources[0]["commit"], commit("HEAD"));
        assert_eq!(sources[0]["fetched"], true);
        assert_eq!(call(), "four\n");
    }
    // The clone in use, and the one before.
    let folder = |entry: std::fs::DirEntry| {
        let clones = std::fs::read_dir(entry.path())
            .into_iter()
            .flatten()
            .flatten();
        clones.filter(|entry| entry.path().is_dir()).count()
    };
    let roots = std::fs::read_dir(session.path().join("data/sources")).expect("sources");
    let mut counts: Vec<usize> = roots.flatten().map(folder).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 2]);
    // A source that cannot be fetched is named with the words of git, and what was there stays.
    std::fs::rename(session.path().join("repos"), session.path().join("gone")).expect("moved");
    let (code, stdout, _) = fetch(&["--refresh"]);
    assert_eq!(code, Some(6));
    let failed = format!("FAILED   {url}  (t.latest)\n         fetching {url} failed: ");
    assert!(stdout.contains(&failed), "{stdout}");
    assert!(
        stdout.contains("does not appear to be a git repository"),
        "{stdout}"
    );
    assert_eq!(call(), "four\n");
    let (code, _, stderr) = fetch(&["t.nothing"]);
    assert_eq!(code, Some(2));
    assert!(
        stderr.starts_with("Error: no action 't.nothing'"),
        "{stderr}"
    );
    let (code, stdout, _) = fetch(&["t.here"]);
    assert_eq!((code, stdout.as_str()), (Some(0), "no git sources\n"));
}
