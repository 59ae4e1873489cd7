//! Paths that a WebAssembly action may not write, and the bounds of compilation.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use super::*;

#[test]
fn trusted_files_are_not_writable() {
    let session = |path: &str| {
        let fields = format!("dirs = {{ ['/d'] = {{ path = '{path}', mode = 'read-write' }} }}");
        let own = Kael::new().file("data/x", "").file("actions/lib/x", "");
        let own = own.file("given/sub/x", "");
        let at = own.path().display().to_string();
        define(own, "m", &module(), &fields.replace("AT", &at))
    };
    for (path, why) in [
        (".", "holds the actions repo, which no action may rewrite"),
        ("..", "holds the actions repo, which no action may rewrite"),
        (
            "lib",
            "lies in the actions repo, where actions write below `state/` only",
        ),
        ("AT/data", "is where Kael keeps its own things"),
        ("AT/impl", "which an action runs"),
    ] {
        let ran = session(path).script("print(1)");
        ran.exits(3).says("field 'dirs[\"/d\"]' `");
        ran.says(why);
    }
    // A link that was created later.
    let session = session("AT/given/sub");
    let sub = session.path().join("given/sub");
    fs::rename(&sub, session.path().join("elsewhere")).expect("a name");
    symlink(session.path().join("data"), &sub).expect("a link");
    session
        .script("print(1)")
        .exits(3)
        .says("leads through a symbolic link");
    // Also for reading.
    let session = reader("");
    fs::rename(session.path().join("data"), session.path().join("other")).expect("a name");
    symlink("other", session.path().join("data")).expect("a link");
    session
        .script("print(1)")
        .exits(3)
        .says("leads through a symbolic link");
}

#[test]
fn nothing_of_kaels_and_no_home_folder_is_given_for_reading() {
    let session = |path: &str| {
        let fields = format!("dirs = {{ ['/d'] = {{ path = '{path}' }} }}");
        let own = Kael::new()
            .file("data/secrets/x", "")
            .file("keys/key", "")
            .file("home/x", "");
        let at = own.path().display().to_string();
        let own = own
            .env("KAEL_SECRET_KEY_FILE", &format!("{at}/keys/key"))
            .env("HOME", &format!("{at}/home"));
        define(own, "m", &module(), &fields.replace("AT", &at))
    };
    for (path, why) in [
        ("AT/data/secrets", "is where Kael keeps its own things"),
        ("AT/data", "is where Kael keeps its own things"),
        ("AT/keys", "is or holds what is hidden from actions"),
        ("AT/home", "is a home folder or holds one"),
        ("..", "is a home folder or holds one"),
        ("/", "is a home folder or holds one"),
        ("/proc", "belongs to the kernel"),
    ] {
        let ran = session(path).script("print(1)");
        ran.exits(3).says("field 'dirs[\"/d\"]' `").says(why);
    }
}

/// A small file that takes a compiler minutes and gigabytes: thousands of locals that live across
/// thousands of branches.
fn bomb(size: usize) -> Vec<u8> {
    const LOCALS: usize = 5000;
    fn number(mut n: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while n > 0x7f {
            bytes.push((n & 0x7f) as u8 | 0x80);
            n >>= 7;
        }
        bytes.push(n as u8);
        bytes
    }
    let sized = |bytes: Vec<u8>| [number(bytes.len()), bytes].concat();
    let section = |id: u8, content: Vec<u8>| [vec![id], sized(content)].concat();
    let (get, set) = (0x20, 0x21);
    let local =
        |op: u8, i: usize, by: usize| [vec![op], number(1 + i.wrapping_mul(by) % LOCALS)].concat();
    let mut code = [vec![1], number(LOCALS), vec![0x7e]].concat();
    for i in 0..size / 12 {
        code.extend([local(get, i, 1), local(get, i, 7919), vec![0x7c]].concat());
        code.extend(local(set, i, 104_729));
        if i % 3 == 0 {
            // An `if` on the parameter that sets a local.
            code.extend([get, 0, 0xa7, 0x04, 0x40, get, 0]);
            code.extend(local(set, i, 31));
            code.push(0x0b);
        }
    }
    code.extend([get, 0, 0x0b]);
    let bodies = [vec![2], sized(vec![0, 0x0b]), sized(code)].concat();
    let exports = [
        vec![2, 6],
        b"_start".to_vec(),
        vec![0, 0, 6],
        b"memory".to_vec(),
        vec![2, 0],
    ];
    [
        b"\0asm\x01\0\0\0".to_vec(),
        section(1, vec![2, 0x60, 0, 0, 0x60, 1, 0x7e, 1, 0x7e]),
        section(3, vec![2, 0, 1]),
        section(5, vec![1, 0, 1]),
        section(7, exports.concat()),
        section(10, bodies),
    ]
    .concat()
}

#[test]
fn compiling_stays_within_the_time_of_its_call_and_bounds_of_its_own() {
    let session = |fields: &str| define(Kael::new(), "a", &bomb(600_000), fields);
    let tell = "local ok, e = pcall(actions.t.a) print(ok, e.kind, e.message)";
    let began = Instant::now();
    let ran = session("timeout = 5").script(tell);
    let stdout = &ran.exits(0).stdout;
    let late = stdout.starts_with("false\ttimeout\t`a.wasm` was not compiled within 5 s");
    let large = stdout.starts_with("false\tunavailable\t`a.wasm` takes more than ");
    assert!(late || large, "{stdout}");
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
    // The run's own limit ends it sooner.
    let began = Instant::now();
    session("")
        .run_with(&["--timeout", "500ms"])
        .script(tell)
        .exits(5);
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    assert!(kael_tests::gone("__compile"));
    // So does checking all actions.
    let validated = session("timeout = 5")
        .words(&["actions", "validate"])
        .ends();
    validated.exits(3);
    assert!(
        validated.stdout.contains("compiled"),
        "{}",
        validated.stdout
    );
}
