//! What a script finds in its global environment, and what it does not.

use super::{output, problem};

#[test]
fn what_has_no_place_is_gone() {
    for name in [
        "io",
        "dofile",
        "loadfile",
        "define_action",
        "os.execute",
        "os.exit",
        "os.getenv",
        "os.remove",
        "os.rename",
        "os.tmpname",
        "os.setlocale",
        "debug.getregistry",
        "debug.sethook",
        "debug.getupvalue",
        "debug.getinfo",
        "debug.setmetatable",
        "debug.getlocal",
        "package.loadlib",
        "package.cpath",
        "package.path",
        "package.searchers",
        "package.searchpath",
        "string.dump",
    ] {
        assert_eq!(output(&format!("return {name} == nil")), "true", "{name}");
    }
}

#[test]
fn the_globals_are_these_and_no_others() {
    let names = "local l = {} for k in pairs(_G) do l[#l + 1] = k end table.sort(l) return table.concat(l, ' ')";
    assert_eq!(
        output(names),
        "\"_G _VERSION actions arg assert collectgarbage coroutine count debug error getmetatable inspect ipairs jq json \
         keys load math next os package pairs parallel pcall pluck pp print race rawequal rawget rawlen rawset report require \
         select setmetatable string table tonumber tostring type utf8 warn xpcall\""
    );
}

#[test]
fn load_takes_text_only() {
    assert_eq!(output("return load('return 1')()"), "1");
    assert_eq!(
        output("return load('return x', 'c', 't', { x = 2 })()"),
        "2"
    );
    assert_eq!(
        output("return load('return x', 'c', nil, { x = 3 })()"),
        "3"
    );
    assert_eq!(
        output("return (select(2, load('\\27Lua', 'c', 'b')))"),
        "\"attempt to load a binary chunk (only text is allowed)\""
    );
    assert_eq!(output("return load('\\27Lua') == nil"), "true");
    assert_eq!(output("return load('\\27Lua', 'c', 'bt') == nil"), "true");
    assert_eq!(
        output("return (select(2, load('x ==', '=c')))"),
        "\"c:1: syntax error near '=='\""
    );
}

#[test]
fn the_script_has_its_arguments() {
    assert_eq!(
        output("return { arg[0], arg[1], (...) }"),
        r#"["script.lua","one","one"]"#
    );
}

#[test]
fn random_numbers_come_from_the_seed_of_the_run() {
    let two = "return { math.random(1000000), math.random(1000000) }";
    assert_eq!(output(two), output(two));
}

#[test]
fn print_goes_through_the_gate() {
    assert_eq!(
        output(
            "print(1, 2.5, nil, 'x') print() print(setmetatable({}, { __tostring = function() return 'T' end }))"
        ),
        "1\t2.5\tnil\tx\n\nT\n"
    );
}

#[test]
fn an_error_has_its_place_and_the_frames_of_the_user() {
    let problem = problem(
        "local function inner() local x = nil; return x.y end\nlocal function outer() inner() end\nouter()",
    );
    assert_eq!(
        problem.message,
        "script.lua:1: attempt to index a nil value (local 'x')"
    );
    assert_eq!(
        problem.traceback,
        [
            "script.lua:1: in upvalue 'inner'",
            "script.lua:2: in local 'outer'",
            "script.lua:3: in main chunk"
        ]
    );
}

#[test]
fn an_error_in_a_branch_keeps_the_frames_of_the_branch() {
    let problem =
        problem("local function work()\n  error('boom')\nend\nparallel(function() work() end)");
    assert_eq!(problem.message, "script.lua:2: boom");
    let trace = problem.traceback.join("\n");
    assert!(trace.contains("script.lua:2: in upvalue 'work'"), "{trace}");
    assert!(trace.ends_with("script.lua:4: in main chunk"), "{trace}");
    assert!(!trace.contains("kael"), "{trace}");
}

#[test]
fn a_traceback_shows_no_frame_of_the_runtime() {
    let text = output("local function f() return (debug.traceback('here')) end print(f())");
    assert_eq!(
        text,
        "here\nstack traceback:\n\tscript.lua:1: in local 'f'\n\tscript.lua:1: in main chunk\n"
    );
}

#[test]
fn errors_that_are_no_strings_are_described() {
    assert_eq!(
        problem("error({})").message,
        "(error object is a table value)"
    );
    assert_eq!(
        problem("error(setmetatable({}, { __tostring = function() return 'T' end }))").message,
        "T"
    );
    assert_eq!(
        problem("error(setmetatable({}, { __tostring = function() error('x') end }))").message,
        "(error object is a table value)"
    );
}

#[test]
fn helpers_help() {
    assert_eq!(
        output("print(inspect({ 1, 'a', { x = 1, ['y z'] = true } }))"),
        "{ 1, \"a\", { x = 1, [\"y z\"] = true } }\n"
    );
    assert_eq!(
        output("local t = {} t.t = t print(inspect(t))"),
        "{ t = <cycle> }\n"
    );
    assert_eq!(output("pp({ a = { b = {} } }, 1)"), "{ a = {...} }\n");
    assert_eq!(
        output(
            "return { keys { b = 1, a = 2 }, pluck({ { n = 1 }, {}, { n = 3 } }, 'n'), count { 1, 2, x = 3 } }"
        ),
        r#"[["a","b"],[1,3],3]"#
    );
    assert_eq!(
        output("return count({ 1, 2, 3 }, function(v) return v > 1 end)"),
        "2"
    );
}

#[test]
fn json_is_there_for_scripts() {
    assert_eq!(output("return json.decode('[1,{\"a\":null}]')"), "[1,{}]");
    assert_eq!(
        output("return json.decode('{\"a\":null}', { null = json.null }).a == json.null"),
        "true"
    );
    assert_eq!(
        output("return { json.array {}, json.array(), {} }"),
        "[[],[],{}]"
    );
    assert_eq!(
        problem("json.encode({ f = print })").message,
        "script.lua:1: json.encode: $.f is a function, which JSON cannot hold"
    );
    assert_eq!(
        problem("json.decode('{')").message,
        "script.lua:1: json.decode: EOF while parsing an object at line 1 column 1"
    );
}

#[test]
fn a_first_line_for_the_shell_is_skipped() {
    assert_eq!(
        output("#!/usr/bin/env kael\nlocal t = debug.traceback() return t"),
        "\"stack traceback:\\n\\tscript.lua:2: in main chunk\""
    );
}
