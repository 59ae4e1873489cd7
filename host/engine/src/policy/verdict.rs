//! What a rule says of a call.

/// What a rule says, from the mildest to the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The call goes on.
    Allow,
    /// A person has to say yes before it does.
    Approve,
    /// It does not.
    Deny,
}

impl Verdict {
    /// As a policy spells it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Approve => "approve",
            Self::Deny => "deny",
        }
    }
}
