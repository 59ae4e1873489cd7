//! Actions that are WASI commands, run in this process: what they are given, what they are not, and every limit.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use kael_tests::{Kael, component, project};

/// The program of tests/probe as a core module for wasip1.
fn module() -> Vec<u8> {
    fs::read(project("tests/fixtures/probe.wasm")).expect("a fixture")
}

/// The same as a component of WASI 0.2, with sockets.
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

/// A session that keeps what it compiled with the others: the probe is compiled once for all of them.
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

/// `t.a` is what the text assembles to.
fn wat(fields: &str, text: &str) -> Kael {
    define(
        shared(),
        "a",
        &wat::parse_str(text).expect("text of WebAssembly"),
        fields,
    )
}

/// Says what came of `t.m` and `t.c` with these parameters, in one line for each.
fn asks(session: Kael, params: &str) -> kael_tests::Ran {
    let code = format!(
        "for _, a in ipairs({{ actions.t.m, actions.t.c }}) do
           local ok, r = pcall(a, {params})
           if ok then print(json.encode(r)) else print(r.kind, r.message) end
         end"
    );
    session.script(&code)
}

/// Both answer this.
#[track_caller]
fn answers(session: Kael, params: &str, line: &str) {
    asks(session, params).prints(&format!("{line}\n{line}\n"));
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
fn the_example_is_what_its_sources_say() {
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
    answers(
        session,
        "{ ['do'] = 'env' }",
        "{\"GIVEN\":\"g\",\"PATH\":\"/p\"}",
    );
    answers(both("").env("SECRET", "s"), "{ ['do'] = 'env' }", "{}");
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
fn a_trap_tells_where() {
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
    // The advice names the limit that it was, from a script and from the command line.
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
    // Waiting is no computing, and what an action computes is not the script's.
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
fn the_run_ends_what_it_started() {
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

#[test]
fn a_folder_is_seen_when_it_is_given_and_changed_when_that_is_said() {
    let files = |fields: &str| {
        both(fields)
            .file("data/a.txt", "A")
            .file("data/sub/b.txt", "B")
    };
    let read = "dirs = { ['/data'] = { path = '../data', mode = 'read' } }";
    answers(
        files(""),
        "{ ['do'] = 'read', path = '/data/a.txt' }",
        "{\"refused\":\"entity not found\"}",
    );
    answers(
        files(read),
        "{ ['do'] = 'read', path = '/data/a.txt' }",
        "\"A\"",
    );
    answers(
        files(read),
        "{ ['do'] = 'list', path = '/data' }",
        "[\"a.txt\",\"sub\"]",
    );
    for change in [
        "['do'] = 'write', path = '/data/new'",
        "['do'] = 'write', path = '/data/a.txt', text = 'changed'",
        "['do'] = 'append', path = '/data/a.txt', text = 'changed'",
        "['do'] = 'remove', path = '/data/a.txt'",
        "['do'] = 'mkdir', path = '/data/new'",
        "['do'] = 'rename', path = '/data/a.txt', to = '/data/new'",
        "['do'] = 'link', path = '/data/a.txt', to = '/data/new'",
        "['do'] = 'symlink', path = 'a.txt', to = '/data/new'",
    ] {
        let ran = asks(files(read), &format!("{{ {change} }}"));
        assert_eq!(
            ran.exits(0).stdout.matches("refused").count(),
            2,
            "{change}: {}",
            ran.stdout
        );
        assert_eq!(
            fs::read_to_string(ran.path().join("data/a.txt")).expect("there"),
            "A"
        );
        assert_eq!(
            fs::read_dir(ran.path().join("data"))
                .expect("there")
                .count(),
            2,
            "{change}"
        );
    }
    let write = "dirs = { ['/data'] = { path = '../data', mode = 'read-write' } }";
    let ran = asks(
        files(write),
        "{ ['do'] = 'write', path = '/data/new', text = 'N' }",
    );
    ran.prints("\"written\"\n\"written\"\n");
    assert_eq!(
        fs::read_to_string(ran.path().join("data/new")).expect("there"),
        "N"
    );
    let ran = asks(
        both("dirs = { ['/data'] = { path = './none' } }"),
        "{ ['do'] = 'args' }",
    );
    let line = "unavailable\t`dirs[\"/data\"]`: DIR/actions/./none cannot be opened: no such file or directory\n";
    let folder = fs::canonicalize(ran.path())
        .expect("a path")
        .display()
        .to_string();
    assert_eq!(ran.stdout.replace(&folder, "DIR"), line.repeat(2));
}

#[test]
fn nothing_leads_out_of_a_folder() {
    let fields = "dirs = { ['/data'] = { path = '../data', mode = 'read-write' } }";
    let session = || {
        let session = both(fields)
            .file("data/in/x", "x")
            .file("outside/secret", "secret");
        let data = session.path().join("data");
        symlink("../outside/secret", data.join("relative")).expect("a link");
        symlink(session.path().join("outside/secret"), data.join("absolute")).expect("a link");
        symlink("../outside", data.join("folder")).expect("a link");
        symlink("in/../../outside", data.join("in/crooked")).expect("a link");
        symlink("/proc/self/root", data.join("magic")).expect("a link");
        session
    };
    for path in [
        "/data/../outside/secret",
        "/data/in/../../outside/secret",
        "/data/relative",
        "/data/absolute",
        "/data/folder/secret",
        "/data/in/crooked/secret",
        "/data/magic/etc/passwd",
        "/etc/passwd",
        "../outside/secret",
        "/data//../outside/secret",
        "/data/./../outside/secret",
    ] {
        for verb in ["read", "append", "write", "list", "remove"] {
            let params =
                format!("{{ ['do'] = '{verb}', path = '{path}', text = 'changed', times = 1 }}");
            let ran = asks(session(), &params);
            // The links themselves are in the folder and may be removed.
            let own = verb == "remove" && ["/data/relative", "/data/absolute"].contains(&path);
            if !own {
                assert_eq!(
                    ran.exits(0).stdout.matches("refused").count(),
                    2,
                    "{verb} {path}: {}",
                    ran.stdout
                );
            }
            assert!(
                !ran.stdout.contains("secret\""),
                "{verb} {path}: {}",
                ran.stdout
            );
            assert_eq!(
                fs::read_to_string(ran.path().join("outside/secret")).expect("there"),
                "secret"
            );
        }
    }
    for (from, to) in [
        ("/data/in/x", "/data/../outside/x"),
        ("/data/in/x", "/data/folder/x"),
        ("/data/folder/secret", "/data/in/y"),
    ] {
        for verb in ["rename", "link"] {
            let ran = asks(
                session(),
                &format!("{{ ['do'] = '{verb}', path = '{from}', to = '{to}' }}"),
            );
            assert_eq!(
                ran.exits(0).stdout.matches("refused").count(),
                2,
                "{verb} {from} {to}: {}",
                ran.stdout
            );
            assert_eq!(
                fs::read_dir(ran.path().join("outside"))
                    .expect("there")
                    .count(),
                1
            );
        }
    }
    // A link that the action itself makes leads nowhere either.
    let code = "for _, a in ipairs({ actions.t.m, actions.t.c }) do
        for _, to in ipairs({ '../outside/secret', '/etc/passwd' }) do
          pcall(a, { ['do'] = 'remove', path = '/data/own' })
          a({ ['do'] = 'symlink', path = to, to = '/data/own' })
          print(a({ ['do'] = 'read', path = '/data/own' }).refused ~= nil)
        end
      end";
    session().script(code).prints(&"true\n".repeat(4));
}

#[test]
fn renames_during_a_call_lead_nowhere() {
    let session = both("dirs = { ['/data'] = { path = '../data' } }")
        .file("data/swap/x", "inside")
        .file("data/other/x", "inside")
        .file("outside/x", "secret");
    let root = session.path().to_owned();
    symlink("../outside", root.join("data/link")).expect("a link");
    let stop = std::sync::atomic::AtomicBool::new(false);
    let order = std::sync::atomic::Ordering::Relaxed;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // The folder is now itself, now a link that leads out.
            while !stop.load(order) {
                let at = |name: &str| root.join("data").join(name);
                for (from, to) in [
                    ("swap", "away"),
                    ("link", "swap"),
                    ("swap", "link"),
                    ("away", "swap"),
                ] {
                    fs::rename(at(from), at(to)).expect("a rename");
                }
            }
        });
        let ran = asks(
            session,
            "{ ['do'] = 'reread', path = '/data/swap/x', times = 3000 }",
        );
        stop.store(true, order);
        assert_eq!(
            ran.exits(0).stdout.matches("inside").count(),
            2,
            "{}",
            ran.stdout
        );
        assert!(!ran.stdout.contains("secret"), "{}", ran.stdout);
    });
}

/// Answers every connection with what it was sent, until the session is over.
fn echo_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 5];
            stream
                .read_exact(&mut bytes)
                .and_then(|()| stream.write_all(&bytes))
                .ok();
        }
    });
    port
}

fn networked(fields: &str) -> Kael {
    define(shared(), "s", &sockets(), fields)
}

#[test]
fn only_what_is_named_is_connected_to() {
    let (port, other) = (echo_server(), echo_server());
    let ask = |network: &str, host: &str, port: u16, expected: &str| {
        networked(&format!("network = {{ {network} }}"))
            .script(&format!("local r = actions.t.s({{ ['do'] = 'connect', host = '{host}', port = {port} }}) print(r.refused or r)"))
            .prints(&format!("{expected}\n"));
    };
    let (by_address, by_name) = (format!("'127.0.0.1:{port}'"), format!("'localhost:{port}'"));
    ask(&by_address, "127.0.0.1", port, "hello");
    ask(&by_name, "localhost", port, "hello");
    ask(&format!("'127.0.0.0/8:{port}'"), "127.0.0.1", port, "hello");
    ask(&by_address, "127.0.0.1", other, "connect: access-denied");
    ask(&by_name, "localhost", other, "connect: access-denied");
    // The name was not asked for, so its address is not known.
    ask(&by_name, "127.0.0.1", port, "connect: access-denied");
    ask(
        "'example.org:80'",
        "localhost",
        port,
        "lookup: access-denied",
    );
    // WASI knows no such destinations.
    ask(
        "'example.org:80'",
        "0.0.0.0",
        port,
        "connect: invalid-argument",
    );
    ask(
        &by_address,
        "::ffff:127.0.0.1",
        port,
        "connect: invalid-argument",
    );
    assert!(
        TcpStream::connect(("127.0.0.1", other)).is_ok(),
        "the server is there"
    );
    networked(&format!("network = {{ {by_address} }}"))
        .script("print(actions.t.s({ ['do'] = 'listen' }).refused)")
        .prints("listen: access-denied\n");
}

#[test]
fn datagrams_obey_the_same_list() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = socket.local_addr().expect("an address").port();
    let code = format!(
        "local r = actions.t.s({{ ['do'] = 'send', host = '127.0.0.1', port = {port} }}) print(type(r) == 'table' and r.refused or r)"
    );
    networked("network = { '127.0.0.1:9' }")
        .script(&code)
        .prints("send: access-denied\n");
    networked(&format!("network = {{ '127.0.0.1:{port}' }}"))
        .script(&code)
        .prints("1\n");
    let mut bytes = [0; 9];
    assert_eq!(socket.recv(&mut bytes).expect("a datagram"), 5);
}

#[test]
fn what_is_imported_and_not_given_is_named() {
    networked("")
        .script("actions.t.s({ ['do'] = 'echo' })")
        .exits(6)
        .says("Error: t.s failed: `s.wasm` needs `network` in its definition, for what it imports: wasi:sockets/");
    for (text, problem) in [
        (
            "(module (import \"env\" \"system\" (func)) (import \"wasi_snapshot_preview1\" \"fd_nothing\" (func)) (func (export \"_start\")))",
            "`a.wasm` imports what Kael does not have: env.system",
        ),
        (
            "(module (func (export \"main\")))",
            "`a.wasm` exports no function `_start`: it is not a command",
        ),
        (
            "(module (func (export \"_start\") (param i32)))",
            "`a.wasm` exports no function `_start`: it is not a command",
        ),
        (
            "(component)",
            "`a.wasm` exports no `wasi:cli/run@0.2`: it is not a command",
        ),
        (
            "(component (import \"wasi:http/outgoing-handler@0.2.0\" (instance)))",
            "`a.wasm` imports what Kael does not have: wasi:http/outgoing-handler@0.2.0",
        ),
        (
            "(component (import \"kael:engine/actions@0.1.0\" (instance)))",
            "`a.wasm` imports what Kael does not have: kael:engine/actions@0.1.0",
        ),
    ] {
        wat("", text)
            .script("local _, e = pcall(actions.t.a, {}) print(e.kind, e.message)")
            .prints(&format!("unavailable\t{problem}\n"));
    }
    wat("", "(module (import \"wasi_snapshot_preview1\" \"fd_nothing\" (func)) (func (export \"_start\")))")
        .script("local _, e = pcall(actions.t.a, {}) print(e.kind, e.message:match('cannot be linked: .*fd_nothing') ~= nil)")
        .prints("unavailable\ttrue\n");
}

#[test]
fn a_file_that_is_none_is_refused() {
    let good = module();
    let mut torn = good.clone();
    torn.truncate(good.len() / 2);
    for (file, start) in [
        (
            b"".to_vec(),
            "`a.wasm` is neither a component nor a core module of WebAssembly",
        ),
        (
            b"#!/bin/sh\necho 1\n".to_vec(),
            "`a.wasm` is neither a component nor a core module of WebAssembly",
        ),
        (
            b"(module)".to_vec(),
            "`a.wasm` is neither a component nor a core module of WebAssembly",
        ),
        (
            b"\x7fELF machine code".to_vec(),
            "`a.wasm` is neither a component nor a core module of WebAssembly",
        ),
        (
            b"\0asm\x01\0\0\0junk".to_vec(),
            "`a.wasm` cannot be compiled: ",
        ),
        (torn, "`a.wasm` cannot be compiled: "),
    ] {
        let ran = define(shared(), "a", &file, "")
            .script("local _, e = pcall(actions.t.a, {}) print(e.kind, e.message)");
        assert!(
            ran.exits(0)
                .no_panic()
                .stdout
                .starts_with(&format!("unavailable\t{start}")),
            "{}",
            ran.stdout
        );
    }
    let outside = Kael::new().file("secret.wasm", &good).define(
        "a",
        "source = '../impl', entrypoint = 'a.wasm', executor = 'wasm'",
    );
    fs::create_dir_all(outside.path().join("impl")).expect("a folder");
    symlink("../secret.wasm", outside.path().join("impl/a.wasm")).expect("a link");
    let ran = outside.script("local _, e = pcall(actions.t.a, {}) print(e.kind, e.message:match('leads out of the source') ~= nil)");
    ran.prints("unavailable\ttrue\n");
}

#[test]
fn a_pinned_file_is_the_one_that_runs() {
    use sha2::Digest as _;
    let digest: String = sha2::Sha256::digest(module())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    define(shared(), "m", &module(), &format!("sha256 = '{digest}'"))
        .script("print(actions.t.m({ ['do'] = 'args' }))")
        .prints("0\n");
    let other = "0".repeat(64);
    define(shared(), "m", &module(), &format!("sha256 = '{other}'"))
        .script("local _, e = pcall(actions.t.m, {}) print(e.kind, e.message)")
        .prints(&format!("unavailable\t`m.wasm` is not the file that was pinned: its SHA-256 is {digest}, and `sha256` says {other}\n"));
}

#[test]
fn a_file_can_come_out_of_git() {
    let echo = fs::read(project("examples/wasm-action/impl/echo.wasm")).expect("a module");
    let session = Kael::new().file("tools/bin/echo.wasm", echo);
    let commit = "git init -q && git add . && git -c user.name=t -c user.email=t@example.org commit -qm one && git tag v1";
    let made = Command::new("sh")
        .args(["-c", commit])
        .current_dir(session.path().join("tools"))
        .status();
    assert!(made.expect("git").success());
    let url = format!("file://{}/tools/", session.path().display());
    let fields = format!(
        "source = '{url}', tag = 'v1', subdir = 'bin', entrypoint = 'echo.wasm', executor = 'wasm'"
    );
    let session = session
        .define("a", &fields)
        .run_with(&["-e", "print(actions.t.a({ a = 1 }).a)"]);
    for _ in 0..2 {
        let output = session.start().wait_with_output().expect("it ends");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "1\n",
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        // What was fetched once is used from then on.
        fs::remove_dir_all(session.path().join("tools")).ok();
    }
}

#[test]
fn exceptions_of_wasm_are_caught_inside_or_end_the_action() {
    let caught = "(module
        (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
        (tag $t) (memory (export \"memory\") 1)
        (func (export \"_start\") (block $h (try_table (catch $t $h) (throw $t))) (call $exit (i32.const 9))))";
    wat("", caught)
        .script("local fs = {} for i = 1, 64 do fs[i] = function() return select(2, pcall(actions.t.a, {})).detail.exit_code end end
                 local sum = 0 for _, code in ipairs(parallel(fs)) do sum = sum + code end print(sum)")
        .prints("576\n");
    let thrown =
        "(module (tag $t) (memory (export \"memory\") 1) (func (export \"_start\") (throw $t)))";
    wat("", thrown)
        .script("local _, e = pcall(actions.t.a, {}) print(e.kind)")
        .prints("failed\n");
}

#[test]
fn a_file_that_is_edited_runs_as_it_is_now() {
    let answer = |value: u8| {
        format!("(module (import \"wasi_snapshot_preview1\" \"fd_write\" (func $w (param i32 i32 i32 i32) (result i32)))
            (memory (export \"memory\") 1) (data (i32.const 0) \"\\08\\00\\00\\00\\01\\00\\00\\00{value}\")
            (func (export \"_start\") (drop (call $w (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))))")
    };
    let session = wat("", &answer(1)).run_with(&["-e", "print(actions.t.a({}))"]);
    for value in [1, 2, 1] {
        let file = wat::parse_str(answer(value)).expect("assembles");
        fs::write(session.path().join("impl/a.wasm"), file).expect("a file");
        let output = session.start().wait_with_output().expect("it ends");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            format!("{value}\n")
        );
    }
}

/// The one compiled file of a data folder.
fn compiled(data: &Path) -> std::path::PathBuf {
    let files = fs::read_dir(data.join("wasm"))
        .expect("a folder")
        .flatten()
        .map(|entry| entry.path());
    let mut entries: Vec<_> = files
        .filter(|path| path.extension().is_none() && !path.ends_with("secret"))
        .collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.remove(0)
}

#[test]
fn what_was_compiled_is_used_again_and_never_believed_unseen() {
    let echo = fs::read(project("examples/wasm-action/impl/echo.wasm")).expect("a module");
    let session = define(Kael::new(), "a", &echo, "")
        .run_with(&["-e", "print(json.encode(actions.t.a({ a = 1 })))"]);
    let data = session.path().join("data");
    let run = || {
        let output = session.start().wait_with_output().expect("it ends");
        assert_eq!(String::from_utf8_lossy(&output.stdout), "{\"a\":1}\n");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert_eq!(run(), "");
    let entry = compiled(&data);
    let good = fs::read(&entry).expect("an entry");
    let made = || {
        fs::metadata(&entry)
            .expect("there")
            .modified()
            .expect("a time")
    };
    let first = made();
    assert_eq!(run(), "");
    assert_eq!(made(), first, "compiled again");
    // Cut short, changed in its code, someone else's, and nothing at all.
    let mut changed = good.clone();
    let middle = changed.len() / 2;
    changed[middle] ^= 0xff;
    for bad in [
        good[..good.len() - 1].to_vec(),
        changed,
        b"\x7fELF".repeat(1000),
        Vec::new(),
    ] {
        fs::write(&entry, bad).expect("a file");
        assert!(run().contains("is damaged or was not written by Kael; it is made anew"));
        assert_eq!(fs::read(&entry).expect("an entry").len(), good.len());
        assert_eq!(run(), "");
    }
    // With another secret, as if from another machine.
    fs::write(data.join("wasm/secret"), [7; 32]).expect("a file");
    assert!(run().contains("it is made anew"));
    // Where others could write.
    fs::set_permissions(data.join("wasm"), fs::Permissions::from_mode(0o777)).expect("a mode");
    assert!(run().contains("is not used: others can write to it"));
}

#[test]
fn sixty_four_at_once_compile_once_and_all_answer() {
    let code = "local fs = {}
        for i = 1, 64 do fs[i] = function() return (i % 2 == 0 and actions.t.m or actions.t.c)({ ['do'] = 'echo', i = i }).i end end
        local sum = 0
        for _, i in ipairs(parallel(fs)) do sum = sum + i end
        print(sum)";
    let session = both("");
    let data = session.path().join("data").display().to_string();
    let session = session
        .env("KAEL_DATA", &data)
        .run_with(&["--max-parallel", "64", "-e", code]);
    // Two processes, both for the first time.
    let children = [session.start(), session.start()];
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(
            (
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ),
            ("2080\n".into(), "".into())
        );
    }
    // More than there are instances wait for their turn.
    let many = code.replace("64", "200").replace("2080", "20100");
    both("")
        .run_with(&["--max-parallel", "200", "-e", &many])
        .ends()
        .prints("20100\n");
}

/// Reads a file this many times, each time in an instance of its own, and returns the most memory that the host had, in
/// KiB. It may open so few files that one left open by every tenth call would end it.
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

/// Files that are nearly right: each byte counts somewhere.
#[test]
fn nearly_right_files_end_in_an_error_or_a_result() {
    let seeds = [
        fs::read(project("examples/wasm-action/impl/echo.wasm")).expect("a module"),
        component(&fs::read(project("examples/wasm-action/impl/echo.wasm")).expect("a module")),
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut session = Kael::new();
    let mut count = 0;
    for seed in &seeds {
        for _ in 0..150 {
            let mut file = seed.clone();
            for _ in 0..=next(3) {
                let at = 8 + next(file.len() - 8);
                match next(4) {
                    0 => file[at] ^= 1 << next(8),
                    1 => file[at] = [0, 0x7f, 0x80, 0xff][next(4)],
                    2 => drop(file.remove(at)),
                    _ => file.insert(at, next(256) as u8),
                }
            }
            session = define(
                session,
                &format!("f{count}"),
                &file,
                "timeout = '2s', limits = { memory = '32MiB' }",
            );
            count += 1;
        }
    }
    let code = "local n = 0
        for i = 0, 299 do
          local ok, e = pcall(actions.t['f' .. i], {})
          if not ok then assert(type(e.kind) == 'string' and #e.message > 0 and #e.message < 1200) end
          n = n + 1
        end
        print(n)";
    session.script(code).prints("300\n");
}

/// `t.m` with a folder that holds the file `x`.
fn reader(fields: &str) -> Kael {
    let fields = format!("dirs = {{ ['/data'] = {{ path = '../data' }} }}, {fields}");
    define(shared(), "m", &module(), &fields).file("data/x", "one")
}

#[test]
fn kept_results_are_those_of_the_folders_as_they_are() {
    let session = reader("cache = 300").run_with(&[
        "-e",
        "print(actions.t.m({ ['do'] = 'read', path = '/data/x' }))",
    ]);
    // A cache of its own: what other tests keep is none of its business.
    let data = session.path().join("kept").display().to_string();
    let session = session.env("KAEL_DATA", &data);
    let kept = || {
        let mut command = session.command();
        let output = command.args(["cache", "ls", "--json"]).output();
        let text = output.expect("the host starts").stdout;
        let report: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        report["entries"].as_array().expect("a list").len()
    };
    let run = || {
        let output = session.start().wait_with_output().expect("it ends");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(
        (run(), run(), kept()),
        ("one\n".to_owned(), "one\n".to_owned(), 1)
    );
    fs::write(session.path().join("data/x"), "two").expect("a file");
    assert_eq!((run(), kept()), ("two\n".to_owned(), 2));
    fs::create_dir(session.path().join("data/.git")).expect("a folder");
    fs::write(session.path().join("data/.git/y"), "").expect("a file");
    assert_eq!((run(), kept()), ("two\n".to_owned(), 3));
}

#[test]
fn answers_are_recorded_and_given_again_without_it() {
    let script = "print(actions.t.m({ ['do'] = 'echo', n = 1.5 }).n, pcall(actions.t.m, { ['do'] = 'exit', code = 4 }))";
    let session = both("").file("script.lua", script);
    let record = session
        .words(&["run", "--record", "answers.jsonl", "script.lua"])
        .ends();
    record.prints("1.5\tfalse\tt.m failed: exited with status 4\n");
    let text = fs::read_to_string(record.path().join("answers.jsonl")).expect("recorded");
    assert_eq!(text.lines().count(), 2, "{text}");
    // Nothing is there to be run now.
    let dry = Kael::new()
        .define(
            "m",
            "source = '../impl', entrypoint = 'm.wasm', executor = 'wasm'",
        )
        .file("answers.jsonl", text)
        .file("script.lua", script)
        .words(&[
            "run",
            "--dry-run",
            "--answers",
            "answers.jsonl",
            "script.lua",
        ])
        .ends();
    assert_eq!(
        (dry.code, dry.stdout.as_str()),
        (0, record.stdout.as_str()),
        "{}",
        dry.stderr
    );
}

#[test]
fn a_dry_run_says_what_it_would_be_given() {
    let ran = define(
        shared(),
        "m",
        &module(),
        "env = { 'TENANT' }, input = 'args', example = 5, timeout = 1",
    )
    .env("TENANT", "acme")
    .run_with(&["--dry-run"])
    .script("print(actions.t.m({ name = 'x' }))");
    assert_eq!(
        (ran.exits(0).stdout.as_str(), ran.stderr.as_str()),
        (
            "5\n",
            "dry run: t.m
  params   {\"name\":\"x\"}
  command  m.wasm --name=x
  note     runs in this process
  env      TENANT
  answer   5 (the `example` of its definition)
"
        )
    );
}

#[test]
fn schemas_hold_for_it_too() {
    let fields = "params = { ['do'] = 'string', n = 'integer?' }, returns = { ['do'] = 'string', n = 'integer' }";
    let session = || both(fields);
    answers(
        session(),
        "{ ['do'] = 'echo', n = 1 }",
        "{\"do\":\"echo\",\"n\":1}",
    );
    answers(
        session(),
        "{ ['do'] = 'echo', n = 'x', other = 1 }",
        "invalid_params\tparameter `n` must be an integer, got a string; parameter `other` is not known",
    );
    answers(
        session(),
        "{ ['do'] = 'echo' }",
        "bad_output\treturned what its definition does not promise: `n` is missing",
    );
}

#[test]
fn one_can_be_called_and_described_from_the_command_line() {
    let session = || {
        both("description = 'Probes.', dirs = { ['/data'] = { path = '../data' } }")
            .file("data/x", "one")
    };
    session()
        .words(&[
            "actions",
            "exec",
            "t.c",
            "--param",
            "do=read",
            "--param",
            "path=/data/x",
        ])
        .ends()
        .prints("\"one\"\n");
    let ran = session().words(&["actions", "describe", "t.c"]).ends();
    for row in [
        "  Probes.\n",
        "\nruns        c.wasm (other, WebAssembly, in this process)\n",
        "\nexecutor    wasm\n",
        "\ndirs        /data is ../data (read)\n",
        "wasi:filesystem/preopens@0.2",
    ] {
        assert!(
            ran.exits(0).stdout.contains(row),
            "{row:?} is not in: {}",
            ran.stdout
        );
    }
}

#[test]
fn what_a_file_needs_is_held_against_what_it_is_given_before_it_runs() {
    let session = || define(networked(""), "ok", &module(), "");
    let ran = session().words(&["actions", "validate"]).ends();
    let told = ran
        .exits(3)
        .stdout
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned();
    assert!(
        told.contains(": error: t.s: `s.wasm` needs `network` in its definition, for what it imports: wasi:sockets/"),
        "{told}"
    );
    assert!(
        ran.stdout.ends_with("2 valid actions, 1 problem\n"),
        "{}",
        ran.stdout
    );
    let ran = session().words(&["actions", "describe", "t.s"]).ends();
    assert!(
        ran.exits(0)
            .stdout
            .contains("\nproblem     `s.wasm` needs `network`"),
        "{}",
        ran.stdout
    );
    networked("network = { '127.0.0.1:1' }")
        .words(&["actions", "validate"])
        .ends()
        .prints("1 valid action, no problems\n");
    let junk = define(Kael::new(), "a", b"junk", "")
        .words(&["actions", "validate"])
        .ends();
    assert!(
        junk.exits(3)
            .stdout
            .contains("error: t.a: `a.wasm` is neither a component nor a core module"),
        "{}",
        junk.stdout
    );
    let http = "(component (import \"wasi:http/outgoing-handler@0.2.0\" (instance)))";
    let ran = wat("", http).words(&["actions", "validate"]).ends();
    assert!(
        ran.exits(3)
            .stdout
            .contains("imports what Kael does not have: wasi:http/outgoing-handler@0.2.0"),
        "{}",
        ran.stdout
    );
}

#[test]
fn whoever_waits_at_a_fifo_is_not_waited_for() {
    let session = define(
        reader("timeout = '50ms'"),
        "c",
        &component(&module()),
        "dirs = { ['/data'] = { path = '../data' } }",
    );
    let fifo = session.path().join("data/fifo");
    let made = Command::new("mkfifo").arg(fifo).status();
    assert!(made.expect("mkfifo starts").success());
    // More of them than the host has threads for what waits: if these were not free again, the last call would wait.
    let code = "local failed = 0
        for _ = 1, 20 do
          local fs = {}
          for i = 1, 30 do
            fs[i] = function()
              local ok, e = pcall(actions.t.m, { ['do'] = 'read', path = '/data/fifo' })
              -- Who is freed while another waits may free that one, too, with nothing to read.
              if not ok and e.kind == 'timeout' then failed = failed + 1 end
            end
          end
          parallel(fs)
        end
        print(failed > 0, actions.t.c({ ['do'] = 'read', path = '/data/x' }))";
    session
        .run_with(&["--timeout", "4m"])
        .script(code)
        .prints("true\tone\n");
}
