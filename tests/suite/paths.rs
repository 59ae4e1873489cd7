//! Paths that change between check and use: writable paths, temporary folders, and fetched sources.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use kael_tests::{Kael, Ran};

/// Shell code of a hostile action that evaluates its parameter.
const EVIL: &str =
    r#"eval "$(python3 -c 'import json,sys; print(json.load(sys.stdin)["cmd"])')" >&2; echo 1"#;

fn evil(session: Kael, name: &str, fields: &str) -> Kael {
    session.shell(name, &format!("{fields}, timeout = 100"), EVIL)
}

/// The names in a folder, sorted. Empty without the folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Waits until no temporary folder is left.
fn nothing_is_left(ran: &Path) {
    let left = || names(&ran.join("data/tmp"));
    let within = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        left().is_empty()
    });
    assert!(within, "{:?}", left());
}

fn git(folder: &Path, words: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.org"])
        .args(words)
        .current_dir(folder)
        .output()
        .expect("git starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {stderr}");
}

/// A session whose `t.a` comes from a repository with content from `make`.
fn fetched(fields: &str, make: impl FnOnce(&Path, &Path)) -> Kael {
    let session = Kael::new().file("home/precious", "do not lose this");
    let (source, home) = (session.path().join("source"), session.path().join("home"));
    fs::create_dir_all(&source).expect("a folder");
    git(&source, &["init", "-q", "-b", "main"]);
    fs::write(source.join("run.sh"), "#!/bin/sh\nexec cat\n").expect("a file");
    fs::write(source.join("run.py"), "print(1)\n").expect("a file");
    let manifest = r#"{ "dependencies": { "own": "file:./own" } }"#;
    fs::write(source.join("package.json"), manifest).expect("a file");
    fs::write(source.join("run.js"), "console.log(1)").expect("a file");
    make(&source, &home);
    git(&source, &["add", "-f", "-A"]);
    git(&source, &["commit", "-qm", "x"]);
    git(&source, &["tag", "v1"]);
    let url = format!("file://{}", source.display());
    session.define(
        "a",
        &format!("source = '{url}', tag = 'v1', executor = 'native', {fields}"),
    )
}

/// Calls it, and checks that no file of the user has changed.
#[track_caller]
fn changes_nothing(session: Kael, says: &str) -> Ran {
    let home = session.path().join("home");
    let before = names(&home);
    let ran = session.script("print(select(2, pcall(actions.t.a, { x = 1 })))");
    assert!(ran.exits(0).stdout.contains(says), "{}", ran.stdout);
    let precious = fs::read_to_string(home.join("precious")).expect("it is there");
    assert_eq!(precious, "do not lose this");
    assert_eq!(names(&home), before);
    ran
}

#[test]
fn fetching_changes_nothing_of_the_users() {
    let shell = "entrypoint = 'run.sh'";
    let link = "is a symbolic link";
    let by_envyr = |session: Kael| session.env("KAEL_RUNNER", "envyr");
    changes_nothing(
        by_envyr(fetched(shell, |source, home| {
            fs::create_dir(source.join(".envyr")).expect("a folder");
            symlink(home.join("precious"), source.join(".envyr/meta.json")).expect("a link");
        })),
        ".envyr/meta.json",
    );
    changes_nothing(
        by_envyr(fetched(shell, |source, home| {
            symlink(home, source.join(".envyr")).expect("a link");
        })),
        ".envyr",
    );
    let session = fetched("entrypoint = 'run.js'", |source, home| {
        fs::create_dir(home.join("own")).expect("a folder");
        fs::write(home.join("own/precious"), "x").expect("a file");
        symlink(home, source.join("node_modules")).expect("a link");
    });
    let ran = changes_nothing(session, link);
    assert!(ran.path().join("home/own/precious").exists());
    // Kael itself makes nothing there.
    let session = fetched("entrypoint = 'run.py'", |source, home| {
        symlink(home, source.join(".envyr")).expect("a link");
    });
    changes_nothing(session.env("KAEL_RUNNER", "builtin"), "1\n");
    // A folder below, which a definition names.
    changes_nothing(
        by_envyr(fetched(
            "subdir = 'sub', entrypoint = 'run.sh'",
            |source, home| {
                fs::create_dir(source.join("sub")).expect("a folder");
                fs::write(source.join("sub/run.sh"), "#!/bin/sh\ncat\n").expect("a file");
                symlink(home, source.join("sub/.envyr")).expect("a link");
            },
        )),
        ".envyr",
    );
}

#[test]
fn fetching_runs_nothing_that_a_repository_or_a_template_brings() {
    let session = fetched("entrypoint = 'run.sh'", |source, home| {
        // A submodule, an attribute with a filter, and a hook. Each would leave a file.
        let mark = home.join("mark").display().to_string();
        let hook = format!("#!/bin/sh\ntouch {mark}\n");
        fs::write(source.join("post-checkout"), &hook).expect("a file");
        fs::write(source.join(".gitattributes"), "* filter=evil\n").expect("a file");
        let modules = "[submodule \"m\"]\n\tpath = m\n\turl = ext::sh -c touch% MARK\n";
        let modules = modules.replace("MARK", &mark);
        fs::write(source.join(".gitmodules"), modules).expect("a file");
    });
    let hooks = session.path().join("template/hooks");
    fs::create_dir_all(&hooks).expect("a folder");
    let mark = session.path().join("home/mark");
    let hook = hooks.join("post-checkout");
    fs::write(&hook, format!("#!/bin/sh\ntouch {}\n", mark.display())).expect("a file");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).expect("a mode");
    let (template, home) = (
        session.path().join("template").display().to_string(),
        session.path().join("home").display().to_string(),
    );
    let session = session
        .env("HOME", &home)
        .env("GIT_TEMPLATE_DIR", &template)
        .env("KAEL_FETCH_ENV", "GIT_TEMPLATE_DIR");
    changes_nothing(session, "table");
}

#[test]
fn nested_and_trusted_paths_are_not_writable() {
    let session = |fields: &[&str]| {
        let session = Kael::new()
            .file("actions/state/b/x", "")
            .file("actions/lib/x.lua", "return 1")
            .file("given/sub/x", "")
            .file("config/kael/config.yaml", "timeout: 20s\n")
            .file("data/tmp/x", "");
        let at = session.path().display().to_string();
        let numbered = fields.iter().enumerate();
        numbered.fold(session, |session, (number, fields)| {
            let fields = fields.replace("AT", &at);
            session.shell(&format!("a{number}"), &fields, "echo 1")
        })
    };
    let refused = |fields: &[&str], says: &str| {
        let ran = session(fields).script("print('ran')");
        ran.exits(3).says(says);
        assert_eq!(ran.stdout, "", "{fields:?}");
    };
    let nests = "which is given for writing at actions/init.lua:";
    refused(
        &["writable = { 'state' }", "writable = { 'state/b' }"],
        nests,
    );
    refused(
        &["writable = { 'state/b' }", "writable = { 'state' }"],
        nests,
    );
    refused(&["writable = { 'AT/given', 'AT/given/sub' }"], nests);
    // A missing path counts by its name.
    refused(
        &["writable = { 'state' }", "writable = { 'state/./new/x' }"],
        nests,
    );
    refused(
        &["writable = { 'lib' }"],
        "field 'writable' `lib` lies in the actions repo, where actions write below `state/` only",
    );
    refused(&["writable = { 'init.lua' }"], "below `state/` only");
    refused(&["writable = { 'AT' }"], "holds the actions repo");
    refused(
        &["writable = { 'AT/data' }"],
        "is where Kael keeps its own things",
    );
    refused(
        &["writable = { 'AT/data/tmp' }"],
        "is where Kael keeps its own things",
    );
    refused(
        &["writable = { 'AT/config/kael' }"],
        "is where Kael's configuration is",
    );
    refused(&["writable = { 'AT/impl' }"], "which an action runs");
    refused(
        &[
            "interpreter = 'AT/given/sub/sh'",
            "writable = { 'AT/given' }",
        ],
        "which an action runs",
    );
    session(&[
        "writable = { 'state/b' }",
        "writable = { 'state/b', 'AT/given' }",
    ])
    .script("print(actions.t.a0({}), actions.t.a1({}))")
    .prints("1\t1\n");
}

#[test]
fn nothing_is_run_from_where_actions_write() {
    Kael::new()
        .program("actions/state/x.sh", "#!/bin/sh\necho 1\n")
        .define("a", "source = './state', entrypoint = 'x.sh', executor = 'native'")
        .define("b", "source = '.', entrypoint = 'state/x.sh', executor = 'native'")
        .script("for _, a in ipairs({ 'a', 'b' }) do print(select(2, pcall(actions.t[a], {})).message) end")
        .exits(0);
    let ran = Kael::new()
        .program("actions/state/x.sh", "#!/bin/sh\necho 1\n")
        .program("actions/link.sh", "#!/bin/sh\necho 1\n")
        .define(
            "b",
            "source = '.', entrypoint = 'link.sh', executor = 'native'",
        );
    let link = ran.path().join("actions/link.sh");
    fs::remove_file(&link).expect("removed");
    symlink("state/x.sh", &link).expect("a link");
    let ran = ran.script("print(select(2, pcall(actions.t.b, {})))");
    let says =
        "lies in `state/` of the actions repo, which actions may write: nothing there is run";
    assert!(ran.exits(0).stdout.contains(says), "{}", ran.stdout);
}

#[test]
fn a_link_that_an_action_left_leads_nowhere() {
    let session = evil(Kael::new(), "a", "writable = { 'state/a' }")
        .file("actions/state/a/x", "")
        .file("actions/state/b/x", "")
        .file("victim/conf", "fine");
    // Another repo's action that may write the parent folder could do this.
    let state = session.path().join("actions/state");
    fs::remove_dir_all(state.join("b")).expect("removed");
    symlink("../init.lua", state.join("b")).expect("a link");
    let fields = "writable = { 'state/b' }";
    let ran = evil(session, "b", fields).script("print(pcall(actions.t.b, { cmd = 'true' }))");
    ran.exits(3).says(
        "field 'writable' `state/b` leads through a symbolic link, which may come to lead elsewhere: name ",
    );
    // A path that is created while the host runs.
    let session = Kael::new()
        .file("given/b/x", "")
        .file("victim/conf", "fine");
    let at = session.path().display().to_string();
    let swap = format!("mv {at}/given/b {at}/given/c && ln -s {at}/victim {at}/given/b && echo 1");
    let session = evil(session, "b", &format!("writable = {{ '{at}/given/b' }}"));
    let code = format!(
        "print(actions.t.swap({{}})) print(select(2, pcall(actions.t.b, {{ cmd = 'echo bad > {at}/victim/conf' }})))"
    );
    let ran = session
        .shell("swap", "", &swap)
        .run_with(&["--confinement", "off"])
        .script(&code);
    let stdout = &ran.exits(0).stdout;
    assert!(stdout.contains("leads through a symbolic link"), "{stdout}");
    let conf = fs::read_to_string(ran.path().join("victim/conf")).expect("a file");
    assert_eq!(conf, "fine");
}

#[test]
fn an_action_cannot_make_its_repo_invalid() {
    let session = evil(Kael::new(), "a", "writable = { 'state' }").file("actions/state/x", "");
    let state = session.path().join("actions/state").display().to_string();
    let session = session.run_with(&[]);
    for cmd in [
        format!("cd {state}; for i in $(seq 40); do mkdir d; cd d; done"),
        format!("cd {state}; for i in $(seq 21000); do echo $i; done | xargs touch"),
        format!(
            "cd {state}; mkdir x.d; echo 'error(1)' > x.lua; mkdir y; echo 1 > y.lua; echo 1 > y/init.lua; mkfifo z.lua; ln -s / w.lua"
        ),
    ] {
        let mut command = session.command();
        let code = format!("actions.t.a{{ cmd = \"{cmd}\" }}");
        let output = command
            .args(["run", "-e", &code])
            .output()
            .expect("it ends");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let mut command = session.command();
    let code = "print(pcall(require, 'state.x'))";
    let output = command.args(["run", "-e", code]).output().expect("it ends");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && stdout.starts_with("false"),
        "{stdout}"
    );
}

#[test]
fn a_temporary_folder_of_any_depth_is_removed() {
    let code = "import os, sys
os.chdir(os.environ['TMPDIR'])
for _ in range(3000):
    os.mkdir('d', 0o700); os.chdir('d')
print(1)
";
    // A place where removal is fast: some file systems take milliseconds per folder.
    let memory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let memory = memory.expect("a folder");
    let session = Kael::new()
        .file("impl/deep.py", code)
        .define(
            "deep",
            "source = '../impl', entrypoint = 'deep.py', executor = 'native', type = 'other', interpreter = '/usr/bin/env python3'",
        )
        .shell("quick", "", "echo 1");
    fs::create_dir(session.path().join("data")).expect("a folder");
    symlink(memory.path(), session.path().join("data/tmp")).expect("a link");
    let run = |action: &str| {
        let code = format!("print(actions.t.{action}({{}}))");
        let mut command = session.command();
        let output = command.args(["run", "-e", &code]).output();
        let output = output.expect("it ends");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{stderr}");
    };
    run("deep");
    // A later host removes what an earlier one did not finish.
    let gone = (0..100).any(|_| {
        let gone = names(memory.path()).is_empty();
        if !gone {
            run("quick");
        }
        gone
    });
    assert!(gone, "{:?}", names(memory.path()));
}

#[test]
fn temporary_folders_lie_where_no_action_is_given_to_write() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().display().to_string();
    let fields = format!("writable = {{ '{place}' }}");
    let ran = evil(Kael::new(), "evil", &fields)
        .shell("good", "", "sleep 0.5; printf '\"%s\"' \"$TMPDIR\"")
        .env("TMPDIR", &place)
        .script(&format!(
            "local ok, r = pcall(parallel, {{ actions.t.good, function() return actions.t.evil {{ cmd = 'ls -A {place} >&2; ls -A {place} | grep -c . && exit 3; touch {place}/x' }} end }})
             print(ok, ok and r[1])"
        ));
    let data = ran.path().canonicalize().expect("there").join("data/tmp/");
    let stdout = &ran.exits(0).stdout;
    assert!(
        stdout.starts_with(&format!("true\t{}", data.display())),
        "{stdout}"
    );
    nothing_is_left(ran.path());
}

#[test]
fn the_next_host_removes_the_leftovers_of_a_killed_one() {
    let session = Kael::new()
        .shell(
            "nap",
            "",
            "mkdir -p \"$TMPDIR/a/b\"; touch \"$TMPDIR/a/b/c\"; sleep 4817.1",
        )
        .shell("quick", "", "echo 1");
    let data = session.path().join("data/tmp");
    let start = |code: &str| {
        let mut command = session.command();
        let command = command.args(["run", "-e", code]);
        command
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("it starts")
    };
    let mut living = start("actions.t.nap({})");
    let mut killed = start("actions.t.nap({})");
    let own = |child: &std::process::Child| format!("{}-0", child.id());
    let began = Instant::now();
    let made = |child: &std::process::Child| data.join(own(child)).join("kael-0/a/b/c").exists();
    while !(made(&living) && made(&killed)) {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{:?}",
            names(&data)
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    killed.kill().expect("it is there");
    killed.wait().expect("it ends");
    assert!(made(&killed));
    assert!(
        start("print(actions.t.quick({}))")
            .wait()
            .expect("it ends")
            .success()
    );
    assert!(!data.join(own(&killed)).exists(), "{:?}", names(&data));
    // The folder of the living host stays.
    assert!(made(&living));
    living.kill().expect("it is there");
    living.wait().expect("it ends");
    assert!(
        start("print(actions.t.quick({}))")
            .wait()
            .expect("it ends")
            .success()
    );
    assert_eq!(names(&data), Vec::<String>::new());
    assert!(kael_tests::gone("4817.1"));
}

#[test]
fn a_locked_path_cannot_be_reached_by_another_spelling() {
    let program = "#!/usr/bin/python3
import argparse, json
p = argparse.ArgumentParser()
p.add_argument('--tenant'); p.add_argument('--force', action=argparse.BooleanOptionalAction); p.add_argument('--name')
print(json.dumps(vars(p.parse_args())))
";
    let script = "local t = actions.t
        print(json.encode(t.del { name = '--force' }))
        for _, p in ipairs { { forc = true }, { tenan = 'evil' }, { ['no-force'] = true }, { ['no-forc'] = true }, { Tenant = 'x' }, { name = true } } do
          local ok, e = pcall(t.del, p)
          print(ok, ok or e.kind)
        end";
    Kael::new()
        .program("impl/del", program)
        .define(
            "del",
            "source = '../impl', entrypoint = 'del', executor = 'native', type = 'other', interpreter = '/usr/bin/python3', input = 'args', locked = { force = true, tenant = 'acme' }",
        )
        .script(script)
        .prints(&format!(
            "{}\n{}",
            r#"{"force":true,"name":"--force","tenant":"acme"}"#,
            "false\tinvalid_params\n".repeat(6)
        ));
}
