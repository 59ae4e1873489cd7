//! Invalid actions repos: the error names the file, the line and the field.

use kael_tests::Kael;

fn load(files: &[(&str, &str)]) -> kael_tests::Ran {
    let session = files.iter().fold(Kael::new(), |session, (path, text)| {
        session.file(&format!("repo/{path}"), text)
    });
    session
        .option(&["--actions", "repo"])
        .run_with(&["-e", "print('ran')"])
        .ends()
}

#[test]
fn a_repo_that_cannot_be_read_is_named() {
    Kael::new()
        .option(&["--actions", "none"])
        .run_with(&["-e", ""])
        .ends()
        .fails_with(
            3,
            "Error: cannot open the actions repo `none`: No such file or directory (os error 2)",
        );
    load(&[("a.lua", "")]).fails(3, "Error: the actions repo `repo` has no init.lua\n");
    load(&[("init.lua", ""), ("a.lua", ""), ("a/init.lua", "")]).fails(
        3,
        "Error: `repo/a.lua` and `repo/a/init.lua` are both the module `a`: remove one\n",
    );
}

#[test]
fn code_that_fails_has_its_place() {
    load(&[("init.lua", "return {")])
        .fails(3, "Error: repo/init.lua:1: unexpected symbol near <eof>\n");
    load(&[("init.lua", "return require('a.b')")])
        .fails_with(3, "Error: repo/init.lua:1: module 'a.b' not found:");
    load(&[
        ("init.lua", "return require('a')"),
        ("a.lua", "return require('b')"),
        ("b.lua", "return require('a')"),
    ])
    .fails_with(3, "Error: repo/b.lua:1: loop of requires: a -> b -> a");
    load(&[("init.lua", "return 5")]).fails_with(
        3,
        "Error: init.lua must return a table of actions, got number",
    );
    load(&[("init.lua", "x.y = 1")]).fails(
        3,
        "Error: repo/init.lua:1: attempt to index a nil value (global 'x')\n  repo/init.lua:1: in main chunk\n",
    );
}

#[test]
fn every_bad_definition_is_reported_at_its_line() {
    load(&[(
        "init.lua",
        "local a = define_action({ source = 'x', executor = 'native', timeuot = 5 })\nlocal b = define_action({\n  source = 'x' })\nreturn { a = a }",
    )])
    .fails(
        3,
        "Error: repo/init.lua:1: define_action: unknown field 'timeuot' (did you mean 'timeout'?)\n  repo/init.lua:2: define_action: field 'executor' is missing\n",
    );
}

#[test]
fn a_definition_that_is_returned_at_once_has_its_line() {
    load(&[
        ("init.lua", "return { a = require('a') }"),
        ("a.lua", "-- a\nreturn define_action({\n  source = 5,\n})"),
    ])
    .fails(
        3,
        "Error: repo/a.lua:2: define_action: field 'source' must be a string, got a number\n  repo/a.lua:2: define_action: field 'executor' is missing\n",
    );
    load(&[
        ("init.lua", "return { a = require('a') }"),
        ("a.lua", "-- a\nreturn define_action('x')"),
    ])
    .fails_with(
        3,
        "Error: repo/a.lua:2: define_action: expected a table, got string",
    );
}

#[test]
fn an_invalid_definition_does_not_hide_the_others() {
    load(&[
        ("init.lua", "define_action()\nlocal t = { a = require('a') }\ndefine_action({ f = print })\nreturn t"),
        ("a.lua", "local a = define_action('x')\ndefine_action({ source = 'x', executor = 'native', description = 5, params = 'strng', returns = 7, one = 1, two = 2 })\nreturn a"),
    ])
    .fails(
        3,
        "Error: repo/init.lua:1: define_action: expected a table, got nil
  repo/a.lua:1: define_action: expected a table, got string
  repo/a.lua:2: define_action: field 'description' must be a string, got a number
  repo/a.lua:2: define_action: field 'params' \"strng\" is not a type (did you mean \"string\"?)
  repo/a.lua:2: define_action: field 'returns' must be a table such as { url = \"string\", limit = \"integer?\" }, or JSON Schema
  repo/a.lua:2: define_action: unknown field 'one'
  repo/a.lua:2: define_action: unknown field 'two'
  repo/init.lua:3: define_action: $.f is a function, which JSON cannot hold
",
    );
}

#[test]
fn a_key_is_a_default_or_locked_and_not_both() {
    load(&[(
        "init.lua",
        "return { a = define_action({ source = 'x', executor = 'native', defaults = { t = { x = 1 } }, locked = { t = { x = 2 } } }) }",
    )])
    .fails(3, "Error: repo/init.lua:1: define_action: field 'defaults': `t.x` is in 'locked', too: keep it in one of them\n");
}

#[test]
fn names_that_are_none_are_refused() {
    load(&[(
        "init.lua",
        "return { ['a b'] = define_action({ source = 'x', executor = 'native' }) }",
    )])
    .says("repo/init.lua:1: define_action: `a b` is not a name for an action")
    .exits(3);
    load(&[(
        "init.lua",
        "return { kael = { print = define_action({ source = 'x', executor = 'native' }) } }",
    )])
    .says("names that start with `kael` are Kael's own")
    .exits(3);
}

#[test]
fn the_repo_calls_no_action_while_it_loads() {
    load(&[("init.lua", "local a = define_action({ source = 'x', executor = 'native' })\na({})\nreturn { a = a }")])
        .fails_with(3, "Error: repo/init.lua:2: this action has no name: the table that init.lua returns does not hold it");
}

#[test]
fn the_script_gets_proxies_and_no_definitions() {
    Kael::new()
        .shell("ok", "", "echo 1")
        .script("print(define_action, type(actions.t.ok), actions.has('t.ok'), (pcall(require, 'script')))")
        .prints("nil\tfunction\ttrue\tfalse\n");
}

#[test]
fn the_output_of_a_repo_is_shown_once_even_if_it_fails() {
    let print = "print('loading')";
    load(&[("init.lua", &format!("{print} return {{}}"))]).prints("loading\nran\n");
    let ran = load(&[("init.lua", &format!("{print} error('no')"))]);
    assert_eq!((ran.code, ran.stdout.as_str()), (3, "loading\n"));
}
