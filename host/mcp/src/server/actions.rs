//! The actions of the repo as a client sees them: those that the policy does not deny.

use std::sync::Arc;

use rmcp::model::{CallToolResult, JsonObject};
use serde_json::{Value, json};

use kael_authoring::context::{self, Item, Standing};
use kael_authoring::search::Index;
use kael_engine::catalog::Definition;
use kael_engine::gate::Policy;
use kael_engine::names::ActionName;
use kael_engine::policy::PolicyError;
use kael_engine::runtime::Repo;

use super::arguments;
use super::code::{answer, mistake};

/// Names that one `describe` may have.
const MAX_DESCRIBED: usize = 20;
/// Bytes of what one `describe` says.
const MAX_TEXT: usize = 64 << 10;

fn callable(policy: &Policy) -> impl Fn(&ActionName, &Definition) -> bool {
    move |_, definition| Standing::of(policy, definition) != Standing::Denied
}

/// The actions that a client may know of.
pub struct Actions {
    repo: Option<Arc<Repo>>,
    /// Compiled for the repo's catalog.
    policy: Policy,
    index: Index,
}

impl Actions {
    /// Reads the words of a repo's actions that the policy does not deny.
    ///
    /// # Errors
    /// When the policy is wrong.
    pub fn new(repo: Option<Arc<Repo>>, policy: &Policy) -> Result<Self, PolicyError> {
        let policy = match &repo {
            Some(repo) => repo.policy(policy)?,
            None => policy.clone(),
        };
        let empty = kael_engine::catalog::Catalog::default();
        let catalog = repo.as_ref().map_or(&empty, |repo| &*repo.catalog);
        let index = Index::new(catalog, callable(&policy));
        Ok(Self {
            repo,
            policy,
            index,
        })
    }

    /// Whether any call of an action can be allowed.
    pub(super) fn callable(&self) -> impl Fn(&ActionName, &Definition) -> bool {
        callable(&self.policy)
    }

    /// An action that can be called, under any of its names.
    pub(super) fn item(&self, name: &str) -> Option<Item<'_>> {
        let catalog = &self.repo.as_ref()?.catalog;
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
    fn search(&self, query: &str, limit: usize) -> Value {
        let found = self.index.find(query);
        let told = found.iter().take(limit);
        let told: Vec<Value> = told
            .filter_map(|name| self.item(name.as_str()))
            .map(|item| context::short(&item))
            .collect();
        json!({ "actions": told, "found": found.len() })
    }

    /// The answer of `describe`, and whether every name was known.
    fn describe(&self, names: &[String]) -> (Value, bool) {
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
    fn unknown(&self, name: &str) -> String {
        let repo = self.repo.as_ref();
        let known = repo.and_then(|repo| repo.catalog.get(name));
        match (known, repo) {
            (Some(_), _) => format!("the policy denies every call of '{name}'"),
            (None, Some(repo)) => repo.catalog.unknown_action(name),
            (None, None) => "there is no actions repo".to_owned(),
        }
    }

    /// The answer to a call of `search`.
    pub(crate) fn searched(&self, given: Option<JsonObject>) -> CallToolResult {
        match arguments::read::<arguments::Search>(given, &["query", "limit"]) {
            Ok(asked) => answer(self.search(&asked.query, asked.limit.clamp(1, 20)), false),
            Err(wrong) => mistake(wrong),
        }
    }

    /// The answer to a call of `describe`.
    pub(crate) fn told(&self, given: Option<JsonObject>) -> CallToolResult {
        match arguments::read::<arguments::Describe>(given, &["names"]) {
            Ok(asked) if asked.names.len() > MAX_DESCRIBED => {
                mistake("`names` may have at most 20 elements")
            }
            Ok(asked) => {
                let (document, ok) = self.describe(&asked.names);
                answer(document, !ok)
            }
            Err(wrong) => mistake(wrong),
        }
    }
}
