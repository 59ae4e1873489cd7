//! What a model, or a person, must know to write a script for a repo, within a budget.
//!
//! The rules of the sandbox and the globals come first, then the actions, the best matches of a
//! query before all others. An action that no longer fits in full is listed with one line, and
//! what does not fit at all is counted, so that no reader takes a part for the whole.

mod document;
mod globals;
mod modules;
mod standing;
mod text;

use std::collections::BTreeMap;

use kael_engine::catalog::Definition;
use kael_engine::gate::Policy;
use kael_engine::names::ActionName;
use kael_engine::policy::PolicyError;
use kael_engine::runtime::Repo;
use kael_engine::text::{is_invisible_char, is_unsafe_char};

use crate::search::Index;
pub use document::{described, schema_of, short};
pub use globals::{Global, globals};
pub use modules::Module;
pub use standing::Standing;

/// The rules of the sandbox, in Markdown.
pub const RULES: &str = include_str!("rules.md");

/// The fewest tokens that a context may have: the rules and the globals need about 1,300.
pub const MIN_BUDGET: usize = 2000;

/// How a context is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The form of llmstxt.org: a title, a summary, and lists of links, one line an action.
    LlmsTxt,
    /// One JSON document.
    Json,
    /// Markdown, with the schemas of each action.
    Markdown,
}

/// The actions that a policy does not deny, in an order.
pub struct Context<'a> {
    /// Of which repo, as the user wrote it.
    title: String,
    actions: Vec<Item<'a>>,
    /// Whether the actions are those that fit a query.
    query: Option<String>,
    /// All actions that can be called.
    total: usize,
    /// The modules of the host that fit the query.
    modules: Vec<Module>,
}

/// One action of a context.
pub struct Item<'a> {
    /// Its first name.
    pub name: &'a ActionName,
    /// What the team defined.
    pub definition: &'a Definition,
    /// Whether it may be called.
    pub standing: Standing,
}

/// The tokens of a text, about: models take three to four bytes of such text for one.
#[must_use]
pub fn tokens(text: &str) -> usize {
    text.len().div_ceil(4)
}

/// A text without the characters that change how the text around it is read, or that only a model
/// would read.
#[must_use]
pub fn plain(text: &str) -> String {
    let kept = |c: &char| *c == '\n' || !(is_unsafe_char(*c) || is_invisible_char(*c));
    text.chars().filter(kept).collect()
}

impl<'a> Context<'a> {
    /// The actions of a repo that scripts may call, the best matches of the query first. Actions
    /// that match nothing follow by name.
    ///
    /// # Errors
    /// What is wrong with the policy.
    pub fn new(
        repo: &'a Repo,
        title: &str,
        policy: &Policy,
        query: Option<&str>,
    ) -> Result<Self, PolicyError> {
        let policy = repo.policy(policy)?;
        let mut items = BTreeMap::new();
        for (name, definition) in repo.catalog.iter() {
            let standing = Standing::of(&policy, definition);
            if standing != Standing::Denied {
                let item = Item {
                    name,
                    definition,
                    standing,
                };
                items.insert(name, item);
            }
        }
        let total = items.len();
        let index = Index::new(&repo.catalog, |name, _| items.contains_key(name));
        let found = index.find(query.unwrap_or_default());
        let mut actions: Vec<Item<'_>> = Vec::with_capacity(total);
        actions.extend(found.into_iter().filter_map(|name| items.remove(name)));
        // The rest follows by name.
        actions.extend(items.into_values());
        Ok(Self {
            title: title.to_owned(),
            actions,
            query: query.map(str::to_owned),
            total,
            modules: Vec::new(),
        })
    }

    /// The same with those of the host's modules that fit the query.
    #[must_use]
    pub fn with_modules(mut self, all: Vec<Module>) -> Self {
        self.modules = modules::fitting(all, self.query.as_deref().unwrap_or_default());
        self
    }

    /// Writes it, within a budget of tokens that is at least [`MIN_BUDGET`].
    #[must_use]
    pub fn write(&self, format: Format, budget: usize) -> String {
        let budget = budget.max(MIN_BUDGET);
        match format {
            Format::Json => document::write(self, budget),
            Format::LlmsTxt => text::write(self, budget, text::Style::Links),
            Format::Markdown => text::write(self, budget, text::Style::Full),
        }
    }
}
