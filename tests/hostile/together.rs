//! Concurrent and consecutive runs do not affect each other.

use std::process::Command;
use std::time::{Duration, Instant};

use kael_engine::runtime::Runtime;
use kael_tests::{Kael, Need};
use libtest_mimic::Trial;

use crate::in_process_host::{self, Host};
use crate::{trial, trial_with};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("between/fresh_memory", fresh_memory),
        trial("between/as_many_runs_as_the_sandbox_is_made_for", as_many),
        trial("between/more_runs_than_the_sandbox_is_made_for_wait", more),
        trial("between/a_run_that_may_not_wait_is_refused_as_busy", busy),
        trial("between/good_runs_beside_hostile_ones", beside),
        trial(
            "between/a_large_document_beside_a_small_run",
            large_document,
        ),
        trial("between/a_host_ended_by_int_amid_fifty_actions", || {
            ended_by("INT", 130)
        }),
        trial("between/a_host_ended_by_term_amid_fifty_actions", || {
            ended_by("TERM", 143)
        }),
        // Without a namespace, nothing is promised if the host is killed.
        trial_with(
            Need::Namespace,
            "between/a_host_ended_by_kill_amid_fifty_actions",
            || ended_by("KILL", 137),
        ),
        trial("between/two_tags_of_one_source_at_once", two_tags),
    ]
}

/// Raises many errors for a while, each of which needs memory, and then succeeds.
const COMPUTES: &str =
    "local stop = os.clock() + 0.05 while os.clock() < stop do pcall(error, {}) end return 1";

fn session(source: &str) -> Kael {
    Kael::new().file("script.lua", source)
}

/// Unwritten memory of an instance is zero: the previous run in its slot left nothing there.
fn fresh_memory() {
    // With one instance, every run has the same slot.
    let host = Host::start();
    let secret = "local kept = {} for i = 1, 50000 do kept[i] = 'a secret of the run before ' .. i end return #kept";
    assert_eq!(host.run(session(secret).path(), &[]).result, "50000");
    // Reads memory that was allocated but not written, as far as a script can.
    let look = "local found = 0
        for _, s in ipairs({ string.pack('z', ''), table.concat(table.create(1000)), ('x'):rep(0), string.pack('!8 i1 i8', 1, 2),
          string.pack('<i1 Xi8', 1), string.pack('c1000', ''), string.pack('>!16 i1 !16 i16', 1, 2) }) do
          if s:find('secret', 1, true) then found = found + 1 end
        end
        local t = table.create(100000, 100000)
        for i = 1, 100000 do if t[i] ~= nil then found = found + 1 end end
        for k in next, t do found = found + 1 end
        return found";
    for _ in 0..10 {
        assert_eq!(host.run(session(look).path(), &[]).result, "0");
    }
}

/// A sandbox runs as many scripts at once as it was made for, even if all of them raise errors,
/// which need memory.
fn as_many() {
    let host = Host::start();
    let session = session(COMPUTES);
    let ended = host
        .runtime()
        .block_on(futures((0..8).map(|_| host.running(session.path(), &[]))));
    for ended in ended {
        assert_eq!(
            (ended.kind.as_str(), ended.result.as_str()),
            ("ok", "1"),
            "{}",
            ended.message
        );
    }
    host.is_well();
}

/// If there are more runs than instances, runs wait, and all succeed. That includes runs with a
/// repo, which need another instance to load it.
fn more() {
    let host = Host::with(Runtime::builder().instances(2));
    let (plain, with_repo) = (
        session(COMPUTES),
        Kael::new()
            .shell("echo", "", "cat")
            .file("script.lua", "return actions.t.echo({ n = 1 }).n"),
    );
    with_repo.write_repo();
    let runs = (0..12).map(|n| {
        let session = if n % 2 == 0 { &plain } else { &with_repo };
        host.running(session.path(), &[])
    });
    for ended in host.runtime().block_on(futures(runs)) {
        assert_eq!(
            (ended.kind.as_str(), ended.result.as_str()),
            ("ok", "1"),
            "{}",
            ended.message
        );
    }
    host.is_well();
}

/// Without waiting allowed, a run that finds no free instance fails at once with its own error.
fn busy() {
    let host = Host::with(Runtime::builder().instances(1).max_waiting(0));
    let session = session(COMPUTES);
    let runs = (0..3).map(|_| host.running(session.path(), &[]));
    let ended = host.runtime().block_on(futures(runs));
    let kinds: Vec<_> = ended.iter().map(|ended| ended.kind.as_str()).collect();
    assert_eq!(kinds, ["ok", "busy", "busy"], "{}", ended[1].message);
    assert_eq!(
        ended[1].message,
        "all instances of the sandbox are in use (1), and as many runs wait for one as may (0)"
    );
    host.is_well();
}

/// Good scripts run while others use up their limits.
fn beside() {
    let host = Host::get();
    let hostile = [
        "while true do end",
        "local t = {} while true do t[#t + 1] = {} end",
        "while true do pcall(error, ('x'):rep(1000)) end",
        "local s = ('a'):rep(100000) s:find(('.-'):rep(30) .. 'b')",
    ];
    let options: Vec<String> = ["--max-cpu", "1s", "--max-memory", "32MiB"]
        .map(str::to_owned)
        .into();
    let good = session("return 6 * 7");
    host.runtime().block_on(async {
        let sessions: Vec<Kael> = hostile.iter().map(|source| session(source)).collect();
        let hostile = futures(
            sessions
                .iter()
                .map(|session| host.running(session.path(), &options)),
        );
        let good = async {
            for _ in 0..20 {
                let ended = host.running(good.path(), &[]).await;
                assert_eq!(
                    (ended.kind.as_str(), ended.result.as_str()),
                    ("ok", "42"),
                    "{}",
                    ended.message
                );
            }
        };
        let (ended, ()) = tokio::join!(hostile, good);
        for ended in ended {
            assert_eq!(ended.kind, "limit", "{}", ended.message);
        }
    });
    host.is_well();
}

/// Polls all futures in turn.
async fn futures<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = all.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|context| {
        let mut done = true;
        for (future, output) in &mut pending {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(value) => *output = Some(value),
                    std::task::Poll::Pending => done = false,
                }
            }
        }
        if done {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    pending
        .into_iter()
        .filter_map(|(_, output)| output)
        .collect()
}

/// The host answers other runs while it merges, checks and passes on documents of tens of
/// megabytes.
fn large_document() {
    let host = Host::get();
    let large = Kael::new()
        .shell("echo", "defaults = { a = { b = 1 } }", "cat")
        .file("script.lua", "local l = table.create(2000000) for i = 1, 2000000 do l[i] = 0 end return #actions.t.echo({ l = l, s = ('0123456789'):rep(2000000) }).l");
    large.write_repo();
    let options: Vec<String> = ["--max-memory", "1GiB"].map(str::to_owned).into();
    let good = session("return 1");
    host.runtime().block_on(async {
        let large = host.running(large.path(), &options);
        tokio::pin!(large);
        let mut quick = 0;
        let ended = loop {
            tokio::select! {
                ended = &mut large => break ended,
                ended = host.running(good.path(), &[]) => {
                    assert_eq!(ended.result, "1", "{}", ended.message);
                    quick += 1;
                }
            }
        };
        assert_eq!(
            (ended.kind.as_str(), ended.result.as_str()),
            ("ok", "2000000"),
            "{}",
            ended.message
        );
        assert!(quick > 0);
    });
    host.is_well();
}

/// However the host ends, no process of its actions is left two seconds later.
fn ended_by(signal: &str, code: i32) {
    use std::os::unix::process::ExitStatusExt as _;
    let source =
        "local fs = {} for i = 1, 50 do fs[i] = function() actions.t.slow({}) end end parallel(fs)";
    let session = Kael::new();
    let (state, fields) = session.state();
    let session = session
        .shell("slow", &fields, "touch ../state/up.$$.$(cat /proc/sys/kernel/random/uuid); trap '' TERM INT; setsid sleep 1000 & (setsid sleep 1000 &); sleep 1000 & wait")
        .file("script.lua", source);
    let folder = session.path().display().to_string();
    let session = session
        .env("HOME", &folder)
        .run_with(&["--max-parallel", "50", "script.lua"]);
    let mut child = session.start();
    let start = Instant::now();
    let up = || {
        std::fs::read_dir(&state)
            .expect("a folder")
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with("up."))
            .count()
    };
    while up() < 50 {
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "{} of 50 actions have begun",
            up()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let killed = Command::new("kill")
        .arg(format!("-{signal}"))
        .arg(child.id().to_string())
        .status();
    assert!(killed.expect("kill starts").success());
    let status = child.wait().expect("it ends");
    assert_eq!(
        status.code().or(status.signal().map(|n| 128 + n)),
        Some(code)
    );
    assert!(
        in_process_host::gone(&folder),
        "something of the run is alive"
    );
    Host::get().is_well();
}

/// Two runs with two tags of one source do not see each other's code.
fn two_tags() {
    let git = "set -e; cd repo; git init -q -b main; git config user.email x@x; git config user.name x; \
        for v in one two; do printf '#!/bin/sh\\necho \"\\\"%s\\\"\"\\n' $v > a.sh; git add a.sh; git commit -qm $v; git tag $v; done";
    let session = Kael::new().file("repo/.keep", "");
    let made = Command::new("sh")
        .args(["-c", git])
        .current_dir(session.path())
        .output()
        .expect("git");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let source = format!("file://{}/repo", session.path().display());
    let define = |tag: &str| {
        format!(
            "define_action({{ source = '{source}', tag = '{tag}', entrypoint = 'a.sh', executor = 'native' }})"
        )
    };
    let session = session
        .file("actions/init.lua", format!("return {{ t = {{ one = {}, two = {} }} }}", define("one"), define("two")))
        .file(
            "script.lua",
            "local fs = {} for i = 1, 16 do fs[i] = i % 2 == 0 and function() return actions.t.one({}) end or function() return actions.t.two({}) end end
             return table.concat(parallel(fs), ' ')",
        );
    let ended = Host::get().run(session.path(), &[]);
    let expected = ["two one"; 8].join(" ");
    assert_eq!(
        (ended.kind.as_str(), ended.result.as_str()),
        ("ok", format!("\"{expected}\"").as_str()),
        "{}",
        ended.message
    );
    Host::get().is_well();
}
