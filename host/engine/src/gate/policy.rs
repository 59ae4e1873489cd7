//! What a run may do: the patterns that it denies, the rules of its policy files, and who is asked where a rule wants a
//! person. No I/O.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::approval::Approver;
use super::audit::AuditLog;
use super::counter::CallCounter;
use crate::catalog::{Catalog, Definition};
use crate::names::ActionName;
pub use crate::policy::Pattern;
use crate::policy::{
    Decision, Grants, PolicyError, PolicyFile, Rulebook, Source, SourceKind, Verdict,
};

/// What a run may call: what no pattern denies and every policy file allows.
#[derive(Clone, Default)]
pub struct Policy {
    /// The patterns of what it may not.
    pub deny: Vec<Pattern>,
    /// The operator's files.
    pub files: Vec<Arc<PolicyFile>>,
    /// What the operator opens to actions of the host, in none of the files. A call needs it as it needs the grants of each
    /// file that has some.
    pub opened: Option<Arc<Grants>>,
    /// Whether only actions without effects may be called.
    pub read_only: bool,
    /// Asks a person where a rule says `approve`; without one such a call is denied.
    pub approver: Option<Arc<dyn Approver>>,
    /// Counts calls for budgets over windows of time; without one such calls are denied.
    pub counter: Option<Arc<dyn CallCounter>>,
    /// Where every call is written down.
    pub audit: Option<Arc<AuditLog>>,
    /// The paths of the policy files and of the audit log: no action may be given them for writing.
    pub guarded: Vec<PathBuf>,
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
            false => Some(Arc::new(Rulebook::compile_opened(
                &files,
                self.opened.as_deref(),
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

    /// What is open to actions of the host.
    #[must_use]
    pub fn grants(&self) -> &Grants {
        static NONE: Grants = Grants::none();
        let opened = || self.opened.as_deref().unwrap_or(&NONE);
        self.rulebook
            .as_ref()
            .map_or_else(opened, |rulebook| rulebook.grants())
    }

    /// The same for runs without a repo: rules for actions that are not there mean nothing.
    #[must_use]
    pub fn without_repo(&self, catalog: &Catalog) -> Self {
        let files: Vec<PolicyFile> = self.files.iter().map(|file| (**file).clone()).collect();
        Self {
            rulebook: (!files.is_empty() || self.read_only).then(|| {
                let opened = self.opened.as_deref();
                Arc::new(Rulebook::lenient(&files, opened, catalog, self.read_only))
            }),
            ..self.clone()
        }
    }

    /// What the operator's files say of a call by now, where they have changed since they were read and deny it. One that
    /// cannot be used any more denies every call.
    pub(super) fn denies_by_now(
        &self,
        catalog: &Catalog,
        definition: &Definition,
        params: &str,
        tenant: &str,
    ) -> Option<Decision> {
        let changed = self.files.iter().filter_map(|before| {
            let by_now = PolicyFile::open(before.path.as_deref()?);
            let is_same = by_now.as_ref().is_ok_and(|file| file.text == before.text);
            (!is_same).then_some(by_now)
        });
        let files: Vec<PolicyFile> = match changed.collect() {
            Ok(files) => files,
            Err(error) => {
                let rule = format!("the policy cannot be used any more: {error}");
                let source = Source::denying(SourceKind::Unusable, rule);
                return Some(Decision::of(Arc::new(source)));
            }
        };
        if files.is_empty() {
            return None;
        }
        let rulebook = Rulebook::lenient(&files, None, catalog, self.read_only);
        let decision = rulebook.decide(definition, params, Some(tenant));
        (decision.verdict == Verdict::Deny).then_some(decision)
    }

    /// Whether it says nothing of any call.
    pub(super) fn is_empty(&self) -> bool {
        self.deny.is_empty() && self.audit.is_none() && !self.has_rules()
    }

    fn has_rules(&self) -> bool {
        self.rulebook.is_some() || self.read_only || !self.files.is_empty()
    }

    /// Whether the answer on an action may take a look at much of its parameters.
    pub(super) fn is_costly(&self, definition: &Definition) -> bool {
        let rulebook = self.rulebook.as_ref();
        rulebook.is_some_and(|rules| rules.is_costly(definition))
    }

    /// The decision on every call of an action, if it is the same for all; none where nothing is said of any.
    #[must_use]
    pub fn always(&self, definition: &Definition) -> Option<Decision> {
        match &self.rulebook {
            Some(rules) if !self.denies_any(definition) => rules.always(definition).cloned(),
            _ => self.answer(definition, "{}", ""),
        }
    }

    fn denies_any(&self, definition: &Definition) -> bool {
        let mut names = definition.names.iter();
        names.any(|name| self.denies(name).is_some())
    }

    /// Whether an action may use a secret, which its definition names itself or which is given from elsewhere.
    pub(super) fn allows_secret(
        &self,
        definition: &Definition,
        secret: &str,
        tenant: &str,
        is_given: bool,
    ) -> Result<(), Arc<Source>> {
        match &self.rulebook {
            Some(rules) => rules.allows_secret(definition, secret, tenant, is_given),
            None if is_given => Ok(()),
            None => Err(crate::policy::unnamed()),
        }
    }

    /// What it says of a call with these merged parameters: its patterns, then its rules. None where it has neither, and
    /// the call is allowed. An action with several names is denied by any of them; rules that were never compiled for
    /// the catalog allow nothing.
    #[must_use]
    pub fn answer(&self, definition: &Definition, params: &str, tenant: &str) -> Option<Decision> {
        let mut names = definition.names.iter();
        if let Some(pattern) = names.find_map(|name| self.denies(name)) {
            let rule = format!("deny {}", pattern.as_str());
            let source = Source::denying(SourceKind::Pattern, rule);
            return Some(Decision::of(Arc::new(source)));
        }
        match &self.rulebook {
            Some(rulebook) => Some(rulebook.decide(definition, params, Some(tenant))),
            None if self.has_rules() => {
                let rule = "the policy was not compiled for this actions repo";
                let source = Source::denying(SourceKind::Unusable, rule);
                Some(Decision::of(Arc::new(source)))
            }
            None => None,
        }
    }
}
