//! `fs` in the folders that a policy opens, and nowhere else.

use std::os::unix::fs::symlink;

use kael_tests::{Kael, Ran};

use super::with_grants;

const GRANTS: &str =
    "  fs: [{ path: PATH/files, as: /data, mode: read-write }, { path: PATH/etc, as: /etc }]\n";

fn session() -> Kael {
    let kael = Kael::new();
    let here = kael.path().display().to_string();
    let policy = format!("version: 1\ngrants:\n{}", GRANTS.replace("PATH", &here));
    kael.file("p.yaml", policy)
        .file("files/a.txt", "one\ntwo\n")
        .file("files/sub/b.bin", [0, 0xff])
        .file("etc/conf", "x = 1")
        .file("secret", "hidden")
        .run_with(&["--policy", "p.yaml"])
}

#[test]
fn files_are_read_written_listed_and_removed() {
    let ran: Ran = session().script(
        "print(fs.read('/data/a.txt'), #fs.read_bytes('/data/sub/b.bin'), fs.exists('/data/none'), fs.stat('/data').type)
         fs.write('/data/new/x', 'hello') fs.append('/data/new/x', '!') print(fs.read('/data/new/x'))
         fs.write('/data/raw', '\\xfe') print(fs.read_bytes('/data/raw'):byte())
         for _, e in ipairs(fs.readdir('/data', { depth = 2 })) do print(e.path, e.type) end
         print(table.concat(fs.glob('/data/**/*.bin'), ' '), table.concat(fs.glob('/data/*.txt'), ' '))
         fs.rename('/data/raw', '/data/moved') print(fs.copy('/etc/conf', '/data/conf'), fs.exists('/data/raw'))
         fs.chmod('/data/conf', '600') print(fs.stat('/data/conf').permissions, fs.stat('/data/conf').size)
         print(fs.sub_in_file('/data/a.txt', 'o', '0')) for line in fs.lines('/data/a.txt') do print(line) end
         fs.mkdir('/data/m/n') fs.remove('/data/m') fs.remove('/data/conf') print(fs.exists('/data/m'))
         print(pcall(fs.read, '/data/sub/b.bin'))
         print(select(2, pcall(fs.chmod, '/data/a.txt', '1777')), select(2, pcall(fs.chmod, '/data/a.txt', 777)))
         print(select(2, pcall(fs.chmod, '/data/a.txt', '9')))",
    );
    ran.exits(0);
    let expected = "one\ntwo\n\t2\tfalse\tdirectory\nhello!\n254\na.txt\tfile\nnew\tdirectory\nnew/x\tfile\nraw\tfile\nsub\tdirectory\nsub/b.bin\tfile\n/data/sub/b.bin\t/data/a.txt\n5\tfalse\n600\t5\n2\n0ne\ntw0\nfalse\n";
    assert!(ran.stdout.starts_with(expected), "{}", ran.stdout);
    for got in ["1777", "1411", "9"] {
        let told = format!("fs.chmod: the mode is octal, from \"000\" to \"777\", got {got}");
        assert!(ran.stdout.contains(&told), "{}", ran.stdout);
    }
    assert!(
        ran.stdout.contains("is not UTF-8 text: use fs.read_bytes"),
        "{}",
        ran.stdout
    );
}

#[test]
fn patterns_of_paths_fit_and_none_takes_for_ever() {
    let long = "a".repeat(200);
    let kael = ["x/a.txt", "x/y/b.txt", "x/y/z/c.md", &long]
        .into_iter()
        .fold(session(), |kael, path| {
            kael.file(&format!("files/{path}"), "")
        });
    let ran = kael.words(&["--max-cpu", "20s"]).script(
        "local function show(pattern) print(table.concat(fs.glob(pattern), ' ')) end
         show('/data/x/*') show('/data/x/**/*.txt') show('/data/**/y/**') show('/data/x/?.txt') show('/data/**c.md') show('/data/x/*/b*')
         print(#fs.glob('/data/' .. ('*a'):rep(40)), #fs.glob('/data/' .. ('*a'):rep(40) .. 'b'))",
    );
    ran.exits(0).prints(
        "/data/x/a.txt /data/x/y\n/data/x/a.txt /data/x/y/b.txt\n/data/x/y/b.txt /data/x/y/z /data/x/y/z/c.md\n/data/x/a.txt\n\
         /data/x/y/z/c.md\n/data/x/y/b.txt\n1\t0\n",
    );
}

#[test]
fn no_path_leads_out_of_the_folder() {
    let kael = session();
    let data = kael.path().join("files");
    symlink("../secret", data.join("link")).expect("a link");
    symlink("/etc", data.join("absolute")).expect("a link");
    symlink(kael.path(), data.join("up")).expect("a link");
    let ran = kael.script(
        "for _, path in ipairs { '/secret', '/data/../secret', '/data/link', '/data/absolute/passwd', '/data/up/secret', 'data/a.txt',
           '/datax', '/proc/self/environ', '/data/./../secret', '/data/\\0', '' } do
           local ok, e = pcall(fs.read, path)
           assert(not ok, path)
         end
         for _, path in ipairs { '/etc/conf', '/data/link', '/data/up/new', '/data/absolute/new', '/etc/new' } do
           assert(not pcall(fs.write, path, 'x'), path)
         end
         assert(not pcall(fs.rename, '/data/a.txt', '/etc/a')) assert(not pcall(fs.remove, '/data')) assert(not pcall(fs.remove, '/etc/conf'))
         fs.remove('/data/up') fs.remove('/data/link')
         print(fs.read('/etc/conf'))",
    );
    assert_eq!(ran.stderr, "");
    ran.exits(0).prints("x = 1\n");
    assert!(ran.path().join("secret").exists());
}

#[test]
fn what_is_no_file_or_too_large_is_refused() {
    let kael = session();
    let fifo = kael.path().join("files/fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.is_ok_and(|status| status.success()));
    let large = std::fs::File::create(kael.path().join("files/large")).expect("a file");
    large.set_len(20 << 20).expect("a size");
    let ran = kael.script(
        "for _, path in ipairs { '/data/fifo', '/data/large', '/data/sub', '/data/none' } do print(select(2, pcall(fs.read, path))) end",
    );
    ran.exits(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(
        lines[0].ends_with("it is no regular file"),
        "{}",
        ran.stdout
    );
    assert!(
        lines[1].contains("it has more than 16 MiB") || lines[1].contains("it has more than 16MiB"),
        "{}",
        ran.stdout
    );
    assert!(
        lines[2].ends_with("it is no regular file"),
        "{}",
        ran.stdout
    );
    assert!(lines[3].contains("No such file"), "{}", ran.stdout);
    with_grants("  fs: [{ path: /nowhere/at/all, as: /x }]\n")
        .script("fs.read('/x/y')")
        .says("which a grant names, is not there");
}

#[test]
fn a_grant_opens_nothing_of_kaels_and_no_home_folder() {
    let own = "is where Kael keeps its own things";
    let hidden = "is or holds what is hidden from actions, such as secrets";
    let config = "is where Kael's configuration is";
    let home = "is a home folder or holds one: name what the action needs of it";
    let places = [
        ("HERE/data", own),
        ("HERE/data/more", own),
        ("HERE/config/kael", config),
        ("HERE/keys", hidden),
        ("HERE/lists", hidden),
    ];
    let only_read = [("/", home), ("HERE/home", home), ("HERE", home)];
    let only_written = [("HERE", own)];
    let both = places.iter().chain(&only_written);
    let both = both.map(|place| (place, "read-write"));
    let read = places.iter().chain(&only_read).map(|place| (place, "read"));
    for ((path, why), mode) in both.chain(read) {
        let (fs, db) = match mode {
            "read" => ("fs.list('/x')", "db.query(db.connect('x'), 'SELECT 1')"),
            _ => (
                "fs.write('/x/y', '')",
                "db.execute(db.connect('x'), 'CREATE TABLE t (a)')",
            ),
        };
        for (grant, script) in [
            (
                format!("fs: [{{ path: {path}, as: /x, mode: {mode} }}]"),
                fs,
            ),
            (
                format!(
                    "db: [{{ name: x, url: 'sqlite://{path}/x.db', mode: {} }}]",
                    mode.replace("read", "read-only")
                        .replace("-only-write", "-write")
                ),
                db,
            ),
        ] {
            let kael = Kael::new()
                .file("data/more/x.db", "")
                .file("config/kael/x", "")
                .file("home/x", "")
                .file("keys/key", "")
                .file("lists/secrets.yaml", "version: 1\nsecrets: {}\n");
            let here = kael.path().canonicalize().expect("a path");
            let at = |name: &str| here.join(name).display().to_string();
            let policy = format!("version: 1\ndefault: allow\ngrants:\n  {grant}\n");
            let policy = policy.replace("HERE", &here.display().to_string());
            let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
            std::fs::set_permissions(at("lists/secrets.yaml"), private).expect("a mode");
            kael.file("p.yaml", policy)
                .env("HOME", &at("home"))
                .env("XDG_CONFIG_HOME", &at("config"))
                .env("KAEL_SECRETS", &at("lists/secrets.yaml"))
                .env("KAEL_SECRET_KEY_FILE", &at("keys/key"))
                .run_with(&["--policy", "p.yaml"])
                .script(script)
                .says(why);
        }
    }
}
