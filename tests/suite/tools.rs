//! `kael-host actions`: lists, checks, calls, adds and removes actions.

use kael_tests::{Kael, Ran};

fn tools(session: Kael, words: &[&str]) -> Ran {
    session.words(&["actions"]).words(words).ends()
}

fn json(ran: &Ran) -> serde_json::Value {
    serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|_| panic!("JSON: {} {}", ran.stdout, ran.stderr))
}

const QUERY: &str = r#"return define_action({
  description = "Runs a query.\nSlowly.",
  source = "../impl", entrypoint = "query.sh", executor = "native",
  params = { url = "string", limit = "integer?", tags = "string[]?" },
  returns = { rows = "list" },
  example = { rows = {} },
  defaults = { limit = 5 }, env = { "TOKEN" }, timeout = "5m",
})"#;

fn repo() -> Kael {
    Kael::new()
        .program("impl/query.sh", "#!/bin/sh\ncat\n")
        .file("actions/query.lua", QUERY)
        .file(
            "actions/init.lua",
            "return {\n  db = { query = require(\"query\") },\n  ping = define_action({ source = \"../impl\", executor = \"native\", description = \"Says hello.\" }),\n}\n",
        )
        .option(&["--actions", "actions"])
}

/// What `validate` notes of so many native actions that say neither what they read nor what they do.
fn open_of(count: usize, names: &str) -> String {
    format!(
        "note: {count} native actions name no `reads`, and read what their user may: {names}\n\
         note: `effects` is assumed where definitions name none: \"once\" of {names}\n"
    )
}

#[test]
fn the_tree_is_listed_with_descriptions() {
    tools(repo(), &["list"]).prints("db\n  query  Runs a query.\nping     Says hello.\n");
    let ran = tools(repo(), &["list", "--json"]);
    let listed = json(&ran);
    assert_eq!(listed["actions"][0]["name"], "db.query");
    assert_eq!(listed["actions"][1]["line"], 3);
    Kael::new().words(&["actions", "list"]).ends().fails(
        2,
        "Error: no actions repo was given\nhint: use --actions DIR, KAEL_ACTIONS, or `actions_path` in the configuration; kael-host actions init makes a new one\n",
    );
}

#[test]
fn an_action_is_described() {
    let ran = tools(repo(), &["describe", "db.query"]);
    let impl_folder = ran.path().display().to_string();
    assert_eq!(
        ran.exits(0)
            .stdout
            .replace(&impl_folder, "DIR")
            .replace("runner builtin", "runner envyr"),
        "db.query\n  Runs a query.\n  Slowly.\n\n\
         defined     actions/query.lua:1\n\
         source      ../impl\n\
         runs        query.sh (shell, /bin/sh)\n\
         effects     once (assumed)\n\
         executor    native, by the runner envyr\n\
         timeout     5m\n\
         env         TOKEN\n\
         defaults    { limit = 5 }\n\
         params      limit  integer?\n            tags   string[]?\n            url    string\n\
         returns     rows  list\n\
         example     { rows = {} }\n\
         \nactions.db.query({ url = \"...\" })\n"
    );
    let described = json(&tools(repo(), &["describe", "db.query", "--json"]));
    assert_eq!(described["params"]["required"][0], "url");
    assert_eq!(described["language"], "shell");
    tools(repo(), &["describe", "db.qurey"]).fails(
        2,
        "Error: no action 'db.qurey' (did you mean 'db.query'?)\nhint: see kael-host actions list\n",
    );
}

#[test]
fn validate_finds_everything_at_once() {
    let two = open_of(2, "db.query, ping");
    tools(repo(), &["validate"]).prints(&format!("{two}2 valid actions, no problems\n"));
    let lines = [
        "local t = {}",
        "t.a = define_action({ source = '../impl', entrypoint = 'b.sh', executor = 'native' })",
        "t.b = define_action({ source = '../nowhere', executor = 'native' })",
        "t.c = define_action({ source = '../impl', executor = 'nativ' })",
        "t.d = define_action({ source = '../impl', executor = 'native', params = { n = 'int' } })",
        "t.e = define_action({ source = '../impl', executor = 'native', params = { n = 'integer' }, defaults = { n = 'x' } })",
        "t.f = define_action({ source = 'https://example.org/x/y.git', executor = 'native' })",
        "t.g = define_action({ source = '../impl', executor = 'native' })",
        "local lost = define_action({ source = '../impl', executor = 'native' })",
        "return t",
    ];
    let broken = || {
        Kael::new()
            .file("impl/a.sh", "echo 1")
            .file("actions/init.lua", lines.join("\n"))
            .option(&["--actions", "actions"])
    };
    // The faulty line, with its number and the marked word.
    let quoted = |number: usize, word: &str| {
        let line = lines[number - 1];
        let before = " ".repeat(line.find(word).expect("it is there"));
        format!(
            "    {number} | {line}\n      | {before}{}\n",
            "^".repeat(word.len())
        )
    };
    let ran = tools(broken(), &["validate"]);
    let real = ran.path().canonicalize().expect("a path");
    let said = ran
        .exits(3)
        .stdout
        .replace(&real.display().to_string(), "DIR");
    let expected = [
        "actions/init.lua:2: error: a: entrypoint `b.sh` is not in DIR/impl: no such file or directory\n",
        &quoted(2, "entrypoint"),
        "actions/init.lua:3: error: b: the source DIR/actions/../nowhere cannot be opened: no such file or directory\n",
        &quoted(3, "source"),
        "actions/init.lua:4: error: field 'executor' `nativ` is not one of \"native\", \"docker\", \"wasm\", \"mcp\"\n",
        &quoted(4, "nativ"),
        "actions/init.lua:5: error: field 'params' `n` \"int\" is not a type (did you mean \"integer\"?)\n",
        &quoted(5, "params"),
        "actions/init.lua:6: error: field 'defaults' does not fit 'params': `n` must be an integer, got a string\n",
        &quoted(6, "defaults"),
        "actions/init.lua:7: note: f: its repository was not fetched yet, and so not checked (--fetch does that)\n",
        "actions/init.lua:9: note: nothing can call this action: the table that init.lua returns does not hold it\n",
        &open_of(4, "a, b, f, g"),
        "4 valid actions, 5 problems\n",
    ];
    assert_eq!(said, expected.concat());
    let ran = tools(broken(), &["validate", "--json"]);
    let checked = json(ran.exits(3));
    assert_eq!(checked["problems"].as_array().expect("a list").len(), 9);
    assert_eq!(checked["problems"][0]["source"]["text"], lines[1]);
    assert_eq!(checked["problems"][5]["severity"], "note");
    // The mark is on the field's line, below the call.
    let below = "return {\n  a = define_action({\n    source = '../impl', executor = 'native',\n    tiemout = 5,\n  }),\n}\n";
    let below = Kael::new()
        .file("impl/a.sh", "")
        .file("actions/init.lua", below);
    let ran = tools(below.option(&["--actions", "actions"]), &["validate"]);
    ran.exits(3);
    assert_eq!(
        ran.stdout,
        "actions/init.lua:2: error: unknown field 'tiemout' (did you mean 'timeout'?)\n    4 |     tiemout = 5,\n      |     ^^^^^^^\n0 valid actions, 1 problem\n"
    );
}

#[test]
fn one_action_is_called_through_the_gate() {
    tools(
        repo(),
        &[
            "exec",
            "db.query",
            "--param",
            "url=5",
            "--param",
            "tags=[\"a\"]",
        ],
    )
    .exits(6)
    .says(
        "Error: db.query failed: returned what its definition does not promise: `rows` is missing",
    );
    let echo = || {
        Kael::new().shell("echo", "locked = { who = 'team' }, params = { url = 'string?', n = 'integer?', o = 'table?', who = 'string' }", "cat")
    };
    tools(
        echo(),
        &[
            "exec",
            "t.echo",
            "--param",
            "url=5",
            "--param",
            "n=5",
            "--param",
            "o.a.b=x=y",
        ],
    )
    .prints("{\"n\":5,\"o\":{\"a\":{\"b\":\"x=y\"}},\"url\":\"5\",\"who\":\"team\"}\n");
    tools(echo(), &["exec", "t.echo", "--params", "{\"n\":1}"])
        .prints("{\"n\":1,\"who\":\"team\"}\n");
    tools(echo().stdin("{\"n\":2}"), &["exec", "t.echo"]).prints("{\"n\":2,\"who\":\"team\"}\n");
    tools(echo().stdin(""), &["exec", "t.echo"]).prints("{\"who\":\"team\"}\n");
    tools(echo(), &["exec", "t.echo", "--param", "who=me"]).fails(
        1,
        "Error: t.echo failed: parameter `who` is locked by the team\n",
    );
    tools(echo(), &["exec", "t.echo", "--param", "n=many"]).fails(
        1,
        "Error: t.echo failed: parameter `n` must be an integer, got a string\n",
    );
    tools(echo(), &["exec", "t.ecoh"])
        .fails(1, "Error: no action 't.ecoh' (did you mean 't.echo'?)\n");
    tools(echo(), &["exec", "t.echo", "--deny", "t.*"])
        .fails(4, "Error: t.echo failed: denied by the policy (deny t.*)\n");
    tools(echo(), &["exec", "t.echo", "--param", "n"])
        .fails(2, "Error: --param `n` is not of the form key=value\n");
    tools(echo(), &["exec", "t.echo", "--params", "[1]"]).fails(
        1,
        "Error: t.echo failed: parameters must be a table with names, got a list\n",
    );
    let ran = tools(
        Kael::new().shell("no", "", "echo one >&2; echo two >&2; exit 3"),
        &["exec", "t.no"],
    );
    ran.fails(
        6,
        "Error: t.no failed: two\n  it exited with status 3\n  its stderr:\n  | one\n  | two\n",
    );
    let ran = tools(
        Kael::new().shell("no", "", "exit 3"),
        &["exec", "t.no", "--json"],
    );
    let report = json(ran.exits(6));
    assert_eq!(
        (&report["ok"], &report["detail"]["exit_code"]),
        (&false.into(), &3.into())
    );
}

#[test]
fn a_new_repo_works() {
    let session = Kael::new();
    let run = |words: &[&str]| {
        let output = session
            .command()
            .args(words)
            .output()
            .expect("the host starts");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let (code, out) = run(&["actions", "init", "team/actions"]);
    assert_eq!(code, Some(0));
    let last = out.lines().last().expect("a line");
    assert_eq!(
        last,
        "try: kael-host --actions team/actions actions exec text.wordcount --param text='hello world'"
    );
    let options = ["--actions", "team/actions", "actions"];
    assert_eq!(
        run(&[
            &options[..],
            &["exec", "text.wordcount", "--param", "text=hello world"]
        ]
        .concat()),
        (
            Some(0),
            "{\"lines\": 0, \"words\": 2, \"bytes\": 11}\n".into()
        )
    );
    assert_eq!(
        run(&[&options[..], &["validate"]].concat()).1,
        "1 valid action, no problems\n"
    );
    assert_eq!(run(&["actions", "init", "team/actions"]).0, Some(2));
}

#[test]
fn an_implementation_is_added_and_removed_again() {
    let session = repo()
        .program(
            "tools/report.py",
            "#!/usr/bin/env python3\n\"\"\"Writes the report.\"\"\"\nprint('{}')\n",
        )
        .file("tools/requirements.txt", "requests==2.0  # http\n");
    let run = |words: &[&str]| {
        let mut command = session.command();
        command
            .args(["--actions", "actions", "actions"])
            .args(words);
        let output = command.output().expect("the host starts");
        let real = session
            .path()
            .canonicalize()
            .expect("a path")
            .display()
            .to_string();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).replace(&real, "DIR");
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (code, out, err) = run(&["add", "tools/report.py", "ops.daily"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(
        out,
        "ops.daily.report runs report.py (python)\n\
         requirements.txt asks for: requests==2.0\n\
         written: DIR/actions/ops/daily/report.lua\n\
         changed: DIR/actions/init.lua\n\
         changed: DIR/actions/ops/init.lua\n\
         changed: DIR/actions/ops/daily/init.lua\n\
         next: kael-host actions edit ops.daily.report\n"
    );
    let text = std::fs::read_to_string(session.path().join("actions/ops/daily/report.lua"))
        .expect("a file");
    for line in [
        "-- requirements.txt asks for: requests==2.0",
        "  description = \"Writes the report.\",",
        "  source = \"../tools\",",
        "  entrypoint = \"report.py\", -- python, run by /usr/bin/env python3",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}: {text}");
    }
    assert_eq!(
        run(&["list"]).1,
        "db\n  query     Runs a query.\nops\n  daily\n    report  Writes the report.\nping        Says hello.\n"
    );
    let three = open_of(3, "db.query, ops.daily.report, ping");
    assert_eq!(
        run(&["validate"]).1,
        format!("{three}3 valid actions, no problems\n")
    );
    let (code, _, err) = run(&["add", "tools/report.py", "ops.daily"]);
    assert_eq!(code, Some(2));
    assert!(
        err.starts_with("Error: `ops.daily.report` is defined at actions/ops/daily/report.lua:"),
        "{err}"
    );
    let (code, _, err) = run(&["remove", "ops.daily.report"]);
    assert_eq!(
        (code, err.as_str()),
        (
            Some(2),
            "Error: `ops.daily.report` is not removed without being asked\nhint: answer on a terminal, or say --yes\n"
        )
    );
    let (code, out, err) = run(&["remove", "--yes", "ops.daily.report"]);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(
        out,
        "removed: ops.daily.report\ndeleted: DIR/actions/ops/daily/report.lua\nchanged: DIR/actions/ops/daily/init.lua\n"
    );
    let two = open_of(2, "db.query, ping");
    assert_eq!(
        run(&["validate"]).1,
        format!("{two}2 valid actions, no problems\n")
    );
    let (code, _, err) = run(&["remove", "--yes", "ping"]);
    assert_eq!(
        (code, err.as_str()),
        (
            Some(2),
            "Error: actions/init.lua:4 is to be changed by hand: the file holds more than this action (kael-host actions edit ping)\n"
        )
    );
}

#[test]
fn an_action_that_cannot_be_added_changes_nothing() {
    let add = |session: Kael, words: &[&str]| {
        let before = std::fs::read(session.path().join("actions/init.lua")).expect("a file");
        let ran = tools(session, &[&["add"], words].concat());
        assert_eq!(
            std::fs::read(ran.path().join("actions/init.lua")).expect("a file"),
            before
        );
        ran
    };
    let two = || repo().file("two/a.sh", "").file("two/b.py", "");
    add(two(), &["two"])
        .exits(2)
        .says("/two: choose with --entrypoint to one of a.sh, b.py");
    add(repo(), &["nowhere"])
        .exits(2)
        .says("nowhere cannot be opened");
    add(two(), &["two/a.sh", "a b"])
        .exits(2)
        .says("`a b.a` is not a name for an action");
    add(two(), &["two/a.sh", "--executor", "lambda"])
        .exits(2)
        .says("is not one of");
    // The file returns no table literal: this is an error, and the file stays.
    let own = two().file("actions/init.lua", "return setmetatable({}, {})\n");
    add(own, &["two/a.sh"])
        .exits(2)
        .says("returns its table in a way of its own");
    // A namespace that is written inline would be hidden.
    let own = two().file("actions/init.lua", "local M = { n = { x = define_action({ source = '../impl', executor = 'native' }) } }\nreturn M\n");
    add(own, &["two/a.sh", "n"])
        .exits(2)
        .says("`n.x` would be gone");
}

#[test]
fn an_editor_opens_the_file_and_the_repo_is_checked_afterwards() {
    let session = || {
        repo().program("ed", "#!/bin/sh\nfor last; do :; done\necho \"$@\" > edited\nsed -i 's/5m/soon/' \"$last\"\n")
    };
    let path = session();
    let editor = format!("{}/ed -x", path.path().display());
    let ran = tools(path.env("EDITOR", &editor), &["edit", "db.query"]);
    assert_eq!(
        ran.exits(3).stdout,
        "actions/query.lua:1: error: field 'timeout' `soon` is not a time (write it like `60`, `60s`, `5m`, `1.5h` or `250ms`)\n    7 |   defaults = { limit = 5 }, env = { \"TOKEN\" }, timeout = \"soon\",\n      |                                                           ^^^^\nnote: ping names no `reads`, and reads what its user may\nnote: `effects` is assumed where definitions name none: \"once\" of ping\n1 valid action, 1 problem\n"
    );
    let edited = std::fs::read_to_string(ran.path().join("edited")).expect("a file");
    assert!(
        edited.starts_with("-x /") && edited.ends_with("actions/query.lua\n"),
        "{edited}"
    );
    tools(
        repo().env("EDITOR", "").env("VISUAL", ""),
        &["edit", "db.query"],
    )
    .fails(
        2,
        "Error: no editor is set\nhint: set EDITOR, such as EDITOR=nano\n",
    );
    tools(repo().env("EDITOR", "true"), &["edit", "db.qurey"]).fails(
        2,
        "Error: no action 'db.qurey' (did you mean 'db.query'?)\n",
    );
    // A repo that does not load can still be edited.
    let broken = Kael::new()
        .file("actions/init.lua", "return { a = require('a') }")
        .file("actions/a.lua", "return {")
        .option(&["--actions", "actions"])
        .env("EDITOR", "sed -i 's/{/{}/'");
    tools(broken, &["edit", "a"]).exits(0);
}
