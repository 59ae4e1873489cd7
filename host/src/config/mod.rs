//! What was typed, found and defaulted, resolved once; every value remembers where it came from.
//!
//! Defaults, the user's file, the project's file, variables, flags: each beats the one before. Only `deny` adds up, so
//! that one more pattern never forgets the others. The project's file is somebody else's until it is trusted: until
//! then it may make limits stricter, and nothing else.

mod confinement;
mod file;
mod keys;
mod trust;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

pub use confinement::Confinement;
pub use keys::{Key, Value};
pub use trust::{Standing, Trust, Trusted};

use crate::environment::Environment;
use crate::limits::Limits;

/// The name of a project's file.
pub const PROJECT_FILE: &str = "kael.yaml";

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Kael's own.
    Default,
    /// A line of a file.
    File {
        /// Absolute.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
    /// A variable.
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

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The value.
    pub value: Value,
    /// The last place that said something of it.
    pub origin: Origin,
}

/// All that is wrong with the configuration.
#[derive(Debug, Error)]
#[error("{}", problems.join("\n"))]
pub struct ConfigError {
    /// Each with its place.
    pub problems: Vec<String>,
    /// What would help.
    pub hint: Option<String>,
    /// The files that the problems are in: their names, and what was read of them.
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

    /// The same with the file that it is in.
    fn within(mut self, file: &file::Text) -> Self {
        let name = file.path.display().to_string();
        self.texts.push((name, file.text.clone()));
        self
    }

    fn one(problem: String) -> Self {
        Self::new(vec![problem], None)
    }
}

/// A file that takes part, or would if it were there.
#[derive(Debug, Clone)]
pub struct Source {
    /// Absolute.
    pub path: PathBuf,
    /// None for the user's own.
    pub standing: Option<Standing>,
}

/// The settings of one command.
#[derive(Debug)]
pub struct Config {
    settings: BTreeMap<Key, Setting>,
    /// The files that were read.
    pub files: Vec<Source>,
}

impl Config {
    /// Reads the files and merges everything. `flags` is what was typed; `folder` is the working folder.
    ///
    /// # Errors
    /// All that is wrong in the first place where something is.
    pub fn resolve(
        environment: &Environment,
        folder: &Path,
        flags: Vec<(Key, Value)>,
    ) -> Result<Self, ConfigError> {
        let home = environment.path("HOME");
        let mut config = Self {
            settings: defaults(),
            files: Vec::new(),
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
            (Key::Deny, Some(before), Value::List(more)) => {
                let mut all = match &before.value {
                    Value::List(all) => all.clone(),
                    _ => Vec::new(),
                };
                all.extend(more);
                Value::List(all)
            }
            (_, _, value) => value,
        };
        self.settings.insert(key, Setting { value, origin });
    }

    /// What a file may say that nobody has trusted: limits that are no wider than what holds without it.
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

    /// What was settled of a key, if anything was.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&Setting> {
        self.settings.get(&key)
    }

    /// A key that is a path.
    #[must_use]
    pub fn path(&self, key: Key) -> Option<PathBuf> {
        match &self.get(key)?.value {
            Value::Path(path) => Some(path.clone()),
            _ => None,
        }
    }

    /// A key that is a list.
    #[must_use]
    pub fn list(&self, key: Key) -> Vec<String> {
        match self.get(key).map(|setting| &setting.value) {
            Some(Value::List(texts)) => texts.clone(),
            _ => Vec::new(),
        }
    }

    /// Whether actions run where a part of their confinement is lacking.
    #[must_use]
    pub fn confinement(&self) -> Confinement {
        match self.get(Key::Confinement).map(|setting| &setting.value) {
            Some(Value::Confinement(confinement)) => *confinement,
            _ => Confinement::default(),
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
        (Key::FetchEnv, Value::List(Vec::new())),
        (Key::Deny, Value::List(Vec::new())),
        (Key::Confinement, Value::Confinement(Confinement::default())),
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

/// The file of the project that the folder is part of: the nearest one upwards.
#[must_use]
pub fn find_project_file(folder: &Path) -> Option<PathBuf> {
    let mut paths = folder.ancestors().map(|folder| folder.join(PROJECT_FILE));
    paths.find(|path| path.exists())
}

fn project_file(folder: &Path) -> Result<Option<file::Text>, ConfigError> {
    let Some(path) = find_project_file(folder) else {
        return Ok(None);
    };
    // Trust is bound to the file itself, not to a link that leads to it.
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
            Some(text) if key.is_list() => Ok(Value::List(words(text))),
            // What the shell would have made of it is made of it here; the path stays as it was written otherwise.
            Some(text) if matches!(key, Key::ActionsPath | Key::Envyr) => {
                key.read(text, Path::new(""), home)
            }
            Some(text) => key.read(text, folder, home),
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

/// The parts of a list that is separated by commas.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::units::TimeLimit;

    struct Place {
        folder: tempfile::TempDir,
        variables: Vec<(String, String)>,
    }

    impl Place {
        fn new(files: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            for (path, text) in files {
                let path = folder.path().join(path);
                fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
                fs::write(path, text).expect("a file");
            }
            let at = |name: &str| folder.path().join(name).display().to_string();
            let variables = vec![
                ("XDG_CONFIG_HOME".to_owned(), at("config")),
                ("KAEL_DATA".to_owned(), at("data")),
                ("HOME".to_owned(), at("home")),
            ];
            Self { folder, variables }
        }

        fn environment(&self) -> Environment {
            Environment::new(
                self.variables
                    .iter()
                    .map(|(name, value)| (name.into(), value.into())),
            )
        }

        fn resolve(&self, flags: Vec<(Key, Value)>) -> Result<Config, ConfigError> {
            let folder = self.folder.path().join("project/deep");
            fs::create_dir_all(&folder).expect("a folder");
            Config::resolve(&self.environment(), &folder, flags)
        }

        fn shown(&self, config: &Config, key: Key) -> String {
            let setting = config.get(key).expect("settled");
            let real = self.folder.path().canonicalize().expect("a path");
            format!("{} from {}", setting.value, setting.origin)
                .replace(&real.display().to_string(), "R")
        }
    }

    #[test]
    fn each_place_beats_the_one_before() {
        let mut place = Place::new(&[
            (
                "config/kael/config.yaml",
                "timeout: 50s\nmax_cpu: 40s\nmax_calls: 9\n",
            ),
            ("project/kael.yaml", "timeout: 30s\nmax_cpu: 20s\n"),
        ]);
        let flag = vec![(Key::MaxCalls, Value::Count(3))];
        place.variables.push(("KAEL_MAX_CPU".into(), "10m".into()));
        let config = place.resolve(flag).expect("valid");
        assert_eq!(
            place.shown(&config, Key::Timeout),
            "30s from R/project/kael.yaml:1"
        );
        assert_eq!(place.shown(&config, Key::MaxCpu), "10m from KAEL_MAX_CPU");
        assert_eq!(place.shown(&config, Key::MaxCalls), "3 from --max-calls");
        assert_eq!(place.shown(&config, Key::MaxMemory), "256 MiB from default");
        assert_eq!(config.limits().wall, TimeLimit::from_secs(30));
    }

    #[test]
    fn denials_add_up() {
        let mut place = Place::new(&[("config/kael/config.yaml", "deny: a.*\n")]);
        place.variables.push(("KAEL_DENY".into(), "b, c".into()));
        let config = place
            .resolve(vec![(Key::Deny, Value::List(vec!["d".into()]))])
            .expect("valid");
        assert_eq!(config.list(Key::Deny), ["a.*", "b", "c", "d"]);
    }

    #[test]
    fn a_project_is_trusted_as_it_was_and_no_other_way() {
        let place = Place::new(&[("project/kael.yaml", "actions_path: actions\ntimeout: 1h\n")]);
        let path = place
            .folder
            .path()
            .canonicalize()
            .expect("a path")
            .join("project/kael.yaml");
        let error = place.resolve(vec![]).expect_err("not trusted");
        assert_eq!(error.problems.len(), 2, "{error}");
        assert!(
            error.problems[0]
                .ends_with("kael.yaml:1: `actions_path` may be set by a trusted file only")
        );
        assert!(error.problems[1].ends_with(
            "`timeout` is 1h, and a file that is not trusted cannot raise it above 15m"
        ));
        let mut trust = Trust::read(&place.environment().data_folder()).expect("a list");
        trust.add(&path).expect("trusted");
        let config = place.resolve(vec![]).expect("trusted");
        assert_eq!(
            place.shown(&config, Key::ActionsPath),
            "R/project/actions from R/project/kael.yaml:1"
        );
        fs::write(&path, "actions_path: other\n").expect("a file");
        let error = place.resolve(vec![]).expect_err("changed");
        assert!(
            error
                .hint
                .expect("a hint")
                .starts_with("it has changed since you trusted it: ")
        );
        assert!(trust.remove(&path).expect("written"));
        assert!(!trust.remove(&path).expect("nothing to write"));
    }

    #[test]
    fn a_list_that_others_can_write_is_not_believed() {
        use std::os::unix::fs::PermissionsExt as _;
        let place = Place::new(&[
            ("project/kael.yaml", "timeout: 1h\n"),
            ("data/trust.json", "[]"),
        ]);
        let list = place.folder.path().join("data/trust.json");
        fs::set_permissions(&list, fs::Permissions::from_mode(0o666)).expect("a mode");
        let error = place.resolve(vec![]).expect_err("refused");
        assert!(
            error.to_string().ends_with("others than you can write it"),
            "{error}"
        );
    }

    #[test]
    fn variables_that_are_wrong_are_all_named() {
        let mut place = Place::new(&[]);
        for (name, value) in [("KAEL_MAX_CALLS", "many"), ("KAEL_TIMEOUT", "soon")] {
            place.variables.push((name.into(), value.into()));
        }
        let error = place.resolve(vec![]).expect_err("wrong").to_string();
        assert_eq!(
            error,
            "KAEL_TIMEOUT: `soon` is not a time (write it like `60`, `60s`, `5m`, `1.5h` or `250ms`)\nKAEL_MAX_CALLS: `many` is not a whole number from 1 to 10000000"
        );
    }
}
