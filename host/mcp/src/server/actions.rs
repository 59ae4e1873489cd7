//! The actions of the repo as a client sees them: those that the policy does not deny.

use serde_json::{Value, json};

use kael_authoring::context::{self, Item, Standing};
use kael_engine::catalog::Definition;
use kael_engine::gate::Policy;
use kael_engine::names::ActionName;

use super::Inner;

/// Names that one `describe` may have.
pub(super) const MAX_DESCRIBED: usize = 20;
/// Bytes of what one `describe` says.
const MAX_TEXT: usize = 64 << 10;

/// Whether any call of an action can be allowed.
pub(super) fn callable(policy: &Policy) -> impl Fn(&ActionName, &Definition) -> bool {
    move |_, definition| Standing::of(policy, definition) != Standing::Denied
}

impl Inner {
    /// An action that can be called, under any of its names.
    pub(super) fn item(&self, name: &str) -> Option<Item<'_>> {
        let catalog = &self.options.repo.as_ref()?.catalog;
        let mut all = catalog.iter();
        let (name, definition) = all
            .find(|(_, definition)| definition.names.iter().any(|known| known.as_str() == name))?;
        let standing = Standing::of(&self.policy, definition);
        (standing != Standing::Denied).then_some(Item {
            name,
            definition,
            standing,
        })
    }

    /// The answer of `search`.
    pub(super) fn search(&self, query: &str, limit: usize) -> Value {
        let found = self.index.find(query);
        let told = found.iter().take(limit);
        let told: Vec<Value> = told
            .filter_map(|name| self.item(name.as_str()))
            .map(|item| context::short(&item))
            .collect();
        json!({ "actions": told, "found": found.len() })
    }

    /// The answer of `describe`, and whether every name was known.
    pub(super) fn describe(&self, names: &[String]) -> (Value, bool) {
        let (mut told, mut unknown, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        let mut size = 0;
        for name in names {
            let Some(item) = self.item(name) else {
                unknown.push(self.unknown(name).into());
                continue;
            };
            let one = context::described(&item);
            size += one.to_string().len();
            if size > MAX_TEXT && !told.is_empty() {
                left_out.push(Value::from(name.as_str()));
                continue;
            }
            told.push(one);
        }
        let ok = unknown.is_empty();
        let mut document = json!({ "actions": told });
        for (field, list) in [("unknown", unknown), ("left_out", left_out)] {
            if !list.is_empty() {
                document[field] = Value::Array(list);
            }
        }
        (document, ok)
    }

    /// What is said of a name that no callable action has.
    pub(super) fn unknown(&self, name: &str) -> String {
        let repo = self.options.repo.as_ref();
        let known = repo.and_then(|repo| repo.catalog.get(name));
        match (known, repo) {
            (Some(_), _) => format!("the policy denies every call of '{name}'"),
            (None, Some(repo)) => repo.catalog.unknown_action(name),
            (None, None) => "there is no actions repo".to_owned(),
        }
    }
}
