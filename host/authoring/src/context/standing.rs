//! Whether scripts may call an action, as far as that can be known before a call.

use kael_engine::catalog::Definition;
use kael_engine::gate::Policy;
use kael_engine::names::ActionName;
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
    pub fn of(policy: &Policy, name: &ActionName, definition: &Definition) -> Self {
        let denied = definition
            .names
            .iter()
            .any(|name| policy.denies(name).is_some());
        if denied || policy.denies(name).is_some() {
            return Self::Denied;
        }
        let Some(rulebook) = &policy.rulebook else {
            return Self::Allowed;
        };
        match rulebook.always(definition).map(|decision| decision.verdict) {
            Some(Verdict::Allow) => Self::Allowed,
            Some(Verdict::Approve) => Self::NeedsApproval,
            Some(Verdict::Deny) => Self::Denied,
            None => Self::DependsOnCall,
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
