//! What a script finds in its global environment, and what it does not.

use super::{error_of, output};

#[test]
fn what_has_no_place_is_gone() {
    for name in [
        "io",
        "dofile",
        "loadfile",
        "define_action",
        "mcp_server",
        "os.execute",
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
        "\"_G _VERSION actions arg assert base64 collectgarbage coroutine count crypto db debug env error fs getmetatable http \
         input inputs inspect ipairs jq json keys load log math next now os package pairs parallel pcall pluck pp print race \
         rawequal rawget rawlen rawset regex report require runs secret select setmetatable sleep status string table time toml \
         tonumber tostring type utf8 wait_for warn xpcall yaml\""
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
    let error = error_of(
        "local function inner() local x = nil; return x.y end\nlocal function outer() inner() end\nouter()",
    );
    assert_eq!(
        error.message,
        "script.lua:1: attempt to index a nil value (local 'x')"
    );
    assert_eq!(
        error.traceback,
        [
            "script.lua:1: in upvalue 'inner'",
            "script.lua:2: in local 'outer'",
            "script.lua:3: in main chunk"
        ]
    );
}

#[test]
fn an_error_in_a_branch_keeps_the_frames_of_the_branch() {
    let error =
        error_of("local function work()\n  error('boom')\nend\nparallel(function() work() end)");
    assert_eq!(error.message, "script.lua:2: boom");
    let trace = error.traceback.join("\n");
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
        error_of("error({})").message,
        "(error object is a table value)"
    );
    assert_eq!(
        error_of("error(setmetatable({}, { __tostring = function() return 'T' end }))").message,
        "T"
    );
    assert_eq!(
        error_of("error(setmetatable({}, { __tostring = function() error('x') end }))").message,
        "(error object is a table value)"
    );
}

#[test]
fn a_table_that_is_raised_is_shown_with_its_fields() {
    let says = |code: &str| error_of(code).message;
    assert_eq!(
        says("error({ code = 503, message = 'maintenance' })"),
        "{ code = 503, message = \"maintenance\" }"
    );
    assert_eq!(
        says("error({ 'a', { b = {} }, [true] = print, ['x y'] = json.null, n = 1.5 })"),
        "{ \"a\", { b = {} }, n = 1.5, [\"x y\"] = json.null, [true] = <function> }"
    );
    assert_eq!(
        says("local t = {} t.self = t error(t)"),
        "{ self = <cycle> }"
    );
    // The error of an action keeps its words.
    assert_eq!(
        says("local _, e = pcall(actions.t.fail) error({ cause = e })"),
        "{ cause = \"t.fail failed: connection refused\" }"
    );
    // It is raised again by `parallel`, and calls nothing of the script's.
    assert_eq!(
        says(
            "parallel(function() error(setmetatable({ a = 1 }, { __pairs = error, __index = error })) end)"
        ),
        "{ a = 1 }"
    );
}

#[test]
fn what_is_shown_of_a_table_that_is_raised_is_bounded() {
    for code in [
        "local t = {} for i = 1, 1e5 do t[i] = ('x'):rep(1000) end error(t)",
        "local t = {} for i = 1, 1e4 do t[('k'):rep(1000) .. i] = { i } end error(t)",
        "local t = {} for i = 1, 1e4 do t = { t, t } end error(t)",
    ] {
        let message = error_of(code).message;
        assert!(message.len() < 30_000, "{}", message.len());
        assert!(message.contains("..."), "{message}");
    }
}

#[test]
fn bytes_that_are_no_text_are_printed_as_they_are() {
    assert_eq!(
        output("print('caf\\xe9', '\\0')"),
        "<63><61><66><e9><09><00><0a>"
    );
    assert_eq!(output("print('café')"), "café\n");
}

#[test]
fn package_has_the_texts_that_programs_look_at() {
    assert_eq!(output("return package.config:sub(1, 1)"), "\"/\"");
    assert_eq!(
        output(
            "package.path = 'lib/?.lua;' .. package.path return { package.path, package.cpath }"
        ),
        r#"["lib/?.lua;./?.lua;./?/init.lua",""]"#
    );
    // Five lines, as the manual has them.
    assert_eq!(
        output("local n = 0 for _ in package.config:gmatch('[^\\n]+') do n = n + 1 end return n"),
        "5"
    );
}

#[test]
fn a_run_ends_with_the_code_that_it_asks_for() {
    // The host of these tests refuses to end.
    for (call, code) in [
        ("os.exit()", 0),
        ("os.exit(true)", 0),
        ("os.exit(false)", 1),
        ("os.exit(3)", 3),
        ("os.exit(3.0, true)", 3),
        ("os.exit(256 + 7)", 7),
        ("os.exit(-1)", 255),
    ] {
        let said = error_of(call).message;
        assert_eq!(
            said,
            format!("script.lua:1: os.exit: it would end with {code}"),
            "{call}"
        );
    }
    assert_eq!(
        error_of("os.exit('1')").message,
        "script.lua:1: bad argument #1 to 'exit' (number expected, got string)"
    );
    assert_eq!(
        error_of("os.exit(1.5)").message,
        "script.lua:1: bad argument #1 to 'exit' (number has no integer representation)"
    );
}

#[test]
fn an_option_that_there_is_not_is_an_error() {
    for (call, error) in [
        (
            "json.decode('1', { nul = json.null })",
            "json.decode: no option 'nul' (there is: null)",
        ),
        (
            "json.decode('1', { null = 0 })",
            "json.decode: the option 'null' can be json.null, got 0",
        ),
        (
            "jq(1, '.', nil, { nulls = true })",
            "jq: no option 'nulls' (there is: null)",
        ),
        (
            "jq(1, '\\xff')",
            "jq: the filter is a string that is not UTF-8",
        ),
    ] {
        assert_eq!(
            super::error_of(call).message,
            format!("script.lua:1: {error}")
        );
    }
}

#[test]
fn warnings_are_off_until_they_are_wanted() {
    assert_eq!(
        output(
            "warn('lost') warn('@on') warn('a', 1) warn('@other') warn('@off') warn('lost') print(1)"
        ),
        "warning: a1\n1\n"
    );
    assert_eq!(
        error_of("warn()").message,
        "script.lua:1: bad argument #1 to 'warn' (string expected, got no value)"
    );
}

#[test]
fn what_was_given_on_stdin_and_in_files_is_there_to_the_byte() {
    assert_eq!(
        output("return { #input(), input():byte(1, -1) }"),
        "[5,99,97,102,233,0]"
    );
    assert_eq!(
        output("return { #inputs.data, inputs.data:byte(1, -1) }"),
        "[3,97,255,0]"
    );
    assert_eq!(output("return inputs.other == nil"), "true");
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
        error_of("json.encode({ f = print })").message,
        "script.lua:1: json.encode: $.f is a function, which JSON cannot hold"
    );
    assert_eq!(
        error_of("json.decode('{')").message,
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
