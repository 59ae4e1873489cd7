//! Which actions may use which secrets.

use std::sync::Arc;

use super::compile::Rulebook;
use super::decision::{Source, SourceKind};
use super::file::SecretRule;
use crate::catalog::Definition;

impl Rulebook {
    /// Whether an action may use a secret: every file that speaks of secrets must allow it. A secret that the definition
    /// itself does not name needs at least one file that does.
    ///
    /// # Errors
    /// The part of the policy that refuses it.
    pub fn allows_secret(
        &self,
        definition: &Definition,
        secret: &str,
        tenant: &str,
        is_given: bool,
    ) -> Result<(), Arc<Source>> {
        if self.secrets.is_empty() && !is_given {
            return Err(unnamed());
        }
        let allows = |rules: &[SecretRule]| {
            rules
                .iter()
                .any(|rule| rule.allows(definition, secret, tenant))
        };
        let refusing = self.secrets.iter().find(|(_, rules)| !allows(rules));
        refusing.map_or(Ok(()), |(source, _)| Err(source.clone()))
    }
}

/// What refuses a secret that nothing allows.
pub(crate) fn unnamed() -> Arc<Source> {
    let rule = "no policy that speaks of secrets";
    Arc::new(Source::denying(SourceKind::Secrets, rule))
}

impl SecretRule {
    fn allows(&self, definition: &Definition, secret: &str, tenant: &str) -> bool {
        let is_used = || self.secrets.iter().any(|pattern| pattern.matches(secret));
        let is_in = || {
            let mut names = definition.names.iter();
            names.any(|name| {
                let mut patterns = self.actions.iter();
                patterns.any(|(pattern, _)| pattern.matches(name.as_str()))
            })
        };
        let is_for = || {
            self.tenants.is_empty() || self.tenants.iter().any(|tenants| tenants.matches(tenant))
        };
        is_used() && is_in() && is_for()
    }
}
