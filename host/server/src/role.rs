//! What a caller may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a caller may do. Each role may also do everything that the roles before it may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looks at the runs of its tenant.
    Viewer,
    /// Submits and cancels runs.
    Submitter,
    /// Decides on calls that wait for a person.
    Approver,
    /// Changes the scripts, schedules, webhooks and tokens of its tenant.
    Manager,
    /// Does everything, for every tenant.
    Operator,
}

impl Role {
    /// All of them, from the one that may do least.
    pub const ALL: [Self; 5] = [
        Self::Viewer,
        Self::Submitter,
        Self::Approver,
        Self::Manager,
        Self::Operator,
    ];

    /// The name, as it stands in requests and answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Submitter => "submitter",
            Self::Approver => "approver",
            Self::Manager => "manager",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no role.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no role: use viewer, submitter, approver, manager or operator")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let found = Self::ALL.into_iter().find(|role| role.name() == text);
        found.ok_or_else(|| UnknownRole(text.chars().take(40).collect()))
    }
}
