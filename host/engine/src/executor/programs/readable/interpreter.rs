//! Which files an interpreter's command line starts, and where their libraries lie.
//!
//! A source's `#!` line may be anybody's. So a name in it opens nothing but an executable regular
//! file, and beside that the libraries of the installation that the file belongs to. Where it names
//! anything else, nothing is opened and the call fails as it would.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::env_command;
use super::installation::Surroundings;
use super::system;
use crate::executor::on_path::on_path;

/// Links that are followed from a name.
const MAX_LINKS: usize = 40;

/// What the programs of an interpreter's command line need for reading.
pub(super) fn places(interpreter: &str, path: &OsStr, surroundings: &Surroundings) -> Vec<PathBuf> {
    let words: Vec<&str> = interpreter.split_whitespace().collect();
    let Some((first, rest)) = words.split_first() else {
        return Vec::new();
    };
    let find = |name: &str| match name.contains('/') {
        // As its process finds it: from the folder that it starts in.
        true => Some(surroundings.folder.join(name)),
        false => on_path(name, path),
    };
    let Some(first) = find(first) else {
        return Vec::new();
    };
    // Any other program of that name starts what it likes.
    let is_env = first.file_name() == Some(OsStr::new("env"))
        && executable(&first).is_some_and(|real| system::has(&real));
    let started = is_env.then(|| env_command::program(rest)).flatten();
    let programs = [Some(first), started.and_then(find)];
    let mut places: Vec<PathBuf> = programs
        .into_iter()
        .flatten()
        .flat_map(|program| of_program(&program, surroundings))
        .collect();
    places.sort();
    places.dedup();
    places
}

/// A program, and the parts of each installation that a link on the way to it lies in.
fn of_program(program: &Path, surroundings: &Surroundings) -> Vec<PathBuf> {
    let Some(real) = executable(program) else {
        return Vec::new();
    };
    let links = links(program);
    let steps = links.iter().chain([&real]);
    let mut places: Vec<PathBuf> = steps.flat_map(|step| surroundings.parts(step)).collect();
    if !surroundings.is_own(&real) {
        places.push(real);
    }
    places
}

/// The real path of a regular file that may be executed; none of anything else.
fn executable(program: &Path) -> Option<PathBuf> {
    let real = program.canonicalize().ok()?;
    let metadata = real.metadata().ok()?;
    let may_be_executed = metadata.permissions().mode() & 0o111 != 0;
    (metadata.is_file() && may_be_executed).then_some(real)
}

/// A path, and each link that leads on from it.
fn links(program: &Path) -> Vec<PathBuf> {
    let mut all = vec![program.to_owned()];
    while all.len() < MAX_LINKS
        && let Some(last) = all.last()
        && let Ok(next) = fs::read_link(last)
    {
        let next = last.parent().unwrap_or(Path::new("/")).join(next);
        all.push(next);
    }
    all
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A home folder with pyenv, a virtual environment in a project, and programs of the user's.
    struct Home {
        _keep: tempfile::TempDir,
        at: PathBuf,
        surroundings: Surroundings,
    }

    fn program(path: &Path) {
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(path, "").expect("a file");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a mode");
    }

    fn home() -> Home {
        let keep = tempfile::tempdir().expect("a folder");
        let at = keep.path().canonicalize().expect("a path").join("home");
        for folder in [
            ".pyenv/versions/3.12/lib",
            ".pyenv/versions/3.12/secrets",
            ".pyenv/libexec",
            ".local/lib",
            ".local/share",
            "lib",
            "share",
            "project/venv/lib",
            "project/actions",
            "project/src",
            ".ssh",
            "data/kael/environments",
            "data/lib",
            "linked",
        ] {
            fs::create_dir_all(at.join(folder)).expect("folders");
        }
        for file in [
            ".pyenv/versions/3.12/bin/python3",
            ".pyenv/shims/python3",
            "tools/mine",
            "bin/tool",
            "data/bin/tool",
            "data/kael/environments/x/bin/python",
            "linked/bin/tool",
            "project/src/bin/own",
        ] {
            program(&at.join(file));
        }
        for file in ["project/venv/pyvenv.cfg", ".ssh/id"] {
            fs::write(at.join(file), "").expect("a file");
        }
        let python = at.join(".pyenv/versions/3.12/bin/python3");
        fs::create_dir_all(at.join("project/venv/bin")).expect("a folder");
        fs::create_dir_all(at.join(".local/bin")).expect("a folder");
        symlink(&python, at.join("project/venv/bin/python3")).expect("a link");
        symlink(
            "../../.pyenv/versions/3.12/bin/python3",
            at.join(".local/bin/py"),
        )
        .expect("a link");
        symlink("../.ssh", at.join("linked/lib")).expect("a link");
        symlink("/bin/sh", at.join("linked/round")).expect("a link");
        let surroundings = Surroundings {
            folder: at.join("project/src"),
            home: Some(at.clone()),
            own: vec![at.join("project/actions"), at.join("data/kael")],
        };
        let _keep = keep;
        Home {
            _keep,
            at,
            surroundings,
        }
    }

    impl Home {
        /// What is found below the home folder, from there.
        fn found(&self, interpreter: &str, path: &str) -> Vec<String> {
            let interpreter = interpreter.replace("HOME", &self.at.display().to_string());
            let found = places(
                &interpreter,
                self.at.join(path).as_os_str(),
                &self.surroundings,
            );
            let below = found.iter().filter_map(|at| at.strip_prefix(&self.at).ok());
            below.map(|at| at.display().to_string()).collect()
        }
    }

    #[test]
    fn the_parts_of_an_installation_are_found_through_links() {
        let home = home();
        let pyenv = [
            ".pyenv/versions/3.12/bin",
            ".pyenv/versions/3.12/bin/python3",
            ".pyenv/versions/3.12/lib",
        ];
        for (interpreter, path, more) in [
            ("HOME/.pyenv/versions/3.12/bin/python3", "x", &[][..]),
            (
                "/usr/bin/env python3",
                "project/venv/bin",
                &[
                    "project/venv/bin",
                    "project/venv/lib",
                    "project/venv/pyvenv.cfg",
                ],
            ),
            (
                "/usr/bin/env -S A=b python3 -u",
                "project/venv/bin",
                &[
                    "project/venv/bin",
                    "project/venv/lib",
                    "project/venv/pyvenv.cfg",
                ],
            ),
            // `~/.local/share` has keys of other programs.
            (
                "/usr/bin/env py",
                ".local/bin",
                &[".local/bin", ".local/lib"],
            ),
        ] {
            let mut expected: Vec<&str> = pyenv.iter().chain(more).copied().collect();
            expected.sort_unstable();
            assert_eq!(home.found(interpreter, path), expected, "{interpreter}");
        }
        // A manager of versions starts one of those that it has.
        let shims = home.found("/usr/bin/env python3", ".pyenv/shims");
        for part in [
            ".pyenv/libexec",
            ".pyenv/shims",
            ".pyenv/shims/python3",
            ".pyenv/versions",
        ] {
            assert!(shims.iter().any(|found| found == part), "{shims:?}");
        }
        assert!(!shims.contains(&".pyenv".to_owned()), "{shims:?}");
    }

    #[test]
    fn a_line_opens_an_executable_file_and_its_libraries_or_nothing() {
        let home = home();
        for (interpreter, expected) in [
            ("HOME/tools/mine", &["tools/mine"][..]),
            // A home folder is no installation.
            ("HOME/bin/tool", &["bin/tool"]),
            // Kael's own data and the actions repo are never a part of one.
            ("HOME/data/kael/environments/x/bin/python", &[]),
            (
                "HOME/data/bin/tool",
                &["data/bin", "data/bin/tool", "data/lib"],
            ),
            // A part that leads elsewhere is none.
            ("HOME/linked/bin/tool", &["linked/bin", "linked/bin/tool"]),
            // From the folder that it starts in.
            ("bin/own", &["project/src/bin", "project/src/bin/own"]),
            ("../../tools/mine", &["tools/mine"]),
            ("/usr/bin/env -S -i HOME/tools/mine x", &["tools/mine"]),
            ("HOME/.ssh", &[]),
            ("HOME/.ssh/id", &[]),
            ("HOME/.ssh/bin/x", &[]),
            ("HOME/.ssh/bin/../id", &[]),
            ("HOME/nowhere/bin/python3", &[]),
            ("/proc/self/rootHOME/.ssh", &[]),
            ("/proc/self/rootHOME/.ssh/bin/x", &[]),
            ("/", &[]),
            ("/usr/bin/env HOME/.ssh/id", &[]),
            // The operand of an option is no program, and what an unknown one means is unknown.
            ("/usr/bin/env -u HOME/tools/mine sh", &[]),
            ("/usr/bin/env --chdir HOME/tools/mine sh", &[]),
            ("/usr/bin/env --whatever HOME/tools/mine", &[]),
            ("/usr/bin/env -S 'HOME/tools/mine'", &[]),
            ("/usr/bin/env PATH=HOME/tools mine", &[]),
            ("", &[]),
        ] {
            assert_eq!(home.found(interpreter, "x"), expected, "{interpreter}");
        }
        // One that only has the name starts what it likes.
        let env = home.at.join("tools/env");
        program(&env);
        assert_eq!(
            home.found("HOME/tools/env HOME/tools/mine", "x"),
            ["tools/env"]
        );
        let long = format!("HOME/{}", "x/".repeat(5000));
        assert_eq!(home.found(&long, "x"), [""; 0]);
    }

    #[test]
    fn a_chain_of_links_opens_the_installation_at_its_end() {
        let home = home();
        let at = home.at.join("project/src/bin");
        symlink("b", at.join("a")).expect("a link");
        symlink(home.at.join("tools/mine"), at.join("b")).expect("a link");
        symlink("d", at.join("c")).expect("a link");
        symlink("c", at.join("d")).expect("a link");
        symlink(home.at.join(".ssh/id"), at.join("e")).expect("a link");
        symlink(home.at.join(".ssh"), at.join("f")).expect("a link");
        assert_eq!(home.found("bin/a", "x"), ["project/src/bin", "tools/mine"]);
        for none in ["bin/c", "bin/e", "bin/f", "bin/f/id"] {
            assert_eq!(home.found(none, "x"), [""; 0], "{none}");
        }
    }
}
