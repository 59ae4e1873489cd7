//! How often actions may be called: read from a file, and compiled for a catalog.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::decision::{Source, SourceKind};
use super::document::{Kind, Node};
use super::pattern::Pattern;
use super::reader::Table;
use super::{Mistake, shown};
use crate::catalog::Definition;
use crate::units::TimeLimit;

/// Budgets of one file.
const MAX_BUDGETS: usize = 100;

/// The shortest window: a budget is no limiter of single calls.
const MIN_PERIOD: TimeLimit = TimeLimit::from_secs(1);

/// Whose calls are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountedFor {
    /// Those of one run.
    Run,
    /// Those of all runs of a tenant.
    Tenant,
}

/// What becomes of a call when the budget is spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenSpent {
    /// It is denied.
    Deny,
    /// It waits for the next window.
    Wait,
}

/// An entry of `budgets`.
#[derive(Debug, Clone)]
pub(super) struct BudgetEntry {
    pub(super) line: u32,
    pub(super) actions: Vec<(Pattern, u32)>,
    calls: u32,
    per: Option<TimeLimit>,
    of: CountedFor,
    over: WhenSpent,
}

/// How often some actions may be called, together.
#[derive(Debug)]
pub struct Budget {
    /// The most.
    pub calls: u32,
    /// The length of a window of time; none for all of a run.
    pub per: Option<TimeLimit>,
    /// Whose calls are counted.
    pub of: CountedFor,
    /// What becomes of a call that is one too many.
    pub over: WhenSpent,
    /// Where it says so.
    pub source: Arc<Source>,
    /// What tells it from other budgets, in every process: its actions and windows, and not its
    /// number of calls, its file or its line, so that a change of those begins no new count. Budgets
    /// of the same identity share a count, and the smallest of them holds.
    pub identity: [u8; 32],
    actions: Vec<Pattern>,
}

/// Reads the list behind `budgets`.
pub(super) fn budgets(node: &Node, mistakes: &mut Vec<Mistake>) -> Vec<BudgetEntry> {
    let Kind::List(elements) = &node.kind else {
        let message = format!("`budgets` must be a list, got {}", node.kind.name());
        mistakes.push(Mistake::new(node.line, message));
        return Vec::new();
    };
    if elements.len() > MAX_BUDGETS {
        let message = format!("a policy has at most {MAX_BUDGETS} budgets");
        mistakes.push(Mistake::new(node.line, message));
        return Vec::new();
    }
    let entries = elements.iter();
    entries
        .filter_map(|element| BudgetEntry::read(element, mistakes))
        .collect()
}

impl BudgetEntry {
    fn read(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<Self> {
        let keys = &["actions", "calls", "per", "of", "over"];
        let table = Table::new(node, keys, "a budget", mistakes)?;
        let actions = table.texts("actions", mistakes);
        let calls = table.whole("calls", 1..=10_000_000, mistakes);
        for key in ["actions", "calls", "per"] {
            if table.get(key).is_none() {
                let message = format!("a budget needs `{key}`");
                mistakes.push(Mistake::new(table.line(), message));
            }
        }
        let per = period(&table, mistakes)?;
        let whose = [("run", CountedFor::Run), ("tenant", CountedFor::Tenant)];
        let of = table.choice("of", &whose, mistakes);
        let of = of.unwrap_or(match per {
            None => CountedFor::Run,
            Some(_) => CountedFor::Tenant,
        });
        let outcomes = [("deny", WhenSpent::Deny), ("wait", WhenSpent::Wait)];
        let over = table.choice("over", &outcomes, mistakes);
        let over = over.unwrap_or(WhenSpent::Deny);
        if per.is_none() {
            for (is_set, wrong) in [
                (
                    of == CountedFor::Tenant,
                    "`of: tenant` is for a time in `per`, such as `1h`: `per: run` counts one run",
                ),
                (
                    over == WhenSpent::Wait,
                    "`over: wait` is for a time in `per`, such as `1h`: a run's budget has no room again",
                ),
            ] {
                if is_set {
                    mistakes.push(Mistake::new(table.line(), wrong));
                }
            }
        }
        let patterns = actions.iter();
        Some(Self {
            line: table.line(),
            actions: patterns
                .map(|(text, line)| (Pattern::new(text), *line))
                .collect(),
            calls: calls?,
            per,
            of,
            over,
        })
    }
}

/// The time behind `per`; none for `run`. No period at all is a mistake.
fn period(table: &Table<'_>, mistakes: &mut Vec<Mistake>) -> Option<Option<TimeLimit>> {
    let text = table.text("per", mistakes)?;
    if text == "run" {
        return Some(None);
    }
    match text.parse::<TimeLimit>() {
        Ok(time) if time >= MIN_PERIOD => Some(Some(time)),
        _ => {
            let message = format!(
                "`per` must be `run` or a time from 1s to 366d such as `30m`, `1h` or `1d`, got `{}`",
                shown(text)
            );
            mistakes.push(Mistake::new(table.line(), message));
            None
        }
    }
}

impl Budget {
    /// Those of a file called `file`.
    pub(super) fn of(file: &str, entries: &[BudgetEntry]) -> impl Iterator<Item = Self> {
        entries.iter().map(move |entry| {
            let patterns = entry.actions.iter().map(|(pattern, _)| pattern);
            let names: Vec<&str> = patterns.clone().map(Pattern::as_str).collect();
            let rule = format!(
                "budget of {} calls of {}{}",
                entry.calls,
                names.join(", "),
                entry.window()
            );
            Self {
                calls: entry.calls,
                per: entry.per,
                of: entry.of,
                over: entry.over,
                source: Arc::new(Source {
                    file: Some(file.to_owned()),
                    line: entry.line,
                    ..Source::denying(SourceKind::Budget, rule)
                }),
                identity: entry.identity(&names),
                actions: patterns.cloned().collect(),
            }
        })
    }

    pub(super) fn concerns(&self, definition: &Definition) -> bool {
        let mut names = definition.names.iter();
        names.any(|name| {
            self.actions
                .iter()
                .any(|pattern| pattern.matches(name.as_str()))
        })
    }
}

impl BudgetEntry {
    /// How the rule's name ends: ` per 1h of the tenant`.
    fn window(&self) -> String {
        match (self.per, self.of) {
            (None, _) => String::new(),
            (Some(per), CountedFor::Run) => format!(" per {per} of the run"),
            (Some(per), CountedFor::Tenant) => format!(" per {per} of the tenant"),
        }
    }

    fn identity(&self, names: &[&str]) -> [u8; 32] {
        let mut names = names.to_vec();
        names.sort_unstable();
        let mut hash = Sha256::new();
        for name in names {
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(name);
        }
        let per = self.per.map_or(0, |per| per.duration().as_micros());
        hash.update(per.to_le_bytes());
        hash.update([u8::from(self.of == CountedFor::Tenant)]);
        hash.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::PolicyFile;
    use super::*;

    fn compiled(text: &str) -> Vec<Budget> {
        let text = format!("version: 1\nbudgets:\n{text}");
        let file = PolicyFile::parse("p.yaml", &text).expect("a policy");
        Budget::of("p.yaml", &file.budgets).collect()
    }

    #[test]
    fn defaults_depend_on_the_period() {
        let found = compiled(
            "- { actions: a.*, calls: 1, per: run }\n\
             - { actions: a.*, calls: 1, per: 1d }\n\
             - { actions: a.*, calls: 1, per: 30m, of: run, over: wait }\n",
        );
        let told = |budget: &Budget| (budget.of, budget.over, budget.source.rule.clone());
        assert_eq!(
            found.iter().map(told).collect::<Vec<_>>(),
            [
                (
                    CountedFor::Run,
                    WhenSpent::Deny,
                    "budget of 1 calls of a.*".to_owned()
                ),
                (
                    CountedFor::Tenant,
                    WhenSpent::Deny,
                    "budget of 1 calls of a.* per 24h of the tenant".to_owned()
                ),
                (
                    CountedFor::Run,
                    WhenSpent::Wait,
                    "budget of 1 calls of a.* per 30m of the run".to_owned()
                ),
            ]
        );
    }

    #[test]
    fn a_budget_is_the_same_whatever_its_number_place_and_neighbours() {
        let one = compiled("- { actions: [a, b], calls: 1, per: 1h }\n");
        let other = compiled("\n- { calls: 7, per: 60m, actions: [b, a], over: wait }\n");
        assert_eq!(one[0].identity, other[0].identity);
        let all = compiled(
            "- { actions: a, calls: 1, per: 1h }\n- { actions: a, calls: 2, per: 1h }\n\
             - { actions: a, calls: 1, per: 2h }\n- { actions: a, calls: 1, per: 1h, of: run }\n",
        );
        // The first two differ in `calls` alone, and share one count.
        assert_eq!(all[0].identity, all[1].identity);
        let mut identities: Vec<_> = all.iter().map(|budget| budget.identity).collect();
        identities.sort_unstable();
        identities.dedup();
        assert_eq!(identities.len(), 3);
    }
}
