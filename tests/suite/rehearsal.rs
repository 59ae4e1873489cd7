//! Dry runs, answers and records, to develop and test scripts offline.

use kael_tests::{Kael, Ran};

fn repo() -> Kael {
    let session = Kael::new();
    let writable = session.writable("ran");
    let fields = |fields: &str| format!("{fields}{writable}");
    session
        .shell("list", &fields("params = { q = 'string' }, defaults = { q = 'all' }, example = { rows = { 1, 2 } }, env = { 'TOKEN' }, "), "echo ran >> ../ran; echo '{\"rows\":[7]}'")
        .shell("count", &fields("returns = { n = 'integer' }, input = 'args', "), "echo ran >> ../ran; echo '{\"n\":5}'")
        .shell("plain", &fields(""), "echo ran >> ../ran; echo bad >&2; exit 3")
        .env("TOKEN", "s3cr3t")
        // Its command line is shown.
        .env("KAEL_RUNNER", "envyr")
}

fn ran_nothing(ran: &Ran) {
    let runs = std::fs::read_to_string(ran.path().join("ran"));
    assert_eq!(runs.expect("a file"), "");
}

#[test]
fn a_dry_run_shows_the_calls_and_runs_nothing() {
    let ran = repo()
        .run_with(&["--dry-run"])
        .script("print(#actions.t.list({}).rows, actions.t.count({ x = '--a b' }).n, next(actions.t.plain({})))");
    assert_eq!(ran.exits(0).stdout, "2\t0\tnil\n");
    ran_nothing(&ran);
    for line in [
        "dry run: t.list",
        "  params   {\"q\":\"all\"}",
        "  answer   {\"rows\":[1,2]} (the `example` of its definition)",
        "  answer   {\"n\":0} (made up from its `returns`)",
        "  answer   {} (made up from nothing)",
    ] {
        assert!(
            ran.stderr.lines().any(|l| l == line),
            "{line}: {}",
            ran.stderr
        );
    }
    let command = ran
        .stderr
        .lines()
        .find(|line| line.contains("-x count.sh"))
        .expect("a command");
    assert!(
        command.starts_with("  command  /") && command.ends_with("/impl -- '--x=--a b'"),
        "{command}"
    );
    assert!(
        ran.stderr
            .lines()
            .any(|line| line.starts_with("  env ") && line.contains(" TOKEN"))
    );
    assert!(!ran.stderr.contains("s3cr3t"));
}

#[test]
fn a_dry_run_holds_the_gate() {
    let ran = repo()
        .run_with(&["--dry-run", "--deny", "t.pl*"])
        .script("print(pcall(actions.t.plain, {})) print(pcall(actions.t.list, { q = 5 }))");
    ran.prints("false\tt.plain failed: denied by the policy (deny t.pl*)\nfalse\tt.list failed: parameter `q` must be a string, got a number\n");
}

#[test]
fn answers_come_from_files_of_every_kind() {
    let script = "print(actions.t.count({ a = 1 }).n, actions.t.count({ a = 2 }).n, pcall(actions.t.plain, {}))";
    let run = |file: &str, text: &str| {
        let ran = repo()
            .file(file, text)
            .run_with(&["--dry-run", "--answers", file])
            .script(script);
        ran_nothing(&ran);
        ran
    };
    let list = "[{\"action\":\"t.count\",\"params\":{\"a\":1},\"result\":{\"n\":10}},{\"action\":\"t.count\",\"result\":{\"n\":20}},{\"action\":\"t.plain\",\"error\":\"down\"}]";
    assert_eq!(
        run("a.json", list).stdout,
        "10\t20\tfalse\tt.plain failed: down\n"
    );
    let lua = "local n = 40 return { ['t.count'] = { n = n + 2 }, ['t.plain'] = 'ok' }";
    assert_eq!(run("a.lua", lua).stdout, "42\t42\ttrue\tok\n");
    run("a.json", "[{}]").fails(
        2,
        "Error: the answers in `a.json`: answer 1: `action` is missing: the name of an action\n",
    );
    run("a.lua", "return {").fails(
        2,
        "Error: the answers in `a.lua`: a.lua:1: unexpected symbol near <eof>\n",
    );
    repo()
        .run_with(&["--dry-run", "--answers", "no.json"])
        .script("")
        .fails(
            2,
            "Error: the answers in `no.json`: No such file or directory (os error 2)\n",
        );
    run("a.json", "{\"t.count\":{\"n\":\"x\"}}").exits(6).says(
        "Error: t.count failed: the answer of the dry run (from the answers): returned what its definition does not promise: `n` must be an integer, got a string",
    );
}

#[test]
fn a_failure_after_a_sample_answer_names_the_answer() {
    let ran = repo()
        .run_with(&["--dry-run", "-q"])
        .script("local r = actions.t.plain({})\nprint(r.rows[1])");
    ran.exits(1).says("Error: script.lua:2: ");
    let ran = repo()
        .run_with(&["--dry-run"])
        .script("local r = actions.t.plain({})\nprint(r.rows[1])");
    ran.exits(1).says(
        "\nhint: the answer of t.plain was made up from nothing: give another with --answers\n",
    );
}

#[test]
fn a_record_of_a_real_run_answers_a_dry_one() {
    use std::os::unix::fs::PermissionsExt as _;
    let script = "print(actions.t.list({ q = 'x' }).rows[1], actions.t.count({}).n) local ok, e = pcall(actions.t.plain, {}) print(ok, e, e.kind, e.detail.exit_code)";
    let session = repo().file("script.lua", script);
    let run = |words: &[&str]| {
        let output = session
            .command()
            .args(["run"])
            .args(words)
            .arg("script.lua")
            .output();
        String::from_utf8_lossy(&output.expect("the host starts").stdout).into_owned()
    };
    std::fs::write(session.path().join("answers"), "old").expect("a file");
    let real = run(&["--record", "answers"]);
    assert_eq!(real, "7\t5\nfalse\tt.plain failed: bad\tfailed\t3\n");
    let ran = session.path().join("ran");
    let runs = || std::fs::read_to_string(&ran).expect("a file");
    assert_eq!(runs(), "ran\nran\nran\n");
    std::fs::write(&ran, "").expect("a file");
    let mode = session
        .path()
        .join("answers")
        .metadata()
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(run(&["--dry-run", "--answers", "answers"]), real);
    assert_eq!(runs(), "");
}

#[test]
fn the_report_of_a_dry_run_holds_its_plan() {
    let ran = repo()
        .run_with(&["--dry-run", "--json"])
        .script("return actions.t.list({}).rows");
    let report: serde_json::Value = serde_json::from_str(&ran.exits(0).stdout).expect("JSON");
    assert_eq!(report["planned"][0]["action"], "t.list");
    assert_eq!(report["planned"][0]["params"]["q"], "all");
    assert_eq!(report["result"].to_string(), "[1,2]");
    assert_eq!(ran.stderr, "");
}
