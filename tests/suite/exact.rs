//! Values cross between a script and the world unchanged, or with an error; docs/conversions.md has
//! the list.

use kael_tests::Kael;
use serde_json::Value;

/// The stdout of a command that succeeds with an empty stderr.
#[track_caller]
fn stdout(session: &Kael) -> Vec<u8> {
    let output = session.start().wait_with_output().expect("the host ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.as_ref()), (Some(0), ""));
    output.stdout
}

#[test]
fn an_integer_beyond_64_bits_is_an_error_everywhere() {
    let session = || {
        Kael::new().shell(
            "id",
            "",
            r#"echo '{"id":18446744073709551615,"hash":12345678901234567890}'"#,
        )
    };
    session().script("actions.t.id()").fails_with(
        6,
        "Error: t.id failed: printed a number that no script can hold: the number 18446744073709551615 does \
         not fit into 64 bits and would be rounded (write it as a text), at line 1 column 7",
    );
    session()
        .script("local ok, e = pcall(actions.t.id) print(ok, e.kind)")
        .prints("false\tbad_output\n");
    // 64-bit integers are exact, and floats stay floats.
    Kael::new()
        .shell(
            "id",
            "",
            r#"echo '[9223372036854775807,-9223372036854775808,1e20]'"#,
        )
        .script("print(json.encode(actions.t.id()))")
        .prints("[9223372036854775807,-9223372036854775808,1e+20]\n");
}

#[test]
fn print_writes_any_bytes() {
    let code = r#"print("caf\xe9") print("\0\x80\xff", "é")"#;
    let session = Kael::new().words(&["run", "-e", code]);
    assert_eq!(stdout(&session), b"caf\xe9\n\0\x80\xff\t\xc3\xa9\n");
    // JSON has no bytes.
    let ran = Kael::new().words(&["run", "--json", "-e", code]).ends();
    let report: Value = serde_json::from_str(&ran.exits(0).stdout).expect("a report");
    assert_eq!(report["output"], "caf\u{fffd}\n\0\u{fffd}\u{fffd}\té\n");
    // The limit of output counts bytes, and never cuts a character.
    let cut = Kael::new().words(&["run", "--max-output", "4B", "-e", "print('aaé\\xe9')"]);
    let output = cut.start().wait_with_output().expect("the host ends");
    assert_eq!(
        (output.status.code(), &output.stdout[..]),
        (Some(5), "aaé".as_bytes())
    );
}

#[test]
fn a_script_may_hold_any_bytes() {
    let latin = b"-- caf\xe9\nprint(#'\xe9\xff')\n";
    let session = Kael::new().file("script.lua", latin);
    assert_eq!(stdout(&session.words(&["run", "script.lua"])), b"2\n");
    let session = Kael::new().file("script.lua", latin);
    assert_eq!(
        stdout(&session.words(&["check", "script.lua"])),
        b"no problems\n"
    );
    let session = Kael::new().file("script.lua", b"-- \xe9\nlocal x = = 1\n");
    session
        .words(&["run", "script.lua"])
        .ends()
        .fails_with(1, "Error: script.lua:2: unexpected symbol near '='");
}

#[test]
fn finalisers_run_at_the_end_of_a_run() {
    Kael::new()
        .script(
            "KEEP = setmetatable({}, { __gc = function() print('first made') end })
             local t = setmetatable({}, { __gc = function() print('last made') error('lost') end })
             print('body')",
        )
        .prints("body\nlast made\nfirst made\n");
    // Also after an error. Finalisers may call actions.
    let ran = Kael::new()
        .shell("echo", "", "cat")
        .script("KEEP = setmetatable({}, { __gc = function() print(actions.t.echo({ n = 1 }).n) end })\nerror('no')");
    assert_eq!(ran.exits(1).stdout, "1\n");
    // Finalisers that are created meanwhile do not run, and the limits apply.
    Kael::new()
        .script("local function again() setmetatable({}, { __gc = again }) print(1) end again()")
        .prints("1\n1\n");
    let ran = Kael::new()
        .run_with(&["--max-cpu", "200ms"])
        .script("KEEP = setmetatable({}, { __gc = function() while true do end end })");
    ran.exits(5).says("the script computed for");
    // The script's result is computed before finalisers run.
    let ran = Kael::new()
        .run_with(&["--json"])
        .script("local t = setmetatable({ 1 }, { __gc = function(t) t[1] = 2 end }) return t");
    let report: Value = serde_json::from_str(&ran.exits(0).stdout).expect("a report");
    assert_eq!(report["result"], serde_json::json!([1]));
}

#[test]
fn stdin_and_files_reach_a_script_to_the_byte() {
    let session = Kael::new()
        .file("data.bin", b"a\xff\0b")
        .file("names.txt", "ann\n")
        .stdin("one\ntwo\n")
        .words(&["run", "--input", "data=data.bin", "--input", "names=names.txt", "-e"])
        .words(&["print(#input(), input() == input(), inputs.data:byte(1, -1)) print(inputs.names, inputs.other)"]);
    assert_eq!(stdout(&session), b"8\ttrue\t97\t255\t0\t98\nann\n\tnil\n");
    for (given, error) in [
        (
            "x",
            "--input takes NAME=FILE, with a NAME of letters, digits and `_`, got `x`",
        ),
        (
            "a b=data.bin",
            "--input takes NAME=FILE, with a NAME of letters, digits and `_`, got `a b=data.bin`",
        ),
        (
            "a=",
            "--input takes NAME=FILE, with a NAME of letters, digits and `_`, got `a=`",
        ),
        (
            "a=none",
            "cannot read `none` for --input a: No such file or directory (os error 2)",
        ),
    ] {
        let ran = Kael::new()
            .words(&["run", "--input", given, "-e", "print(1)"])
            .ends();
        ran.fails_with(2, &format!("Error: {error}"));
    }
    // A script from stdin uses stdin up.
    Kael::new()
        .stdin("print(pcall(input))")
        .words(&["run", "-"])
        .ends()
        .prints("false\tinput: this script is given none: `kael-host run SCRIPT < FILE` gives it stdin\n");
}

/// The limits end a run that waits for stdin.
#[test]
fn a_stdin_that_never_ends_ends_with_the_run() {
    let session = Kael::new();
    let mut command = session.command();
    command.args(["run", "--timeout", "1s", "-e", "input()"]);
    command
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let mut child = command.spawn().expect("the host starts");
    let held = child.stdin.take();
    let output = child.wait_with_output().expect("the host ends");
    drop(held);
    assert_eq!(output.status.code(), Some(5));
}

#[test]
fn a_run_ends_with_the_code_that_its_script_gives() {
    for (code, exit) in [
        ("os.exit(3)", 3),
        ("os.exit(false)", 1),
        ("pcall(os.exit, 7) print('on')", 7),
        (
            "parallel(function() os.exit(9) end, function() actions.t.nap() end)",
            9,
        ),
        ("coroutine.wrap(function() os.exit(4) end)()", 4),
        ("setmetatable({}, { __gc = function() os.exit(5) end })", 5),
    ] {
        let ran = Kael::new().shell("nap", "", "sleep 30").script(code);
        assert_eq!(ran.exits(exit).stdout, "", "{code}");
        assert_eq!(ran.stderr, "", "{code}");
    }
    Kael::new()
        .script("print('before') os.exit() print('after')")
        .prints("before\n");
    // As in Lua, finalisers run only with the second argument.
    Kael::new()
        .script("KEEP = setmetatable({}, { __gc = function() print('gc') end }) os.exit(0)")
        .prints("");
    let ran = Kael::new()
        .run_with(&["--json"])
        .script("print(1) os.exit(2)");
    let report: Value = serde_json::from_str(&ran.exits(2).stdout).expect("a report");
    assert_eq!(
        (
            &report["ok"],
            &report["exit_code"],
            &report["output"],
            &report["error"]
        ),
        (
            &Value::Bool(false),
            &Value::from(2),
            &Value::from("1\n"),
            &Value::Null
        )
    );
    // A repo cannot exit while it loads.
    Kael::new()
        .file("actions/init.lua", "os.exit(0)")
        .option(&["--actions", "actions"])
        .script("print(1)")
        .fails_with(
            3,
            "Error: actions/init.lua:1: os.exit: a run cannot be ended while the actions repo loads",
        );
    // A session ends, too.
    let ran = Kael::new()
        .stdin("print(1)\nos.exit(6)\nprint(2)\n")
        .words(&["repl"])
        .ends();
    assert_eq!(ran.exits(6).stdout, "1\n");
}

#[test]
fn sleeping_is_waiting() {
    let ran = Kael::new()
        .run_with(&["--json", "--max-cpu", "200ms"])
        .script(
            "local t = os.time()
         sleep(0.4)
         parallel(function() sleep(0.4) end, function() sleep(0.4) end)
         local winner = race(function() sleep(60) end, function() sleep(0.1) end)
         return { winner, os.clock() < 0.2 }",
        );
    let report: Value = serde_json::from_str(&ran.exits(0).stdout).expect("a report");
    assert_eq!(report["result"], serde_json::json!([2, true]));
    let wall = report["usage"]["wall_ms"].as_f64().expect("a number");
    assert!((800.0..30_000.0).contains(&wall), "{wall}");
    // It does not count as a call, and the time limit applies.
    assert_eq!(report["usage"]["calls"], 0);
    let ran = Kael::new()
        .run_with(&["--timeout", "300ms"])
        .script("sleep(60)");
    ran.exits(5);
}

#[test]
fn an_error_that_is_a_table_is_shown_with_its_fields() {
    let code = "error({ code = 503, message = 'maintenance' })";
    Kael::new()
        .script(code)
        .fails_with(1, "Error: { code = 503, message = \"maintenance\" }");
    let ran = Kael::new().run_with(&["--json"]).script(code);
    let report: Value = serde_json::from_str(&ran.exits(1).stdout).expect("a report");
    assert_eq!(
        report["error"]["message"],
        "{ code = 503, message = \"maintenance\" }"
    );
}

/// The search compares sixty-four positions at once and the rest one by one. Every length and
/// position must give the result of a pattern.
#[test]
fn plain_find_works_at_every_position() {
    let script = r##"
        local function slow(s, p, init)
          for at = init, #s - #p + 1 do if s:sub(at, at + #p - 1) == p then return at, at + #p - 1 end end
        end
        local texts = { ("ab"):rep(100), ("a"):rep(200), ("x"):rep(63) .. "needle" .. ("x"):rep(80), "\0\0a\0" }
        local parts = { "a", "b", "ab", "ba", "aaaa", "needle", "xn", "ex", ("a"):rep(64), ("a"):rep(200), ("a"):rep(201), "\0a", "zzz",
          ("ab"):rep(20) .. "x", ("x"):rep(17) .. "n" }
        local tried = 0
        for _, s in ipairs(texts) do
          for _, p in ipairs(parts) do
            for init = 1, #s + 1 do
              local a, b = s:find(p, init, true)
              local c, d = slow(s, p, init)
              assert(a == c and b == d, p .. " from " .. init)
              tried = tried + 1
            end
          end
        end
        print(tried > 5000)"##;
    Kael::new().script(script).prints("true\n");
}

/// It was fifty times slower before. The bound leaves room for a busy machine.
#[test]
fn a_search_over_much_text_takes_no_time() {
    let code = "local s = ('lorem ipsum dolor '):rep(1000) local c = os.clock() \
                for i = 1, 20000 do s:find('zzz', 1, true) end print(os.clock() - c < 0.25)";
    Kael::new().script(code).prints("true\n");
}

#[test]
fn rows_of_the_conversions_hold() {
    let shell = "printf 'a,b\\r1,2\\r\\n3'";
    Kael::new()
        .shell("lines", "output = 'lines'", shell)
        .shell("csv", "output = 'csv'", shell)
        .script(
            "print(1 / 3, 2 ^ 53, 1e15, -0.0) \
             print(json.encode { jq({ 1, 2 }, '[limit(-1; .[])]'), jq({ 1 }, 'reduce .[] as $x (0; empty)') or 'nothing' }) \
             print(jq('a\\nb', 'test(\"a.b\"; \"s\")'), jq('a\\nb', 'test(\"a.b\")')) \
             print(json.encode(actions.t.lines())) print(select(2, pcall(actions.t.csv)))",
        )
        .prints(
            "0.33333333333333331\t9007199254740992.0\t1e+15\t-0.0\n[[],\"nothing\"]\ntrue\tfalse\n\
             [\"a,b\\r1,2\",\"3\"]\n\
             t.csv failed: line 1: a carriage return within a field: lines end with LF or CRLF, and a field that holds one is quoted\n",
        );
    let session = Kael::new();
    let mut command = session.command();
    let argument = std::os::unix::ffi::OsStringExt::from_vec(b"caf\xe9".to_vec());
    let argument: std::ffi::OsString = argument;
    let ended = command
        .args(["run", "-e", "print(1)"])
        .arg(argument)
        .output()
        .expect("it starts");
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(said.contains("is not UTF-8"), "{said}");
    Kael::new()
        .script("error('caf\\xe9', 0)")
        .fails(1, "Error: caf\u{fffd}\n  script.lua:1: in main chunk\n");
    Kael::new()
        .file("actions/init.lua", b"return {} -- caf\xe9")
        .option(&["--actions", "actions"])
        .words(&["run", "-e", "print(1)"])
        .ends()
        .exits(3)
        .says("Error: `actions/init.lua` is not UTF-8 text (byte 16)");
}

#[test]
fn a_nan_has_the_same_bits_on_every_machine() {
    let code = "local nan = 0/0 print(nan, -nan, string.pack('>d', nan):byte(1, 2)) \
                print(string.pack('>d', math.huge - math.huge):byte(1, 2))";
    Kael::new()
        .words(&["run", "-e", code])
        .ends()
        .prints("nan\t-nan\t127\t248\n127\t248\n");
}
