//! `require` over the modules of the repo.

use super::{definitions, module, run_in};

fn run(files: &[(&str, &str, &str)], source: &str) -> Result<String, String> {
    let modules: Vec<_> = files
        .iter()
        .map(|(name, path, text)| module(name, path, text))
        .collect();
    run_in(&modules, source).map_err(|error| error.message)
}

#[test]
fn modules_are_found_by_name_and_loaded_once() {
    let files = [
        ("init", "init.lua", "N = 0 return { a = require('a.b') }"),
        (
            "a.b",
            "a/b.lua",
            "N = N + 1 local name, path = ... return { name = name, path = path }",
        ),
    ];
    let result = run(
        &files,
        "local m = require('a.b') return { m.name, m.path, N, actions.a == m }",
    );
    assert_eq!(result.as_deref(), Ok(r#"["a.b","a/b.lua",1,true]"#));
}

#[test]
fn a_missing_module_says_where_it_was_looked_for() {
    let result = run(&[("init", "init.lua", "return {}")], "require('a.b')");
    let expected = "script.lua:1: module 'a.b' not found:\n\tno field package.preload['a.b']\n\t\
                    no file 'a/b.lua' in the actions repo\n\tno file 'a/b/init.lua' in the actions repo";
    assert_eq!(result, Err(expected.to_owned()));
}

#[test]
fn a_loop_is_named() {
    let files = [
        ("init", "init.lua", "return require('a')"),
        ("a", "a.lua", "return require('b')"),
        ("b", "b.lua", "return require('a')"),
    ];
    let modules: Vec<_> = files
        .iter()
        .map(|(name, path, text)| module(name, path, text))
        .collect();
    let error = definitions(&modules).expect_err("a loop");
    assert_eq!(error.message, "repo/b.lua:1: loop of requires: a -> b -> a");
}

#[test]
fn a_module_that_failed_can_be_tried_again() {
    let files = [
        ("init", "init.lua", "return {}"),
        ("bad", "bad.lua", "error('no')"),
    ];
    let twice =
        "local _, a = pcall(require, 'bad') local _, b = pcall(require, 'bad') return { a, b }";
    assert_eq!(
        run(&files, twice).as_deref(),
        Ok(r#"["repo/bad.lua:1: no","repo/bad.lua:1: no"]"#)
    );
}

#[test]
fn a_syntax_error_names_the_file() {
    let files = [("init", "init.lua", "return {")];
    assert_eq!(
        run(&files, ""),
        Err("repo/init.lua:1: unexpected symbol near <eof>".to_owned())
    );
}

#[test]
fn strange_names_find_nothing() {
    for name in ["..", "/etc/passwd", "script", "a\\0b", ""] {
        let result = run(
            &[("init", "init.lua", "return {}")],
            &format!("require('{name}')"),
        );
        assert!(
            result.expect_err("not found").contains("not found"),
            "{name}"
        );
    }
    let result = run(
        &[("init", "init.lua", "return {}")],
        "require(('x'):rep(65536))",
    );
    assert!(result.expect_err("not found").len() < 2000);
}

#[test]
fn preloaded_modules_come_first() {
    let source =
        "package.preload.x = function(name, how) return name .. how end return require('x')";
    assert_eq!(
        run(&[("init", "init.lua", "return {}")], source).as_deref(),
        Ok("\"x:preload:\"")
    );
}

#[test]
fn two_branches_may_load_a_module_that_waits() {
    let files = [
        (
            "init",
            "init.lua",
            &super::REPO.replace("return { t = t }", "T = t return { t = t }")[..],
        ),
        ("slow", "slow.lua", "T.sleep { ms = 5 } return { n = 1 }"),
    ];
    let source = "local a, b = parallel(function() return require('slow') end, function() return require('slow') end)
                  return { a == b, a.n }";
    assert_eq!(run(&files, source).as_deref(), Ok("[true,1]"));
}
