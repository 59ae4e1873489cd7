//! What starts a native action: envyr, or Kael itself.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use thiserror::Error;

use super::Programs;
use crate::catalog::{Definition, Executor};
use crate::executor::envyr;
use crate::failure::ActionError;

/// The configuration of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd)]
pub enum Runner {
    /// envyr where it is found, else Kael itself.
    #[default]
    Auto,
    /// envyr alone.
    Envyr,
    /// Kael alone.
    Builtin,
}

impl fmt::Display for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Envyr => "envyr",
            Self::Builtin => "builtin",
        })
    }
}

/// A text that names no value of [`Runner`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{}` is none of \"auto\", \"envyr\", \"builtin\"", .0.escape_debug())]
pub struct UnknownRunner(String);

impl FromStr for Runner {
    type Err = UnknownRunner;

    fn from_str(text: &str) -> Result<Self, UnknownRunner> {
        match text {
            "auto" => Ok(Self::Auto),
            "envyr" => Ok(Self::Envyr),
            "builtin" => Ok(Self::Builtin),
            other => Err(UnknownRunner(other.to_owned())),
        }
    }
}

/// The runner of this machine.
#[derive(Debug, Clone)]
pub(super) enum Found {
    /// envyr, at this path.
    Envyr(PathBuf),
    /// The program that becomes pid 1 of a call; see `starter`.
    Builtin(PathBuf),
}

impl Found {
    /// As reports and the configuration spell it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Envyr(_) => "envyr",
            Self::Builtin(_) => "builtin",
        }
    }
}

impl Programs {
    /// The runner of native actions, looked for once.
    ///
    /// # Errors
    /// When envyr is wanted, or was named, and cannot be used.
    pub(super) async fn choose(&self) -> Result<&Found, ActionError> {
        let find = async || match self.settings.runner {
            Runner::Envyr => self.by_envyr().await,
            Runner::Builtin => self.by_itself(),
            Runner::Auto => match self.by_envyr().await {
                Ok(found) => Ok(found),
                // An envyr that somebody has named is to be used or mended.
                Err(error) if self.settings.envyr.is_some() => Err(error),
                Err(error) => self.by_itself().map_err(|_| error),
            },
        };
        self.runner.get_or_try_init(find).await
    }

    /// The name of what runs an action, where it can be used.
    pub(in crate::executor) async fn chosen(
        &self,
        definition: &Definition,
    ) -> Option<&'static str> {
        match definition.executor {
            Executor::Native => self.choose().await.ok().map(Found::name),
            executor => Some(executor.name()),
        }
    }

    async fn by_envyr(&self) -> Result<Found, ActionError> {
        self.envyr().await.map(|path| Found::Envyr(path.to_owned()))
    }

    fn by_itself(&self) -> Result<Found, ActionError> {
        let starter = self.settings.starter.clone().map(Found::Builtin);
        starter.ok_or_else(|| {
            let message = "this program cannot start actions by itself";
            let hint = format!(
                "tell it of a kael-host that does, or of envyr: {}",
                envyr::REMEDY
            );
            ActionError::unavailable(message, Some(hint))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runner_is_read_as_it_is_written() {
        for runner in [Runner::Auto, Runner::Envyr, Runner::Builtin] {
            assert_eq!(runner.to_string().parse(), Ok::<_, UnknownRunner>(runner));
        }
        let error = "docker".parse::<Runner>().expect_err("it is none");
        assert_eq!(
            error.to_string(),
            "`docker` is none of \"auto\", \"envyr\", \"builtin\""
        );
    }
}
