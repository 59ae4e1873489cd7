//! Actions that are WASI commands: their grants, and every limit.

mod component;
mod files;
mod folders;
mod gate;
mod http;
mod long_instructions;
mod network;
mod server;
mod trusted;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::OnceLock;

use component::component;
use kael_tests::{Kael, project};

/// The probe as a core module for wasip1.
fn module() -> Vec<u8> {
    fs::read(project("tests/fixtures/probe.wasm")).expect("a fixture")
}

/// The probe as a WASI 0.2 component with sockets.
fn sockets() -> Vec<u8> {
    static SOCKETS: OnceLock<Vec<u8>> = OnceLock::new();
    let make =
        || component(&fs::read(project("tests/fixtures/probe-sockets.wasm")).expect("a fixture"));
    SOCKETS.get_or_init(make).clone()
}

/// `t.m` runs the probe as a core module and `t.c` as a component, with the same fields.
fn both(fields: &str) -> Kael {
    static COMPONENT: OnceLock<Vec<u8>> = OnceLock::new();
    let component = COMPONENT.get_or_init(|| component(&module()));
    define(
        define(shared(), "m", &module(), fields),
        "c",
        component,
        fields,
    )
}

/// A session that shares its compiled files with the other tests, so that the probe is compiled
/// once.
fn shared() -> Kael {
    let data = project("target/test-data").join("wasm-tests");
    fs::create_dir_all(&data).expect("a folder");
    Kael::new().env("KAEL_DATA", &data.display().to_string())
}

fn define(session: Kael, name: &str, file: &[u8], fields: &str) -> Kael {
    let fields =
        format!("source = '../impl', entrypoint = '{name}.wasm', executor = 'wasm', {fields}");
    session
        .file(&format!("impl/{name}.wasm"), file)
        .define(name, &fields)
}

/// `t.a` is this text, assembled.
fn wat(fields: &str, text: &str) -> Kael {
    define(
        shared(),
        "a",
        &wat::parse_str(text).expect("text of WebAssembly"),
        fields,
    )
}

/// Prints the outcomes of `t.m` and `t.c` with these parameters, one line each.
fn asks(session: Kael, params: &str) -> kael_tests::Ran {
    let code = format!(
        "for _, a in ipairs({{ actions.t.m, actions.t.c }}) do
           local ok, r = pcall(a, {params})
           if ok then print(json.encode(r)) else print(r.kind, r.message) end
         end"
    );
    session.script(&code)
}

/// Asserts that both give this answer.
#[track_caller]
fn answers(session: Kael, params: &str, line: &str) {
    asks(session, params).prints(&format!("{line}\n{line}\n"));
}

fn networked(fields: &str) -> Kael {
    define(shared(), "s", &sockets(), fields)
}

/// `t.m` with a folder that holds the file `x`.
fn reader(fields: &str) -> Kael {
    let fields = format!("dirs = {{ ['/data'] = {{ path = '../data' }} }}, {fields}");
    define(shared(), "m", &module(), &fields).file("data/x", "one")
}

#[test]
fn a_module_and_a_component_take_parameters_and_return_results() {
    answers(
        both(""),
        "{ ['do'] = 'echo', l = json.array{}, i = 2^53|0, s = 'é\\n' }",
        "{\"do\":\"echo\",\"i\":9007199254740992,\"l\":[],\"s\":\"é\\n\"}",
    );
    answers(
        both("defaults = { ['do'] = 'echo' }, locked = { tenant = 'acme' }"),
        "{ a = 1 }",
        "{\"a\":1,\"do\":\"echo\",\"tenant\":\"acme\"}",
    );
    answers(
        both("locked = { tenant = 'acme' }"),
        "{ tenant = 'x' }",
        "invalid_params\tparameter `tenant` is locked by the team",
    );
    let ran = asks(both("").run_with(&["--deny", "t.*"]), "{ ['do'] = 'echo' }");
    ran.prints(&"denied\tdenied by the policy (deny t.*)\n".repeat(2));
    let large = both("").script("local s = ('x'):rep(5000000) for _, a in ipairs({ actions.t.m, actions.t.c }) do print(#a({ ['do'] = 'echo', s = s }).s) end");
    large.prints("5000000\n5000000\n");
}

#[test]
fn it_needs_no_other_program() {
    let nothing = |session: Kael| {
        session
            .env("PATH", "/nowhere")
            .env("KAEL_ENVYR", "/nowhere/envyr")
    };
    answers(nothing(both("")), "{ ['do'] = 'args' }", "0");
    let example = project("examples/wasm-action");
    let expected = fs::read_to_string(example.join("expected.txt")).expect("expected.txt");
    nothing(Kael::new())
        .option(&["--actions", &example.join("actions").display().to_string()])
        .run_with(&[&example.join("script.lua").display().to_string()])
        .ends()
        .prints(&expected);
    let fleet = project("examples/fleet/actions").display().to_string();
    nothing(Kael::new())
        .option(&["--actions", &fleet])
        .run_with(&[
            "-e",
            "print(#actions.fleet.tenants(), (pcall(actions.fleet.costs, { tenant = 'acme' })))",
        ])
        .ends()
        .prints("5\tfalse\n");
}

#[test]
fn the_example_matches_its_sources() {
    let example = project("examples/wasm-action/impl");
    let text = fs::read(example.join("echo.wat")).expect("a text");
    assert_eq!(
        wat::parse_bytes(&text).expect("assembles"),
        fs::read(example.join("echo.wasm")).expect("a module")
    );
    for file in fs::read_dir(example).expect("a folder").flatten() {
        let size = file.metadata().expect("there").len();
        assert!(size <= 200 << 10, "{}: {size} bytes", file.path().display());
    }
}

#[test]
fn only_the_variables_that_are_named_are_seen() {
    let session = both("env = { 'GIVEN', 'NOT_SET', 'PATH' }")
        .env("SECRET", "s")
        .env("GIVEN", "g")
        .env("PATH", "/p");
    // Every call has its own variables beside those of the definition.
    let seen = |session: Kael, line: &str| {
        let call = "KAEL_ATTEMPT KAEL_CALL KAEL_IDEMPOTENCY_KEY KAEL_RUN";
        session
            .script(&format!(
                "for _, a in ipairs {{ 'm', 'c' }} do
                   local env, call = actions.t[a]({{ ['do'] = 'env' }}), {{}}
                   for name in pairs(env) do
                     if name:find('^KAEL_') then call[#call + 1] = name env[name] = nil end
                   end
                   table.sort(call)
                   assert(table.concat(call, ' ') == '{call}')
                   print(json.encode(env))
                 end"
            ))
            .prints(&format!("{line}\n{line}\n"));
    };
    seen(session, "{\"GIVEN\":\"g\",\"PATH\":\"/p\"}");
    seen(both("").env("SECRET", "s"), "{}");
}

#[test]
fn every_way_to_end_has_its_kind() {
    for (params, line) in [
        (
            "{ ['do'] = 'exit', code = 1 }",
            "failed\texited with status 1",
        ),
        ("{ ['do'] = 'grumble', lines = 3 }", "failed\tline 2"),
        (
            "{ ['do'] = 'flood' }",
            "bad_output\tprinted more than 64 MiB",
        ),
        (
            "{ ['do'] = 'exit', code = 0 }",
            "bad_output\tprinted nothing, and a result is one JSON value on stdout",
        ),
    ] {
        answers(both(""), params, line);
    }
    both("")
        .script("local ok, e = pcall(actions.t.m, { ['do'] = 'grumble', lines = 20000 }) print(e.detail.exit_code, #e.detail.stderr, e.detail.stderr:sub(-11, -2))")
        .prints("7\t65536\tline 19999\n");
}

#[test]
fn a_trap_shows_its_backtrace() {
    let code = "for _, a in ipairs({ actions.t.m, actions.t.c }) do
        local _, e = pcall(a, { ['do'] = 'index', at = 9 })
        print(e.kind, e.message, e.detail.stderr:match('index out of bounds'))
        print(table.concat(e.detail.frames, ' '):match('probe::innermost %(0x%x+%) probe::main') ~= nil)
      end";
    let line =
        "failed\ttrapped: wasm `unreachable` instruction executed\tindex out of bounds\ntrue\n";
    both("").script(code).prints(&line.repeat(2));
    let trap = "(module (memory (export \"memory\") 1) (func $inner unreachable) (func $outer call $inner) (func (export \"_start\") call $outer))";
    wat("", trap)
        .script("local _, e = pcall(actions.t.a, {}) print(e.kind, e.message, (table.concat(e.detail.frames, ' '):gsub('0x%x+', '0x')))")
        .prints("failed\ttrapped: wasm `unreachable` instruction executed\tinner (0x) outer (0x) function 2 (0x)\n");
}

#[test]
fn time_is_bounded() {
    answers(
        both("timeout = '300ms'"),
        "{ ['do'] = 'spin' }",
        "timeout\ttimed out after 300ms",
    );
    answers(
        both("timeout = '300ms'"),
        "{ ['do'] = 'sleep', ms = 600000 }",
        "timeout\ttimed out after 300ms",
    );
    let ran = asks(both("limits = { cpu = '200ms' }"), "{ ['do'] = 'spin' }");
    ran.exits(0);
    for line in ran.stdout.lines() {
        assert!(
            line.starts_with("timeout\tcomputed for ")
                && line.ends_with("s, more than the 200ms of its `limits.cpu`"),
            "{line}"
        );
    }
    // The hint names the crossed limit, for scripts and for the command line.
    let advice = "hint: the definition's `limits.cpu` says how long the action may compute\n";
    let spin = || both("limits = { cpu = '200ms' }");
    spin()
        .script("actions.t.m({ ['do'] = 'spin' })")
        .exits(6)
        .says(advice);
    spin()
        .words(&["actions", "exec", "t.m", "--params", "{\"do\":\"spin\"}"])
        .ends()
        .exits(6)
        .says(advice);
    // Waiting is not computing, and computing of an action does not count for the script.
    answers(
        both("limits = { cpu = '500ms' }"),
        "{ ['do'] = 'sleep', ms = 700 }",
        "\"slept\"",
    );
    let session = both("limits = { cpu = '600ms' }").run_with(&["--max-cpu", "400ms"]);
    session
        .script("local ok, e = pcall(actions.t.m, { ['do'] = 'spin' }) print(e.kind)")
        .prints("timeout\n");
}

#[test]
fn the_end_of_a_run_ends_its_instances() {
    let start = std::time::Instant::now();
    let ran = both("")
        .run_with(&["--timeout", "400ms"])
        .script("pcall(actions.t.m, { ['do'] = 'spin' })");
    ran.exits(5)
        .says("Error: the run took longer than the 400ms it may take (");
    let session = both("").script("print(race(function() return actions.t.m({ ['do'] = 'spin' }) end, function() return actions.t.c({ ['do'] = 'echo' })['do'] end))");
    session.prints("2\techo\n");
    assert!(start.elapsed() < std::time::Duration::from_secs(60));
}

#[test]
fn memory_is_bounded() {
    let ran = asks(
        both("limits = { memory = '16MiB' }"),
        "{ ['do'] = 'allocate', bytes = 64000000 }",
    );
    ran.exits(0);
    for line in ran.stdout.lines() {
        assert!(
            line.starts_with("failed\t") && line.contains("memory"),
            "{line}"
        );
    }
    answers(
        both("limits = { memory = '128MiB' }"),
        "{ ['do'] = 'allocate', bytes = 64000000 }",
        "64000000",
    );
    let text = "(module (memory (export \"memory\") 2000) (func (export \"_start\")))";
    wat("limits = { memory = '64MiB' }", text)
        .script("local _, e = pcall(actions.t.a, {}) print(e.kind, e.message)")
        .prints("failed\tneeds more memory than the 64 MiB it may use (it asked for 125 MiB)\n");
    let text = "(module (memory (export \"memory\") 1) (table $t 0 funcref) (func (export \"_start\")
        (if (i32.eq (table.grow $t (ref.null func) (i32.const 100000000)) (i32.const -1)) (then unreachable))))";
    wat("", text)
        .script("local _, e = pcall(actions.t.a, {}) print(e.kind, e.message)")
        .prints("failed\tneeds more memory than the 256 MiB it may use (it asked for 763.0 MiB)\n");
    let deep = "{ ['do'] = 'recurse', deep = 100000000 }";
    let ran = asks(both(""), deep);
    assert!(
        ran.stdout
            .lines()
            .all(|line| line.starts_with("failed\ttrapped: ")),
        "{}",
        ran.stdout
    );
}

#[test]
fn open_files_are_bounded() {
    let session = both("dirs = { ['/data'] = { path = '../data' } }").file("data/x", "x");
    let ran = asks(
        session,
        "{ ['do'] = 'open', path = '/data/x', times = 5000 }",
    );
    ran.exits(0);
    assert!(!ran.stdout.contains("5000"), "{}", ran.stdout);
}

/// Reads a file this many times, each time in a new instance. Returns the host's peak memory in
/// KiB. The host may open so few files that leaks in every tenth call would end it.
fn peak_of_calls(session: &Kael, times: u32) -> u64 {
    let code = format!(
        "for i = 1, {times} do
           assert((i % 2 == 0 and actions.t.m or actions.t.c)({{ ['do'] = 'read', path = '/data/x' }}) == 'x')
         end"
    );
    let meter = "import resource, subprocess, sys\n\
                 limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))\n\
                 subprocess.run(sys.argv[1:], preexec_fn=limit, check=True)\n\
                 print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let output = Command::new("python3")
        .args(["-c", meter])
        .arg(&kael_tests::Program::get().host)
        .args(["--actions", "actions", "run", "-e", &code])
        .current_dir(session.path())
        .env("KAEL_DATA", session.path().join("data"))
        .output()
        .expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    said.parse()
        .unwrap_or_else(|_| panic!("{said}: {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn a_thousand_in_a_row_leave_nothing_behind() {
    let session = both("dirs = { ['/data'] = { path = '../files' } }").file("files/x", "x");
    // Writes the repo.
    session.start().wait().expect("it ends");
    peak_of_calls(&session, 2);
    let (few, many) = (peak_of_calls(&session, 100), peak_of_calls(&session, 1000));
    assert!(
        many < few + (8 << 10),
        "{few} KiB after a hundred calls, {many} KiB after a thousand"
    );
}
