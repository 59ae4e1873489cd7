//! WebAssembly files: accepted formats, sources, and the cache of compiled code.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

#[test]
fn imports_without_a_grant_are_named() {
    networked("")
        .script("actions.t.s({ ['do'] = 'echo' })")
        .exits(6)
        .says("Error: t.s failed: `s.wasm` needs `network` in its definition, for what it imports: wasi:sockets/");
    for (text, error) in [
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
            "(component (import \"wasi:http/incoming-handler@0.2.0\" (instance)))",
            "`a.wasm` imports what Kael does not have: wasi:http/incoming-handler@0.2.0",
        ),
        (
            "(component (import \"kael:engine/actions@0.1.0\" (instance)))",
            "`a.wasm` imports what Kael does not have: kael:engine/actions@0.1.0",
        ),
    ] {
        wat("", text)
            .script("local _, e = pcall(actions.t.a, {}) print(e.kind, e.message)")
            .prints(&format!("unavailable\t{error}\n"));
    }
    wat("", "(module (import \"wasi_snapshot_preview1\" \"fd_nothing\" (func)) (func (export \"_start\")))")
        .script("local _, e = pcall(actions.t.a, {}) print(e.kind, e.message:match('cannot be linked: .*fd_nothing') ~= nil)")
        .prints("unavailable\ttrue\n");
}

#[test]
fn a_file_that_is_not_a_command_is_refused() {
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
        // After the first fetch the repository is not needed.
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
fn an_edited_file_is_compiled_again() {
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
fn compiled_files_are_reused_and_always_verified() {
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
    // Truncated, changed, another file's, and empty.
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
    // With another secret, like an entry of another machine.
    fs::write(data.join("wasm/secret"), [7; 32]).expect("a file");
    assert!(run().contains("it is made anew"));
    // A folder that others can write.
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
    // Two processes compile it for the first time at once.
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
    // Calls beyond the number of instances wait.
    let many = code.replace("64", "200").replace("2080", "20100");
    both("")
        .run_with(&["--max-parallel", "200", "-e", &many])
        .ends()
        .prints("20100\n");
}

/// Files that are almost valid: every byte matters somewhere.
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
