//! The limits of an action's processes.

use kael_tests::{Kael, Need, Ran, needs};

#[test]
fn a_bad_limit_is_an_error_at_its_line() {
    for (fields, error) in [
        (
            "limits = { memory = 0 }",
            "field 'limits.memory' must be a text such as \"64MiB\", got a number",
        ),
        (
            "limits = { processes = -5 }",
            "field 'limits.processes' must be a whole number from 4 to 100000, got -5",
        ),
        (
            "limits = { cpu = 'soon' }",
            "field 'limits.cpu' `soon` is not a time (write it like `60`, `60s`, `5m`, `1.5h` or `250ms`)",
        ),
        (
            "limits = { memroy = '1GiB' }",
            "unknown field 'limits.memroy' (did you mean 'memory'?)",
        ),
        (
            "writable = { '../x' }",
            "field 'writable' `../x` may not hold '..': name what is outside of the actions folder by its whole path",
        ),
        (
            "writable = 5",
            "field 'writable' must be a list of strings, got a number",
        ),
    ] {
        Kael::new().shell("a", fields, "echo 1").script("").fails(
            3,
            &format!("Error: actions/init.lua:2: define_action: {error}\n"),
        );
    }
}

/// Runs a shell action with limits, and prints the kind and message of its failure.
fn limited(limits: &str, code: &str) -> Ran {
    Kael::new()
        .shell("a", &format!("limits = {{ {limits} }}"), code)
        .script("local ok, e = pcall(actions.t.a, {}) print(ok and 'ok' or e.kind .. ': ' .. e.message)")
}

#[test]
fn each_limit_is_named_when_it_is_reached() {
    limited("cpu = '1s'", "while :; do :; done").prints("failed: reached its limit on cpu (1s)\n");
    limited("cpu = '1s'", "trap '' XCPU; while :; do :; done")
        .prints("failed: reached its limit on cpu (1s)\n");
    limited(
        "file_size = '1MiB'",
        "exec head -c 2000000 /dev/zero > \"$TMPDIR/x\"",
    )
    .prints("failed: reached its limit on file_size (1 MiB)\n");
    limited(
        "memory = '64MiB'",
        "python3 -c 'x = bytearray(200 << 20)' 2>&1 | tail -n 1 >&2; exit 1",
    )
    .prints("failed: reached its limit on memory (64 MiB): MemoryError\n");
    limited(
        "open_files = 32",
        "python3 -c 'a = [open(\"/dev/null\") for _ in range(100)]' 2>&1 | tail -n 1 >&2; exit 1",
    )
    .prints("failed: reached its limit on open_files (32): OSError: [Errno 24] Too many open files: '/dev/null'\n");
}

#[test]
fn a_fork_bomb_stays_within_its_limit_on_processes() {
    if !needs(&[Need::Pids]) {
        return;
    }
    // A shell exits when it cannot fork.
    let ran = limited(
        "processes = 20",
        "for i in $(seq 100); do sleep 4815.1 & done; wait",
    );
    assert!(
        ran.exits(0)
            .stdout
            .starts_with("failed: reached its limit on processes (20)"),
        "{}",
        ran.stdout
    );
    assert!(kael_tests::gone("4815.1"));
}

#[test]
fn limits_cannot_be_raised_from_inside() {
    limited(
        "open_files = 32",
        "ulimit -n 4096 2>/dev/null && exit 3; printf '\"%s %s\"' \"$(ulimit -n)\" \"$(ulimit -c)\" > \"$TMPDIR/r\"; [ \"$(cat $TMPDIR/r)\" = '\"32 0\"' ] && echo 1",
    )
    .prints("ok\n");
}

#[test]
fn node_and_python_work_within_the_usual_limits() {
    Kael::new()
        .file("impl/n.js", "new WebAssembly.Memory({ initial: 1 }); console.log(JSON.stringify('node'))")
        .file(
            "impl/p.py",
            "from multiprocessing import Pool\nif __name__ == '__main__':\n    with Pool(2) as p: print(sum(p.map(abs, [-1, -2])))\n",
        )
        .define("n", "source = '../impl', entrypoint = 'n.js', executor = 'native'")
        .define("p", "source = '../impl', entrypoint = 'p.py', executor = 'native'")
        .script("print(actions.t.n({}), actions.t.p({}))")
        .prints("node\t3\n");
}
