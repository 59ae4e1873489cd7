//! What definitions give to actions for writing or reading: opened, and judged by what was opened.
//!
//! `writable` and `reads` of native actions and `dirs` of WebAssembly have this one check, which `judged` makes;
//! `definitions` makes it for all of a repo. No symbolic link below the root is followed: what an action may write cannot
//! come to lead elsewhere. Nothing that Kael or a later definition trusts may be given for writing, and nothing of Kael's
//! own for reading alone.

mod definitions;
mod judged;

use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

pub(crate) use definitions::{holding, problems};
pub(crate) use judged::holds_a_home;
pub use judged::judge_program;

use super::process::Opened;
use super::temporary;
use crate::environment::Environment;

/// Where paths of definitions are looked up from, and what no action may write.
#[derive(Debug)]
pub struct Places {
    /// As it is, for looking up.
    root: PathBuf,
    repo: PathBuf,
    /// Kael's own, each with what it is.
    own: Vec<(PathBuf, &'static str)>,
    /// What is hidden from actions beside that, such as the files that secrets come from.
    hidden: Vec<PathBuf>,
    home: Option<PathBuf>,
}

/// What an action does with what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It reads it, by `reads` or by `dirs` of its definition, or by a grant of the policy.
    Read,
    /// It writes it.
    Write,
}

/// Why something cannot be given.
#[derive(Debug)]
pub enum Refused {
    /// There is nothing, so far.
    Missing,
    /// It cannot be opened or must not be given: the end of a sentence that begins with the path.
    For(String),
}

impl Places {
    /// Those of an actions repo.
    #[must_use]
    pub fn new(repo: &Path, environment: &Environment) -> Self {
        let data = environment.data_folder();
        let things = "is where Kael keeps its own things";
        let mut own = vec![
            (real(&data), things),
            (
                real(&environment.config_folder()),
                "is where Kael's configuration is",
            ),
        ];
        own.extend(temporary::place(&data).map(|place| (place, things)));
        Self {
            root: repo.to_owned(),
            repo: real(repo),
            own,
            hidden: Vec::new(),
            home: environment.path("HOME"),
        }
    }

    /// The same with files and folders that are hidden from actions.
    #[must_use]
    pub fn hiding(self, hidden: Vec<PathBuf>) -> Self {
        // A link is followed by its name, too.
        let both = |path: PathBuf| [real(&path), path];
        Self {
            hidden: hidden.into_iter().flat_map(both).collect(),
            ..self
        }
    }

    /// The actions repo by its real path.
    pub(crate) fn repo(&self) -> &Path {
        &self.repo
    }

    /// Kael's own folders by their real paths, and what else is hidden.
    pub(crate) fn own(&self) -> impl Iterator<Item = &Path> {
        let own = self.own.iter().map(|(path, _)| path.as_path());
        own.chain(self.hidden.iter().map(PathBuf::as_path))
    }

    /// Opens what a definition names: absolute, below `~/`, or relative to the repo.
    ///
    /// # Errors
    /// When there is nothing, or it must not be given.
    pub fn open(&self, path: &str, purpose: Use) -> Result<Opened, Refused> {
        let at = self.path_of(path).map_err(Refused::For)?;
        let opened = open(&at)?;
        self.judge(&opened, purpose).map_err(Refused::For)?;
        Ok(opened)
    }

    fn path_of(&self, path: &str) -> Result<PathBuf, String> {
        match (path.strip_prefix("~/"), &self.home) {
            // The home folder itself may be a link of the operator's.
            (Some(rest), Some(home)) => Ok(real(home).join(rest)),
            (Some(_), None) => Err("cannot be found: HOME is not set".to_owned()),
            (None, _) if path.starts_with('/') => Ok(path.into()),
            (None, _) => Ok(real(&self.root).join(path)),
        }
    }
}

/// Opens what is at an absolute path, and follows no symbolic link.
fn open(path: &Path) -> Result<Opened, Refused> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let opened = rustix::fs::openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS);
    let opened = opened.map_err(io::Error::from).and_then(Opened::of);
    opened.map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::NOENT) => Refused::Missing,
        Some(Errno::LOOP) => {
            let real = path.canonicalize().ok();
            let remedy = real.map(|real| format!(": name {}", real.display()));
            Refused::For(format!(
                "leads through a symbolic link, which may come to lead elsewhere{}",
                remedy.unwrap_or_default()
            ))
        }
        _ => Refused::For(format!("cannot be opened: {}", brief(&error))),
    })
}

/// The operating system's words without its number.
fn brief(error: &io::Error) -> String {
    super::source::brief(error)
}

/// A path by its real parts, as far as there is something.
#[must_use]
pub fn real(path: &Path) -> PathBuf {
    let mut missing = Vec::new();
    let mut there = path;
    loop {
        if let Ok(mut real) = there.canonicalize() {
            real.extend(missing.iter().rev());
            return real;
        }
        match (there.parent(), there.file_name()) {
            (Some(parent), Some(name)) => {
                missing.push(name);
                there = parent;
            }
            _ => return path.to_owned(),
        }
    }
}

/// A path without `.` and `..`, by its text alone.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = plain.pop(),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// A path by which the very folder that is open is opened again.
#[must_use]
pub fn by_descriptor(opened: &Opened) -> PathBuf {
    format!("/proc/self/fd/{}", opened.fd.as_raw_fd()).into()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    struct Session {
        folder: tempfile::TempDir,
        places: Places,
    }

    fn session() -> Session {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path();
        for made in [
            "repo/state/b",
            "repo/lib",
            "data/tmp",
            "config/kael",
            "home/cache",
            "other",
        ] {
            fs::create_dir_all(at.join(made)).expect("folders");
        }
        fs::write(at.join("repo/init.lua"), "").expect("a file");
        let variable = |name: &str, path: &str| (name.into(), at.join(path).into());
        let environment = Environment::new([
            variable("KAEL_DATA", "data"),
            variable("XDG_CONFIG_HOME", "config"),
            variable("HOME", "home"),
        ]);
        let places = Places::new(&at.join("repo"), &environment);
        Session { folder, places }
    }

    impl Session {
        fn refused(&self, path: &str) -> Option<String> {
            self.refused_for(path, Use::Write)
        }

        fn refused_for(&self, path: &str, purpose: Use) -> Option<String> {
            let at = self.folder.path().display().to_string();
            let path = path.replace("AT", &at);
            match self.places.open(&path, purpose) {
                Ok(_) => None,
                Err(Refused::Missing) => Some("missing".to_owned()),
                Err(Refused::For(why)) => Some(why.replace(&at, "AT")),
            }
        }
    }

    #[test]
    fn what_may_be_written_is_given_and_nothing_that_is_trusted() {
        let session = session();
        for path in ["state", "state/b", "~/cache", "AT/other"] {
            assert_eq!(session.refused(path), None, "{path}");
        }
        let holds = "holds the actions repo, which no action may rewrite";
        let inside = "lies in the actions repo, where actions write below `state/` only";
        let own = "is where Kael keeps its own things";
        let config = "is where Kael's configuration is";
        for (path, why) in [
            (".", holds),
            ("AT", holds),
            ("/", holds),
            ("lib", inside),
            ("init.lua", inside),
            ("AT/repo/lib", inside),
            ("AT/data", own),
            ("AT/data/tmp", own),
            ("AT/config", config),
            ("AT/config/kael", config),
            (
                "/proc/self/../sys",
                "leads through a symbolic link, which may come to lead elsewhere: name /proc/sys",
            ),
            ("/dev", "belongs to the kernel"),
            ("nowhere", "missing"),
        ] {
            assert_eq!(session.refused(path).as_deref(), Some(why), "{path}");
        }
    }

    #[test]
    fn what_may_be_read_alone_is_nothing_of_kaels_and_no_home_folder() {
        let mut session = session();
        let at = session.folder.path().canonicalize().expect("a path");
        fs::create_dir_all(at.join("keys/more")).expect("folders");
        fs::write(at.join("keys/id"), "").expect("a file");
        fs::write(at.join("keys/more/x"), "").expect("a file");
        symlink(at.join("keys/id"), at.join("other/link")).expect("a link");
        session.places = session
            .places
            .hiding(vec![at.join("keys/id"), at.join("other/link")]);
        for path in ["state", "lib", ".", "~/cache", "AT/keys/more", "/dev/null"] {
            assert_eq!(session.refused_for(path, Use::Read), None, "{path}");
        }
        let own = "is where Kael keeps its own things: name what the action needs, outside of it";
        let config = "is where Kael's configuration is: name what the action needs, outside of it";
        let home = "is a home folder or holds one: name what the action needs of it";
        let kernel = "belongs to the kernel: name nothing there";
        let hidden = "is or holds what is hidden from actions, such as secrets: name what the action needs, outside of it";
        for (path, why) in [
            ("/", home),
            ("/root", home),
            ("/home", home),
            ("AT/home", home),
            ("~/../home/cache/..", home),
            ("AT", home),
            ("AT/data", own),
            ("AT/data/tmp", own),
            ("AT/config", config),
            ("AT/config/kael", config),
            ("AT/keys", hidden),
            ("AT/keys/id", hidden),
            // The link would be readable by its own name.
            ("AT/other", hidden),
            ("/proc", kernel),
            ("/proc/1", kernel),
            ("/sys/kernel", kernel),
            ("/dev", kernel),
            ("AT/keys/../data/tmp", own),
            ("nowhere", "missing"),
        ] {
            if path.starts_with("/home") && !Path::new(path).exists() {
                continue;
            }
            let refused = session.refused_for(path, Use::Read);
            assert_eq!(refused.as_deref(), Some(why), "{path}");
            // What is not there yet is known by its text.
            let plain = session
                .places
                .path_of(&path.replace("AT", &at.display().to_string()));
            let plain = plain.map(|path| super::plain(&path)).expect("a path");
            if why != "missing" {
                assert!(
                    session.places.judge_path(&plain, Use::Read).is_err(),
                    "{path}"
                );
            }
        }
    }

    #[test]
    fn no_link_and_no_second_name_leads_elsewhere() {
        let session = session();
        let at = session.folder.path();
        symlink("../init.lua", at.join("repo/state/link")).expect("a link");
        symlink("../../data", at.join("repo/state/folder")).expect("a link");
        symlink(at.join("other"), at.join("elsewhere")).expect("a link");
        fs::hard_link(at.join("repo/init.lua"), at.join("repo/state/hard")).expect("a link");
        let through = "leads through a symbolic link, which may come to lead elsewhere";
        for (path, why) in [
            ("state/link", format!("{through}: name AT/repo/init.lua")),
            ("state/folder/tmp", format!("{through}: name AT/data/tmp")),
            ("AT/elsewhere", format!("{through}: name AT/other")),
            (
                "state/hard",
                "has another name, a hard link: copy it to a file of its own".to_owned(),
            ),
        ] {
            assert_eq!(session.refused(path), Some(why), "{path}");
        }
    }
}
