//! Actions through the real envyr: parameters, results, and every kind of failure.

use kael_tests::{Kael, gone};

const CAT: &str = "cat";

#[test]
fn parameters_arrive_merged_and_results_come_back_exactly() {
    Kael::new()
        .shell("echo", "defaults = { step = '5m', o = { a = 1 } }, locked = { tenant = 'acme' }", CAT)
        .script("print(json.encode(actions.t.echo({ q = 'up', o = { b = 2.0 }, l = json.array{}, i = 2^53|0, s = 'é\\n\"' })))")
        .prints("{\"i\":9007199254740992,\"l\":[],\"o\":{\"a\":1,\"b\":2.0},\"q\":\"up\",\"s\":\"é\\n\\\"\",\"step\":\"5m\",\"tenant\":\"acme\"}\n");
    Kael::new()
        .shell("null", "", "echo '[null, {\"a\":null}]'")
        .script("local r = actions.t.null() print(#r, r[1] == json.null, next(r[2]))")
        .prints("2\ttrue\tnil\n");
}

#[test]
fn locked_parameters_hold() {
    let session = || Kael::new().shell("echo", "locked = { auth = { role = 'ro' } }", CAT);
    for (params, path) in [
        ("auth = { role = 'rw' }", "auth.role"),
        ("auth = 5", "auth"),
        ("auth = { 1 }", "auth"),
        ("auth = json.null", "auth"),
    ] {
        session().script(&format!("actions.t.echo({{ {params} }})")).fails(
            1,
            &format!("Error: t.echo failed: parameter `{path}` is locked by the team\n  script.lua:1: in main chunk\n"),
        );
    }
    session()
        .script("print(json.encode(actions.t.echo({ auth = { user = 'x' } })))")
        .prints("{\"auth\":{\"role\":\"ro\",\"user\":\"x\"}}\n");
}

#[test]
fn a_failure_that_nothing_catches_ends_the_run() {
    Kael::new()
        .shell("query", "", "echo 'connecting' >&2; echo 'connection refused' >&2; exit 7")
        .script("local function go()\n  actions.t.query({})\nend\ngo()")
        .fails(6, "Error: t.query failed: connection refused\n  script.lua:2: in local 'go'\n  script.lua:4: in main chunk\n  it exited with status 7\n  its stderr:\n  | connecting\n  | connection refused\n");
}

#[test]
fn a_failure_can_be_caught_and_looked_at() {
    Kael::new()
        .shell("query", "", "echo boo >&2; exit 7")
        .script(
            "local ok, e = pcall(actions.t.query, {})
             print(ok, e, e.action, e.kind, e.message, e.detail.exit_code, e.detail.signal, e.detail.stderr)
             print('Query failed: ' .. e, e:match('b.o'))",
        )
        .prints("false\tt.query failed: boo\tt.query\tfailed\tboo\t7\tnil\tboo\n\nQuery failed: t.query failed: boo\tboo\n");
}

#[test]
fn every_way_to_fail_has_its_kind() {
    for (code, fields, kind, message) in [
        (
            "echo '{\"error\":\"no such metric\"}'; echo noise >&2; exit 2",
            "",
            "failed",
            "no such metric",
        ),
        ("exit 3", "", "failed", "exited with status 3"),
        ("printf refused >&2; exit 3", "", "failed", "refused"),
        (
            "kill -9 $$",
            "",
            "failed",
            "was ended by signal 9 (SIGKILL)",
        ),
        (
            "echo junk",
            "",
            "bad_output",
            "printed what is not JSON: it begins with \"junk\", which is not a JSON value, at line 1 column 1",
        ),
        (
            "echo 1 2",
            "",
            "bad_output",
            "printed what is not JSON: more text behind the document, \"2\", at line 1 column 3",
        ),
        ("printf '\\357\\273\\2771'", "", "ok", "1"),
        (
            "true",
            "",
            "bad_output",
            "printed nothing, and a result is one JSON value on stdout",
        ),
        ("yes", "", "bad_output", "printed more than 64 MiB"),
        (
            "sleep 60",
            "timeout = '300ms'",
            "timeout",
            "timed out after 300ms",
        ),
        (
            "trap '' TERM; sleep 60",
            "timeout = 0.3",
            "timeout",
            "timed out after 300ms",
        ),
        ("echo 1 >&2; echo 2", "", "ok", "2"),
    ] {
        let expected = if kind == "ok" {
            format!("ok\t{message}\n")
        } else {
            format!("{kind}\t{message}\n")
        };
        Kael::new()
            .shell("a", fields, code)
            .script("local ok, e = pcall(actions.t.a, {}) if ok then print('ok', e) else print(e.kind, e.message) end")
            .prints(&expected);
    }
}

#[test]
fn a_timeout_ends_the_whole_tree() {
    let code = "sleep 4814.1 & setsid sleep 4814.1 & (setsid sh -c 'trap \"\" TERM; sleep 4814.1' &) ; trap '' TERM; sleep 4814.1";
    let ran = Kael::new()
        .shell("a", "timeout = 0.5", code)
        .script("actions.t.a({})");
    ran.fails(
        6,
        "Error: t.a failed: timed out after 500ms\n  script.lua:1: in main chunk\nhint: the definition's `timeout` says how long the action may take\n",
    );
    assert!(gone("4814.1"));
}

#[test]
fn leftover_processes_of_a_finished_action_are_killed() {
    let code = "sleep 4814.2 & (setsid sh -c 'sleep 4814.2 & sleep 4814.2' &) ; echo 1";
    Kael::new()
        .shell("a", "", code)
        .script("print(actions.t.a({}))")
        .prints("1\n");
    assert!(gone("4814.2"));
}

#[test]
fn an_action_sees_only_its_own_environment() {
    let code = r#"env | sort | cut -d= -f1 | grep -v -e '^PWD$' -e '^OLDPWD$' -e '^_$' -e '^SHLVL$' | tr '\n' ' ' | sed 's/\(.*\)/"\1"/'"#;
    Kael::new()
        .env("SECRET", "s")
        .env("GIVEN", "g")
        .env("LANG", "C.UTF-8")
        .shell("a", "env = { 'GIVEN', 'NOT_SET' }", code)
        .script("print(actions.t.a({}))")
        .prints(
            "GIVEN HOME KAEL_ATTEMPT KAEL_CALL KAEL_IDEMPOTENCY_KEY KAEL_RUN LANG PATH TMPDIR \n",
        );
    let code = r#"tr '\0' '\n' < /proc/1/environ | grep -c SECRET; ls /proc | grep -c '^[0-9]' >/dev/null; touch "$TMPDIR/x"; printf '"%s"' "$TMPDIR""#;
    let ran = Kael::new()
        .env("SECRET", "s")
        .shell(
            "a",
            "",
            &code.replacen("tr", "n=$(tr", 1).replacen(
                "SECRET;",
                "SECRET); [ \"$n\" = 0 ] || exit 9;",
                1,
            ),
        )
        .script("print(actions.t.a({}))");
    let temporary = ran.exits(0).stdout.trim().to_owned();
    assert!(
        temporary.contains("kael-") && !std::path::Path::new(&temporary).exists(),
        "{temporary}"
    );
}

#[test]
fn bad_parameters_are_errors_that_name_their_place() {
    let session = || Kael::new().shell("echo", "", CAT);
    for (params, message) in [
        ("5", "parameters must be a table, got number"),
        (
            "{ 1, 2 }",
            "parameters must be a table with names, got a list",
        ),
        (
            "{ rows = { { value = 0/0 } } }",
            "parameter $.rows[1].value is NaN, which JSON cannot hold",
        ),
        (
            "{ f = print }",
            "parameter $.f is a function, which JSON cannot hold",
        ),
        (
            "{ s = '\\xff' }",
            "parameter $.s is a string that is not UTF-8",
        ),
        ("{ 1, a = 2 }", "parameter $ mixes a list with named keys"),
        (
            "(function() local t = {} t.t = t return t end)()",
            "parameter $.t contains itself",
        ),
    ] {
        session()
            .script(&format!("actions.t.echo({params})"))
            .fails_with(1, &format!("Error: t.echo failed: {message}"));
    }
}

#[test]
fn an_unknown_action_suggests_a_known_one() {
    Kael::new()
        .shell("echo", "", CAT)
        .script("actions.t.ecoh({})")
        .fails(
            1,
            "Error: no action 't.ecoh' (did you mean 't.echo'?)\n  script.lua:1: in main chunk\n",
        );
}

#[test]
fn a_denied_action_does_not_run() {
    let ran = Kael::new()
        .shell("drop", "", "touch ../dropped; echo 1")
        .shell("look", "", "echo 2")
        .run_with(&["--deny", "t.dr*"])
        .script("print(actions.t.look({})) actions.t.drop({})");
    ran.fails_with(4, "Error: t.drop failed: denied by the policy (deny t.dr*)");
    assert_eq!(ran.stdout, "2\n");
    assert!(!ran.path().join("dropped").exists());
}

#[test]
fn an_action_with_two_names_is_denied_by_either() {
    let repo =
        "local d = define_action({ source = '../impl', entrypoint = 'a.sh', executor = 'native' })
                return { aaa = d, prod = { delete = d } }";
    for call in ["actions.prod.delete({})", "actions.aaa({})"] {
        Kael::new()
            .program("impl/a.sh", "echo 1")
            .file("actions/init.lua", repo)
            .option(&["--actions", "actions"])
            .run_with(&["--deny", "prod.delete"])
            .script(call)
            .fails_with(
                4,
                "Error: aaa failed: denied by the policy (deny prod.delete)",
            );
    }
}

#[test]
fn a_pattern_that_denies_nothing_is_pointed_out() {
    let ran = Kael::new()
        .shell("a", "", "echo 1")
        .run_with(&["--deny", "t.b"])
        .script("actions.t.a({})");
    ran.exits(0)
        .says("--deny t.b matches no action of the repo");
}

#[test]
fn the_losers_of_a_race_end_before_the_script_goes_on() {
    let session = Kael::new();
    let (state, fields) = session.state();
    let ran = session
        .shell(
            "slow",
            &fields,
            &format!("sleep 2; touch {state}/late; echo 1"),
        )
        .shell("quick", "", "echo 2")
        .script(
            "race(function() actions.t.slow({}) end, function() actions.t.quick({}) end)
             local stop = os.clock() + 3 while os.clock() < stop do end",
        );
    ran.exits(0);
    assert!(!ran.path().join("state/late").exists());
}

#[test]
fn a_call_that_was_cancelled_is_recorded() {
    let ran = Kael::new()
        .shell("slow", "", "sleep 60")
        .shell("quick", "", "echo 2")
        .run_with(&["--json"])
        .script("race(function() actions.t.slow({}) end, function() actions.t.quick({}) end)");
    let report: serde_json::Value = serde_json::from_str(&ran.exits(0).stdout).expect("JSON");
    let mut calls: Vec<_> = report["calls"]
        .as_array()
        .expect("calls")
        .iter()
        .map(|call| format!("{} {}", call["action"], call["outcome"]))
        .collect();
    calls.sort();
    assert_eq!(calls, [r#""t.quick" "ok""#, r#""t.slow" "cancelled""#]);
}

#[test]
fn a_script_cannot_change_the_report_of_a_failure() {
    Kael::new()
        .shell("a", "", "echo no >&2; exit 1")
        .script("local _, e = pcall(actions.t.a, {}) e.kind, e.action, e.message = 'denied', 'b', 'by the policy' error(e)")
        .fails_with(6, "Error: t.a failed: no");
}

#[test]
fn parameters_that_wait_for_their_turn_are_bounded() {
    let session = Kael::new()
        .shell("nap", "", "sleep 0.02; echo 1")
        .file(
            "script.lua",
            "local s, fs = ('x'):rep(4 << 20), {} for i = 1, 100 do fs[i] = function() return actions.t.nap({ s = s }) end end print(#parallel(fs))",
        )
        .run_with(&["--max-parallel", "1", "--max-memory", "64MiB", "script.lua"]);
    let child = session.start();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0_u64;
    while let Ok(text) = std::fs::read_to_string(&status) {
        let Some(line) = text.lines().find(|line| line.starts_with("VmHWM:")) else {
            break;
        };
        peak = line
            .split_whitespace()
            .nth(1)
            .and_then(|kib| kib.parse().ok())
            .unwrap_or(peak)
            .max(peak);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(
        (
            String::from_utf8_lossy(&output.stdout).as_ref(),
            String::from_utf8_lossy(&output.stderr).as_ref()
        ),
        ("100\n", "")
    );
    assert!(peak > 0 && peak < 300 << 10, "{peak} KiB");
}

#[test]
fn branches_run_side_by_side() {
    // Each waits until all three have begun.
    let session = Kael::new();
    let (state, fields) = session.state();
    let meet = format!(
        "touch {state}/in.$$; while [ $(ls {state}/in.* | wc -l) -lt 3 ]; do sleep 0.05; done; cat"
    );
    session
        .shell(
            "meet",
            &format!("timeout = 30, {fields}"),
            &meet.replace("$$", "$(cat /proc/sys/kernel/random/uuid)"),
        )
        .script(
            "local function meet(n) return function() return actions.t.meet({ n = n }).n end end
             print(parallel(meet(1), meet(2), meet(3)))",
        )
        .prints("1\t2\t3\n");
}

#[test]
fn a_race_ends_the_losers() {
    Kael::new()
        .shell("nap", "", "sleep 4814.3; echo 1")
        .shell("quick", "", "echo 2")
        .script("print(race(function() return actions.t.nap({}) end, function() return actions.t.quick({}) end)) print(actions.t.quick({}))")
        .prints("2\t2\n2\n");
    assert!(gone("4814.3"));
}

#[test]
fn fifty_megabytes_go_in_and_come_back() {
    Kael::new()
        .shell("echo", "", CAT)
        .run_with(&["--max-memory", "1GiB"])
        .script("local s = ('0123456789'):rep(5000000) local r = actions.t.echo({ s = s }) print(#r.s, r.s == s)")
        .prints("50000000\ttrue\n");
}

#[test]
fn an_action_need_not_read_its_input() {
    Kael::new()
        .shell("deaf", "", "echo 1")
        .script("print(actions.t.deaf({ s = ('x'):rep(1000000) }))")
        .prints("1\n");
}

#[test]
fn a_missing_or_other_envyr_is_reported_with_the_remedy() {
    let session = || {
        let session = Kael::new().shell("a", "", "echo 1").env("KAEL_ENVYR", "");
        session.env("KAEL_RUNNER", "auto")
    };
    session()
        .env("PATH", "/usr/bin:/bin")
        .option(&["--runner", "envyr"])
        .script("actions.t.a({})")
        .fails_with(
            6,
            "Error: t.a failed: envyr is not installed: install it with: kael-host setup",
        );
    session()
        .program("other/envyr", "#!/bin/sh\necho envyr 0.3.9\n")
        .option(&["--envyr", "other/envyr"])
        .script("actions.t.a({})")
        .fails_with(6, "Error: t.a failed: DIR/other/envyr is envyr 0.3.9, and Kael needs 0.4.2: install it with: kael-host setup");
    session()
        .option(&["--envyr", "nowhere"])
        .script("local _, e = pcall(actions.t.a, {}) print(e.kind, e.detail.hint)")
        .prints("unavailable\tinstall it with: kael-host setup\n");
}

#[test]
fn an_envyr_on_the_path_is_hidden_from_actions() {
    let ran = Kael::new()
        .program(
            "bin/envyr",
            "#!/bin/sh\necho called >> \"$(dirname \"$0\")/called\"\n",
        )
        .program("bin/tool", "#!/bin/sh\necho '\"a tool\"'\n")
        .shell("a", "", "command -v envyr >/dev/null && exit 9; tool");
    let path = format!("{}/bin:/usr/bin:/bin", ran.path().display());
    let ran = ran.env("PATH", &path).script("print(actions.t.a({}))");
    ran.prints("a tool\n");
    assert!(!ran.path().join("bin/called").exists());
}
