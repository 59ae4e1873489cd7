//! What an action's processes can reach and use. If the machine lacks a part of the confinement,
//! its tests are skipped, or fail if `KAEL_REQUIRE` names the part.

mod discovered;
mod limits;
mod reads;
mod temporary;

use kael_tests::{Kael, Need, Ran, gone, needs, needs_any};

/// Either of these protects paths that are not writable.
const READ_ONLY: [Need; 2] = [Need::Landlock, Need::Namespace];

#[test]
fn an_action_writes_nowhere_but_into_its_temporary_folder() {
    if !needs_any(&READ_ONLY) {
        return;
    }
    let session = Kael::new()
        .file("neighbour/a.sh", "echo 1")
        .file("home/x", "")
        .file("data/x", "");
    let there = session.path().display().to_string();
    let places = [
        "impl/x",
        "neighbour/a.sh",
        "home/x",
        "data/x",
        "actions/init.lua",
        "new",
    ];
    let tries: String = places
        .iter()
        .map(|place| format!("(echo bad >> {there}/{place}) 2>/dev/null && echo '{place}' >&2; "))
        .collect();
    let tries = format!(
        "{tries} rm -f {there}/home/x 2>/dev/null && echo removed >&2; mv {there}/home {there}/moved 2>/dev/null && echo moved >&2
         ln -s /etc \"$TMPDIR/etc\"; (echo bad > \"$TMPDIR/etc/kael-was-here\") 2>/dev/null && echo link >&2
         echo x > /dev/null; echo y > \"$TMPDIR/y\"; mkdir \"$TMPDIR/d\"; mv \"$TMPDIR/y\" \"$TMPDIR/d/y\"; cat \"$TMPDIR/d/y\" >/dev/null || echo tmp >&2
         echo '\"done\"'"
    );
    let home = format!("{there}/home");
    let ran = session
        .env("HOME", &home)
        .shell("a", "", &format!("exec 2>&1; {tries}"))
        .script("print(actions.t.a({}))");
    ran.prints("done\n");
    for place in &places[1..5] {
        let text = std::fs::read_to_string(ran.path().join(place)).expect("a file");
        assert!(!text.contains("bad"), "{place}");
    }
}

#[test]
fn modes_owners_and_times_of_other_files_stay() {
    // Landlock does not cover these. Read-only mounts do.
    if !needs(&[Need::Namespace]) {
        return;
    }
    let session = Kael::new().file("neighbour/a.sh", "echo 1");
    let file = session.path().join("neighbour/a.sh").display().to_string();
    let code = format!(
        "chmod 0 {file} 2>/dev/null && exit 3; touch -d 2001-01-01 {file} 2>/dev/null && exit 4; echo '\"kept\"'"
    );
    session
        .shell("a", "", &code)
        .script("print(actions.t.a({}))")
        .prints("kept\n");
}

#[test]
fn paths_in_writable_can_be_written() {
    let session = Kael::new()
        .file("actions/state/.keep", "")
        .file("log", "1\n");
    let (state, _) = session.state();
    let log = session.path().join("log").display().to_string();
    let fields = format!("writable = {{ '{state}', '{log}', 'state', '~/cache' }}");
    let notes = session.path().join("actions/state").display().to_string();
    let code = format!(
        "mkdir {state}/d && echo a > {state}/d/f && mv {state}/d/f {state}/g && echo 2 >> {log} && echo n > {notes}/n && echo c > ~/cache/c && echo 1"
    );
    let home = session.path().join("home").display().to_string();
    let ran = session
        .file("home/cache/.keep", "")
        .env("HOME", &home)
        .shell("a", &fields, &code)
        .script("print(actions.t.a({}))");
    ran.prints("1\n");
    let read = |path: &str| std::fs::read_to_string(ran.path().join(path)).expect(path);
    let written = ["state/g", "log", "actions/state/n", "home/cache/c"].map(read);
    assert_eq!(written, ["a\n", "1\n2\n", "n\n", "c\n"]);
}

#[test]
fn where_secrets_come_from_and_kaels_own_files_are_hidden() {
    if !needs(&[Need::Namespace]) {
        return;
    }
    let session = Kael::new();
    let at = session.path().display().to_string();
    let list = format!("version: 1\nsecrets:\n  a: {{ file: {at}/given/value }}\n");
    let session = session
        .file("config/kael/secrets.yaml", list)
        .file("config/kael/config.yaml", "")
        .file("given/value", "a-value-of-a-secret")
        .file("given/other", "")
        .file("key", "1:00")
        .file("data/secrets/store.json", "{}")
        .file("data/cache/x/y", "kept")
        .file("data/store/kael.db", "")
        .env("KAEL_SECRET_KEY_FILE", &format!("{at}/key"));
    // One of the folders can be written, and shows no more for it.
    let code = format!(
        "cd {at} && cat given/value key config/kael/* data/secrets/* data/cache/* data/store/* 2>/dev/null;
        ls given config/kael data/secrets data/cache data/store; echo x 2>/dev/null >> given/value; echo x > given/new && echo done"
    );
    let fields = format!("output = 'text', writable = {{ '{at}/given' }}");
    let ran = session
        .shell("a", &fields, &code)
        .run_with(&[])
        .script("print(actions.t.a({}))");
    ran.prints(
        "config/kael:

data/cache:

data/secrets:

data/store:

given:
other
value
done
",
    );
    let value = std::fs::read_to_string(ran.path().join("given/value")).expect("a file");
    assert_eq!(value, "a-value-of-a-secret");
}

#[test]
fn invalid_writable_paths_are_refused() {
    let session = |path: &str| {
        Kael::new()
            .shell("a", &format!("writable = {{ '{path}' }}"), "echo 1")
            .script("actions.t.a({})")
    };
    session("state").fails_with(
        6,
        "Error: t.a failed: actions/init.lua:2: field 'writable' `state` does not exist: make it before the action runs",
    );
    for (path, error) in [
        (".", "holds the actions repo, which no action may rewrite"),
        ("/proc/sys", "belongs to the kernel"),
    ] {
        session(path).fails_with(
            3,
            &format!("Error: actions/init.lua:2: define_action: field 'writable' `{path}` {error}"),
        );
    }
    let own = Kael::new().file("data/x", "");
    let data = own.path().join("data").display().to_string();
    own.shell("a", &format!("writable = {{ '{data}' }}"), "echo 1")
        .script("actions.t.a({})")
        .says("is where Kael keeps its own things")
        .exits(3);
}

#[test]
fn nothing_of_the_host_is_inherited_or_seen() {
    // Descriptors 0, 1, 2 and the one that ls has open; and no other process, so no other
    // environment.
    let session = Kael::new().env("SECRET", "kael-secret-1").shell(
        "a",
        "",
        "n=$(ls /proc/self/fd | wc -l); s=$(cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -c kael-secret-1); echo \"[$n, $s]\"",
    );
    let ran = session.script("local r = actions.t.a({}) print(r[1], r[2])");
    if needs(&[Need::Namespace]) {
        ran.prints("4\t0\n");
    } else {
        assert!(ran.exits(0).stdout.starts_with("4\t"), "{}", ran.stdout);
    }
}

#[test]
fn signals_and_abstract_sockets_do_not_leave_the_call() {
    if !needs(&[Need::LandlockScopes]) {
        return;
    }
    use std::os::linux::net::SocketAddrExt as _;
    let name = format!("kael-test-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).expect("an address");
    let _listener = std::os::unix::net::UnixListener::bind_addr(&address).expect("a socket");
    let code = format!(
        "import socket, json\ns = socket.socket(socket.AF_UNIX)\ntry:\n    s.connect('\\0{name}'); print('\"connected\"')\nexcept PermissionError:\n    print('\"refused\"')\n"
    );
    Kael::new()
        .file("impl/p.py", code)
        .define(
            "p",
            "source = '../impl', entrypoint = 'p.py', executor = 'native'",
        )
        .script("print(actions.t.p({}))")
        .prints("refused\n");
}

#[test]
fn packages_of_one_source_cannot_write_into_another_while_they_are_installed() {
    if !needs_any(&READ_ONLY) {
        return;
    }
    let session = Kael::new().file("neighbour/a.sh", "echo 1");
    let file = session.path().join("neighbour/a.sh").display().to_string();
    let manifest = format!(
        r#"{{ "name": "n", "version": "1.0.0", "scripts": {{ "postinstall": "echo bad >> {file} || echo refused > mark" }} }}"#
    );
    let ran = session
        .file("node/package.json", manifest)
        .file("node/n.js", "console.log(1)")
        .define(
            "n",
            "source = '../node', entrypoint = 'n.js', executor = 'native'",
        )
        .script("print(actions.t.n({}))");
    ran.prints("1\n");
    assert!(ran.path().join("node/mark").exists());
    let kept = std::fs::read_to_string(ran.path().join("neighbour/a.sh")).expect("a file");
    assert_eq!(kept, "echo 1");
}

#[test]
fn required_confinement_runs_or_names_the_missing_part() {
    let session = || Kael::new().shell("a", "", "echo 1");
    let script = "print(actions.t.a({}))";
    let ran = session()
        .run_with(&["--confinement", "required"])
        .script(script);
    let whole = [Need::Namespace, Need::Landlock, Need::Seccomp, Need::Pids];
    if whole.into_iter().all(Need::is_met) {
        ran.prints("1\n");
    } else {
        ran.exits(3)
            .says("Error: the confinement of actions is required, and this machine lacks ");
    }
    session()
        .env("KAEL_CONFINEMENT", "strict")
        .script(script)
        .fails(
            3,
            "Error: KAEL_CONFINEMENT: `strict` is not one of \"required\", \"best-effort\", \"off\"\n",
        );
    session()
        .env("KAEL_CONFINEMENT", "required")
        .run_with(&["--confinement", "best-effort"])
        .script(script)
        .prints("1\n");
}

/// The executor itself refuses, so no command can forget the check.
#[test]
fn no_command_runs_a_native_action_without_required_confinement() {
    let lacks = "the confinement of actions is required, and this machine lacks ";
    let session = || {
        let session = Kael::new().without_landlock();
        let (state, fields) = session.state();
        session
            .shell("a", &fields, &format!("touch '{state}/ran'; echo 1"))
            .env("KAEL_CONFINEMENT", "required")
    };
    let ran = |ran: &Ran| ran.path().join("state/ran").exists();
    let runs = [
        session().script("print(actions.t.a({}))"),
        session().words(&["repl"]).stdin("actions.t.a({})\n").ends(),
    ];
    for run in &runs {
        run.exits(3).says(&format!("Error: {lacks}"));
        assert!(
            run.stderr.contains("Landlock") && !ran(run),
            "{}",
            run.stderr
        );
    }
    let exec = ["actions", "exec", "t.a", "--params", "{}"];
    for options in [vec!["--no-cache"], vec!["--confinement", "required"]] {
        let exec = session().words(&exec).words(&options).ends();
        exec.exits(6)
            .says(&format!("Error: t.a failed: {lacks}"))
            .says("hint: kael-host doctor says what would help\n");
        assert!(
            exec.stderr.contains("Landlock") && !ran(&exec),
            "{}",
            exec.stderr
        );
    }
    let exec = session()
        .words(&exec)
        .words(&["--confinement", "best-effort"])
        .ends();
    assert!(ran(exec.exits(0)), "what need not be confined runs");
}

/// These actions do not depend on parts that a machine can lack.
#[test]
fn containers_and_webassembly_have_their_own_confinement() {
    let module = wat::parse_str(
        r#"(module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1) (data (i32.const 0) "\10\00\00\00\01\00\00\00") (data (i32.const 16) "7")
          (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#,
    );
    let session = || {
        let session = Kael::new()
            .without_landlock()
            .env("KAEL_CONFINEMENT", "required")
            .file("impl/w.wasm", module.as_ref().expect("a module"))
            .file("impl/d.py", "print(1)")
            .program(
                "bin/docker",
                "#!/bin/sh\ncase $1 in images) echo 1234 ;; run) echo 8 ;; esac\n",
            )
            .define(
                "w",
                "source = '../impl', entrypoint = 'w.wasm', executor = 'wasm'",
            )
            .define(
                "d",
                "source = '../impl', entrypoint = 'd.py', executor = 'docker'",
            );
        let path = format!("{}/bin:/usr/bin:/bin", session.path().display());
        session.env("PATH", &path)
    };
    for (name, printed) in [("t.w", "7\n"), ("t.d", "8\n")] {
        session()
            .words(&["actions", "exec", name, "--params", "{}"])
            .ends()
            .prints(printed);
    }
}

#[test]
fn doctor_reports_confinement_off_and_an_untrusted_project_cannot_set_it() {
    let session = || Kael::new().file("file", "old");
    let write = |options: &[&str]| {
        let session = session();
        let file = session.path().join("file").display().to_string();
        let ran = session
            .shell(
                "w",
                "",
                &format!("echo new > '{file}'; setsid sleep 4816.1 & sleep 4816.1 & echo 1"),
            )
            .run_with(options)
            .script("print(pcall(actions.t.w, {}))");
        std::fs::read_to_string(ran.path().join("file")).expect("a file")
    };
    assert_eq!(write(&["--confinement", "off"]), "new\n");
    assert!(gone("4816.1"));
    Kael::new()
        .shell(
            "w",
            "limits = { file_size = '1MiB' }",
            "exec head -c 2000000 /dev/zero > \"$TMPDIR/x\"",
        )
        .run_with(&["--confinement", "off"])
        .script("print(select(2, pcall(actions.t.w, {})).message)")
        .prints("reached its limit on file_size (1 MiB)\n");
    if needs(&[Need::Landlock]) {
        assert_eq!(write(&[]), "old");
    }
    let ran = Kael::new()
        .env("KAEL_CONFINEMENT", "off")
        .words(&["doctor"])
        .ends();
    let told = "off, as configured: native actions may do everything that their user may";
    assert!(ran.stdout.contains(told), "{}", ran.stdout);
    session()
        .file("kael.yaml", "confinement: off\n")
        .script("print(1)")
        .exits(3)
        .says("kael-host trust");
}
