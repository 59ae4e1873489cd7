//! Native actions run without envyr, by the same contract.

use kael_tests::{Kael, Need, needs};
use serde_json::Value;

fn bare() -> Kael {
    // No envyr anywhere.
    Kael::new()
        .env("KAEL_ENVYR", "")
        .env("KAEL_RUNNER", "auto")
        .env("PATH", "/usr/bin:/bin")
}

#[test]
fn an_action_runs_where_there_is_no_envyr() {
    bare()
        .shell(
            "a",
            "input = 'positional', args_order = { 'x' }, output = 'lines'",
            "echo \"$1\"; echo \"$0\"; pwd | sed 's,.*/,,'",
        )
        .script("print(table.concat(actions.t.a({ x = 'a b' }), '|'))")
        .prints("a b|a.sh|impl\n");
}

#[test]
fn a_file_whose_name_is_an_option_or_a_variable_runs_or_is_refused() {
    for runner in ["envyr", "builtin"] {
        let ran = Kael::new()
            .env("KAEL_RUNNER", runner)
            .file("only/-c.sh", "echo '\"'$0 $1'\"'")
            .program("impl/x=1", "#!\necho 1")
            .define(
                "a",
                "source = '../only', executor = 'native', input = 'positional', args_order = { 'x' }",
            )
            .define(
                "b",
                "source = '../impl', entrypoint = 'x=1', executor = 'native', input = 'positional', args_order = { 'x' }",
            )
            .script("print(actions.t.a({ x = 'ls' })) print(select(2, pcall(actions.t.b, { x = 'ls' })))");
        ran.prints(
            "./-c.sh ls\nt.b failed: `./x=1` cannot be started: `env` takes a path with `=` for a variable\n",
        );
    }
}

#[test]
fn both_runners_say_the_same_of_every_end() {
    let script = "for _, name in ipairs { 'ok', 'status', 'signal', 'core', 'interpreter', 'cpu', 'slow', 'lost' } do
      local ok, e = pcall(actions.t[name], {})
      if ok then print(name, e) else
        local d = e.detail or {}
        print(name, e.kind, e.message, d.exit_code, d.signal, d.hint, (d.stderr or ''):gsub('%d+', 'N'))
      end
    end";
    let said = |runner: &str| {
        let ran = Kael::new()
            .env("KAEL_RUNNER", runner)
            .shell("ok", "", "echo 1")
            .shell("status", "", "echo why >&2; exit 42")
            .shell("signal", "", "echo step >&2; kill -9 $$")
            .shell("core", "", "kill -ABRT $$")
            .shell("cpu", "limits = { cpu = 1 }", "while :; do :; done")
            .shell("slow", "timeout = '300ms'", "sleep 60")
            .shell(
                "lost",
                "",
                "(setsid sleep 4817.41 &) >/dev/null 2>&1; exit 3",
            )
            .file("impl/i", "#!/usr/bin/env no-such-program\n")
            .define(
                "interpreter",
                "source = '../impl', entrypoint = 'i', executor = 'native'",
            )
            .script(script);
        ran.exits(0).stdout.clone()
    };
    let (envyr, builtin) = (said("envyr"), said("builtin"));
    assert_eq!(envyr, builtin);
    assert!(builtin.contains("status\tfailed\twhy\t42\t"), "{builtin}");
    assert!(
        builtin.contains(
            "signal\tfailed\twas ended by signal 9 (SIGKILL); it said last: step\tnil\t9\t"
        ),
        "{builtin}"
    );
    assert!(
        builtin.contains("cpu\tfailed\treached its limit on cpu (1s)"),
        "{builtin}"
    );
    assert!(
        builtin.contains(
            "interpreter\tunavailable\t`no-such-program`, the interpreter of `i`, is not on PATH"
        ),
        "{builtin}"
    );
    assert!(kael_tests::gone("4817.41"));
}

#[test]
fn orphans_of_an_action_are_reaped() {
    // Zombies count as processes: a pid 1 that reaps nothing would let it start few.
    let code = "import os, time
for _ in range(60):
    if os.fork() == 0:
        if os.fork() == 0:
            os._exit(0)
        os._exit(0)
    os.wait()
time.sleep(0.2)
zombies = 0
for pid in os.listdir('/proc'):
    if pid.isdigit():
        try:
            zombies += open('/proc/' + pid + '/stat').read().rsplit(')', 1)[1].split()[0] == 'Z'
        except OSError:
            pass
print(zombies)
";
    if !needs(&[Need::Namespace]) {
        return;
    }
    Kael::new()
        .env("KAEL_RUNNER", "builtin")
        .file("impl/p.py", code)
        .define(
            "p",
            "source = '../impl', entrypoint = 'p.py', executor = 'native'",
        )
        .script("print(actions.t.p({}))")
        .prints("0\n");
}

#[test]
fn the_runner_is_shown_where_people_look() {
    for runner in ["envyr", "builtin"] {
        let session = || {
            Kael::new()
                .env("KAEL_RUNNER", runner)
                .shell("a", "", "echo 1")
        };
        let ran = session()
            .run_with(&["--json"])
            .script("return actions.t.a({})");
        let report: Value = serde_json::from_str(&ran.exits(0).stdout).expect("JSON");
        assert_eq!(report["calls"][0]["runner"], runner);
        let ran = session().words(&["actions", "describe", "t.a"]).ends();
        let executor = format!("executor    native, by the runner {runner}\n");
        assert!(ran.exits(0).stdout.contains(&executor), "{}", ran.stdout);
        let ran = session()
            .run_with(&["--record", "answers"])
            .script("actions.t.a({})");
        ran.exits(0);
        let recorded = std::fs::read_to_string(ran.path().join("answers")).expect("a record");
        let line: Value = serde_json::from_str(&recorded).expect("JSON");
        assert_eq!(line["runner"], runner);
        let ran = session()
            .file("answers", &recorded)
            .run_with(&["--dry-run", "--answers", "answers"])
            .script("print(actions.t.a({}))");
        let command = match runner {
            "envyr" => "-x a.sh",
            _ => "command  /bin/sh a.sh\n",
        };
        assert!(ran.exits(0).stderr.contains(command), "{}", ran.stderr);
    }
    let ran = Kael::new()
        .option(&["--runner", "docker"])
        .run_with(&["-e", "x = 1"])
        .ends();
    ran.exits(2)
        .says("`docker` is none of \"auto\", \"envyr\", \"builtin\"");
}
