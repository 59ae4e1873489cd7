//! The temporary folder of a call.

use kael_tests::Kael;

#[test]
fn the_temporary_folder_is_removed_with_any_content() {
    let code = "mkdir -p \"$TMPDIR/a/b\"; echo x > \"$TMPDIR/a/b/c\"; ln -s / \"$TMPDIR/root\"; chmod 0 \"$TMPDIR/a/b\" \"$TMPDIR/a\"; printf '\"%s\"' \"$TMPDIR\"";
    let ran = Kael::new()
        .shell("a", "", code)
        .script("print(actions.t.a({}))");
    let folder = ran.exits(0).stdout.trim().to_owned();
    assert!(
        folder.contains("kael-") && !std::path::Path::new(&folder).exists(),
        "{folder}"
    );
}

/// Consecutive calls prepare resources for the next call. Those of the last are removed.
#[test]
fn nothing_that_was_made_for_a_next_call_is_left() {
    let code = "[ -z \"$(ls -A \"$TMPDIR\")\" ] || exit 3; echo x > \"$TMPDIR/x\"; tr '\\n' ' ' < /proc/self/cgroup | sed 's/.*/\"&\"/'";
    for options in [&[][..], &["--confinement", "off"]] {
        let ran = Kael::new()
            .shell("a", "", code)
            .run_with(options)
            .script("for i = 1, 12 do print(actions.t.a({})) end");
        let left: Vec<_> = std::fs::read_dir(ran.path().join("data/tmp"))
            .expect("the folder")
            .flatten()
            .collect();
        assert!(left.is_empty(), "{left:?}");
        let groups: std::collections::BTreeSet<_> = ran
            .exits(0)
            .stdout
            .split(['/', ' ', ':'])
            .filter(|part| part.starts_with("kael-"))
            .collect();
        // If there are control groups, each call has its own.
        assert!(groups.is_empty() || groups.len() == 12, "{groups:?}");
        let Some((host, _)) = groups.first().and_then(|name| name.rsplit_once('-')) else {
            continue;
        };
        let list = std::process::Command::new("find")
            .args(["/sys/fs/cgroup", "-name", &format!("{host}-*")])
            .output()
            .expect("find");
        assert_eq!(String::from_utf8_lossy(&list.stdout), "");
    }
}

#[test]
fn a_temporary_folder_is_private_and_used_once() {
    let code = "printf '[\"%s\", \"%s\", %d]' \"$TMPDIR\" \"$(stat -c %a \"$TMPDIR\")\" \"$(ls -A \"$TMPDIR\" | wc -l)\"; echo x > \"$TMPDIR/x\"";
    let script = "local seen = {}
        for _ = 1, 6 do
          local folder, mode, entries = table.unpack(actions.t.a({}))
          assert(not seen[folder], folder)
          seen[folder] = true
          print(mode, entries)
        end";
    let ran = Kael::new().shell("a", "", code).script(script);
    assert_eq!(ran.exits(0).stdout, "700\t0\n".repeat(6));
}
