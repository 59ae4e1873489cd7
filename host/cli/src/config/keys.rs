//! The settings: each key with its flag, its variable, and the way its value is read.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{Confinement, Runner, UnknownRunner};
use kael_engine::confinement::UnknownConfinement;
use kael_engine::units::{ByteSize, Count, TimeLimit, UnitError};
use thiserror::Error;

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "docs/configuration.md says what each is for")]
pub enum Key {
    ActionsPath,
    Runner,
    Envyr,
    FetchEnv,
    Deny,
    Policy,
    Confinement,
    Journal,
    MaxMemory,
    MaxCpu,
    Timeout,
    MaxOutput,
    MaxCalls,
    MaxParallel,
}

impl Key {
    /// Every key, in the order in which they are shown.
    pub const ALL: [Self; 14] = [
        Self::ActionsPath,
        Self::Runner,
        Self::Envyr,
        Self::FetchEnv,
        Self::Deny,
        Self::Policy,
        Self::Confinement,
        Self::Journal,
        Self::MaxMemory,
        Self::MaxCpu,
        Self::Timeout,
        Self::MaxOutput,
        Self::MaxCalls,
        Self::MaxParallel,
    ];

    /// The key in a file.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.spellings().0
    }

    /// The flag on the command line.
    #[must_use]
    pub fn flag(self) -> &'static str {
        self.spellings().1
    }

    /// The environment variable.
    #[must_use]
    pub fn variable(self) -> &'static str {
        self.spellings().2
    }

    fn spellings(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::ActionsPath => ("actions_path", "--actions", "KAEL_ACTIONS"),
            Self::Runner => ("runner", "--runner", "KAEL_RUNNER"),
            Self::Envyr => ("envyr", "--envyr", "KAEL_ENVYR"),
            Self::FetchEnv => ("fetch_env", "--fetch-env", "KAEL_FETCH_ENV"),
            Self::Deny => ("deny", "--deny", "KAEL_DENY"),
            Self::Policy => ("policy", "--policy", "KAEL_POLICY"),
            Self::Confinement => ("confinement", "--confinement", "KAEL_CONFINEMENT"),
            Self::Journal => ("journal", "--journal", "KAEL_JOURNAL"),
            Self::MaxMemory => ("max_memory", "--max-memory", "KAEL_MAX_MEMORY"),
            Self::MaxCpu => ("max_cpu", "--max-cpu", "KAEL_MAX_CPU"),
            Self::Timeout => ("timeout", "--timeout", "KAEL_TIMEOUT"),
            Self::MaxOutput => ("max_output", "--max-output", "KAEL_MAX_OUTPUT"),
            Self::MaxCalls => ("max_calls", "--max-calls", "KAEL_MAX_CALLS"),
            Self::MaxParallel => ("max_parallel", "--max-parallel", "KAEL_MAX_PARALLEL"),
        }
    }

    /// The key of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }

    /// Whether a smaller value is stricter: true for limits, and for settings that order their
    /// values by strictness.
    #[must_use]
    pub fn is_limit(self) -> bool {
        matches!(
            self,
            Self::Confinement
                | Self::MaxMemory
                | Self::MaxCpu
                | Self::Timeout
                | Self::MaxOutput
                | Self::MaxCalls
                | Self::MaxParallel
        )
    }

    /// Whether its value is a list.
    pub(super) fn is_list(self) -> bool {
        matches!(self, Self::FetchEnv | Self::Deny | Self::Policy)
    }

    /// Reads the values of a list.
    pub(super) fn read_list(
        self,
        texts: Vec<String>,
        folder: &Path,
        home: Option<&Path>,
    ) -> Result<Value, ValueError> {
        if self != Self::Policy {
            return Ok(Value::List(texts));
        }
        let paths = texts.iter().map(|text| expand(text, folder, home));
        Ok(Value::Paths(paths.collect::<Result<_, _>>()?))
    }

    /// Reads a value that is not a list. Relative paths start at `folder`; a leading `~` is `home`.
    pub(super) fn read(
        self,
        text: &str,
        folder: &Path,
        home: Option<&Path>,
    ) -> Result<Value, ValueError> {
        fn amount<T: FromStr>(text: &str) -> Result<T, ValueError>
        where
            ValueError: From<T::Err>,
        {
            Ok(text.parse()?)
        }
        Ok(match self {
            Self::ActionsPath | Self::Envyr => Value::Path(expand(text, folder, home)?),
            Self::FetchEnv | Self::Deny | Self::Policy => {
                self.read_list(vec![text.to_owned()], folder, home)?
            }
            Self::Runner => Value::Runner(amount::<Runner>(text)?),
            Self::Confinement => Value::Confinement(amount::<Confinement>(text)?),
            Self::Journal => Value::Switch(switch(text)?),
            Self::MaxMemory | Self::MaxOutput => Value::Size(amount::<ByteSize>(text)?),
            Self::MaxCpu | Self::Timeout => Value::Time(amount::<TimeLimit>(text)?),
            Self::MaxCalls => Value::Count(amount::<Count<10_000_000>>(text)?.get()),
            Self::MaxParallel => Value::Count(amount::<Count<100_000>>(text)?.get()),
        })
    }
}

/// The value of a key.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
pub enum Value {
    /// A file or folder.
    Path(PathBuf),
    /// Files.
    Paths(Vec<PathBuf>),
    /// A list of texts.
    List(Vec<String>),
    /// Bytes.
    Size(ByteSize),
    /// A time.
    Time(TimeLimit),
    /// A number.
    Count(u32),
    /// How much confinement actions need.
    Confinement(Confinement),
    /// What starts native actions.
    Runner(Runner),
    /// Whether something is done.
    Switch(bool),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Paths(paths) => {
                let paths: Vec<String> = paths
                    .iter()
                    .map(|path| path.display().to_string())
                    .collect();
                f.write_str(&paths.join(", "))
            }
            Self::List(texts) => f.write_str(&texts.join(", ")),
            Self::Size(size) => size.fmt(f),
            Self::Time(time) => time.fmt(f),
            Self::Count(count) => count.fmt(f),
            Self::Confinement(confinement) => confinement.fmt(f),
            Self::Runner(runner) => runner.fmt(f),
            Self::Switch(on) => f.write_str(if *on { "on" } else { "off" }),
        }
    }
}

/// Why a text is not a value of its key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum ValueError {
    /// It begins with the name of a user.
    #[error(
        "`{0}`: only `~/` is known, not another user's folder; a folder of that name is `./{0}`"
    )]
    OtherHome(String),
    /// It begins with `~`, and the user has no home folder.
    #[error("`{0}`: HOME is not set")]
    NoHome(String),
    /// It is not an amount.
    #[error(transparent)]
    Amount(#[from] UnitError),
    /// It is not one of the words.
    #[error(transparent)]
    Confinement(#[from] UnknownConfinement),
    /// It is neither on nor off.
    #[error("expected `on` or `off`, got `{0}`")]
    Switch(String),
    /// It names no runner.
    #[error(transparent)]
    Runner(#[from] UnknownRunner),
}

fn switch(text: &str) -> Result<bool, ValueError> {
    match text {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err(ValueError::Switch(text.to_owned())),
    }
}

fn expand(text: &str, folder: &Path, home: Option<&Path>) -> Result<PathBuf, ValueError> {
    let Some(rest) = text.strip_prefix('~') else {
        return Ok(folder.join(text));
    };
    match (rest.strip_prefix('/'), home) {
        (None, _) if !rest.is_empty() => Err(ValueError::OtherHome(text.to_owned())),
        (_, None) => Err(ValueError::NoHome(text.to_owned())),
        (rest, Some(home)) => Ok(rest.map_or_else(|| home.to_owned(), |rest| home.join(rest))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tilde_is_home_and_the_rest_starts_at_the_file() {
        let read = |text| Key::ActionsPath.read(text, Path::new("/p"), Some(Path::new("/home/u")));
        let path = |text: &str| Ok(Value::Path(text.into()));
        assert_eq!(read("~/a/b"), path("/home/u/a/b"));
        assert_eq!(read("~"), path("/home/u"));
        assert_eq!(read("a/~"), path("/p/a/~"));
        assert_eq!(read("/x"), path("/x"));
        assert!(read("~bob/x").is_err());
        assert!(Key::Envyr.read("~/x", Path::new("/p"), None).is_err());
    }

    #[test]
    fn every_key_is_found_by_its_name() {
        for key in Key::ALL {
            assert_eq!(Key::named(key.name()), Some(key));
        }
    }
}
