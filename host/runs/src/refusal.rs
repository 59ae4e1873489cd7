//! Why a person cannot decide on a call.

use thiserror::Error;

/// Why a person cannot decide on a call.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The run is over.
    #[error("it is over")]
    Over,
    /// The call does not ask.
    #[error("the call does not wait for an approval")]
    NotAsked,
    /// Another person decided first.
    #[error("the call was decided on before")]
    Decided,
    /// Too late.
    #[error("the time for an approval is over")]
    Expired,
    /// Too little of the digest.
    #[error("a decision gives 8 characters of the digest or more")]
    ShortDigest,
    /// Something has changed since the person has seen it.
    #[error("the call is not what the digest says: look at it again")]
    OtherDigest,
    /// The person has a lower role.
    #[error("a person with the role {0} must approve it")]
    Role(String),
    /// The person has submitted the run.
    #[error("a person other than the one who submitted the run must approve it")]
    Submitter,
    /// Several people are needed.
    #[error("{0} has approved it already, and {1} people must")]
    Twice(String, u32),
}
