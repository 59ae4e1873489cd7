//! One rule of a policy file.

use super::Mistake;
use super::condition::Test;
use super::document::{Kind, Node};
use super::pattern::Pattern;
use super::reader::Table;
use super::shown;
use super::value::Step;
use super::verdict::Verdict;
use crate::units::TimeLimit;

/// Patterns of one rule.
const MAX_PATTERNS: usize = 500;
/// Conditions of one rule.
const MAX_CONDITIONS: usize = 50;
/// Keys of a path.
const MAX_STEPS: usize = 16;

/// A rule: what it says of which actions, for whom, and when.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) line: u32,
    pub(super) verdict: Verdict,
    /// Each with its line.
    pub(super) actions: Vec<(Pattern, u32)>,
    /// Of any tenant, when there are none.
    pub(super) tenants: Vec<Pattern>,
    /// All are to hold.
    pub(super) when: Vec<Condition>,
    pub(super) reason: Option<String>,
    pub(super) approval: Approval,
}

/// A test of what stands at a path.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    /// As it was written.
    pub(super) path: String,
    pub(super) steps: Vec<Step>,
    pub(super) test: Test,
}

/// What an `approve` rule asks of those who approve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The role that they must have.
    pub role: Option<String>,
    /// How many they must be.
    pub count: u32,
    /// Whether the person who runs the script is excluded.
    pub not_submitter: bool,
    /// How long there is for it.
    pub within: Option<TimeLimit>,
}

impl Default for Approval {
    fn default() -> Self {
        Self {
            role: None,
            count: 1,
            not_submitter: false,
            within: None,
        }
    }
}

const KEYS: [&str; 8] = [
    "allow", "approve", "deny", "tenants", "when", "reason", "by", "within",
];

impl Rule {
    pub(super) fn read(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<Self> {
        let table = Table::new(node, &KEYS, "a rule", mistakes)?;
        let verdicts = [
            ("deny", Verdict::Deny),
            ("approve", Verdict::Approve),
            ("allow", Verdict::Allow),
        ];
        let mut said = verdicts
            .into_iter()
            .filter(|(key, _)| table.get(key).is_some());
        let (Some((key, verdict)), None) = (said.next(), said.next()) else {
            let message = "a rule says one of `allow`, `approve` and `deny`";
            mistakes.push(Mistake::new(table.line(), message));
            return None;
        };
        let actions = table.texts(key, mistakes);
        if actions.len() > MAX_PATTERNS {
            let message = format!("a rule names at most {MAX_PATTERNS} actions or patterns");
            mistakes.push(Mistake::new(table.line(), message));
        }
        let tenants = table.texts("tenants", mistakes);
        if verdict != Verdict::Approve {
            for key in ["by", "within"] {
                if let Some(value) = table.get(key) {
                    let message = format!("`{key}` is for rules that say `approve`");
                    mistakes.push(Mistake::new(value.line, message));
                }
            }
        }
        Some(Self {
            line: table.line(),
            verdict,
            actions: actions
                .iter()
                .map(|(text, line)| (Pattern::new(text), *line))
                .collect(),
            tenants: tenants.iter().map(|(text, _)| Pattern::new(text)).collect(),
            when: conditions(table.get("when"), mistakes),
            reason: table.text("reason", mistakes).map(str::to_owned),
            approval: approval(&table, mistakes),
        })
    }

    /// How messages name it: `deny *.delete`.
    pub(super) fn title(&self) -> String {
        let mut title = self.verdict.word().to_owned();
        for (at, (pattern, _)) in self.actions.iter().enumerate() {
            if at == 3 {
                title.push_str(", …");
                break;
            }
            title.push_str(if at == 0 { " " } else { ", " });
            title.push_str(&shown(pattern.as_str()));
        }
        title
    }
}

fn approval(table: &Table<'_>, mistakes: &mut Vec<Mistake>) -> Approval {
    let mut approval = Approval::default();
    if let Some(text) = table.text("within", mistakes) {
        match text.parse() {
            Ok(time) => approval.within = Some(time),
            Err(error) => {
                let message = format!("`within` {error}");
                mistakes.push(Mistake::new(table.line(), message));
            }
        }
    }
    let by = table
        .get("by")
        .and_then(|node| Table::new(node, &["role", "count", "not_submitter"], "`by`", mistakes));
    if let Some(by) = by {
        approval.role = by.text("role", mistakes).map(str::to_owned);
        approval.count = by.whole("count", 1..=100, mistakes).unwrap_or(1);
        approval.not_submitter = by.boolean("not_submitter", mistakes);
    }
    approval
}

fn conditions(node: Option<&Node>, mistakes: &mut Vec<Mistake>) -> Vec<Condition> {
    let Some(node) = node else { return Vec::new() };
    let entries = match &node.kind {
        Kind::Table(entries) if !entries.is_empty() => entries,
        other => {
            let message = format!(
                "`when` must be a table of paths and tests, got {}",
                match other {
                    Kind::Table(_) => "an empty one",
                    other => other.name(),
                }
            );
            mistakes.push(Mistake::new(node.line, message));
            return Vec::new();
        }
    };
    if entries.len() > MAX_CONDITIONS {
        let message = format!("a rule has at most {MAX_CONDITIONS} conditions");
        mistakes.push(Mistake::new(node.line, message));
    }
    let mut conditions = Vec::with_capacity(entries.len());
    for (path, line, value) in entries {
        let steps = match steps(path) {
            Ok(steps) => steps,
            Err(message) => {
                mistakes.push(Mistake::new(*line, message));
                continue;
            }
        };
        if let Some(test) = Test::read(value, mistakes) {
            conditions.push(Condition {
                path: path.clone(),
                steps,
                test,
            });
        }
    }
    conditions
}

/// A path: dotted keys, `*` for every element, `_` for the whole.
pub(super) fn steps(path: &str) -> Result<Vec<Step>, String> {
    if path == "_" {
        return Ok(Vec::new());
    }
    let steps: Vec<Step> = path
        .split('.')
        .map(|key| match key {
            "*" => Step::Every,
            key => Step::Key(key.to_owned()),
        })
        .collect();
    let empty = |step: &Step| matches!(step, Step::Key(key) if key.is_empty());
    if steps.iter().any(empty) {
        return Err(format!("`{}` has an empty key", shown(path)));
    }
    if steps.len() > MAX_STEPS {
        return Err(format!("`{}` has more than {MAX_STEPS} keys", shown(path)));
    }
    Ok(steps)
}
