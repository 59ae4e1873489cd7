//! `kael-host check` finds mistakes in scripts without running them, and reports nothing else.

use kael_tests::{Kael, Ran, project};
use serde_json::Value;

/// A repo with one action for each kind of parameters.
fn repo() -> Kael {
    Kael::new().file(
        "actions/init.lua",
        r#"
local t = {}
local function action(fields)
  fields.source, fields.executor, fields.entrypoint = "../impl", "native", "a.sh"
  return define_action(fields)
end
t.query = action({
  params = { url = "string", limit = "integer?", tags = "string[]?", auth = { user = "string", age = "integer?" } },
  defaults = { auth = { user = "me" } },
})
t.fixed = action({ locked = { tenant = "acme", deep = { a = 1 } } })
t.nested = action({
  params = { a = { b = { x = "integer", y = "integer" }, other = "integer?" } },
  defaults = { a = { b = { x = 1 } } }, locked = { a = { b = { y = 2 } } },
})
t.full = action({ params = { type = "object", properties = { mode = { type = "string" } },
  ["if"] = { properties = { mode = { const = "a" } } }, ["then"] = { required = { "b" } } } })
function t.compose(x) return x end
return { t = t, open = setmetatable({}, { __index = function(_, key) return t[key] end }), ["a-b"] = { c = t.fixed } }
"#,
    )
}

fn check(script: &str) -> Ran {
    repo()
        .file("script.lua", script)
        .option(&["--actions", "actions"])
        .words(&["check", "script.lua"])
        .ends()
}

/// The messages for each script, without hints.
fn all_problems(scripts: &[&str]) -> Vec<Vec<String>> {
    let names: Vec<String> = (0..scripts.len()).map(|n| format!("{n}.lua")).collect();
    let mut session = repo();
    for (name, script) in names.iter().zip(scripts) {
        session = session.file(name, script);
    }
    let words: Vec<&str> = names.iter().map(String::as_str).collect();
    let ran = session
        .option(&["--actions", "actions"])
        .words(&["check", "--json"])
        .words(&words)
        .ends();
    let report: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let told = |script: &Value| -> Vec<String> {
        assert_eq!(script["note"], Value::Null);
        let problems = script["problems"].as_array().expect("a list").iter();
        let line = |one: &Value| {
            let message = one["message"].as_str().expect("text");
            format!("{}:{}: {message}", one["line"], one["column"])
        };
        problems.map(line).collect()
    };
    let all: Vec<Vec<String>> = report["scripts"]
        .as_array()
        .expect("a list")
        .iter()
        .map(told)
        .collect();
    assert_eq!(ran.code, i32::from(all.iter().any(|one| !one.is_empty())));
    assert_eq!(all.len(), scripts.len());
    all
}

/// Asserts that each script has exactly this problem.
#[track_caller]
fn each_has(scripts: &[(&str, &str)]) {
    let sources: Vec<&str> = scripts.iter().map(|(source, _)| *source).collect();
    for ((source, expected), found) in scripts.iter().zip(all_problems(&sources)) {
        assert_eq!(found, [*expected], "{source}");
    }
}

#[test]
fn all_mistakes_are_reported_with_position_and_remedy() {
    let ran = check(
        "local q = actions.t.query\nq({ url = 5 })\n\tactions.t.qurey({})\nprint(actons, 'é', missing)\nactions.t.fixed{ tenant = 'x' }\n",
    );
    assert_eq!(
        ran.exits(1).stdout,
        "script.lua:2:5: error: t.query: parameter `url` must be a string, got a number
  hint: kael-host actions describe t.query
script.lua:3:12: error: no action 't.qurey' (did you mean 't.query'?)
  hint: see kael-host actions list
script.lua:4:7: error: unknown global `actons` (did you mean `actions`?)
  hint: set it before it is read, or make it a local: local actons = …
script.lua:4:20: error: unknown global `missing`
  hint: set it before it is read, or make it a local: local missing = …
script.lua:5:18: error: t.fixed: parameter `tenant` is locked by the team
  hint: kael-host actions describe t.fixed
5 problems
"
    );
}

#[test]
fn nothing_is_run() {
    repo()
        .program("impl/a.sh", "#!/bin/sh\ntouch ran\n")
        .file(
            "script.lua",
            "print('ran') actions.t.fixed({}) while true do end",
        )
        .option(&["--actions", "actions"])
        .words(&["check", "script.lua"])
        .ends()
        .prints("no problems\n");
}

#[test]
fn the_syntax_is_that_of_the_guest() {
    let ran = check("local x <const> = 1\nlocal y = = 2\nprint(undefined)\n");
    assert_eq!(
        ran.exits(1).stdout,
        "script.lua:2:11: error: unexpected symbol near '='\n  hint: mend this first: nothing else was checked\n1 problem\n"
    );
    each_has(&[
        (
            "#!/usr/bin/env kael\nx = = 1",
            "2:5: unexpected symbol near '='",
        ),
        (
            "for i = 1, 2 do i = 3 end",
            "1:17: attempt to assign to const variable 'i'",
        ),
        (
            "global print\nprint(nope)",
            "2:7: variable 'nope' not declared",
        ),
    ]);
    // In Lua 5.5 a script can declare its globals. Then the compiler reports undeclared ones.
    let declares =
        "global print, x\nx = 1\nprint(x)\nglobal function f() end\nglobal <const> *\nprint(f)";
    assert_eq!(all_problems(&[declares]), [[""; 0]]);
}

#[test]
fn wrong_calls_are_reported() {
    each_has(&[
        (
            "actions.t.query({})",
            "1:17: t.query: parameter `url` is missing",
        ),
        (
            "actions.t.query()",
            "1:11: t.query: parameter `url` is missing",
        ),
        (
            "actions.t.query(nil)",
            "1:11: t.query: parameter `url` is missing",
        ),
        (
            "actions.t.query{ url = 'x', limt = 1 }",
            "1:29: t.query: parameter `limt` is not known (did you mean `limit`?)",
        ),
        (
            "actions.t.query({ url = 'x', limit = -1.5 })",
            "1:30: t.query: parameter `limit` must be an integer, got a number",
        ),
        (
            "actions.t.query({ url = 'x', tags = { 'a', 2 } })",
            "1:44: t.query: parameter `tags[2]` must be a string, got a number",
        ),
        (
            "actions.t.query({ url = 'x', ['auth'] = { age = 'x' } })",
            "1:43: t.query: parameter `auth.age` must be an integer, got a string",
        ),
        (
            "actions.t.query({ url = json.null })",
            "1:19: t.query: parameter `url` must be a string, got null",
        ),
        (
            "actions.t.query({ url = 'x', auth = json.array({}) })",
            "1:30: t.query: parameter `auth` must be a table with names, got a list",
        ),
        (
            "actions.t.query({ 'x' })",
            "1:17: t.query: the parameters must be a table with names, got a list",
        ),
        (
            "actions.t.query('x')",
            "1:17: t.query: parameters must be a table, got string",
        ),
        (
            "actions.t.query 'x'",
            "1:17: t.query: parameters must be a table, got string",
        ),
        (
            "actions.t.query({ url = 'x' }, 5)",
            "1:32: t.query: parameters must be one table, got 2 arguments",
        ),
        (
            "actions.t:query({ url = 'x' })",
            "1:10: an action is called with a dot: `:query` gives it the table in front, too",
        ),
        (
            "pcall(actions.t.query, { url = 1 })",
            "1:26: t.query: parameter `url` must be a string, got a number",
        ),
        (
            "local t = actions.t local q = t.query q({ url = 1 })",
            "1:43: t.query: parameter `url` must be a string, got a number",
        ),
        (
            "actions.t.fixed({ deep = { a = 2 } })",
            "1:28: t.fixed: parameter `deep.a` is locked by the team",
        ),
        (
            "actions['a-b'].c({ tenant = 1 })",
            "1:20: a-b.c: parameter `tenant` is locked by the team",
        ),
        ("actions.t({})", "1:9: `t` is a namespace and not an action"),
        (
            "actions.t.query.url = 1 print(actions.t.query.url)",
            "1:47: `t.query` is an action and has no field `url`",
        ),
        (
            "local t = actions.tt t.query({}) t.other()",
            "1:19: no action 'tt' (did you mean 't'?)",
        ),
        (
            "return actions.has('x') or actions.t.nope",
            "1:38: no action 't.nope'",
        ),
    ]);
}

#[test]
fn possibly_valid_calls_are_not_reported() {
    let scripts = [
        // Known only at run time.
        "local x = ... actions.t.query({ url = x, limit = x.y, tags = { x, x() }, auth = x })",
        "local k = ... actions.t.query({ [k] = 1 })",
        "local p = ... actions.t.query(p) actions.t.query(p())",
        "local k = ... actions[k].x({}) actions.t[k]({})",
        "local x = ... actions.t.full({ mode = x })",
        "actions.t.fixed({ deep = { b = 2 }, other = 1 })",
        "actions.t.query({ url = 'x', tags = {}, auth = {} })",
        // Functions of the repo, tables that create fields on access, and values that the script
        // sets.
        "actions.t.compose('x', 2) actions.open.anything.at.all(1)",
        "actions.t.mine = function() end actions.t.mine(1, 2)",
        "function actions.t.query(x) return x end actions.t.query(5)",
        "local actions = { x = print } actions.x(5)",
        "local q = actions.t.query q = print q('x')",
        "actions = { x = print } actions.x(5)",
        // Globals that exist, that the script sets, or that it only tests.
        "x = 1 print(x, arg, _G, _VERSION, json, parallel, inspect)",
        "if jit then print(jit.version) end return unpack or table.unpack, type(nope)",
        "_G.x = 1 print(x)",
        "local _ENV = { print = print, actions = { x = print } } print(x) actions.x(5)",
        "actions.t.nested({ a = { other = 1 } }) actions.t.nested()",
        "load('x = 1')() print(x)",
        "local function f() return g() end function g() end f()",
        "string.trim = function(s) return s end string.trim('')",
        "local os = { execute = print } os.execute()",
        "print(os.getenv and 1, string.buffer)",
        "local t <close> = setmetatable({}, { __close = print }) goto out ::out::",
        "return (function(...args) return args.n, ... end)(1)",
    ];
    for (script, found) in scripts.iter().zip(all_problems(&scripts)) {
        assert_eq!(found, [""; 0], "{script}");
    }
}

#[test]
fn unknown_globals_are_reported() {
    each_has(&[
        (
            "pritn(1)",
            "1:1: unknown global `pritn` (did you mean `print`?)",
        ),
        ("local f = io.open('x')", "1:11: unknown global `io`"),
        ("os.execute('x')", "1:4: `os` has no `execute` here"),
        ("string.tirm('x')", "1:8: `string` has no `tirm` here"),
        (
            "local x = 1 do local y = x end return y",
            "1:39: unknown global `y`",
        ),
        (
            "return pcall(require, 'x'), define_action",
            "1:29: unknown global `define_action`",
        ),
    ]);
    // Globals that a module sets exist after `require`.
    let with_module = repo().file("actions/lib/names.lua", "shared = 1 return {}");
    with_module
        .file("script.lua", "require('lib.names') print(shared)")
        .option(&["--actions", "actions"])
        .words(&["check", "script.lua"])
        .ends()
        .prints("no problems\n");
}

#[test]
fn the_report_can_be_json() {
    let ran = repo()
        .file("a.lua", "pritn()")
        .file("b.lua", "print()")
        .option(&["--actions", "actions"])
        .words(&["check", "--json", "a.lua", "b.lua"])
        .ends();
    let report: Value = serde_json::from_str(&ran.exits(1).stdout).expect("JSON");
    assert_eq!(report["ok"], false);
    let first = &report["scripts"][0];
    assert_eq!(
        (&first["file"], &first["problems"][0]["line"]),
        (&"a.lua".into(), &1.into())
    );
    assert_eq!(first["problems"][0]["column"], 1);
    assert_eq!(report["scripts"][1]["problems"], serde_json::json!([]));
}

#[test]
fn scripts_without_a_repo_are_checked_too() {
    Kael::new()
        .words(&["check", "-"])
        .stdin("print(1)")
        .ends()
        .prints("no problems\n");
    let ran = Kael::new()
        .words(&["check", "-"])
        .stdin("actions.x({}) actions.y({})")
        .ends();
    assert_eq!(
        ran.exits(1).stdout,
        "stdin:1:1: error: the script calls actions, and no actions repo was given
  hint: use --actions DIR, KAEL_ACTIONS, or `actions_path` in the configuration\n1 problem\n"
    );
    Kael::new()
        .words(&["check", "none.lua"])
        .ends()
        .fails(2, "Error: no such script: `none.lua`\n");
    Kael::new()
        .file("actions/init.lua", "return { a = define_action({}) }")
        .file("a.lua", "")
        .option(&["--actions", "actions"])
        .words(&["check", "a.lua"])
        .ends()
        .fails_with(
            3,
            "Error: actions/init.lua:1: define_action: field 'source' is missing",
        );
}

#[test]
fn a_script_too_large_for_the_linter_passes() {
    let deep = format!("return {}1{}", "{".repeat(150), "}".repeat(150));
    check(&deep).prints("no problems\n");
    let long = format!(
        "local x = 1 return 1{}{}",
        " + x".repeat(100_000),
        " .. x()()".repeat(90)
    );
    check(&long).prints("no problems\n");
    let large = format!("--{}\nreturn nope", "x".repeat(5 << 20));
    let ran = check(&large);
    assert_eq!(
        ran.exits(0).stdout,
        "script.lua: note: it is too large: only its syntax was checked\nno problems\n"
    );
}

#[test]
fn the_examples_match_their_text() {
    for (example, expected) in [
        (
            "hello",
            "script.lua:6:54: error: no action 'text.wordcuont' (did you mean 'text.wordcount'?)",
        ),
        (
            "fleet",
            "script.lua:56:65: error: fleet.metrics: parameter `resolution` is locked by the team",
        ),
        ("wasm-action", "no problems"),
    ] {
        let folder = project("examples").join(example);
        let mut command = Kael::new().command();
        command
            .current_dir(&folder)
            .args(["--actions", "actions", "check", "script.lua"]);
        let output = command.output().expect("the host starts");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(text.lines().next(), Some(expected), "{example}");
    }
}
