//! What is wrong with a script, found without running any of it.
//!
//! Its syntax is checked by the guest's own Lua, in the sandbox. Then `parser` notes what it names and calls, `globals`
//! and `calls` judge that by what the sandbox says it has, and `params` holds literals against the schemas. Only what is
//! wrong however the script runs is told; a script that the parser cannot read is one of which nothing more is known.

mod calls;
mod globals;
mod lexer;
mod params;
mod parser;
mod requires;
mod syntax_facts;

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::hints;
use super::line_index::LineIndex;
use super::outline::{self, Outline};
use kael_engine::limits::Limits;
use kael_engine::runtime::{LoadError, Repo, Runtime};
use kael_engine::sandbox::Script;

/// Scripts with more bytes are checked for their syntax alone.
const MAX_READ: usize = 4 << 20;
/// What the parser's own levels may take of a stack.
const STACK: usize = 32 << 20;
/// How long a script is looked at, besides its syntax.
const MAX_TIME: Duration = Duration::from_secs(10);
/// Between two looks at the deadline.
const GRACE: Duration = Duration::from_millis(500);
/// Problems that are told of one script.
const MAX_PROBLEMS: usize = 200;

/// Compiles the script that is its first argument, which its second names.
const COMPILE: &str = "local _, problem = load(arg[1], '@' .. arg[2], 't') return problem or ''";

/// Something that is wrong with a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What helps.
    pub remedy: String,
}

/// What a check came to.
#[derive(Debug, Default)]
pub struct Checked {
    /// In the order of their places.
    pub problems: Vec<Problem>,
    /// Why names and literals were not looked at, where they were not.
    pub unread: Option<&'static str>,
}

/// Something that is wrong at a place of the script, in bytes.
struct Found {
    at: usize,
    message: String,
    remedy: String,
}

/// Checks scripts by what one repo gives them.
pub struct Checker {
    judge: Arc<Judge>,
    runtime: Runtime,
    limits: Limits,
}

/// What scripts are judged by.
struct Judge {
    repo: Option<Repo>,
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
    /// It is written in a way that the parser does not know.
    Unread,
    TooLong,
}

impl Checker {
    /// Loads the repo and asks the sandbox what it has.
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
            Some(folder) => Some(runtime.load(folder, crate::within(limits)).await?),
        };
        let outline = outline::outline(runtime, repo.as_ref(), limits)
            .await
            .map_err(LoadError::Fault)?;
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

    /// Checks one script.
    ///
    /// # Errors
    /// When the sandbox does not answer, in words.
    pub async fn check(&self, name: &str, source: &str) -> Result<Checked, String> {
        if let Some(error) = self.syntax(name, source).await? {
            return Ok(Checked {
                problems: vec![error],
                unread: None,
            });
        }
        if source.len() > MAX_READ {
            let unread = Some("it is too large: only its syntax was checked");
            return Ok(Checked {
                unread,
                ..Checked::default()
            });
        }
        let (judge, source) = (self.judge.clone(), source.to_owned());
        let judged = on_a_stack(move |deadline| judge.problems(&source, deadline)).await;
        let unread = match judged {
            Judged::Problems(problems) => {
                return Ok(Checked {
                    problems,
                    unread: None,
                });
            }
            Judged::Unread => {
                "it nests too deep, or is written in a way that is not known: only its syntax was checked"
            }
            Judged::TooLong => "it takes too long to look at: only its syntax was checked",
        };
        Ok(Checked {
            unread: Some(unread),
            ..Checked::default()
        })
    }

    /// What Lua itself says of the syntax.
    async fn syntax(&self, name: &str, source: &str) -> Result<Option<Problem>, String> {
        // As the runtime does: a byte order mark and a first line for the shell are no Lua.
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
        let said = said.map_err(|error| error.to_string())?;
        let said = kael_engine::json::parse(said.as_bytes()).map_err(|error| error.to_string())?;
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
        let Some(facts) = parser::read(source) else {
            return Judged::Unread;
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

/// Lua says the line, and which word it stumbled over.
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

/// Does work that may nest, with room for it, beside the thread that hears signals. Where it takes
/// too long it is not waited for: it ends at the deadline, or with the process.
async fn on_a_stack(work: impl FnOnce(Deadline) -> Judged + Send + 'static) -> Judged {
    let deadline = Instant::now() + MAX_TIME;
    let (done, judged) = oneshot::channel();
    let thread = std::thread::Builder::new().stack_size(STACK);
    let begun = thread.spawn(move || done.send(work(Deadline(deadline))).ok());
    if begun.is_err() {
        return Judged::Unread;
    }
    match tokio::time::timeout_at((deadline + GRACE).into(), judged).await {
        Ok(judged) => judged.unwrap_or(Judged::Unread),
        Err(_) => Judged::TooLong,
    }
}
