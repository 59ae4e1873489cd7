//! What Kael does when this machine cannot confine actions fully.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// How much confinement actions need. The stricter comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Default)]
pub enum Confinement {
    /// Kael refuses to run anything.
    Required,
    /// Actions run with the confinement that the machine offers; `kael-host doctor` lists it.
    #[default]
    BestEffort,
    /// Native actions may do everything that their user may do. Kael still ends their child
    /// processes with them and applies their `limits`.
    Off,
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Required => "required",
            Self::BestEffort => "best-effort",
            Self::Off => "off",
        })
    }
}

/// A text that names no value of [`Confinement`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{}` is not one of \"required\", \"best-effort\", \"off\"", .0.escape_debug())]
pub struct UnknownConfinement(String);

impl FromStr for Confinement {
    type Err = UnknownConfinement;

    fn from_str(text: &str) -> Result<Self, UnknownConfinement> {
        match text {
            "required" => Ok(Self::Required),
            "best-effort" => Ok(Self::BestEffort),
            "off" => Ok(Self::Off),
            other => Err(UnknownConfinement(other.to_owned())),
        }
    }
}
