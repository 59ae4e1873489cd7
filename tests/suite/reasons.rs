//! The reason why an action or a script failed, and its details, for people and for programs.

use kael_tests::{Kael, Ran, Terminal};
use serde_json::Value;

/// Calls an action implemented by this program.
fn call(file: &str, code: &str) -> Ran {
    Kael::new()
        .program(&format!("impl/{file}"), code)
        .define(
            "a",
            &format!("source = '../impl', entrypoint = '{file}', executor = 'native'"),
        )
        .script("actions.t.a()")
}

fn first_line(ran: &Ran) -> &str {
    ran.exits(6).stderr.lines().next().unwrap_or_default()
}

#[test]
fn a_run_shows_the_status_and_the_last_lines_of_a_failed_action() {
    let code = "echo connecting >&2; echo 'no route' >&2; echo half a result; exit 7";
    let session = || Kael::new().shell("a", "", code);
    let expected = "Error: t.a failed: no route\n  script.lua:1: in main chunk\n  it exited with status 7\n  its stderr:\n  | connecting\n  | no route\n";
    session().script("actions.t.a()").fails(6, expected);
    session()
        .script("local ok, e = pcall(actions.t.a) error(e)")
        .fails(6, expected);
    let ran = session().option(&["-v"]).script("actions.t.a()");
    ran.exits(6)
        .says("\n  it exited with status 7\n  its stderr:\n  | connecting\n");
    let ran = session().run_with(&["--json"]).script("actions.t.a()");
    let report: Value = serde_json::from_str(&ran.exits(6).stdout).expect("JSON");
    let detail = &report["error"]["detail"];
    assert_eq!(detail["exit_code"], 7);
    assert_eq!(detail["stderr"], "connecting\nno route\n");
    assert_eq!(detail["stdout"], "half a result\n");
    session()
        .words(&["actions", "exec", "t.a"])
        .ends()
        .fails(6, "Error: t.a failed: no route\n  it exited with status 7\n  its stderr:\n  | connecting\n  | no route\n");
    session()
        .script("local _, e = pcall(actions.t.a) print(e.detail.stdout, e.detail.exit_code)")
        .prints("half a result\n\t7\n");
}

#[test]
fn a_failure_without_stderr_shows_stdout() {
    Kael::new()
        .shell("a", "output = 'text'", "echo 'DISK CRITICAL - / at 97%'; exit 2")
        .script("actions.t.a()")
        .fails(6, "Error: t.a failed: exited with status 2\n  script.lua:1: in main chunk\n  its stdout:\n  | DISK CRITICAL - / at 97%\n");
}

#[test]
fn a_signal_takes_precedence_over_the_last_line() {
    let ran = call(
        "a.sh",
        "#!/bin/bash\necho 'step 3 of 10 done' >&2\nkill -KILL $$\n",
    );
    ran.fails(6, "Error: t.a failed: was ended by signal 9 (SIGKILL); it said last: step 3 of 10 done\n  script.lua:1: in main chunk\n");
    let ran = call(
        "a.sh",
        "#!/bin/sh\necho 'step 3' >&2\nsh -c 'kill -SEGV $$' 2> /dev/null\nexit $?\n",
    );
    assert_eq!(
        first_line(&ran),
        "Error: t.a failed: exited with status 139 (128 + 11: SIGSEGV); it said last: step 3"
    );
}

#[test]
fn the_exception_is_the_message_and_not_the_last_line() {
    for (file, code, message) in [
        (
            "a.js",
            "const answer = undefined;\nconsole.log(answer.size);\n",
            "TypeError: Cannot read properties of undefined (reading 'size')",
        ),
        ("a.js", "throw 'no route';\n", "no route"),
        (
            "a.mjs",
            "await Promise.reject(new RangeError('too far'));\n",
            "RangeError: too far",
        ),
        (
            "a.py",
            "import atexit\natexit.register(lambda: print('closing', file=__import__('sys').stderr))\nraise ValueError('no route')\n",
            "ValueError: no route",
        ),
        (
            "a.py",
            "try:\n  {}['a']\nexcept KeyError as e:\n  raise RuntimeError('no route\\nat all') from e\n",
            "RuntimeError: no route",
        ),
    ] {
        let ran = call(file, code);
        assert_eq!(
            first_line(&ran),
            format!("Error: t.a failed: {message}"),
            "{code}"
        );
    }
}

#[test]
fn a_missing_interpreter_is_named() {
    for (line, message) in [
        (
            "/usr/bin/env no-such-perl -w",
            "`no-such-perl`, the interpreter of `a`, is not on PATH",
        ),
        (
            "/opt/no-such/perl",
            "`/opt/no-such/perl`, the interpreter of `a`, is not on this machine",
        ),
    ] {
        let ran = call("a", &format!("#!{line}\nprint 1\n"));
        assert_eq!(first_line(&ran), format!("Error: t.a failed: {message}"));
    }
}

#[test]
fn git_errors_explain_why_a_source_cannot_be_fetched() {
    for (source, fields, why) in [
        (
            "file:///no/such/repository.git",
            "",
            "'/no/such/repository.git' does not appear to be a git repository",
        ),
        (
            "https://127.0.0.1:9/a/b.git",
            "",
            "unable to access 'https://127.0.0.1:9/a/b.git/': Failed to connect to 127.0.0.1 port 9",
        ),
    ] {
        let ran = Kael::new()
            .define(
                "a",
                &format!("source = '{source}', executor = 'native', entrypoint = 'a.sh' {fields}"),
            )
            .script("actions.t.a()");
        let expected = format!("Error: t.a failed: fetching {source} failed: {why}");
        assert!(first_line(&ran).starts_with(&expected), "{}", ran.stderr);
    }
}

#[test]
fn a_refused_write_shows_the_writable_paths() {
    let ran = call(
        "a.sh",
        "#!/bin/sh\nset -e\nmkdir -p \"$HOME/.no-such-folder-of-ours\"\n",
    );
    let words = ran.exits(6).stderr.to_lowercase();
    // Without a mount namespace, Landlock refuses it with another error.
    if words.contains("read-only") {
        ran.says("\nhint: an action may write only its TMPDIR and what `writable` names in its definition\n");
    }
}

#[test]
fn output_that_is_not_json_is_shown_with_its_position() {
    for (code, message, rest) in [
        (
            "echo 'warned' >&2; echo 'connecting…'; echo '{\"ok\":true}'",
            "it begins with \"connecting…\", which is not a JSON value, at line 1 column 1",
            "  its stderr:\n  | warned\n  its stdout begins:\n  | connecting…\n  | {\"ok\":true}\nhint: output = \"last-json\" takes the last document and passes over what stands before it\n",
        ),
        (
            "echo '{\"v\": NaN}'",
            "NaN, which JSON does not have (write null, or a text), at line 1 column 7",
            "  its stdout begins:\n  | {\"v\": NaN}\n",
        ),
        (
            "printf '1\\n2\\n'",
            "more text behind the document, \"2\", at line 2 column 1",
            "  its stdout begins:\n  | 1\n  | 2\nhint: output = \"ndjson\" takes a document a line\n",
        ),
        (
            "printf '[\"\\\\ud83d\"]'",
            "half a surrogate pair, \\ud83d, which is not a character, at line 1 column 3",
            "  its stdout begins:\n  | [\"\\ud83d\"]\n",
        ),
    ] {
        Kael::new()
            .shell("a", "", code)
            .script("actions.t.a()")
            .fails(6, &format!("Error: t.a failed: printed what is not JSON: {message}\n  script.lua:1: in main chunk\n{rest}"));
    }
}

#[test]
fn a_byte_order_mark_is_passed_over_everywhere() {
    for (output, text, expected) in [
        ("json", "{\"n\":1}", "{\"n\":1}"),
        ("last-json", "{\"n\":1}", "{\"n\":1}"),
        ("ndjson", "{\"n\":1}", "[{\"n\":1}]"),
        ("csv", "n\\n1", "[{\"n\":\"1\"}]"),
        ("text", "n", "\"n\""),
        ("lines", "n", "[\"n\"]"),
    ] {
        Kael::new()
            .shell(
                "a",
                &format!("output = '{output}'"),
                &format!("printf '\\357\\273\\277{text}\\n'"),
            )
            .script("print(json.encode(actions.t.a()))")
            .prints(&format!("{expected}\n"));
    }
    Kael::new()
        .shell(
            "a",
            "",
            "printf '\\357\\273\\277[1]' > $TMPDIR/r; printf '\\357\\273\\277{\"_file\":\"r\"}'",
        )
        .script("print(json.encode(actions.t.a()))")
        .prints("[1]\n");
}

#[test]
fn an_option_that_is_not_taken_in_one_word_has_a_hint() {
    let loop_over =
        "case $1 in --count) echo $2;; *) echo \"unknown option: $1\" >&2; exit 2;; esac";
    let ran = Kael::new()
        .shell("a", "input = 'args', output = 'text'", loop_over)
        .script("actions.t.a({ count = 3 })");
    ran.exits(6)
        .says("Error: t.a failed: unknown option: --count=3\n")
        .says("\nhint: a program that takes an option and its value as two arguments is given them by argv = { \"--count\", \"{count}\" } in place of input = \"args\"\n");
    Kael::new()
        .shell(
            "a",
            "argv = { '--count', '{count}' }, output = 'text'",
            loop_over,
        )
        .script("print(actions.t.a({ count = 3 }))")
        .prints("3\n");
}

#[test]
fn a_library_that_only_names_io_loads_with_an_empty_one() {
    let session = || {
        Kael::new().shell("a", "", "echo 1").file(
            "actions/lib.lua",
            "local out, open = io.stdout, io.open return { f = function() return 7 end }",
        )
    };
    let ran = session().script("print(require('lib').f())");
    ran.exits(1).says("write io = {} before require");
    session()
        .script("io = {} print(require('lib').f())")
        .prints("7\n");
}

#[test]
fn a_missing_library_function_has_a_hint() {
    for (script, error, hint) in [
        (
            "local f = io.open('report.txt', 'w')",
            "Error: script.lua:1: attempt to index a nil value (global 'io')",
            "a script has no `io`: files are read and written by actions; `print` writes, input() is stdin, and inputs.NAME a file of --input. For a library that only names `io` while it loads, write io = {} before require",
        ),
        (
            "print(os.getenv('HOME'))",
            "Error: script.lua:1: attempt to call a nil value (field 'getenv')",
            "a script has no `os.getenv`: variables reach actions by `env` in their definitions, and a script by its arguments",
        ),
        (
            "loadstring('return 1')()",
            "Error: script.lua:1: attempt to call a nil value (global 'loadstring')",
            "a script has no `loadstring`: write load",
        ),
        (
            "for i = 1, 3 do i = i * 2 print(i) end",
            "Error: script.lua:1: attempt to assign to const variable 'i'",
            "since Lua 5.5 the variable of a `for` loop cannot be assigned to, as one declared <const> or <close>: use another local",
        ),
    ] {
        let ran = Kael::new().script(script);
        ran.exits(1).says(&format!("\nhint: {hint}\n")).says(error);
        if !error.is_empty()
            && !error.contains("call a nil")
            && !error.contains("nil value (global")
        {
            let checked = Kael::new()
                .file("script.lua", script)
                .words(&["check", "script.lua"])
                .ends();
            assert!(checked.exits(1).stdout.contains(hint), "{}", checked.stdout);
        }
    }
    for (script, hint) in [
        (
            "loadstring('x')",
            "a script has no `loadstring`: write load",
        ),
        (
            "os.getenv('HOME')",
            "a script has no `os.getenv`: variables",
        ),
    ] {
        let checked = Kael::new()
            .file("script.lua", script)
            .words(&["check", "script.lua"])
            .ends();
        assert!(checked.exits(1).stdout.contains(hint), "{}", checked.stdout);
    }
}

#[test]
fn lines_of_stderr_are_seen_at_once_with_the_action_and_the_call() {
    let ran = Kael::new()
        .shell("a", "", "echo \"step $(cat)\" >&2; echo null")
        .option(&["-v"])
        .script("actions.t.a({ n = 1 }) actions.t.a({ n = 2 })");
    ran.exits(0)
        .says("t.a#1: step {\"n\":1}\n")
        .says("t.a#2: step {\"n\":2}\n");
    let lines: Vec<&str> = ran.stderr.lines().collect();
    let at = |text: &str| lines.iter().position(|line| line.contains(text));
    assert!(at("t.a#1: step") < at("name="), "{}", ran.stderr);
    assert!(!ran.stderr.contains("Process exited"), "{}", ran.stderr);
}

#[test]
fn the_progress_line_shows_the_last_line_of_stderr() {
    let session = Kael::new();
    let (state, fields) = session.state();
    let code =
        format!("echo 'step 3 of 10' >&2; while ! [ -e {state}/go ]; do sleep 0.05; done; echo 1");
    let session = session.shell("nap", &fields, &code);
    let mut terminal = Terminal::start(&session, &["run", "-e", "print('done', actions.t.nap())"]);
    terminal.shows("t.nap 1s: step 3 of 10");
    std::fs::write(std::path::Path::new(&state).join("go"), "").expect("a file");
    terminal.shows("done\t1\r\n");
    assert_eq!(terminal.ends().0, 0);
}

#[test]
fn values_of_variables_are_masked_in_errors() {
    let session = |code: &str, options: &[&str]| {
        Kael::new()
            .shell("a", "env = { 'API_TOKEN', 'REGION' }", code)
            .env("API_TOKEN", "hunter2-abcdef")
            .env("REGION", "eu")
            .option(options)
            .run_with(&["--html", "page.html", "--record", "record.jsonl"])
            .script("print(select(2, pcall(actions.t.a))) actions.t.a()")
    };
    for code in [
        "echo \"401 for ?token=$API_TOKEN in $REGION\" >&2; exit 1",
        "echo \"token $API_TOKEN is no JSON\"",
    ] {
        let ran = session(code, &["-v"]);
        ran.exits(6);
        for text in [
            ran.stdout.clone(),
            ran.stderr.clone(),
            std::fs::read_to_string(ran.path().join("page.html")).expect("a page"),
            std::fs::read_to_string(ran.path().join("record.jsonl")).expect("a record"),
        ] {
            assert!(
                !text.contains("hunter2") && text.contains("[API_TOKEN]"),
                "{text}"
            );
        }
    }
}

#[test]
fn integers_that_would_be_rounded_are_an_error() {
    Kael::new()
        .shell("a", "", "echo '{\"id\":18446744073709551615}'")
        .script("actions.t.a()")
        .fails(6, "Error: t.a failed: printed a number that no script can hold: the number 18446744073709551615 does not fit into 64 bits and would be rounded (write it as a text), at line 1 column 7\n  script.lua:1: in main chunk\n  its stdout begins:\n  | {\"id\":18446744073709551615}\n");
    Kael::new()
        .shell("a", "", "echo '[9223372036854775807, 1e20]'")
        .script("local r = actions.t.a() print(r[1], r[2] == 1e20)")
        .prints("9223372036854775807\ttrue\n");
}

#[test]
fn texts_that_look_like_numbers_arrive_as_they_were_typed() {
    let words = [
        "actions",
        "exec",
        "t.a",
        "--param",
        "version=1.10",
        "--param",
        "commit=123456e7",
        "--param",
        "id=123456789012345678901234567890",
        "--param",
        "n=5",
        "--param",
        "x=1.5",
    ];
    Kael::new().shell("a", "", "cat").words(&words).ends().prints(
        "{\"commit\":\"123456e7\",\"id\":\"123456789012345678901234567890\",\"n\":5,\"version\":\"1.10\",\"x\":1.5}\n",
    );
}

#[test]
fn check_names_modules_that_are_not_there() {
    let check = |script: &str| {
        Kael::new()
            .file("actions/init.lua", "return { a = require('lib.tools') }")
            .file("actions/lib/tools.lua", "return {}")
            .file("script.lua", script)
            .option(&["--actions", "actions"])
            .words(&["check", "script.lua"])
            .ends()
    };
    let ran =
        check("local cjson = require('cjson')\nlocal t = require 'lib.tool'\nprint(cjson, t)");
    ran.exits(1);
    assert_eq!(
        ran.stdout,
        "script.lua:1:23: error: no module 'cjson' in the actions repo\n  hint: json.encode and json.decode are there without it\nscript.lua:2:19: error: no module 'lib.tool' in the actions repo (did you mean 'lib.tools'?)\n  hint: modules are Lua files of the actions repo: lib/tool.lua or lib/tool/init.lua\n2 problems\n"
    );
    for script in [
        "print(require('lib.tools'), require('string'), require('math'))",
        "print(pcall(require, 'cjson'))",
        "package.preload.x = function() return 1 end print(require('x'))",
        "local name = 'x' print(pcall(require, name))",
    ] {
        check(script).prints("no problems\n");
    }
}

#[test]
fn all_mistakes_of_a_definition_are_reported_at_once() {
    let ran = Kael::new()
        .file(
            "actions/init.lua",
            "return { a = define_action({ source = 'x', needs = {}, schema = {}, limits = {}, dirs = {}, writable = {} }) }",
        )
        .option(&["--actions", "actions"])
        .run_with(&["-e", ""])
        .ends();
    let at = "actions/init.lua:1: define_action:";
    ran.fails(3, &format!("Error: {at} field 'executor' is missing\n  {at} unknown field 'needs'\n  {at} unknown field 'schema'\n"));
}
