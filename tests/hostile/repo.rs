//! Repos and scripts with hostile files, made by code, because no checkout could contain them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use kael_tests::Kael;
use libtest_mimic::Trial;

use crate::in_process_host::Host;
use crate::trial;

const INIT: &str = "return { t = { a = define_action({ source = '../impl', entrypoint = 'a.sh', executor = 'native' }) } }";

/// Runs a session whose repo `make` has changed. Returns the exit code and the message.
fn case(
    name: &str,
    code: i32,
    message: &'static str,
    make: impl FnOnce(&Path) + Send + 'static,
) -> Trial {
    trial(&format!("repo/{name}"), move || {
        let session = session();
        make(session.path());
        let folder = session.path().to_owned();
        let inside = Host::get().run(&folder, &["--timeout".to_owned(), "60s".to_owned()]);
        let ran = session.run_with(&["--timeout", "60s", "script.lua"]).ends();
        ran.no_panic().exits(code);
        let first = ran.stderr.lines().next().unwrap_or_default();
        assert!(first.contains(message), "{}", ran.stderr);
        let kind = match code {
            0 => "ok",
            3 => "repo",
            _ => "unavailable",
        };
        assert_eq!(inside.kind, kind, "{}", inside.message);
        Host::get().is_well();
    })
}

fn session() -> Kael {
    Kael::new()
        .file("actions/init.lua", INIT)
        .program("impl/a.sh", "#!/bin/sh\ncat\n")
        .file("script.lua", "actions.t.a({})")
        .option(&["--actions", "actions"])
}

fn definition(fields: &'static str, code: i32, message: &'static str) -> Trial {
    let name: String = fields
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    case(
        &format!("definition_{name}"),
        code,
        message,
        move |folder| {
            let source = format!("return {{ t = {{ a = define_action({{ {fields} }}) }} }}");
            fs::write(folder.join("actions/init.lua"), source).expect("a file");
        },
    )
}

fn fifo(path: &Path) {
    rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RWXU).expect("a FIFO");
}

pub(crate) fn trials() -> Vec<Trial> {
    let escape = "is a symbolic link that leads out of the actions repo";
    let inside = "must be a path inside the source: relative, without '..' or a leading '-'";
    let mut all = vec![
        case("a_good_one", 0, "", |_| ()),
        case("a_file_that_links_out", 3, escape, |folder| {
            symlink("/etc/passwd", folder.join("actions/out.lua")).expect("a link");
        }),
        case("a_folder_that_links_out", 3, escape, |folder| {
            symlink("/etc", folder.join("actions/out")).expect("a link");
        }),
        case("a_file_that_links_up", 3, escape, |folder| {
            symlink("../../x.lua", folder.join("actions/up.lua")).expect("a link");
        }),
        case("an_init_that_links_out", 3, escape, |folder| {
            fs::rename(folder.join("actions/init.lua"), folder.join("init.lua")).expect("moved");
            symlink("../init.lua", folder.join("actions/init.lua")).expect("a link");
        }),
        case(
            "a_loop_of_links",
            3,
            "cannot read `actions/a.lua`",
            |folder| {
                symlink("b.lua", folder.join("actions/a.lua")).expect("a link");
                symlink("a.lua", folder.join("actions/b.lua")).expect("a link");
            },
        ),
        case(
            "a_folder_that_links_to_itself",
            3,
            "(a loop of links?)",
            |folder| {
                symlink(".", folder.join("actions/again")).expect("a link");
            },
        ),
        case(
            "a_link_to_nothing",
            3,
            "cannot read `actions/gone.lua`",
            |folder| {
                symlink("nothing.lua", folder.join("actions/gone.lua")).expect("a link");
            },
        ),
        case(
            "folders_without_end",
            3,
            "folders nest deeper than 16",
            |folder| {
                fs::create_dir_all(folder.join("actions").join("d/".repeat(30))).expect("folders");
            },
        ),
        case(
            "a_fifo_in_place_of_a_file",
            3,
            "cannot read `actions/x.lua`: it is not a regular file",
            |folder| {
                fifo(&folder.join("actions/x.lua"));
            },
        ),
        case("a_device_in_place_of_a_file", 3, escape, |folder| {
            symlink("/dev/zero", folder.join("actions/x.lua")).expect("a link");
        }),
        case(
            "a_socket_in_place_of_a_file",
            3,
            "cannot read `actions/x.lua`",
            |folder| {
                drop(
                    std::os::unix::net::UnixListener::bind(folder.join("actions/x.lua"))
                        .expect("a socket"),
                );
            },
        ),
        case(
            "a_folder_in_place_of_init",
            3,
            "has no init.lua",
            |folder| {
                fs::remove_file(folder.join("actions/init.lua")).expect("removed");
                fs::create_dir(folder.join("actions/init.lua")).expect("a folder");
            },
        ),
        case(
            "a_file_in_place_of_the_repo",
            3,
            "cannot open the actions repo `actions`",
            |folder| {
                fs::remove_dir_all(folder.join("actions")).expect("removed");
                fs::write(folder.join("actions"), "").expect("a file");
            },
        ),
        case(
            "a_lua_file_of_a_gibibyte",
            3,
            "a file has more than 4 MiB",
            |folder| {
                let file = File::create(folder.join("actions/x.lua")).expect("a file");
                file.set_len(1 << 30).expect("a sparse file");
            },
        ),
        case(
            "files_that_are_too_much_together",
            3,
            "Lua files of more than 32 MiB",
            |folder| {
                for n in 0..9 {
                    let file =
                        File::create(folder.join(format!("actions/x{n}.lua"))).expect("a file");
                    file.set_len(4 << 20).expect("a sparse file");
                }
            },
        ),
        case(
            "a_hundred_thousand_files",
            3,
            "more than 20000 files and folders",
            |folder| {
                fs::create_dir(folder.join("actions/many")).expect("a folder");
                fs::write(folder.join("file"), "return 1").expect("a file");
                // A file system allows only so many links to one file. The reader stops long before
                // that.
                for n in 0..100_000 {
                    let name = folder.join(format!("actions/many/{n}.lua"));
                    if fs::hard_link(folder.join("file"), &name).is_err() {
                        fs::write(&name, "return 1").expect("a file");
                    }
                }
            },
        ),
        case("names_that_are_not_utf8", 0, "", |folder| {
            fs::write(
                folder
                    .join("actions")
                    .join(OsStr::from_bytes(b"\xff\xfe.lua")),
                "error('x')",
            )
            .expect("a file");
            fs::create_dir(folder.join("actions").join(OsStr::from_bytes(b"\xc3(")))
                .expect("a folder");
        }),
        case(
            "names_that_drive_the_terminal",
            3,
            "`actions/a\\u{1b}[2J.lua` is not UTF-8 text (byte 0)",
            |folder| {
                fs::write(folder.join("actions/a\x1b[2J.lua"), b"\xff").expect("a file");
            },
        ),
        case("a_source_that_is_a_fifo", 6, "t.a failed: ", |folder| {
            fs::remove_dir_all(folder.join("impl")).expect("removed");
            fifo(&folder.join("impl"));
        }),
        case(
            "an_entry_point_that_is_a_fifo",
            6,
            "t.a failed: ",
            |folder| {
                fs::remove_file(folder.join("impl/a.sh")).expect("removed");
                fifo(&folder.join("impl/a.sh"));
            },
        ),
        case(
            "an_entry_point_that_links_out",
            6,
            "t.a failed: ",
            |folder| {
                fs::remove_file(folder.join("impl/a.sh")).expect("removed");
                symlink("/bin/sh", folder.join("impl/a.sh")).expect("a link");
            },
        ),
    ];
    for field in ["subdir", "entrypoint"] {
        for value in ["../x", "/etc", "-x", "a/../../b"] {
            let fields = format!("source = '../impl', executor = 'native', {field} = '{value}'");
            all.push(definition(fields.leak(), 3, inside));
        }
    }
    all.push(definition(
        "source = '-rf', executor = 'native'",
        3,
        "field 'source' may not start with '-' or hold control characters",
    ));
    all.push(definition(
        "source = 'a\\nb', executor = 'native'",
        3,
        "field 'source' may not start with '-' or hold control characters",
    ));
    all.push(definition(
        "source = 'git@x:y', tag = '--upload-pack=x', executor = 'native'",
        3,
        "is not a tag, branch or commit",
    ));
    all.push(definition(
        "source = '../none', entrypoint = 'a.sh', executor = 'native'",
        6,
        "t.a failed: ",
    ));
    all.push(definition(
        "source = '../impl', entrypoint = 'none.sh', executor = 'native'",
        6,
        "t.a failed: ",
    ));
    all.push(trial("repo/a_file_that_changes_all_the_time", changes));
    all
}

/// A repo that changes while it is read is read in one of its states, or refused. Its bounds always
/// hold.
fn changes() {
    let session = session();
    let (path, stop) = (session.path().join("actions/x.lua"), AtomicBool::new(false));
    fs::write(&path, "return 1").expect("a file");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (small, large) = (b"return 1".to_vec(), vec![b' '; 5 << 20]);
            while !stop.load(Ordering::Relaxed) {
                fs::write(&path, &large).expect("a file");
                fs::write(&path, &small).expect("a file");
                fs::remove_file(&path).ok();
            }
        });
        let ended: Vec<_> = (0..20)
            .map(|_| Host::get().run(session.path(), &[]))
            .collect();
        stop.store(true, Ordering::Relaxed);
        for ended in ended {
            assert!(
                ["ok", "repo"].contains(&ended.kind.as_str()),
                "{}",
                ended.message
            );
        }
    });
    Host::get().is_well();
}
