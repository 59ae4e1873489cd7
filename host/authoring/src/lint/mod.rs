//! Finds mistakes in a script without running it.
//!
//! The guest's Lua checks the syntax, in the sandbox. `parser` then collects the names and calls.
//! `globals` and `calls` compare them with what the sandbox has, and `params` checks literals
//! against the schemas. Only certain mistakes are reported. If the parser cannot read a script,
//! only its syntax is checked.

mod calls;
mod globals;
mod lexer;
mod params;
mod parser;
mod requires;
mod syntax_facts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::hints;
use super::line_index::LineIndex;
use super::outline::{self, Outline, SandboxError};
use kael_engine::limits::Limits;
use kael_engine::runtime::{LoadError, Repo, Runtime};
use kael_engine::sandbox::Script;

/// A script with more bytes has only its syntax checked.
const MAX_READ: usize = 4 << 20;
/// The stack for the parser's recursion.
const STACK: usize = 32 << 20;
/// How long a script is looked at, besides its syntax.
const MAX_TIME: Duration = Duration::from_secs(10);
/// Between two looks at the deadline.
const GRACE: Duration = Duration::from_millis(500);
/// The most problems reported for one script.
const MAX_PROBLEMS: usize = 200;

/// Compiles the script in the first argument. The second is its name.
const COMPILE: &str = "local _, problem = load(arg[1], '@' .. arg[2], 't') return problem or ''";

/// A mistake in a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1.
    pub line: u32,
    /// Counted in characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// How to fix it.
    pub remedy: String,
}

/// The result of a check.
#[derive(Debug, Default)]
pub struct ScriptCheck {
    /// In the order of their positions.
    pub problems: Vec<Problem>,
    /// Why names and literals were not checked, if they were not.
    pub unread: Option<&'static str>,
}

/// The globals that a script reads and does not set, each with the line of the first time; none for
/// a script that cannot be read.
#[must_use]
pub fn globals_read(source: &str) -> Vec<(String, usize)> {
    if source.len() > MAX_READ {
        return Vec::new();
    }
    let (text, (done, facts)) = (source.to_owned(), mpsc::channel());
    let until = on_a_thread(move |_| _ = done.send(parser::facts(&text).ok()));
    let wait = |until: Instant| facts.recv_timeout(until.saturating_duration_since(Instant::now()));
    let Some(Ok(Some(facts))) = until.map(wait) else {
        return Vec::new();
    };
    let index = LineIndex::new(source);
    let mut seen = BTreeSet::new();
    let reads = facts
        .reads
        .iter()
        .filter(|read| !facts.set.contains(&read.name) && seen.insert(read.name.as_str()));
    reads
        .map(|read| (read.name.clone(), index.line_of(source, read.at).0 + 1))
        .collect()
}

/// A mistake and its position in bytes.
struct Found {
    at: usize,
    message: String,
    remedy: String,
}

/// Checks scripts against one repo.
pub struct Checker {
    judge: Arc<Judge>,
    runtime: Runtime,
    limits: Limits,
}

/// What scripts are judged by.
struct Judge {
    repo: Option<Arc<Repo>>,
    outline: Outline,
    /// What modules of the repo set when they are required.
    set_by_modules: OnceLock<BTreeSet<String>>,
}

/// When looking at a script has taken too long.
#[derive(Debug, Clone, Copy)]
struct Deadline(Instant);

impl Deadline {
    fn is_over(self) -> bool {
        Instant::now() >= self.0
    }
}

/// How looking at a script ended.
enum Judged {
    Problems(Vec<Problem>),
    Unread(parser::Unread),
    TooLong,
}

impl Checker {
    /// Loads the repo and asks the sandbox for its names.
    ///
    /// # Errors
    /// When the repo is not valid.
    pub async fn new(
        runtime: &Runtime,
        folder: Option<&std::path::Path>,
        limits: &Limits,
    ) -> Result<Self, LoadError> {
        let repo = match folder {
            None => None,
            Some(folder) => {
                let repo = runtime.load(folder, crate::within(limits)).await?;
                Some(Arc::new(repo))
            }
        };
        Self::of(runtime, repo, limits).await
    }

    /// The same for a repo that was loaded already.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub async fn of(
        runtime: &Runtime,
        repo: Option<Arc<Repo>>,
        limits: &Limits,
    ) -> Result<Self, LoadError> {
        let outline = outline::outline(runtime, repo.as_deref(), limits)
            .await
            .map_err(|error| LoadError::Fault(error.to_string()))?;
        let judge = Judge {
            repo,
            outline,
            set_by_modules: OnceLock::new(),
        };
        Ok(Self {
            judge: Arc::new(judge),
            runtime: runtime.clone(),
            limits: limits.clone(),
        })
    }

    /// Every global of a script, with its fields if it is a plain table.
    #[must_use]
    pub fn globals(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.judge.outline.globals
    }

    /// Checks one script.
    ///
    /// # Errors
    /// When the sandbox does not answer.
    pub async fn check(&self, name: &str, source: &str) -> Result<ScriptCheck, SandboxError> {
        if let Some(error) = self.syntax(name, source).await? {
            return Ok(ScriptCheck {
                problems: vec![error],
                unread: None,
            });
        }
        if source.len() > MAX_READ {
            let unread = Some("it is too large: only its syntax was checked");
            return Ok(ScriptCheck {
                unread,
                ..ScriptCheck::default()
            });
        }
        let (judge, source) = (self.judge.clone(), source.to_owned());
        let judged = on_a_stack(move |deadline| judge.problems(&source, deadline)).await;
        let unread = match judged {
            Judged::Problems(problems) => {
                return Ok(ScriptCheck {
                    problems,
                    unread: None,
                });
            }
            Judged::Unread(parser::Unread::TooManyNames) => {
                "it has too many names: only its syntax was checked"
            }
            Judged::Unread(parser::Unread::Unknown) => {
                "it nests too deep, or is written in a way that is not known: only its syntax was checked"
            }
            Judged::TooLong => "it takes too long to look at: only its syntax was checked",
        };
        Ok(ScriptCheck {
            unread: Some(unread),
            ..ScriptCheck::default()
        })
    }

    /// The syntax error that Lua reports.
    pub async fn syntax(&self, name: &str, source: &str) -> Result<Option<Problem>, SandboxError> {
        // Skips a byte order mark and a first line for the shell, as the runtime does.
        let text = source.strip_prefix('\u{feff}').unwrap_or(source);
        let text = match text.starts_with('#') {
            true => text.find('\n').map_or("", |end| &text[end..]),
            false => text,
        };
        let script = Script {
            name: "(check)".to_owned(),
            source: COMPILE.into(),
            args: vec![text.to_owned(), "script".to_owned()],
            want_result: true,
            ..Script::default()
        };
        let said = self.runtime.eval_internal(None, script, &self.limits).await;
        let said = said.map_err(|error| SandboxError::Failed(error.to_string()))?;
        let said = kael_engine::json::parse(said.as_bytes())?;
        let said = said.as_str().unwrap_or_default();
        if said.is_empty() {
            return Ok(None);
        }
        tracing::debug!("{name}: {said}");
        let (line, message) = said
            .strip_prefix("script:")
            .and_then(|rest| rest.split_once(": "))
            .and_then(|(line, message)| Some((line.parse::<u32>().ok()?, message)))
            .unwrap_or((1, said));
        Ok(Some(Problem {
            line,
            column: column_of(source, line, message),
            message: message.to_owned(),
            remedy: hints::of_error(message)
                .unwrap_or_else(|| "mend this first: nothing else was checked".to_owned()),
        }))
    }
}

impl Judge {
    fn problems(&self, source: &str, deadline: Deadline) -> Judged {
        let facts = match parser::facts(source) {
            Ok(facts) => facts,
            Err(why) => return Judged::Unread(why),
        };
        let mut found = self.found(&facts, deadline);
        if deadline.is_over() {
            return Judged::TooLong;
        }
        found.sort_by_key(|found| found.at);
        found.truncate(MAX_PROBLEMS);
        let index = LineIndex::new(source);
        let problem_of = |found: Found| {
            let (line, start) = index.line_of(source, found.at);
            Problem {
                line: u32::try_from(line + 1).unwrap_or(u32::MAX),
                column: count(source.get(start..found.at).unwrap_or_default()),
                message: found.message,
                remedy: found.remedy,
            }
        };
        Judged::Problems(found.into_iter().map(problem_of).collect())
    }

    /// What modules set when they are required.
    fn set_by_modules(&self, repo: &Repo) -> &BTreeSet<String> {
        self.set_by_modules.get_or_init(|| {
            let modules = repo.bundle.modules.iter();
            modules
                .filter(|module| module.source.len() <= MAX_READ)
                .filter_map(|module| parser::read(&module.source))
                .flat_map(|facts| facts.set)
                .collect()
        })
    }

    fn found(&self, facts: &syntax_facts::Facts, deadline: Deadline) -> Vec<Found> {
        let requires = facts.reads.iter().any(|read| read.name == "require");
        let none = BTreeSet::new();
        let others = match &self.repo {
            Some(repo) if requires => self.set_by_modules(repo),
            _ => &none,
        };
        let mut found = globals::check(facts, &self.outline.globals, others, deadline);
        let modules: Option<BTreeSet<&str>> = self.repo.as_ref().map(|repo| {
            let modules = repo.bundle.modules.iter();
            modules.map(|module| module.name.as_str()).collect()
        });
        found.extend(requires::check(
            facts,
            &self.outline.globals,
            modules.as_ref(),
            deadline,
        ));
        match (&self.repo, &self.outline.tree) {
            (Some(repo), Some(tree)) => {
                found.extend(calls::check(facts, &repo.catalog, tree, deadline))
            }
            _ => {
                let uses = facts
                    .reads
                    .iter()
                    .find(|read| read.name == "actions" && read.indexed);
                found.extend(uses.filter(|_| !facts.set.contains("actions")).map(|read| Found {
                    at: read.at,
                    message: "the script calls actions, and no actions repo was given".to_owned(),
                    remedy: "use --actions DIR, KAEL_ACTIONS, or `actions_path` in the configuration".to_owned(),
                }));
            }
        }
        found
    }
}

/// Lua reports the line and the offending token. This finds the token's column.
fn column_of(source: &str, line: u32, message: &str) -> u32 {
    let text = source
        .lines()
        .nth(line.saturating_sub(1) as usize)
        .unwrap_or_default();
    let quoted = message
        .rsplit_once('\'')
        .and_then(|(before, _)| before.rsplit_once('\''));
    let near = quoted.map(|(_, word)| word).filter(|word| !word.is_empty());
    let at = near
        .and_then(|near| text.rfind(near))
        .unwrap_or_else(|| text.len() - text.trim_start().len());
    count(&text[..at])
}

fn count(text: &str) -> u32 {
    u32::try_from(text.chars().count() + 1).unwrap_or(u32::MAX)
}

/// Begins work that may nest on a thread of its own, with room for it. Returns until when it is worth waiting; none if
/// there is no thread.
fn on_a_thread(work: impl FnOnce(Deadline) + Send + 'static) -> Option<Instant> {
    let deadline = Instant::now() + MAX_TIME;
    let thread = std::thread::Builder::new().stack_size(STACK);
    thread.spawn(move || work(Deadline(deadline))).ok()?;
    Some(deadline + GRACE)
}

/// Does work that may nest, with room for it, beside the thread that hears signals. Where it takes
/// too long it is not waited for: it ends at the deadline, or with the process.
async fn on_a_stack(work: impl FnOnce(Deadline) -> Judged + Send + 'static) -> Judged {
    let (done, judged) = oneshot::channel();
    let Some(until) = on_a_thread(move |deadline| _ = done.send(work(deadline))) else {
        return Judged::Unread(parser::Unread::Unknown);
    };
    match tokio::time::timeout_at(until.into(), judged).await {
        Ok(judged) => judged.unwrap_or(Judged::Unread(parser::Unread::Unknown)),
        Err(_) => Judged::TooLong,
    }
}
