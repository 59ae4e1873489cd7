//! Results that an action leaves in a file: `{"_file": "path"}`.

use kael_tests::Kael;

fn returns(code: &str) -> kael_tests::Ran {
    Kael::new()
        .shell("a", "", code)
        .script("local ok, e = pcall(actions.t.a, {}) if ok then print(json.encode(e)) else print(e.kind, e.message) end")
}

#[test]
fn a_file_of_the_temporary_folder_is_the_result() {
    for path in ["out/r.json", "./out/r.json", "$TMPDIR/out/r.json", "link"] {
        returns(&format!(
            "mkdir \"$TMPDIR/out\"; ln -s out/r.json \"$TMPDIR/link\"; echo '[1, 2]' > \"$TMPDIR/out/r.json\"; echo '{{\"_file\": \"'{path}'\"}}'"
        ))
        .prints("[1,2]\n");
    }
}

#[test]
fn only_that_key_alone_means_a_file() {
    returns("echo '{\"_file\": \"x\", \"more\": 1}'").prints("{\"_file\":\"x\",\"more\":1}\n");
    returns("echo '{\"_file\": 5}'").prints("{\"_file\":5}\n");
    // The content of the file is the exact result.
    returns("echo '{\"_file\": \"x\"}' > \"$TMPDIR/x\"; cat \"$TMPDIR/x\"")
        .prints("{\"_file\":\"x\"}\n");
}

#[test]
fn other_paths_are_refused() {
    for (prepare, path, error) in [
        ("", "r.json", "cannot be read: no such file or directory"),
        ("", "", "cannot be read: no such file or directory"),
        ("", "../r.json", "leads out of the TMPDIR of the call"),
        ("", "/etc/shadow", "is not in the TMPDIR of the call"),
        ("", "/etc/../tmp", "is not in the TMPDIR of the call"),
        (
            "ln -s /etc/passwd \"$TMPDIR/l\"",
            "l",
            "leads out of the TMPDIR of the call",
        ),
        (
            "ln -s / \"$TMPDIR/l\"",
            "l/etc/passwd",
            "leads out of the TMPDIR of the call",
        ),
        (
            "ln -s l \"$TMPDIR/l\"",
            "l",
            "cannot be read: too many levels of symbolic links",
        ),
        ("mkdir \"$TMPDIR/d\"", "d", "is not a regular file"),
        ("mkfifo \"$TMPDIR/f\"", "f", "is not a regular file"),
        (
            "echo nope > \"$TMPDIR/x\"",
            "x",
            "holds what is not JSON: it begins with \"nope\", which is not a JSON value, at line 1 column 1",
        ),
        (
            ": > \"$TMPDIR/x\"",
            "x",
            "holds what is not JSON: an empty text at line 1 column 1",
        ),
        (
            "head -c 68000000 /dev/zero > \"$TMPDIR/x\"",
            "x",
            "has more than 64 MiB",
        ),
    ] {
        returns(&format!("{prepare}\necho '{{\"_file\": \"{path}\"}}'"))
            .prints(&format!("bad_output\t_file `{path}` {error}\n"));
    }
}

#[test]
fn another_calls_file_is_out_of_reach() {
    let session = Kael::new();
    let (state, fields) = session.state();
    session
        .shell("keep", &fields, &format!("echo '\"secret\"' > \"$TMPDIR/s\"; printf %s \"$TMPDIR\" > {state}/new; mv {state}/new {state}/at; while [ ! -e {state}/end ]; do sleep 0.05; done; echo 1"))
        .shell("take", &fields, &format!("while [ ! -e {state}/at ]; do sleep 0.05; done; echo '{{\"_file\": \"'$(cat {state}/at)/s'\"}}'"))
        .shell("finish", &fields, &format!("touch {state}/end; echo 1"))
        .script(
            "local r = parallel(function() return actions.t.keep({}) end, function()
               local ok, e = pcall(actions.t.take, {})
               actions.t.finish({})
               print(ok, e.kind, (e.message:gsub('`.*`', 'F')))
             end)",
        )
        .prints("false\tbad_output\t_file F is not in the TMPDIR of the call\n");
}
