use std::fs;

use super::reader::MAX_FILE;
use super::*;

fn repo(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    folder
}

fn problem(folder: &tempfile::TempDir) -> String {
    let text = Bundle::read(folder.path())
        .expect_err("refused")
        .to_string();
    text.replace(&folder.path().display().to_string(), "R")
}

#[test]
fn modules_are_named_by_their_paths() {
    let folder = repo(&[
        ("init.lua", "1"),
        ("a/b.lua", "2"),
        ("c/init.lua", "3"),
        ("notes.txt", ""),
        (".git/x.lua", ""),
        ("a/b.spec.lua", ""),
    ]);
    let bundle = Bundle::read(folder.path()).expect("reads");
    let names: Vec<_> = bundle
        .modules
        .iter()
        .map(|m| (m.name.as_str(), m.path.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            ("a.b", "a/b.lua"),
            ("c", "c/init.lua"),
            ("init", "init.lua")
        ]
    );
}

#[test]
fn nothing_is_read_where_actions_may_write() {
    use std::os::unix::fs::symlink;
    let folder = repo(&[
        ("init.lua", ""),
        ("state/x.lua", ""),
        ("state/x/init.lua", ""),
        ("lib/state/y.lua", ""),
    ]);
    let deep: PathBuf = std::iter::repeat_n("d", 40).collect();
    fs::create_dir_all(folder.path().join("state").join(deep)).expect("folders");
    let bundle = Bundle::read(folder.path()).expect("reads");
    let names: Vec<_> = bundle.modules.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["init", "lib.state.y"]);
    symlink("state/x.lua", folder.path().join("z.lua")).expect("a link");
    let why =
        "is a symbolic link into `state/`, which actions may write: no Lua is loaded from there";
    assert_eq!(problem(&folder), format!("`R/z.lua` {why}"));
    fs::remove_file(folder.path().join("z.lua")).expect("removed");
    symlink("state", folder.path().join("z")).expect("a link");
    assert_eq!(problem(&folder), format!("`R/z` {why}"));
}

#[test]
fn what_cannot_be_read_is_named() {
    assert_eq!(
        problem(&repo(&[("a.lua", "")])),
        "the actions repo `R` has no init.lua"
    );
    assert_eq!(
        problem(&repo(&[
            ("init.lua", ""),
            ("a.lua", ""),
            ("a/init.lua", "")
        ])),
        "`R/a.lua` and `R/a/init.lua` are both the module `a`: remove one"
    );
    let folder = repo(&[("init.lua", "")]);
    fs::write(folder.path().join("x.lua"), b"ab\xff").expect("a file");
    assert_eq!(problem(&folder), "`R/x.lua` is not UTF-8 text (byte 2)");
    let folder = repo(&[("init.lua", "")]);
    fs::write(
        folder.path().join("x.lua"),
        vec![b' '; (MAX_FILE + 1) as usize],
    )
    .expect("a file");
    assert_eq!(
        problem(&folder),
        "the actions repo is too large at `R/x.lua`: a file has more than 4 MiB"
    );
}

#[test]
fn links_stay_inside() {
    use std::os::unix::fs::symlink;
    let folder = repo(&[("init.lua", ""), ("real.lua", "x")]);
    symlink("real.lua", folder.path().join("link.lua")).expect("a link");
    assert_eq!(Bundle::read(folder.path()).expect("reads").modules.len(), 3);
    symlink("/etc/passwd", folder.path().join("out.lua")).expect("a link");
    assert_eq!(
        problem(&folder),
        "`R/out.lua` is a symbolic link that leads out of the actions repo"
    );

    let folder = repo(&[("init.lua", "")]);
    symlink("/etc", folder.path().join("out")).expect("a link");
    assert_eq!(
        problem(&folder),
        "`R/out` is a symbolic link that leads out of the actions repo"
    );

    let folder = repo(&[("init.lua", "")]);
    symlink(".", folder.path().join("loop")).expect("a link");
    assert!(problem(&folder).contains("(a loop of links?)"));
}

#[test]
fn a_fifo_is_refused_and_not_waited_for() {
    let folder = repo(&[("init.lua", "")]);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.path().join("x.lua"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .expect("a FIFO");
    assert_eq!(problem(&folder), "cannot read `R/x.lua`");
}
