//! What definitions give to actions for writing or reading: opened, and judged by what was opened.
//!
//! `writable` of native actions and `dirs` of WebAssembly have this one check. No symbolic link below the root is followed: what an
//! action may write cannot come to lead elsewhere. Nothing that Kael or a later definition trusts may be given for writing.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::process::Opened;
use super::temporary;
use crate::catalog::{Catalog, Definition, DefinitionError, Executor, McpServer, Source};
use crate::environment::Environment;
use crate::repo::STATE;

/// Where paths of definitions are looked up from, and what no action may write.
#[derive(Debug)]
pub struct Places {
    /// As it is, for looking up.
    root: PathBuf,
    repo: PathBuf,
    /// Kael's own, each with what it is.
    own: Vec<(PathBuf, &'static str)>,
    home: Option<PathBuf>,
}

/// What an action does with what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It reads it.
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
            home: environment.path("HOME"),
        }
    }

    /// Opens what a definition names: absolute, below `~/`, or relative to the repo.
    ///
    /// # Errors
    /// When there is nothing, or it must not be given.
    pub fn open(&self, path: &str, purpose: Use) -> Result<Opened, Refused> {
        let at = self.path_of(path).map_err(Refused::For)?;
        let opened = open(&at)?;
        if purpose == Use::Write {
            self.judge(&opened).map_err(Refused::For)?;
        }
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

    /// The folder of the repo that actions may be given to write.
    fn state(&self) -> PathBuf {
        self.repo.join(STATE)
    }

    /// Whether an action may write it.
    fn judge(&self, opened: &Opened) -> Result<(), String> {
        let stat = rustix::fs::fstat(&opened.fd).map_err(|error| brief(&error.into()))?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if !(kind.is_dir() || kind.is_file() || kind.is_char_device()) {
            return Err("is neither a folder nor a file".to_owned());
        }
        // A second name for a file is a way to write something else.
        if kind.is_file() && stat.st_nlink > 1 {
            return Err("has another name, a hard link: copy it to a file of its own".to_owned());
        }
        let here = opened.path.as_path();
        if self.repo.starts_with(here) {
            return Err("holds the actions repo, which no action may rewrite".to_owned());
        }
        if here.starts_with(&self.repo) && !here.starts_with(self.state()) {
            return Err(format!(
                "lies in the actions repo, where actions write below `{STATE}/` only"
            ));
        }
        for (place, what) in &self.own {
            if meets(place, here) {
                return Err((*what).to_owned());
            }
        }
        let kernels = ["/proc", "/sys"]
            .iter()
            .any(|folder| here.starts_with(folder));
        if kernels || here == Path::new("/dev") {
            return Err("belongs to the kernel".to_owned());
        }
        Ok(())
    }
}

/// Refuses what is to be run where an action may write: below the state of a repo. Both paths are real.
///
/// # Errors
/// Why, in words that follow its name.
pub fn judge_program(repo: &Path, program: &Path) -> Result<(), String> {
    if program.starts_with(repo.join(STATE)) {
        return Err(format!(
            "lies in `{STATE}/` of the actions repo, which actions may write: nothing there is run"
        ));
    }
    Ok(())
}

/// Whether one of two paths holds the other.
fn meets(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
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
fn real(path: &Path) -> PathBuf {
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

/// One thing that a definition gives for writing.
struct Given<'a> {
    definition: &'a Definition,
    /// How an error begins.
    field: String,
    path: PathBuf,
}

/// What is wrong with what the definitions of a repo give, as far as it is there already: looked at when the repo loads, and
/// again when an action runs.
pub(crate) fn problems(
    catalog: &Catalog,
    repo: &Path,
    environment: &Environment,
) -> Vec<DefinitionError> {
    let places = Places::new(repo, environment);
    let mut problems = Vec::new();
    let mut wrong = |definition: &Definition, error: String| {
        let location = definition.location.clone();
        problems.push(DefinitionError { location, error });
    };
    let mut given: Vec<Given<'_>> = Vec::new();
    for (_, definition) in catalog.iter() {
        for (field, path) in for_writing(definition) {
            let path = match places.open(&path, Use::Write) {
                Ok(opened) => opened.path,
                Err(Refused::For(why)) => {
                    wrong(definition, format!("{field} {why}"));
                    continue;
                }
                Err(Refused::Missing) => match places.path_of(&path) {
                    Ok(path) => plain(&path),
                    Err(_) => continue,
                },
            };
            given.push(Given {
                definition,
                field,
                path,
            });
        }
    }
    // What holds others comes right before them.
    given.sort_by(|a, b| a.path.cmp(&b.path));
    let mut outer: Option<&Given<'_>> = None;
    for inner in &given {
        match outer {
            Some(outer) if inner.path == outer.path => {}
            Some(outer) if inner.path.starts_with(&outer.path) => {
                let (field, whose) = (&inner.field, &outer.definition.location);
                let path = outer.path.display();
                wrong(
                    inner.definition,
                    format!(
                        "{field} lies in {path}, which is given for writing at {whose}: give one of the two, or move it out"
                    ),
                );
            }
            _ => outer = Some(inner),
        }
    }
    // Looking up every source takes its time, and most repos give nothing for writing.
    let sources = match given.is_empty() {
        true => BTreeMap::new(),
        false => sources(catalog, repo),
    };
    let state = places.state();
    for (_, definition) in catalog.iter().filter(|_| !given.is_empty()) {
        for (field, path) in trusted(definition, &sources) {
            if let Err(why) = judge_program(&places.repo, &path) {
                wrong(definition, format!("{field} {why}"));
            }
            let meeting = |given: &&Given<'_>| {
                let inside = given.path.starts_with(&path) && !given.path.starts_with(&state);
                path.starts_with(&given.path) || inside
            };
            if let Some(given) = given.iter().find(meeting) {
                let (name, path) = (&given.field, path.display());
                let at = &definition.location;
                wrong(
                    given.definition,
                    format!(
                        "{name} meets {path}, which an action runs (defined at {at}): give a folder outside of it"
                    ),
                );
            }
        }
    }
    problems
}

/// What the definitions of a repo give for writing that holds one of these files: those of the policy, and the audit log.
pub(crate) fn holding(
    files: &[PathBuf],
    catalog: &Catalog,
    repo: &Path,
    environment: &Environment,
) -> Vec<DefinitionError> {
    let places = Places::new(repo, environment);
    // A link is replaced where it lies, and what it leads to where that is.
    let by_link = |file: &PathBuf| {
        let folder = match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => real(folder),
            _ => real(Path::new(".")),
        };
        folder.join(file.file_name().unwrap_or_default())
    };
    let guarded: Vec<PathBuf> = files
        .iter()
        .flat_map(|file| [real(file), by_link(file)])
        .collect();
    let mut problems = Vec::new();
    for (_, definition) in catalog.iter() {
        for (field, path) in for_writing(definition) {
            let path = match places.open(&path, Use::Write) {
                Ok(opened) => opened.path,
                Err(_) => match places.path_of(&path) {
                    Ok(path) => plain(&path),
                    Err(_) => continue,
                },
            };
            if let Some(file) = guarded.iter().find(|file| file.starts_with(&path)) {
                problems.push(DefinitionError {
                    location: definition.location.clone(),
                    error: format!(
                        "{field} holds {}, which no action may rewrite: keep policies and audit logs elsewhere",
                        file.display()
                    ),
                });
            }
        }
    }
    problems
}

/// What a definition gives for writing: how errors name it, and its path.
fn for_writing(definition: &Definition) -> Vec<(String, String)> {
    let writable = definition.writable.iter();
    let writable = writable.map(|path| (format!("field 'writable' `{path}`"), path.clone()));
    let dirs = definition.grants.dirs.iter().filter(|dir| dir.writable);
    let dirs = dirs.map(|dir| {
        let path = dir.path.to_string_lossy().into_owned();
        (format!("field 'dirs[\"{}\"]' `{path}`", dir.seen_as), path)
    });
    writable.chain(dirs).collect()
}

/// The folders of a catalog's sources by their real paths, as far as they are on this machine.
fn sources<'a>(catalog: &'a Catalog, repo: &Path) -> BTreeMap<&'a Path, PathBuf> {
    let mut sources = BTreeMap::new();
    for (_, definition) in catalog.iter() {
        if let Source::Folder(path) = &definition.source
            && definition.mcp.is_none()
        {
            let place = || real(&repo.join(path));
            sources.entry(path.as_path()).or_insert_with(place);
        }
    }
    sources
}

/// What a definition runs, as far as that is known before it runs, outside of Kael's own folders.
fn trusted(
    definition: &Definition,
    sources: &BTreeMap<&Path, PathBuf>,
) -> Vec<(&'static str, PathBuf)> {
    let mut trusted = Vec::new();
    if let Source::Folder(path) = &definition.source
        && definition.mcp.is_none()
        && let Some(source) = sources.get(path.as_path())
    {
        let mut file = source.join(definition.subdir.as_deref().unwrap_or_default());
        file.push(definition.entrypoint.as_deref().unwrap_or_default());
        trusted.push(("field 'source'", source.clone()));
        trusted.push(("field 'entrypoint'", plain(&file)));
    }
    let server = match definition.mcp.as_ref().map(|tool| &tool.server) {
        Some(McpServer::Command(words)) => words.first(),
        _ => None,
    };
    if let Some(program) = server.filter(|program| program.starts_with('/')) {
        trusted.push(("field 'command'", real(Path::new(program))));
    }
    if definition.executor == Executor::Native {
        let interpreter = definition.interpreter.as_deref().unwrap_or_default();
        let program = interpreter.split_whitespace().next().unwrap_or_default();
        if program.starts_with('/') {
            trusted.push(("field 'interpreter'", real(Path::new(program))));
        }
    }
    trusted
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
            let at = self.folder.path().display().to_string();
            let path = path.replace("AT", &at);
            match self.places.open(&path, Use::Write) {
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
