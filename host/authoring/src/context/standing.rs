//! Whether scripts may call an action, as far as that can be known before a call.

use kael_engine::catalog::Definition;
use kael_engine::gate::Policy;
use kael_engine::policy::Verdict;

/// What the policy says of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Every call is allowed.
    Allowed,
    /// A person is asked before every call.
    NeedsApproval,
    /// The parameters decide.
    DependsOnCall,
    /// No call is allowed.
    Denied,
}

impl Standing {
    /// What a policy that was compiled for the catalog says.
    #[must_use]
    pub fn of(policy: &Policy, definition: &Definition) -> Self {
        match policy.always(definition).map(|decision| decision.verdict) {
            Some(Verdict::Allow) => Self::Allowed,
            Some(Verdict::Approve) => Self::NeedsApproval,
            Some(Verdict::Deny) => Self::Denied,
            None if policy.rulebook.is_some() => Self::DependsOnCall,
            None => Self::Allowed,
        }
    }

    /// In the words of documents.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::NeedsApproval => "needs approval",
            Self::DependsOnCall => "depends on the call",
            Self::Denied => "denied",
        }
    }
}
