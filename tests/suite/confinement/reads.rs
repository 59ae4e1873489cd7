//! What an action with `reads` can read: what it needs to run and what its definition names, and by
//! no other way anything else.

use std::os::unix::fs::symlink;

use kael_tests::{Kael, Need, Ran, needs};

/// A home folder with a key, and a repo beside it.
fn session() -> Kael {
    let session = Kael::new();
    let home = session.path().join("home").display().to_string();
    session
        .file("home/.ssh/id", "a-private-key")
        .file("home/.kube/config", "clusters")
        .file("home/.kube/cache/x", "cached")
        .file("other/actions/init.lua", "another-repo")
        .file("actions/data/costs.csv", "1,2,3")
        .file("actions/private.txt", "not-named")
        .env("HOME", &home)
}

/// The session of a shell script with these `reads`, whose result is what it prints.
fn ran(session: Kael, reads: &str, code: &str) -> Ran {
    let fields = format!("output = 'text', reads = {{ {reads} }}");
    session
        .shell("a", &fields, code)
        .script("print(actions.t.a({}))")
}

/// A script that tries to read each of the paths and prints those that it could.
fn tries(paths: &[String]) -> String {
    let each = |path: &String| {
        format!(
            "cat {path} >/dev/null 2>&1 && echo {path}; ls {path} >/dev/null 2>&1 && [ -d {path} ] && echo {path};"
        )
    };
    let each: String = paths.iter().map(each).collect();
    format!("{each} echo tried")
}

#[test]
fn what_is_not_named_is_not_read() {
    if !needs(&[Need::Landlock]) {
        return;
    }
    let session = session();
    let at = session.path().display().to_string();
    let paths = [
        "home/.ssh/id",
        "home/.ssh",
        "home",
        "other/actions/init.lua",
        "actions/init.lua",
        "actions/private.txt",
        "actions",
        // By a way around.
        "actions/data/../private.txt",
        "home/.kube/../.ssh/id",
        "impl/../home/.ssh/id",
    ];
    let mut paths: Vec<String> = paths.iter().map(|path| format!("{at}/{path}")).collect();
    let host = std::process::id();
    paths.extend(["/etc/shadow", "/root", "/home", "/var/log", "/tmp", "/"].map(str::to_owned));
    paths.extend([
        format!("/proc/{host}/environ"),
        format!("/proc/{host}/cwd/Cargo.toml"),
        format!("/proc/{host}/root/etc/passwd"),
        format!("/proc/self/root{at}/home/.ssh/id"),
        format!("/proc/1/root{at}/home/.ssh/id"),
        "/proc/self/cwd/../home/.ssh/id".to_owned(),
    ]);
    ran(session, "'data', '~/.kube'", &tries(&paths)).prints("tried\n");
}

#[test]
fn no_link_that_is_there_or_made_leads_to_what_is_not_named() {
    if !needs(&[Need::Landlock]) {
        return;
    }
    let session = session().file("common/file", "");
    let at = session.path().to_owned();
    symlink(at.join("home/.ssh/id"), at.join("common/link")).expect("a link");
    symlink(at.join("home/.ssh"), at.join("common/folder")).expect("a link");
    let at = at.display();
    let code = format!(
        "cat {at}/common/link {at}/common/folder/id 2>/dev/null
         ln -s {at}/home/.ssh/id \"$TMPDIR/s\"; cat \"$TMPDIR/s\" 2>/dev/null
         ln {at}/home/.ssh/id \"$TMPDIR/h\" 2>/dev/null && cat \"$TMPDIR/h\"
         mv {at}/home/.ssh/id \"$TMPDIR/m\" 2>/dev/null && cat \"$TMPDIR/m\"
         cp {at}/home/.ssh/id \"$TMPDIR/c\" 2>/dev/null && cat \"$TMPDIR/c\"
         cd {at}/home/.ssh && cat id 2>/dev/null
         echo tried"
    );
    let ran = ran(session, "'../common'", &code);
    ran.prints("tried\n");
    assert!(ran.path().join("home/.ssh/id").exists());
}

#[test]
fn no_descriptor_of_the_host_gives_what_is_not_named() {
    if !needs(&[Need::Landlock]) {
        return;
    }
    // The host itself has the key and its folder open, and could hand them on.
    let session = session();
    let at = session.path().display().to_string();
    let wrapped = format!("exec 7< {at}/home/.ssh/id 8< {at}/home/.ssh; exec \"$@\"");
    let code = "cat <&7 2>/dev/null; cat /proc/self/fd/8/id /dev/fd/7 2>/dev/null
        ls /proc/self/fd | tr '\\n' ' '";
    ran(session.wrapped(&["sh", "-c", &wrapped, "sh"]), "", code).prints("0 1 2 3 \n");
}

#[test]
fn what_an_action_needs_and_names_is_read() {
    // Python may be one of the user's own home folder, which the test leaves as it is.
    let session = Kael::new()
        .file("kube/config", "clusters")
        .file("kube/cache/x", "cached")
        .file("actions/data/costs.csv", "1,2,3");
    let (state, fields) = session.state();
    let kube = session.path().join("kube").display().to_string();
    let python = "import json, os, csv, ssl, sqlite3, subprocess, tempfile, zoneinfo
from common import helper
print(json.dumps([
    open('KUBE/config').read(), sorted(os.listdir('KUBE')),
    subprocess.run(['cat', 'KUBE/cache/x'], capture_output=True, text=True).stdout,
    open(os.path.join(os.path.dirname(__file__), 'sub/plain.txt')).read(), helper(),
    tempfile.TemporaryFile().write(b'x'), len(os.urandom(3)),
    open('STATE/f', 'w').write('abc'), open('STATE/f').read(),
]))
";
    let python = python.replace("STATE", &state).replace("KUBE", &kube);
    session
        .file("impl/common.py", "def helper(): return 'helped'\n")
        .file("impl/sub/plain.txt", "beside")
        .file("impl/p.py", python)
        .define(
            "p",
            &format!(
                "source = '../impl', entrypoint = 'p.py', executor = 'native', reads = {{ '{kube}' }}, {fields}"
            ),
        )
        .shell(
            "s",
            "output = 'text', reads = { 'data/costs.csv' }",
            "cat ../actions/data/costs.csv; echo; sort < /dev/null; cat < /dev/stdin > \"$TMPDIR/p\" && ls \"$TMPDIR\"",
        )
        .script("local r = actions.t.p({}) print(json.encode(r)) print(actions.t.s({}))")
        .prints(
            "[\"clusters\",[\"cache\",\"config\"],\"cached\",\"beside\",\"helped\",1,3,3,\"abc\"]\n1,2,3\np\n",
        );
}

#[test]
fn a_path_below_the_home_folder_is_read() {
    ran(session(), "'~/.kube'", "cat ~/.kube/config; ls ~/.kube").prints("clusterscache\nconfig\n");
}

#[test]
fn a_refusal_names_the_field_and_a_wrong_field_names_its_place() {
    if !needs(&[Need::Landlock]) {
        return;
    }
    let session = session();
    let code = format!("cat {}/home/.ssh/id", session.path().display());
    let refused = ran(session, "", &code);
    refused
        .exits(6)
        .says("Permission denied")
        .says("hint: an action with `reads` may read only what it needs to run and what `reads` and `writable` name");
    ran(self::session(), "'nowhere'", "echo 1").fails_with(
        6,
        "Error: t.a failed: actions/init.lua:2: field 'reads' `nowhere` does not exist: make it before the action runs",
    );
    let linked = self::session();
    symlink("/etc", linked.path().join("link")).expect("a link");
    ran(linked, "'../link'", "echo 1").fails_with(
        3,
        "Error: actions/init.lua:2: define_action: field 'reads' `../link` leads through a symbolic link, which may come to lead elsewhere: name /etc",
    );
    for (executor, why) in [
        (
            "docker",
            "is for native actions: a container is bounded by its engine",
        ),
        (
            "wasm",
            "is for native actions: with executor \"wasm\" there is `dirs`",
        ),
    ] {
        let fields = format!(
            "source = '../impl', entrypoint = 'x', executor = '{executor}', reads = {{ 'data' }}"
        );
        Kael::new()
            .file("impl/x", "")
            .define("x", &fields)
            .script("print(1)")
            .fails_with(
                3,
                &format!("Error: actions/init.lua:2: define_action: field 'reads' {why}"),
            );
    }
}

#[test]
fn nothing_of_kaels_and_no_home_folder_is_named() {
    let session = || {
        let session = session();
        let at = |path: &str| session.path().join(path).display().to_string();
        let list = format!("version: 1\nsecrets:\n  db: {{ file: {} }}\n", at("token"));
        let (key, named) = (at("keys/key"), at("lists/secrets.yaml"));
        session
            .file("data/tmp/x", "")
            .file("config/kael/kael.yaml", "")
            .file("keys/key", "")
            .file("token", "a-secret")
            .file("lists/secrets.yaml", list)
            .env("KAEL_SECRET_KEY_FILE", &key)
            .env("KAEL_SECRETS", &named)
    };
    let too_much = "is too much: name the files and folders that the action needs";
    let kernel = "belongs to the kernel: name nothing there";
    let home = "is a home folder or holds one: name what the action needs of it";
    let outside = "name what the action needs, outside of it";
    let own = format!("is where Kael keeps its own things: {outside}");
    let config = format!("is where Kael's configuration is: {outside}");
    let hidden = format!("is or holds what is hidden from actions, such as secrets: {outside}");
    for (path, why) in [
        ("/", too_much),
        ("~/.", too_much),
        ("/usr/../", too_much),
        ("/proc", kernel),
        ("/proc/self/environ", kernel),
        ("/sys", kernel),
        ("/dev/.", kernel),
        ("/root", home),
        ("~/../home", home),
        ("AT/home", home),
        ("../home/", home),
        ("AT", home),
        ("AT/data", &own),
        ("AT/data/tmp", &own),
        ("AT/config", &config),
        ("AT/config/kael/kael.yaml", &config),
        ("AT/keys", &hidden),
        ("AT/keys/key", &hidden),
        ("AT/lists", &hidden),
        ("AT/token", &hidden),
        // Not there yet.
        ("AT/data/nowhere/x", &own),
        ("AT/home/x/..", home),
    ] {
        let session = session();
        let at = session.path().display().to_string();
        let shown = path.replace("AT", "DIR");
        let path = path.replace("AT", &at);
        ran(session, &format!("'{path}'"), "echo 1").fails_with(
            3,
            &format!("Error: actions/init.lua:2: define_action: field 'reads' `{shown}` {why}"),
        );
    }
    // What lies beside them may be named.
    ran(
        session(),
        "'../home/.kube', '/dev/null'",
        "cat ~/.kube/config",
    )
    .prints("clusters\n");
}

#[test]
fn without_landlock_reads_is_held_like_writable() {
    let session = || {
        let session = session().without_landlock();
        session.shell("a", "output = 'text', reads = {}", "cat ~/.ssh/id")
    };
    session()
        .script("print(actions.t.a({}))")
        .prints("a-private-key\n");
    session()
        .run_with(&["--confinement", "required"])
        .script("print(actions.t.a({}))")
        .exits(3)
        .says("Landlock");
    let doctor = session().words(&["doctor"]).ends();
    let told = "actions may write and read wherever their user and mounts let them";
    assert!(doctor.stdout.contains(told), "{}", doctor.stdout);
}

#[test]
fn validate_and_describe_say_what_is_read() {
    let both = || session().shell("a", "reads = { 'data' }", "echo 1");
    let validated = both()
        .shell("b", "", "echo 1")
        .words(&["actions", "validate"])
        .ends();
    validated.exits(0);
    let note = "note: t.b names no `reads`, and reads what its user may\n";
    assert!(validated.stdout.contains(note), "{}", validated.stdout);
    let many = (0..7).fold(session(), |session, n| {
        session.shell(&format!("n{n}"), "", "echo 1")
    });
    let validated = many.words(&["actions", "validate"]).ends();
    let note = "note: 7 native actions name no `reads`, and read what their user may: t.n0, t.n1, t.n2, t.n3, t.n4 and 2 more\n";
    assert!(validated.stdout.contains(note), "{}", validated.stdout);
    let described = both().words(&["actions", "describe", "t.a"]).ends();
    let row = "reads       data, and what it needs to run\n";
    assert!(described.stdout.contains(row), "{}", described.stdout);
}

#[test]
fn a_policy_may_require_it() {
    let policy = "version: 1\ndefault: allow\nrequire: { confined_reads: true }\n";
    let session = || {
        self::session()
            .shell("a", "", "echo 1")
            .shell("b", "reads = {}", "echo 2")
            .file("p.yaml", policy)
    };
    session()
        .run_with(&["--policy", "p.yaml"])
        .script(
            "local ok, e = pcall(actions.t.a, {})
            print(e.kind, e.message, e.detail.line, e.detail.rule, e.detail.hint)
            print(actions.t.b({}))",
        )
        .prints(
            "denied\tdenied by p.yaml:3 (require: confined_reads): its definition names no `reads`\t3\trequire: confined_reads\tsay in the definition of t.a what it reads: `reads = {}` for nothing beside what it needs to run\n2\n",
        );
    let explained = session()
        .words(&["policy", "explain", "t.a", "--policy", "p.yaml"])
        .ends();
    explained.exits(0);
    for line in [
        "t.a: denied by p.yaml:3 (require: confined_reads)\n",
        "  the action defined with `reads` (p.yaml:3 (require: confined_reads))\n",
    ] {
        assert!(explained.stdout.contains(line), "{}", explained.stdout);
    }
    session()
        .words(&["policy", "check", "p.yaml"])
        .ends()
        .prints(
            "note: p.yaml:3 (require: confined_reads) denies t.a: say in their definitions what they read, with `reads`\np.yaml: 0 rules, no problems\n",
        );
    let repo = session().file("actions/policy.yaml", policy);
    let described = repo.words(&["actions", "describe", "t.a"]).ends();
    let row = "policy      actions/policy.yaml:3 (require: confined_reads)\n";
    assert!(described.stdout.contains(row), "{}", described.stdout);
    for (require, wrong) in [
        ("[confined_reads]", "`require` must be a table, got a list"),
        (
            "{ confined_reads: yes }",
            "`confined_reads` must be true or false",
        ),
        (
            "{ confined_read: true }",
            "unknown key `confined_read` (did you mean `confined_reads`?)",
        ),
    ] {
        session()
            .file("q.yaml", format!("version: 1\nrequire: {require}\n"))
            .words(&["policy", "check", "q.yaml"])
            .ends()
            .exits(3)
            .says(&format!("q.yaml:2: {wrong}"));
    }
}
