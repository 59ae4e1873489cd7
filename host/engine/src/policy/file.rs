//! One policy file, parsed and bounded; what it means for a catalog is compiled later.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::budget::{BudgetEntry, budgets};
use super::document::{self, Kind, Node};
use super::grants::FileGrants;
use super::pattern::Pattern;
use super::read::read;
use super::reader::Table;
use super::requirements::Requirements;
use super::rule::Rule;
use super::verdict::Verdict;
use super::{Mistake, PolicyError, error_of};

/// Rules of one file.
const MAX_RULES: usize = 2000;
/// Rules of secrets of one file.
const MAX_SECRETS: usize = 1000;
/// Conditions with `matches` or `schema` in one file: each is compiled.
const MAX_COMPILED: usize = 200;

/// A policy file.
#[derive(Debug, Clone)]
pub struct PolicyFile {
    /// As messages name it.
    pub name: String,
    /// Where it was read; none for a text.
    pub path: Option<PathBuf>,
    /// Its text, for messages that quote it.
    pub text: String,
    /// What holds where no rule does, and the line that says so.
    pub(super) default: (Verdict, u32),
    /// The line of `mode: read-only`.
    pub(super) read_only: Option<u32>,
    pub(super) rules: Vec<Rule>,
    pub(super) budgets: Vec<BudgetEntry>,
    /// What definitions must say.
    pub(super) requirements: Requirements,
    /// What it opens to actions of the host; without the section it has no say in that.
    pub(super) grants: Option<Arc<FileGrants>>,
    /// Which actions may use which secrets, and the line that says so; none where it is not said.
    pub(super) secrets: Option<(u32, Vec<SecretRule>)>,
}

/// Actions that may use some secrets.
#[derive(Debug, Clone)]
pub(super) struct SecretRule {
    pub(super) secrets: Vec<Pattern>,
    pub(super) actions: Vec<(Pattern, u32)>,
    /// Of any tenant, when there are none.
    pub(super) tenants: Vec<Pattern>,
}

const KEYS: [&str; 8] = [
    "version", "default", "mode", "rules", "budgets", "require", "secrets", "grants",
];

impl PolicyFile {
    /// Reads a file, which messages call by its path.
    ///
    /// # Errors
    /// That it cannot be read, or all that is wrong with it, each with its line.
    pub fn open(path: &Path) -> Result<Self, PolicyError> {
        let text = read(path)?;
        Ok(Self {
            path: Some(path.to_owned()),
            ..Self::parse(&path.display().to_string(), &text)?
        })
    }

    /// Parses a file that messages call `name`.
    ///
    /// # Errors
    /// All that is wrong with it, each with its line.
    pub fn parse(name: &str, text: &str) -> Result<Self, PolicyError> {
        let mut mistakes = Vec::new();
        let file = document::parse(text)
            .map_err(|mistake| mistakes.push(mistake))
            .ok()
            .and_then(|node| Self::of(name, text, &node, &mut mistakes));
        match file {
            Some(file) if mistakes.is_empty() => Ok(file),
            _ => Err(error_of(name, text, mistakes)),
        }
    }

    /// What it opens to actions of the host; none where it does not say.
    #[must_use]
    pub fn grants(&self) -> Option<&Arc<FileGrants>> {
        self.grants.as_ref()
    }

    /// How many rules it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether it has no rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    fn of(name: &str, text: &str, node: &Node, mistakes: &mut Vec<Mistake>) -> Option<Self> {
        if node.kind == Kind::Nothing {
            mistakes.push(Mistake::new(
                1,
                "the policy is empty: it begins with `version: 1`",
            ));
            return None;
        }
        let table = Table::new(node, &KEYS, "a policy", mistakes)?;
        match table.get("version").map(|node| (&node.kind, node.line)) {
            Some((Kind::Word(word), _)) if word == "1" => {}
            Some((_, line)) => mistakes.push(Mistake::new(line, "`version` must be 1")),
            None => mistakes.push(Mistake::new(1, "`version: 1` is missing")),
        }
        let defaults = [("deny", Verdict::Deny), ("allow", Verdict::Allow)];
        let default = table.choice("default", &defaults, mistakes);
        let default_line = table.get("default").map_or(1, |node| node.line);
        let modes = [("normal", false), ("read-only", true)];
        let read_only = table.choice("mode", &modes, mistakes).unwrap_or(false);
        let rules = match table.get("rules") {
            None => Vec::new(),
            Some(node) => rules(node, mistakes),
        };
        let budgets = table
            .get("budgets")
            .map_or_else(Vec::new, |node| budgets(node, mistakes));
        let requirements = table
            .get("require")
            .map(|node| Requirements::read(node, mistakes));
        let grants = table
            .get("grants")
            .map(|node| Arc::new(FileGrants::read(node, name, mistakes)));
        let secrets = table
            .get("secrets")
            .map(|node| (node.line, secrets(node, mistakes)));
        Some(Self {
            path: None,
            grants,
            budgets,
            requirements: requirements.unwrap_or_default(),
            secrets,
            name: name.to_owned(),
            text: text.to_owned(),
            default: (default.unwrap_or(Verdict::Deny), default_line),
            read_only: table
                .get("mode")
                .map(|node| node.line)
                .filter(|_| read_only),
            rules,
        })
    }
}

fn rules(node: &Node, mistakes: &mut Vec<Mistake>) -> Vec<Rule> {
    let Kind::List(elements) = &node.kind else {
        let message = format!("`rules` must be a list of rules, got {}", node.kind.name());
        mistakes.push(Mistake::new(node.line, message));
        return Vec::new();
    };
    if elements.len() > MAX_RULES {
        let message = format!("a policy has at most {MAX_RULES} rules");
        mistakes.push(Mistake::new(node.line, message));
        return Vec::new();
    }
    if compiled(node) > MAX_COMPILED {
        let message =
            format!("a policy has at most {MAX_COMPILED} tests with `matches` or `schema`");
        mistakes.push(Mistake::new(node.line, message));
        return Vec::new();
    }
    elements
        .iter()
        .filter_map(|element| Rule::read(element, mistakes))
        .collect()
}

fn secrets(node: &Node, mistakes: &mut Vec<Mistake>) -> Vec<SecretRule> {
    let Kind::List(elements) = &node.kind else {
        let message = format!("`secrets` must be a list, got {}", node.kind.name());
        mistakes.push(Mistake::new(node.line, message));
        return Vec::new();
    };
    if elements.len() > MAX_SECRETS {
        let message = format!("a policy has at most {MAX_SECRETS} rules of secrets");
        mistakes.push(Mistake::new(node.line, message));
        return Vec::new();
    }
    elements
        .iter()
        .filter_map(|element| secret(element, mistakes))
        .collect()
}

fn secret(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<SecretRule> {
    let table = Table::new(
        node,
        &["use", "in", "tenants"],
        "a rule of secrets",
        mistakes,
    )?;
    for key in ["use", "in"] {
        if table.get(key).is_none() {
            let message = format!("a rule of secrets needs `{key}`");
            mistakes.push(Mistake::new(table.line(), message));
        }
    }
    let mut patterns = |key| {
        let texts = table.texts(key, mistakes).into_iter();
        let patterns = texts.map(|(text, line)| (Pattern::new(text), line));
        patterns.collect::<Vec<_>>()
    };
    let plain = |patterns: Vec<(Pattern, u32)>| patterns.into_iter().map(|(pattern, _)| pattern);
    let (secrets, tenants) = (patterns("use"), patterns("tenants"));
    Some(SecretRule {
        secrets: plain(secrets).collect(),
        actions: patterns("in"),
        tenants: plain(tenants).collect(),
    })
}

/// Keys below a node that stand for something to compile.
fn compiled(node: &Node) -> usize {
    match &node.kind {
        Kind::List(elements) => elements.iter().map(compiled).sum(),
        Kind::Table(entries) => entries
            .iter()
            .map(|(key, _, value)| {
                usize::from(matches!(key.as_str(), "matches" | "schema")) + compiled(value)
            })
            .sum(),
        _ => 0,
    }
}
