//! Where the interpreter of an entry point lies with its libraries: its prefix, through every link
//! that leads to it.
//!
//! The Python of a virtual environment is a link to one of pyenv, whose prefix lies below the home
//! folder. Both prefixes are needed, and nothing else of the home folder.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::executor::on_path::on_path;
use crate::executor::source::program;

/// Links that are followed from a name on `PATH`.
const MAX_LINKS: usize = 40;

/// Folders that hold programs, and so say where a prefix is.
const BINARIES: [&str; 3] = ["bin", "sbin", "shims"];

/// What an interpreter reads of a prefix that holds other things, too.
const PARTS: [&str; 9] = [
    "bin",
    "sbin",
    "shims",
    "include",
    "lib",
    "lib32",
    "lib64",
    "libexec",
    "pyvenv.cfg",
];

/// What a prefix may be or hold without being the interpreter's alone.
pub(super) struct Surroundings {
    pub(super) home: Option<PathBuf>,
    /// Such as the actions repo.
    pub(super) others: Vec<PathBuf>,
}

/// What the programs of an interpreter's command line need for reading.
pub(super) fn places(interpreter: &str, path: &OsStr, surroundings: &Surroundings) -> Vec<PathBuf> {
    let first = interpreter.split_whitespace().next();
    let named = first.into_iter().chain(program(interpreter));
    let found = named.filter_map(|name| match name.contains('/') {
        true => Some(PathBuf::from(name)),
        false => on_path(name, path),
    });
    let mut places: Vec<PathBuf> = found
        .flat_map(|program| links(&program))
        .flat_map(|program| surroundings.around(&program))
        .collect();
    places.sort();
    places.dedup();
    places
}

/// A path, each link that leads on from it, and where it ends.
fn links(program: &Path) -> Vec<PathBuf> {
    let mut all = vec![program.to_owned()];
    while all.len() < MAX_LINKS
        && let Some(last) = all.last()
        && let Ok(next) = fs::read_link(last)
    {
        let next = last.parent().unwrap_or(Path::new("/")).join(next);
        all.push(next);
    }
    all.extend(program.canonicalize());
    all
}

impl Surroundings {
    /// The program itself, and its prefix or the parts of it that are its own.
    fn around(&self, program: &Path) -> Vec<PathBuf> {
        let mut around = vec![program.to_owned()];
        let Some(prefix) = prefix(program) else {
            return around;
        };
        match self.shares(&prefix) {
            true => around.extend(PARTS.map(|part| prefix.join(part))),
            false => around.push(prefix),
        }
        around
    }

    /// Whether a prefix is also something else: a home folder, `~/.local`, or the folder of a project
    /// with its virtual environment.
    fn shares(&self, prefix: &Path) -> bool {
        let real = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
        let home = self.home.as_ref().map(real);
        let holds = |path: &PathBuf| real(path).starts_with(prefix);
        prefix.parent().is_none()
            || prefix.join("pyvenv.cfg").exists()
            || self.others.iter().any(holds)
            || home.is_some_and(|home| home.starts_with(prefix) || home.join(".local") == prefix)
    }
}

/// The folder that an installation lies in, by its real path.
fn prefix(program: &Path) -> Option<PathBuf> {
    let folder = program.parent()?;
    let name = folder.file_name()?.to_str()?;
    let prefix = folder.parent().filter(|_| BINARIES.contains(&name))?;
    prefix.canonicalize().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A home folder with pyenv, a virtual environment in a project, and a program of the user's.
    fn home() -> (tempfile::TempDir, Surroundings) {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().canonicalize().expect("a path").join("home");
        for made in [
            ".pyenv/versions/3.12/bin",
            ".pyenv/shims",
            ".local/bin",
            "project/venv/bin",
            "project/actions",
            "tools",
            ".ssh",
        ] {
            fs::create_dir_all(home.join(made)).expect("folders");
        }
        for file in [
            ".pyenv/versions/3.12/bin/python3",
            ".pyenv/shims/python3",
            "project/venv/pyvenv.cfg",
            "tools/mine",
        ] {
            fs::write(home.join(file), "").expect("a file");
        }
        let python = home.join(".pyenv/versions/3.12/bin/python3");
        symlink(&python, home.join("project/venv/bin/python3")).expect("a link");
        symlink(
            "../../.pyenv/versions/3.12/bin/python3",
            home.join(".local/bin/py"),
        )
        .expect("a link");
        let others = vec![home.join("project/actions")];
        let home = Some(home);
        (folder, Surroundings { home, others })
    }

    #[test]
    fn a_prefix_is_found_through_links_and_never_is_a_home_folder() {
        let (_keep, surroundings) = home();
        let home = surroundings.home.clone().expect("a home");
        let found = |interpreter: &str, path: &str| {
            let path = home.join(path);
            places(interpreter, path.as_os_str(), &surroundings)
        };
        let pyenv = home.join(".pyenv/versions/3.12");
        for (interpreter, path, expected) in [
            ("/usr/bin/env python3", ".pyenv/shims", home.join(".pyenv")),
            ("/usr/bin/env python3", "project/venv/bin", pyenv.clone()),
            (
                "/usr/bin/env -S python3 -u",
                "project/venv/bin",
                home.join("project/venv/lib"),
            ),
            ("/usr/bin/env py", ".local/bin", pyenv.clone()),
            ("/usr/bin/env py", ".local/bin", home.join(".local/lib")),
        ] {
            let found = found(interpreter, path);
            assert!(found.contains(&expected), "{interpreter} {path}: {found:?}");
            let others = [
                home.clone(),
                home.join(".local"),
                home.join("project"),
                home.join("project/venv"),
            ];
            for other in others {
                assert!(!found.contains(&other), "{interpreter} {path}: {found:?}");
            }
        }
        let mine = home.join("tools/mine").display().to_string();
        assert_eq!(found(&mine, "x"), [home.join("tools/mine")]);
    }
}
