//! What an action with `reads` can read of the interpreter that its source names, and of its packages.

use std::os::unix::fs::{PermissionsExt as _, symlink};

use kael_tests::{Kael, Need, needs};

use crate::packages::with_seven;

/// A home folder with a key, beside installations of an interpreter that is a shell.
fn session() -> Kael {
    let session = Kael::new();
    let home = session.path().join("home").display().to_string();
    let shell = "#!/bin/sh\nexec /bin/sh \"$@\"\n";
    let session = session
        .file("home/.ssh/id", "a-private-key")
        .file("home/lib/private", "of-the-home")
        .file("home/bin/tool", shell)
        .file("opt/bin/tool", shell)
        .file("opt/lib/module", "of-the-tool")
        .file("opt/etc/token", "a-token")
        .file("opt/bin/data", "no-program")
        .env("HOME", &home);
    for tool in ["home/bin/tool", "opt/bin/tool"] {
        let path = session.path().join(tool);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    // What a source brings leads on to it.
    std::fs::create_dir_all(session.path().join("impl/bin")).expect("a folder");
    for (link, to) in [
        ("impl/bin/ssh", "home/.ssh"),
        ("impl/bin/id", "home/.ssh/id"),
        ("impl/bin/tool", "opt/bin/tool"),
    ] {
        let at = session.path();
        symlink(at.join(to), at.join(link)).expect("a link");
    }
    session
}

/// The actions with these first lines, each of which prints what it can read of these paths.
fn tried(lines: &[&str], paths: &[&str]) -> Vec<String> {
    let session = session();
    let at = session.path().display().to_string();
    let code: String = paths
        .iter()
        .map(|path| format!("cat {at}/{path} 2>/dev/null && echo\n"))
        .collect();
    let session = lines.iter().enumerate().fold(session, |session, (n, line)| {
        let line = line.replace("AT", &at);
        session
            .file(&format!("impl/x{n}"), format!("#!{line}\n{code}echo tried\n"))
            .define(
                &format!("x{n}"),
                &format!("source = '../impl', entrypoint = 'x{n}', executor = 'native', output = 'text', reads = {{}}"),
            )
    });
    let script = format!(
        "for n = 0, {} do
          local ok, text = pcall(actions.t['x' .. n], {{}})
          print(ok and text:gsub('\\n', ' ') or text.kind)
        end",
        lines.len() - 1
    );
    let ran = session.script(&script);
    ran.exits(0);
    ran.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn a_line_of_a_source_opens_no_folder_and_no_file_that_is_no_program() {
    if !needs(&[Need::Landlock]) {
        return;
    }
    let paths = [
        "home/.ssh/id",
        "home/lib/private",
        "opt/etc/token",
        "opt/bin/data",
    ];
    // These start the shell, whatever else they name.
    let starting = [
        "/bin/sh",
        "/usr/bin/env -S -u AT/home/.ssh sh",
        "/usr/bin/env -u AT/home/.ssh/id sh",
        "/usr/bin/env -S --unset=x -u AT/home/.ssh/bin/x sh",
        "/usr/bin/env -S FOO=AT/home/.ssh sh",
        // The tool itself is read, and nothing beside it: a home folder is no installation.
        "AT/home/bin/tool",
        "/usr/bin/env AT/home/bin/tool",
        "/proc/self/rootAT/home/bin/tool",
    ];
    let told = tried(&starting, &paths);
    assert_eq!(told, vec!["tried"; starting.len()], "{told:?}");
    // These start nothing, and read nothing.
    let nothing = [
        "AT/home/.ssh",
        "AT/home/.ssh/id",
        "AT/home/.ssh/bin/x",
        "/",
        "/proc/self/root",
        "/proc/self/rootAT/home/.ssh",
        "bin/ssh",
        "bin/id",
        "bin/ssh/id",
        "AT/opt/bin/data",
    ];
    for told in tried(&nothing, &paths) {
        assert!(["unavailable", "failed"].contains(&told.as_str()), "{told}");
    }
}

#[test]
fn of_an_installation_its_libraries_are_read_and_nothing_else() {
    if !needs(&[Need::Landlock]) {
        return;
    }
    let paths = ["opt/lib/module", "opt/etc/token", "home/.ssh/id"];
    // By its own path, and by a link that the source has.
    let told = tried(
        &[
            "AT/opt/bin/tool",
            "bin/tool",
            "/usr/bin/env AT/opt/bin/tool",
        ],
        &paths,
    );
    assert_eq!(told, ["of-the-tool tried"; 3], "{told:?}");
}

#[test]
fn packages_of_a_source_are_read_and_nothing_else_of_what_kael_keeps() {
    let code = "import json, os, seven
data, venv = os.environ['HOME'], os.environ['VIRTUAL_ENV']
data = venv.split('/environments/')[0]
def listed(path):
    try:
        return len(os.listdir(path))
    except PermissionError:
        return 'refused'
print(json.dumps([seven.SEVEN, listed(venv) > 0, listed(data), listed(data + '/caches'), listed(data + '/environments')]))
";
    for runner in ["builtin", "envyr"] {
        let session = with_seven(Kael::new()).file("impl/p.py", code).define(
            "a",
            "source = '../impl', entrypoint = 'p.py', executor = 'native', deps = { 'seven' }, reads = {}",
        );
        let ran = session
            .env("KAEL_RUNNER", runner)
            .script("print(json.encode(actions.t.a({})))");
        if needs(&[Need::Landlock]) {
            ran.prints("[7,true,\"refused\",\"refused\",\"refused\"]\n");
        } else {
            assert!(
                ran.exits(0).stdout.starts_with("[7,true,"),
                "{}",
                ran.stdout
            );
        }
    }
}

#[test]
fn packages_of_npm_are_read() {
    for runner in ["builtin", "envyr"] {
        Kael::new()
            .file(
                "node/package.json",
                r#"{ "name": "a", "version": "1.0.0", "dependencies": { "own": "file:./own" } }"#,
            )
            .file(
                "node/own/package.json",
                r#"{ "name": "own", "version": "1.0.0" }"#,
            )
            .file("node/own/index.js", "module.exports = 6 * 7;")
            .file("node/run.js", "console.log(require('own'));")
            .define(
                "a",
                "source = '../node', entrypoint = 'run.js', executor = 'native', reads = {}",
            )
            .env("KAEL_RUNNER", runner)
            .script("print(actions.t.a({}))")
            .prints("42\n");
    }
}
