//! The policy files of a run against one catalog: each action knows the rules that can concern it.

use std::collections::HashMap;
use std::sync::Arc;

use super::budget::Budget;
use super::candidate::{Candidate, PerFile};
use super::decision::{Decision, Source, SourceKind, strictest};
use super::file::{PolicyFile, SecretRule};
use super::grants::{FileGrants, Grants};
use super::requirements::{Requirements, is_local_server, of_local_server, reads_unconfined};
use super::rule::Rule;
use super::steps::Steps;
use super::value::Paths;
use super::verdict::Verdict;
use super::{Mistake, PolicyError, did_you_mean, error_of, shown};
use crate::catalog::{Catalog, Definition, Effects, Executor};
use crate::names::ActionName;

/// All policies of a run, compiled. A call is allowed only if each of them allows it.
#[derive(Debug)]
pub struct Rulebook {
    pub(super) actions: HashMap<Box<str>, Candidates>,
    /// For an action that no catalog has: it cannot be called, and would be denied.
    pub(super) unknown: Arc<Source>,
    budgets: Vec<Budget>,
    grants: Grants,
    /// What each file that says so says of secrets.
    pub(super) secrets: Vec<(Arc<Source>, Vec<SecretRule>)>,
}

/// How the names of the host's actions begin that only compute, and need no grant.
const UNGRANTED: &str = "kael.crypto.";

/// What can decide on one action.
#[derive(Debug)]
pub(super) struct Candidates {
    pub(super) files: Vec<PerFile>,
    pub(super) paths: Paths,
    /// The decision, when neither parameters nor the tenant matter.
    pub(super) always: Option<Decision>,
    /// Whether a rule has a test or a path that may look at much of the parameters.
    pub(super) is_costly: bool,
    /// Those that count its calls.
    budgets: Vec<usize>,
}

impl Rulebook {
    /// Compiles files for a catalog; with `read_only`, only actions without effects are allowed.
    ///
    /// # Errors
    /// Names and patterns that match no action, each with its file and line.
    pub fn compile(
        files: &[PolicyFile],
        catalog: &Catalog,
        read_only: bool,
    ) -> Result<Self, PolicyError> {
        Self::compile_opened(files, None, catalog, read_only)
    }

    /// The same with grants that are in none of the files, and are held to as theirs are.
    ///
    /// # Errors
    /// As above.
    pub fn compile_opened(
        files: &[PolicyFile],
        opened: Option<&Grants>,
        catalog: &Catalog,
        read_only: bool,
    ) -> Result<Self, PolicyError> {
        let brought = catalog.library().map(|library| library.names());
        let names: Vec<&str> = catalog
            .iter()
            .flat_map(|(_, definition)| definition.names.iter().map(ActionName::as_str))
            .chain(brought.into_iter().flatten())
            .collect();
        let mut error = PolicyError {
            problems: Vec::new(),
            texts: Vec::new(),
        };
        for file in files {
            let mistakes = unmatched(file, &names);
            if !mistakes.is_empty() {
                let more = error_of(&file.name, &file.text, mistakes);
                error.problems.extend(more.problems);
                error.texts.extend(more.texts);
            }
        }
        if !error.problems.is_empty() {
            return Err(error);
        }
        Ok(Self::lenient(files, opened, catalog, read_only))
    }

    /// The same, whether or not every pattern matches an action of the catalog.
    #[must_use]
    pub fn lenient(
        files: &[PolicyFile],
        opened: Option<&Grants>,
        catalog: &Catalog,
        read_only: bool,
    ) -> Self {
        let typed = read_only.then(|| {
            let none = PolicyFile {
                name: String::new(),
                path: None,
                text: String::new(),
                default: (Verdict::Allow, 0),
                read_only: Some(0),
                rules: Vec::new(),
                budgets: Vec::new(),
                requirements: Requirements::default(),
                grants: None,
                secrets: None,
            };
            Shared::of(&none, Some("--read-only"))
        });
        let shared = files.iter().map(|file| Shared::of(file, None));
        let shared: Vec<Shared> = typed.into_iter().chain(shared).collect();
        let of = |file: &PolicyFile| Budget::of(&file.name, &file.budgets).collect::<Vec<_>>();
        let budgets: Vec<Budget> = files.iter().flat_map(of).collect();
        let granting = files.iter().filter_map(|file| file.grants.as_ref());
        let grants = Grants::of(
            granting
                .chain(opened.into_iter().flat_map(Grants::files))
                .cloned(),
        );
        // Without a grant none of the host's actions can be called, whatever the rules say, but those that open nothing.
        let needed = |name: &&str| !grants.is_empty() || name.starts_with(UNGRANTED);
        let library = catalog.library().into_iter();
        let brought = library.flat_map(|library| {
            let names = library.names().filter(needed);
            names.filter_map(|name| library.get(name))
        });
        let brought = brought.map(|definition| (&definition.names[0], &**definition));
        let actions = catalog.iter().chain(brought).map(|(name, definition)| {
            let mut candidates = Candidates::of(&shared, definition);
            let counts = |budget: &Budget| budget.concerns(definition);
            let counting = budgets
                .iter()
                .enumerate()
                .filter(|(_, budget)| counts(budget));
            candidates.budgets = counting.map(|(at, _)| at).collect();
            (name.as_str().into(), candidates)
        });
        Self {
            actions: actions.collect(),
            budgets,
            grants,
            secrets: files.iter().filter_map(of_secrets).collect(),
            unknown: Arc::new(Source::denying(
                SourceKind::Unusable,
                "the policy was not compiled for this action",
            )),
        }
    }

    /// What the files open to actions of the host.
    #[must_use]
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// Every budget, in a fixed order.
    #[must_use]
    pub fn budgets(&self) -> &[Budget] {
        &self.budgets
    }

    /// The places of the budgets that count the calls of an action.
    #[must_use]
    pub fn budgets_of(&self, definition: &Definition) -> &[usize] {
        self.candidates(definition)
            .map_or(&[], |candidates| &candidates.budgets)
    }

    /// The budgets that count the calls of an action.
    #[must_use]
    pub fn counting(&self, definition: &Definition) -> Vec<Source> {
        let counting = self.budgets_of(definition).iter();
        let counting = counting.filter_map(|at| self.budgets.get(*at));
        counting.map(|budget| (*budget.source).clone()).collect()
    }

    /// Every rule that can concern an action, file by file, its default last, and whether it depends on the call.
    #[must_use]
    pub fn concerning(&self, definition: &Definition) -> Vec<(&Source, bool)> {
        let candidates = self.candidates(definition);
        let files = candidates.iter().flat_map(|candidates| &candidates.files);
        files
            .flat_map(|file| {
                let rules = file
                    .rules
                    .iter()
                    .map(|rule| (&*rule.source, rule.depends()));
                rules.chain([(&*file.default, false)])
            })
            .collect()
    }

    /// The actions that a file denies because their definitions lack what it requires.
    #[must_use]
    pub fn refused_by_requirement(&self, catalog: &Catalog) -> Vec<(ActionName, Arc<Source>)> {
        let refused = catalog.iter().filter_map(|(name, definition)| {
            let source = &self.always(definition)?.source;
            let requires = source.kind == SourceKind::Requirement;
            requires.then(|| (name.clone(), source.clone()))
        });
        refused.collect()
    }

    /// The decision on every call of an action, if it is the same for all.
    #[must_use]
    pub fn always(&self, definition: &Definition) -> Option<&Decision> {
        self.candidates(definition)?.always.as_ref()
    }
}

/// What a file says of secrets.
fn of_secrets(file: &PolicyFile) -> Option<(Arc<Source>, Vec<SecretRule>)> {
    let (line, rules) = file.secrets.as_ref()?;
    let source = Source {
        file: Some(file.name.clone()),
        line: *line,
        ..Source::denying(SourceKind::Secrets, "secrets")
    };
    Some((Arc::new(source), rules.clone()))
}

/// The rules of one file with what messages say of them, shared among actions.
struct Shared {
    name: String,
    rules: Vec<(Arc<Rule>, Arc<Source>)>,
    default: Arc<Source>,
    read_only: Option<Arc<Source>>,
    /// What denies actions that do not say what they read, or cannot.
    confined_reads: Option<Arc<Source>>,
    grants: Option<Arc<FileGrants>>,
}

impl Shared {
    /// `typed` is the option that stands for the file, if one does.
    fn of(file: &PolicyFile, typed: Option<&str>) -> Self {
        let name = typed.is_none().then_some(file.name.as_str());
        let (default, line) = file.default;
        let rules = file.rules.iter().map(|rule| {
            let source = Source {
                reason: rule.reason.clone(),
                approval: rule.approval.clone(),
                ..source(
                    SourceKind::Rule,
                    name,
                    rule.line,
                    rule.verdict,
                    rule.title(),
                )
            };
            (Arc::new(rule.clone()), Arc::new(source))
        });
        let title = format!("default: {}", default.word());
        let read_only = file.read_only.map(|line| {
            let rule = typed.unwrap_or("mode: read-only");
            let rule = rule.to_owned();
            Arc::new(source(
                SourceKind::ReadOnly,
                name,
                line,
                Verdict::Deny,
                rule,
            ))
        });
        Self {
            name: typed.map_or_else(|| file.name.clone(), str::to_owned),
            rules: rules.collect(),
            default: Arc::new(source(SourceKind::Default, name, line, default, title)),
            read_only,
            confined_reads: file.requirements.denial(&file.name).map(Arc::new),
            grants: file.grants.clone(),
        }
    }
}

fn source(
    kind: SourceKind,
    file: Option<&str>,
    line: u32,
    verdict: Verdict,
    rule: String,
) -> Source {
    Source {
        verdict,
        file: file.map(str::to_owned),
        line,
        ..Source::denying(kind, rule)
    }
}

impl Candidates {
    fn of(shared: &[Shared], definition: &Definition) -> Self {
        let mut paths = Paths::default();
        let files: Vec<PerFile> = shared
            .iter()
            .map(|file| PerFile::of(file, definition, &mut paths))
            .collect();
        let mut rules = files.iter().flat_map(|file| &file.rules);
        let is_costly = rules.any(Candidate::is_costly);
        let depends = files
            .iter()
            .any(|file| file.rules.iter().any(Candidate::depends));
        let always = match depends {
            true => None,
            false => strictest(
                files
                    .iter()
                    .map(|file| file.decide(&[], None, &Steps::of_decision())),
            ),
        };
        Self {
            files,
            paths,
            always,
            is_costly,
            budgets: Vec::new(),
        }
    }
}

impl PerFile {
    fn of(file: &Shared, definition: &Definition, paths: &mut Paths) -> Self {
        let concerns = |rule: &Rule| {
            let mut names = definition.names.iter();
            names.any(|name| {
                rule.actions
                    .iter()
                    .any(|(pattern, _)| pattern.matches(name.as_str()))
            })
        };
        let concerned = file.rules.iter().filter(|(rule, _)| concerns(rule));
        let mut rules: Vec<Candidate> = concerned
            .map(|(rule, source)| Candidate {
                rule: rule.clone(),
                source: source.clone(),
                slots: rule
                    .when
                    .iter()
                    .map(|condition| paths.slot(&condition.steps))
                    .collect(),
            })
            .collect();
        // Stable: of equals, the first in the file is named.
        rules.sort_by_key(|candidate| std::cmp::Reverse(candidate.source.verdict));
        let mut per_file = Self {
            name: file.name.clone(),
            rules,
            default: file.default.clone(),
        };
        let opened = file
            .grants
            .as_ref()
            .filter(|_| definition.executor == Executor::Builtin);
        if let Some(line) = opened.and_then(|grants| grants.line_of(definition.names[0].as_str())) {
            // The grant is the rule that allows the call; each is held to it.
            let (name, rule) = (Some(file.name.as_str()), "grants".to_owned());
            per_file.default = Arc::new(source(SourceKind::Rule, name, line, Verdict::Allow, rule));
        }
        let read_only = file.read_only.as_ref();
        let read_only = read_only.filter(|_| definition.effects.kind != Effects::None);
        let confined = file.confined_reads.as_ref();
        let confined = confined.filter(|_| reads_unconfined(definition));
        let of_server = confined.filter(|_| is_local_server(definition));
        let of_server = of_server.map(|denial| Arc::new(of_local_server(denial)));
        if let Some(source) = read_only.or(of_server.as_ref()).or(confined) {
            // Nothing else can be stricter.
            per_file.rules.clear();
            per_file.default = source.clone();
        }
        per_file
    }
}

/// What matches no action: a slip of the keyboard would allow or deny nothing.
fn unmatched(file: &PolicyFile, names: &[&str]) -> Vec<Mistake> {
    let patterns = file.rules.iter().flat_map(|rule| &rule.actions);
    let patterns = patterns.chain(file.budgets.iter().flat_map(|budget| &budget.actions));
    let secrets = file.secrets.iter().flat_map(|(_, rules)| rules);
    let patterns = patterns.chain(secrets.flat_map(|rule| &rule.actions));
    patterns
        .filter(|(pattern, _)| !names.iter().any(|name| pattern.matches(name)))
        .map(|(pattern, line)| {
            let text = pattern.as_str();
            let message = match pattern.is_exact() {
                true => format!(
                    "no action `{}`{}",
                    shown(text),
                    did_you_mean(text, names.iter().copied())
                ),
                false => format!(
                    "`{}` matches no action{}",
                    shown(text),
                    nearest_pattern(text, names)
                ),
            };
            Mistake::new(*line, message)
        })
        .collect()
}

/// A pattern of the same form that would match something: `depoly.*` is near `deploy.*`.
fn nearest_pattern(pattern: &str, names: &[&str]) -> String {
    let Some(start) = pattern
        .strip_suffix(".*")
        .filter(|start| !start.contains('*'))
    else {
        return String::new();
    };
    let prefixes: Vec<&str> = names
        .iter()
        .flat_map(|name| name.match_indices('.').map(|(at, _)| &name[..at]))
        .collect();
    crate::names::nearest(start, prefixes.into_iter())
        .map(|near| format!(" (did you mean `{near}.*`?)"))
        .unwrap_or_default()
}
