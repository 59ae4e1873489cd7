//! `define_action`, the `actions` tree, and failed actions as error values.

use super::{REPO, definitions, error_of, module, output, run_in};
use crate::bindings::kael::engine::actions::ErrorKind;

fn defined(source: &str) -> Vec<(Vec<String>, u32)> {
    let list = definitions(&[module("init", "init.lua", source)]).expect("the repo loads");
    list.into_iter()
        .map(|definition| (definition.names, definition.line))
        .collect()
}

fn refused(source: &str) -> String {
    definitions(&[module("init", "init.lua", source)])
        .expect_err("the repo is bad")
        .message
}

#[test]
fn the_tree_gives_the_names() {
    let source = "local a = define_action { x = 1 }\nlocal b = define_action { y = {} }\nreturn { n = { b = b }, a = a }";
    let list = definitions(&[module("init", "init.lua", source)]).expect("the repo loads");
    let seen: Vec<_> = list
        .iter()
        .map(|d| (d.names.join(" "), d.file.as_str(), d.line, d.body.as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            ("a".to_owned(), "repo/init.lua", 1, r#"{"x":1}"#),
            ("n.b".to_owned(), "repo/init.lua", 2, r#"{"y":{}}"#)
        ]
    );
}

#[test]
fn what_is_reached_twice_is_named_once_and_cycles_end() {
    let source = "local a = define_action {}\nlocal t = { z = a, b = a }\nt.self = t\nt.also = { t }\nreturn t";
    assert_eq!(defined(source), [(vec!["b".to_owned(), "z".to_owned()], 1)]);
}

#[test]
fn what_the_tree_does_not_hold_has_no_name() {
    assert_eq!(defined("define_action {} return {}"), [(Vec::new(), 1)]);
    let repo = "local hidden = define_action {}\nreturn { call = function() local r = hidden {} return r end }";
    let error = run_in(&[module("init", "init.lua", repo)], "actions.call()").expect_err("no name");
    assert_eq!(
        error.message,
        "repo/init.lua:2: this action has no name: the table that init.lua returns does not hold it"
    );
}

#[test]
fn what_is_no_definition_is_noted_at_its_line_and_the_repo_goes_on() {
    let repo = "define_action(5)\ndefine_action({}, 1)\ndefine_action { defaults = { f = print } }\nlocal ok = define_action({})\nreturn { ok = ok }";
    let all = definitions(&[module("init", "init.lua", repo)]).expect("it loads");
    let told: Vec<_> = all
        .iter()
        .map(|one| (one.line, one.error.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            (1, Some("expected a table, got number")),
            (2, Some("expected one table, got 2 arguments")),
            (
                3,
                Some("$.defaults.f is a function, which JSON cannot hold")
            ),
            (4, None),
        ]
    );
}

#[test]
fn tools_of_a_server_are_actions_by_the_names_of_a_lock() {
    let lock = "return { b = { tool = 'b-1', digest = 'x', params = { n = 'number' } }, a = { tool = 'a-1', digest = 'y' } }";
    let repo = |server: &str| {
        [
            module(
                "init",
                "init.lua",
                &format!("local t = 1\nreturn {{ s = mcp_server({server}) }}"),
            ),
            module("s.lock", "s/lock.lua", lock),
        ]
    };
    let server =
        "{ command = { 'x' }, env = { 'TOKEN' }, lock = 's.lock', effects = { a = 'none' } }";
    let list = definitions(&repo(server)).expect("the repo loads");
    let seen: Vec<_> = list
        .iter()
        .map(|d| (d.names.join(" "), d.line, d.body.as_str()))
        .collect();
    let a = r#"{"command":["x"],"digest":"y","effects":"none","env":["TOKEN"],"executor":"mcp","tool":"a-1"}"#;
    let b = r#"{"command":["x"],"digest":"x","effects":"once","env":["TOKEN"],"executor":"mcp","params":{"n":"number"},"tool":"b-1"}"#;
    assert_eq!(seen, [("s.a".to_owned(), 2, a), ("s.b".to_owned(), 2, b)]);
    for (server, message) in [
        ("5", "expected a table, got number"),
        ("{}, 1", "expected one table, got 2 arguments"),
        (
            "{ url = 'https://x.org' }",
            "field 'lock' must name the module with the tools that were reviewed, such as \"github.lock\"",
        ),
        (
            "{ lock = { 1 } }",
            "the lock is not as kael-host actions mcp add writes it",
        ),
        (
            "{ lock = 's.lock', effects = { aa = 'none' } }",
            "field 'effects': the lock has no tool 'aa' (did you mean 'a'?)",
        ),
    ] {
        let error = definitions(&repo(server)).expect_err("the repo is bad");
        assert_eq!(
            error.message,
            format!("repo/init.lua:2: mcp_server: {message}")
        );
    }
}

#[test]
fn misuse_is_an_error_at_its_line() {
    assert_eq!(
        refused("return 'x'"),
        "init.lua must return a table of actions, got string"
    );
    assert_eq!(
        refused("local x = 1"),
        "init.lua must return a table of actions, got nothing"
    );
}

#[test]
fn define_action_is_gone_when_the_script_runs() {
    for name in ["define_action", "mcp_server"] {
        let repo = format!("return {{ keep = {name}, t = {{}} }}");
        let error =
            run_in(&[module("init", "init.lua", &repo)], "actions.keep({})").expect_err("too late");
        assert_eq!(
            error.message,
            format!("script.lua:1: {name} exists only while the actions repo loads")
        );
    }
}

#[test]
fn functions_and_values_of_the_repo_stay_what_they_are() {
    let repo = REPO.replace(
        "return { t = t }",
        "return { t = t, twice = function(x) return t.echo { x = x * 2 }.x end, version = 7 }",
    );
    let result = run_in(
        &[module("init", "init.lua", &repo)],
        "return { actions.twice(4), actions.version }",
    );
    assert_eq!(result.expect("runs"), "[8,7]");
}

#[test]
fn a_missing_action_says_what_there_is() {
    assert_eq!(
        error_of("actions.t.ecoh {}").message,
        "no action 't.ecoh' (did you mean 't.echo'?)"
    );
    assert_eq!(error_of("actions.zebra.x {}").message, "no action 'zebra'");
    let error = error_of("actions.t.slep {}");
    assert_eq!(
        error.action,
        Some(("t.slep".to_owned(), ErrorKind::UnknownAction))
    );
    assert_eq!(error.traceback, ["script.lua:1: in main chunk"]);
    assert_eq!(
        output("return { actions.has('t.echo'), actions.has('t.x'), actions.has('t') }"),
        "[true,false,false]"
    );
}

#[test]
fn a_failed_action_reads_like_a_string() {
    let source = "local ok, e = pcall(actions.t.fail, {})
        print(e) print('got: ' .. e .. '!') print(e:match('refused')) print(#e)
        print(e.action, e.kind, e.message, e.detail.exit_code, e.detail.stderr)";
    assert_eq!(
        output(source),
        "t.fail failed: connection refused\ngot: t.fail failed: connection refused!\nrefused\n33\n\
         t.fail\tfailed\tconnection refused\t1\tx\n\n"
    );
}

#[test]
fn an_uncaught_failure_names_its_action_and_has_its_frames() {
    let error = error_of("local function scale()\n  actions.t.fail {}\nend\nscale()");
    assert_eq!(error.message, "t.fail failed: connection refused");
    assert_eq!(error.action, Some(("t.fail".to_owned(), ErrorKind::Failed)));
    assert_eq!(
        error.traceback,
        [
            "script.lua:2: in local 'scale'",
            "script.lua:4: in main chunk"
        ]
    );
}

#[test]
fn parameters_are_one_table_that_json_can_hold() {
    assert_eq!(
        error_of("actions.t.echo(5)").message,
        "t.echo failed: parameters must be a table, got number"
    );
    assert_eq!(
        error_of("actions.t.echo({}, 1)").message,
        "t.echo failed: parameters must be one table, got 2 arguments"
    );
    assert_eq!(
        error_of("actions.t.echo { rows = { { value = 0/0 } } }").message,
        "t.echo failed: parameter $.rows[1].value is NaN, which JSON cannot hold"
    );
    assert_eq!(
        error_of("actions.t.echo { f = print }").action,
        Some(("t.echo".to_owned(), ErrorKind::InvalidParams))
    );
    assert_eq!(output("return actions.t.echo()"), "{}");
}

#[test]
fn what_is_reported_of_a_failure_is_not_the_scripts_to_change() {
    let error = error_of(
        "local _, e = pcall(actions.t.fail, {}) e.action, e.kind, e.message = 'x.y', 'denied', 'by the policy' error(e)",
    );
    assert_eq!(error.message, "t.fail failed: connection refused");
    assert_eq!(error.action, Some(("t.fail".to_owned(), ErrorKind::Failed)));
}

#[test]
fn the_handle_of_a_secret_is_its_name() {
    assert_eq!(
        output(
            "local s = secret('a/b')
            print(s, tostring(s), 'x' .. s .. 'y', #s, inspect({ s }), json.encode({ t = s }), json.pretty(s))
            print(getmetatable(s), pcall(setmetatable, s, {}))
            local back = actions.t.echo({ token = s, list = { s } })
            print(back.token, back.list[1], json.encode(back))
            local other = actions.t.echo({ x = { ['$secret'] = 'a', y = 1 }, z = { ['$secret'] = 2 } })
            print(json.encode(other), json.decode('{\"$secret\":\"q\"}')['$secret'])
            rawset(s, '$secret', {})
            print(s, json.encode(s))"
        ),
        "[secret a/b]\t[secret a/b]\tx[secret a/b]y\t12\t{ [secret a/b] }\t{\"t\":\"[secret a/b]\"}\t\"[secret a/b]\"
secret\tfalse\tcannot change a protected metatable
[secret a/b]\t[secret a/b]\t{\"list\":[\"[secret a/b]\"],\"token\":\"[secret a/b]\"}
{\"x\":{\"$secret\":\"a\",\"y\":1},\"z\":{\"$secret\":2}}\tq
[secret ?]\t\"[secret ?]\"
"
    );
    assert_eq!(
        error_of("secret(1)").message,
        "script.lua:1: secret: expected the name of a secret, got number"
    );
    let source = "return { a = define_action { locked = { t = secret('x') } } }";
    let list = definitions(&[module("init", "init.lua", source)]).expect("the repo loads");
    assert_eq!(list[0].body, r#"{"locked":{"t":{"$secret":"x"}}}"#);
}
