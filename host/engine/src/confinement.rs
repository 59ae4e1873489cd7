//! How much of their confinement actions need.

use std::fmt;
use std::str::FromStr;

/// What happens where this machine cannot confine actions as it should. The stricter comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Default)]
pub enum Confinement {
    /// Nothing runs.
    Required,
    /// They run under what there is; `kael-host doctor` says what that is.
    #[default]
    BestEffort,
    /// Native actions run with all that their user may do. What they start is ended with them, and their `limits` hold.
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

impl FromStr for Confinement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "required" => Ok(Self::Required),
            "best-effort" => Ok(Self::BestEffort),
            "off" => Ok(Self::Off),
            other => Err(format!(
                "`{}` is none of \"required\", \"best-effort\", \"off\"",
                other.escape_debug()
            )),
        }
    }
}
