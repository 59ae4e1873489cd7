//! Merges the configuration from all its sources. Every value keeps its origin.
//!
//! The order is: defaults, the user's file, the project's file, variables, flags. Each overrides
//! the one before. Only `deny` adds up, so that a new pattern never removes the others. An
//! untrusted project file may only make limits stricter.

mod file;
mod keys;
mod trust;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

pub use kael_engine::confinement::Confinement;
pub use kael_engine::executor::programs::{Runner, UnknownRunner};
pub use keys::{Key, Value};
pub use trust::{Standing, Trust, Trusted};

use kael_engine::environment::Environment;
use kael_engine::gate::AuditLog;
use kael_engine::limits::Limits;
use kael_engine::policy::{PolicyError, PolicyFile};

/// The file name of a project's configuration.
pub const PROJECT_FILE: &str = "kael.yaml";

/// The origin of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Kael's default.
    Default,
    /// A line of a file.
    File {
        /// Absolute.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// An environment variable.
    Variable(&'static str),
    /// A flag.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A value and its origin.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The value.
    pub value: Value,
    /// The last source that set it.
    pub origin: Origin,
}

/// Everything that is wrong with the configuration.
#[derive(Debug, Error)]
#[error("{}", problems.join("\n"))]
pub struct ConfigError {
    /// Each with its file and line, or its origin.
    pub problems: Vec<String>,
    /// The remedy.
    pub hint: Option<String>,
    /// The names and texts of the files with problems.
    pub texts: Vec<(String, String)>,
}

impl ConfigError {
    fn new(problems: Vec<String>, hint: Option<String>) -> Self {
        let texts = Vec::new();
        Self {
            problems,
            hint,
            texts,
        }
    }

    /// Adds the file's text to the error.
    fn within(mut self, file: &file::Text) -> Self {
        let name = file.path.display().to_string();
        self.texts.push((name, file.text.clone()));
        self
    }

    fn of_policy(error: PolicyError) -> Self {
        Self {
            problems: error.problems,
            hint: None,
            texts: error.texts,
        }
    }

    fn one(error: String) -> Self {
        Self::new(vec![error], None)
    }
}

/// The entries of both lists; one that is there is not added again.
fn added<T: Clone + PartialEq>(all: &[T], more: Vec<T>) -> Vec<T> {
    let mut all = all.to_vec();
    for entry in more {
        if !all.contains(&entry) {
            all.push(entry);
        }
    }
    all
}

/// A configuration file that was read, or that does not exist.
#[derive(Debug, Clone)]
pub struct Source {
    /// Absolute.
    pub path: PathBuf,
    /// None for the user's own file.
    pub standing: Option<Standing>,
}

/// The settings of one command.
#[derive(Debug)]
pub struct Config {
    settings: BTreeMap<Key, Setting>,
    /// The files that were read.
    pub files: Vec<Source>,
    /// The policies that `policy` names, in its order.
    pub policies: Vec<Arc<PolicyFile>>,
    /// Where these and the audit log lie.
    pub guarded: Vec<PathBuf>,
    /// Where calls are written down, if that was asked for.
    pub audit: Option<Arc<AuditLog>>,
}

impl Config {
    /// Reads the files and merges all sources. `flags` come from the command line; `folder` is the
    /// working folder.
    ///
    /// # Errors
    /// Everything that is wrong in the first source with mistakes.
    pub fn resolve(
        environment: &Environment,
        folder: &Path,
        flags: Vec<(Key, Value)>,
    ) -> Result<Self, ConfigError> {
        let home = environment.path("HOME");
        let mut config = Self {
            settings: defaults(),
            files: Vec::new(),
            policies: Vec::new(),
            guarded: Vec::new(),
            audit: None,
        };
        if let Some(text) = file::read(&environment.config_folder().join("config.yaml"))? {
            let lines = file::parse(&text, home.as_deref());
            for line in lines.map_err(|error| error.within(&text))? {
                config.set_from_file(&text.path, line);
            }
            config.files.push(Source {
                path: text.path,
                standing: None,
            });
        }
        if let Some(text) = project_file(folder)? {
            let standing =
                Trust::read(&environment.data_folder())?.standing(&text.path, &text.text);
            let lines = file::parse(&text, home.as_deref());
            let lines = lines.map_err(|error| error.within(&text))?;
            if standing != Standing::Trusted {
                config
                    .only_stricter(&text.path, &lines, standing)
                    .map_err(|error| error.within(&text))?;
            }
            for line in lines {
                config.set_from_file(&text.path, line);
            }
            config.files.push(Source {
                path: text.path,
                standing: Some(standing),
            });
        }
        for (key, value) in variables(environment, folder, home.as_deref())? {
            config.set(key, value, Origin::Variable(key.variable()));
        }
        for (key, value) in flags {
            config.set(key, value, Origin::Flag(key.flag()));
        }
        config.read_policies()?;
        Ok(config)
    }

    fn set_from_file(&mut self, path: &Path, line: file::Line) {
        let origin = Origin::File {
            path: path.to_owned(),
            line: line.number,
        };
        self.set(line.key, line.value, origin);
    }

    fn set(&mut self, key: Key, value: Value, origin: Origin) {
        let value = match (key, self.settings.get(&key), value) {
            (Key::Deny, Some(before), Value::List(more)) => Value::List(match &before.value {
                Value::List(all) => added(all, more),
                _ => more,
            }),
            (Key::Policy, Some(before), Value::Paths(more)) => Value::Paths(match &before.value {
                Value::Paths(all) => added(all, more),
                _ => more,
            }),
            (_, _, value) => value,
        };
        self.settings.insert(key, Setting { value, origin });
    }

    /// Opens the audit log.
    ///
    /// # Errors
    /// When a run cannot append to it.
    pub fn open_audit(&mut self, path: &Path) -> Result<(), ConfigError> {
        let log = AuditLog::open(path).map_err(|error| {
            let shown = path.display();
            ConfigError::one(format!(
                "the audit log `{shown}` cannot be written: {error}"
            ))
        })?;
        self.guarded.push(path.to_owned());
        self.audit = Some(Arc::new(log));
        Ok(())
    }

    /// Reads the policies. Every one of them holds, so more of them allow less.
    fn read_policies(&mut self) -> Result<(), ConfigError> {
        let Some(Value::Paths(paths)) = self.get(Key::Policy).map(|setting| &setting.value) else {
            return Ok(());
        };
        for path in paths.clone() {
            let file = PolicyFile::open(&path).map_err(ConfigError::of_policy)?;
            self.policies.push(Arc::new(file));
            self.guarded.push(path);
        }
        Ok(())
    }

    /// Checks an untrusted file: it may set only limits, and only to values that are not wider.
    fn only_stricter(
        &self,
        path: &Path,
        lines: &[file::Line],
        standing: Standing,
    ) -> Result<(), ConfigError> {
        let problems: Vec<String> = lines
            .iter()
            .filter_map(|line| {
                let (at, name) = (format!("{}:{}", path.display(), line.number), line.key.name());
                if let (Key::Policy, Value::Paths(paths)) = (line.key, &line.value) {
                    // A policy only takes away; but Kael opens no file for a project that is not the project's.
                    let folder = path.parent().unwrap_or(Path::new("/"));
                    let inside = |path: &PathBuf| {
                        path.canonicalize().is_ok_and(|path| path.starts_with(folder))
                    };
                    return (!paths.iter().all(inside)).then(|| {
                        format!("{at}: `{name}` of a file that is not trusted must name files of its own folder")
                    });
                }
                if !line.key.is_limit() {
                    return Some(format!("{at}: `{name}` may be set by a trusted file only"));
                }
                let holds = &self.settings.get(&line.key)?.value;
                (line.value > *holds).then(|| {
                    format!(
                        "{at}: `{name}` is {}, and a file that is not trusted cannot raise it above {holds}",
                        line.value
                    )
                })
            })
            .collect();
        if problems.is_empty() {
            return Ok(());
        }
        let since = match standing {
            Standing::Changed => "it has changed since you trusted it: ",
            _ => "",
        };
        let hint = format!(
            "{since}read the file, and if it is to be obeyed: kael-host trust {}",
            path.display()
        );
        Err(ConfigError::new(problems, Some(hint)))
    }

    /// The value of a key, if any source sets it.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&Setting> {
        self.settings.get(&key)
    }

    /// The value of a key that is a path.
    #[must_use]
    pub fn path(&self, key: Key) -> Option<PathBuf> {
        match &self.get(key)?.value {
            Value::Path(path) => Some(path.clone()),
            _ => None,
        }
    }

    /// The value of a key that is a list.
    #[must_use]
    pub fn list(&self, key: Key) -> Vec<String> {
        match self.get(key).map(|setting| &setting.value) {
            Some(Value::List(texts)) => texts.clone(),
            _ => Vec::new(),
        }
    }

    /// Whether every run has a journal.
    #[must_use]
    pub fn journal(&self) -> bool {
        let setting = self.get(Key::Journal).map(|setting| &setting.value);
        setting == Some(&Value::Switch(true))
    }

    /// How much confinement actions need.
    #[must_use]
    pub fn confinement(&self) -> Confinement {
        match self.get(Key::Confinement).map(|setting| &setting.value) {
            Some(Value::Confinement(confinement)) => *confinement,
            _ => Confinement::default(),
        }
    }

    /// What starts native actions.
    #[must_use]
    pub fn runner(&self) -> Runner {
        match self.get(Key::Runner).map(|setting| &setting.value) {
            Some(Value::Runner(runner)) => *runner,
            _ => Runner::default(),
        }
    }

    /// The limits of a run.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        for (key, setting) in &self.settings {
            match (key, &setting.value) {
                (Key::MaxMemory, Value::Size(size)) => limits.memory = *size,
                (Key::MaxOutput, Value::Size(size)) => limits.output = *size,
                (Key::MaxCpu, Value::Time(time)) => limits.cpu = *time,
                (Key::Timeout, Value::Time(time)) => limits.wall = *time,
                (Key::MaxCalls, Value::Count(count)) => limits.calls = *count,
                (Key::MaxParallel, Value::Count(count)) => limits.parallel = *count,
                _ => {}
            }
        }
        limits
    }
}

fn defaults() -> BTreeMap<Key, Setting> {
    let limits = Limits::default();
    [
        (Key::Runner, Value::Runner(Runner::default())),
        (Key::FetchEnv, Value::List(Vec::new())),
        (Key::Deny, Value::List(Vec::new())),
        (Key::Policy, Value::Paths(Vec::new())),
        (Key::Confinement, Value::Confinement(Confinement::default())),
        (Key::Journal, Value::Switch(false)),
        (Key::MaxMemory, Value::Size(limits.memory)),
        (Key::MaxCpu, Value::Time(limits.cpu)),
        (Key::Timeout, Value::Time(limits.wall)),
        (Key::MaxOutput, Value::Size(limits.output)),
        (Key::MaxCalls, Value::Count(limits.calls)),
        (Key::MaxParallel, Value::Count(limits.parallel)),
    ]
    .map(|(key, value)| {
        let origin = Origin::Default;
        (key, Setting { value, origin })
    })
    .into()
}

/// The project file for a folder: the nearest `kael.yaml` in it or above it.
#[must_use]
pub fn find_project_file(folder: &Path) -> Option<PathBuf> {
    let mut paths = folder.ancestors().map(|folder| folder.join(PROJECT_FILE));
    paths.find(|path| path.exists())
}

fn project_file(folder: &Path) -> Result<Option<file::Text>, ConfigError> {
    let Some(path) = find_project_file(folder) else {
        return Ok(None);
    };
    // Trust holds for the file itself, not for a link to it.
    file::read(&path.canonicalize().unwrap_or(path))
}

fn variables(
    environment: &Environment,
    folder: &Path,
    home: Option<&Path>,
) -> Result<Vec<(Key, Value)>, ConfigError> {
    let (mut values, mut problems) = (Vec::new(), Vec::new());
    for key in Key::ALL {
        let Some(text) = environment.get(key.variable()) else {
            continue;
        };
        let value = match text.to_str() {
            _ if matches!(key, Key::ActionsPath | Key::Envyr) && text.to_str().is_none() => {
                Ok(Value::Path(folder.join(text)))
            }
            None => Err("is not UTF-8 text".to_owned()),
            Some(text) if key.is_list() => key
                .read_list(words(text), Path::new(""), home)
                .map_err(|error| error.to_string()),
            // Expands `~` as the shell would have. Otherwise the path stays as it was written.
            Some(text) if matches!(key, Key::ActionsPath | Key::Envyr) => key
                .read(text, Path::new(""), home)
                .map_err(|error| error.to_string()),
            Some(text) => key
                .read(text, folder, home)
                .map_err(|error| error.to_string()),
        };
        match value {
            Ok(value) => values.push((key, value)),
            Err(why) => problems.push(format!("{}: {why}", key.variable())),
        }
    }
    if problems.is_empty() {
        Ok(values)
    } else {
        Err(ConfigError::new(problems, None))
    }
}

/// The parts of a list separated by commas.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests;
