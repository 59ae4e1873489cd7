//! What the calls of a run are held to beside the policy of its actions repo: it is kept with the run, so that the
//! run is held to it wherever it goes on.

use std::path::PathBuf;

use kael_engine::confinement::Confinement;
use serde::{Deserialize, Serialize};

/// What the calls of a run are held to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Rules {
    /// Policy files, by their absolute paths. They are read again when the run goes on.
    pub policies: Vec<PathBuf>,
    /// Patterns of actions that are denied.
    pub deny: Vec<String>,
    /// Whether only actions without effects are allowed.
    pub read_only: bool,
    /// The audit log, by its absolute path.
    pub audit: Option<PathBuf>,
    /// How much confinement actions need.
    #[serde(with = "confinement")]
    pub confinement: Confinement,
}

mod confinement {
    use kael_engine::confinement::Confinement;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(value: &Confinement, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Confinement, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(D::Error::custom)
    }
}
