//! What a run may do: the patterns that it denies, the rules of its policy files, and who is asked where a rule wants a
//! person. No I/O.

use std::fmt;
use std::sync::Arc;

use super::approval::Approver;
use super::audit::AuditLog;
use crate::catalog::{Catalog, Definition};
use crate::failure::{ActionError, Detail, ErrorKind};
use crate::names::ActionName;
pub use crate::policy::Pattern;
use crate::policy::{Decision, PolicyError, PolicyFile, Rulebook, Source, Verdict};

/// What a run may call: what no pattern denies and every policy file allows.
#[derive(Clone, Default)]
pub struct Policy {
    /// The patterns of what it may not.
    pub deny: Vec<Pattern>,
    /// The operator's files.
    pub files: Vec<Arc<PolicyFile>>,
    /// Whether only actions without effects may be called.
    pub read_only: bool,
    /// Asks a person where a rule says `approve`; without one such a call is denied.
    pub approver: Option<Arc<dyn Approver>>,
    /// Where every call is written down.
    pub audit: Option<Arc<AuditLog>>,
    /// The files and those of the actions repo, compiled for its catalog.
    pub rulebook: Option<Arc<Rulebook>>,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("deny", &self.deny)
            .field("read_only", &self.read_only)
            .field("rulebook", &self.rulebook)
            .finish_non_exhaustive()
    }
}

impl Policy {
    /// The patterns that none of the names matches: a slip of the keyboard would deny nothing.
    pub fn unmatched<'a>(&'a self, names: &'a [&ActionName]) -> impl Iterator<Item = &'a Pattern> {
        let matches = |pattern: &Pattern| names.iter().any(|name| pattern.matches(name.as_str()));
        self.deny.iter().filter(move |pattern| !matches(pattern))
    }

    /// The pattern that denies an action.
    #[must_use]
    pub fn denies(&self, name: &ActionName) -> Option<&Pattern> {
        self.deny
            .iter()
            .find(|pattern| pattern.matches(name.as_str()))
    }

    /// The same for a catalog, with the policy of its own repo: the name of that file and its text.
    ///
    /// # Errors
    /// All that is wrong with the repo's policy, and all that matches no action of the catalog.
    pub fn compiled(
        &self,
        own: Option<(&str, &str)>,
        catalog: &Catalog,
    ) -> Result<Self, PolicyError> {
        let mut files: Vec<PolicyFile> = Vec::new();
        if let Some((name, text)) = own {
            files.push(PolicyFile::parse(name, text)?);
        }
        files.extend(self.files.iter().map(|file| (**file).clone()));
        let rulebook = match files.is_empty() && !self.read_only {
            true => None,
            false => Some(Arc::new(Rulebook::compile(
                &files,
                catalog,
                self.read_only,
            )?)),
        };
        Ok(Self {
            rulebook,
            ..self.clone()
        })
    }

    /// A policy that allows no call at all.
    #[must_use]
    pub fn refusing(&self) -> Self {
        Self {
            read_only: true,
            rulebook: None,
            ..self.clone()
        }
    }

    /// Whether calls are to be decided on by rules.
    pub(super) fn has_rules(&self) -> bool {
        self.rulebook.is_some() || self.read_only || !self.files.is_empty()
    }

    /// What the rules say of a call. Rules that were never compiled for the catalog allow nothing.
    pub(super) fn decide(
        &self,
        definition: &Definition,
        params: &str,
        tenant: &str,
    ) -> Result<Decision, ActionError> {
        match &self.rulebook {
            Some(rulebook) => Ok(rulebook.decide(definition, params, Some(tenant))),
            None => {
                let message = "denied: the policy was not compiled for this actions repo";
                Err(ActionError::new(ErrorKind::Denied, message))
            }
        }
    }
}

/// The error of a call that a pattern denies.
pub(super) fn denied_by_pattern(pattern: &Pattern) -> ActionError {
    let rule = format!("deny {}", pattern.as_str());
    let message = format!("denied by the policy ({rule})");
    ActionError {
        detail: Some(Box::new(Detail {
            rule: Some(rule),
            ..Detail::default()
        })),
        ..ActionError::new(ErrorKind::Denied, message)
    }
}

/// The error of a call that the rules refuse, because of `why` where it is not the rule alone.
pub(super) fn denied(action: &str, decision: &Decision, why: Option<(&str, &str)>) -> ActionError {
    let source = &decision.source;
    let mut message = format!("denied by {source}");
    if let Some((why, _)) = why {
        message.push_str(": ");
        message.push_str(why);
    } else if source.rule.starts_with("default") && source.verdict == Verdict::Deny {
        message.push_str(": no rule allows this call");
    }
    if let Some(reason) = &source.reason {
        message.push_str(": ");
        message.push_str(reason);
    }
    let hint = match why {
        Some((_, hint)) => hint.to_owned(),
        None => format!(
            "kael-host policy explain {action} says which rule decides and what would change it"
        ),
    };
    ActionError {
        detail: Some(Box::new(Detail {
            rule: Some(source.rule.clone()),
            file: source.file.clone(),
            line: source.file.is_some().then_some(source.line),
            hint: Some(hint),
            ..Detail::default()
        })),
        ..ActionError::new(ErrorKind::Denied, message)
    }
}

/// The error of a call for which a budget has nothing left.
pub(super) fn over_budget(action: &str, source: &Source) -> ActionError {
    let message = format!("denied by {source}: the budget of the run is spent");
    ActionError {
        detail: Some(Box::new(Detail {
            rule: Some(source.rule.clone()),
            file: source.file.clone(),
            line: source.file.is_some().then_some(source.line),
            hint: Some(format!(
                "the budget of the policy says how often a run may call {action}"
            )),
            ..Detail::default()
        })),
        ..ActionError::new(ErrorKind::Denied, message)
    }
}
