//! Folders of WebAssembly actions: their content is visible, and nothing leads out of them.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use super::*;

#[test]
fn a_granted_folder_is_visible_and_writable_only_if_granted() {
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
            // The links themselves are in the folder, and may be removed.
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
    // A link that the action creates leads nowhere, either.
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
    // The folder must outlive the thread that renames in it.
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| {
            // The path alternates between the folder and a link that leads out.
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
        ran
    });
    assert_eq!(
        ran.exits(0).stdout.matches("inside").count(),
        2,
        "{}",
        ran.stdout
    );
    assert!(!ran.stdout.contains("secret"), "{}", ran.stdout);
}

#[test]
fn an_action_blocked_on_a_fifo_does_not_block_the_run() {
    let session = define(
        reader("timeout = '50ms'"),
        "c",
        &component(&module()),
        "dirs = { ['/data'] = { path = '../data' } }",
    );
    let fifo = session.path().join("data/fifo");
    let made = Command::new("mkfifo").arg(fifo).status();
    assert!(made.expect("mkfifo starts").success());
    // More calls than the host has blocking threads. If the threads stayed blocked, the last call
    // would wait.
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
