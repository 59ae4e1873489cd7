//! All that is wrong with an actions repo, each with its place.

use std::path::Path;

use crate::within;
use kael_engine::catalog::{Catalog, Definition, Effects};
use kael_engine::gate::Policy;
use kael_engine::limits::Limits;
use kael_engine::names::{ActionName, few};
use kael_engine::policy::{PolicyError, Verdict, is_local_server, reads_unconfined};
use kael_engine::runtime::{LoadError, Repo, Runtime};

/// Something that is wrong.
#[derive(Debug, Clone)]
pub struct Finding {
    /// As errors name it; none when it is the repo as a whole.
    pub file: Option<String>,
    /// From 1.
    pub line: Option<u32>,
    /// The action it is about, where one is known.
    pub action: Option<ActionName>,
    /// What is wrong.
    pub message: String,
    /// Whether the repo can be used in spite of it.
    pub harmless: bool,
}

/// What a check came to.
#[derive(Debug, Default)]
pub struct RepoCheck {
    /// How many actions the repo has.
    pub actions: usize,
    /// In the order of their places; those of several actions come last.
    pub findings: Vec<Finding>,
}

impl RepoCheck {
    /// Whether the repo can be used.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.findings.iter().all(|finding| finding.harmless)
    }
}

/// The errors of the policy, and the actions that it denies with any parameters.
fn of_policy(policy: &Policy, repo: &Repo) -> Vec<Finding> {
    let policy = match repo.policy(policy) {
        Ok(policy) => policy,
        Err(error) => {
            let problems = error.problems.iter();
            return problems.map(|problem| at_place(problem, &error)).collect();
        }
    };
    let denied = repo.catalog.iter().filter_map(|(name, definition)| {
        let decision = policy.always(definition)?;
        (decision.verdict == Verdict::Deny).then(|| Finding {
            file: Some(definition.location.file.clone()),
            line: Some(definition.location.line),
            action: Some(name.clone()),
            message: format!("no script can call it: denied by {}", decision.source),
            harmless: true,
        })
    });
    denied.collect()
}

/// What definitions leave open, one line each however many actions there are.
fn of_several(repo: &Repo) -> Vec<Finding> {
    let messages = unconfined_reads(&repo.catalog).into_iter();
    let messages = messages.chain(local_servers(&repo.catalog));
    let messages = messages.chain(assumed_effects(&repo.catalog));
    let findings = messages.map(|message| Finding {
        file: None,
        line: None,
        action: None,
        message,
        harmless: true,
    });
    findings.collect()
}

/// The names of the actions that something holds for.
fn names_of(catalog: &Catalog, holds: impl Fn(&Definition) -> bool) -> Vec<&str> {
    let found = catalog.iter().filter(|(_, definition)| holds(definition));
    found.map(|(name, _)| name.as_str()).collect()
}

/// Tools of servers that are programs of this machine.
fn local_servers(catalog: &Catalog) -> Option<String> {
    let names = names_of(catalog, is_local_server);
    (!names.is_empty()).then(|| {
        format!(
            "servers of {} are programs of this machine, and read what their user may",
            few(&names)
        )
    })
}

fn unconfined_reads(catalog: &Catalog) -> Option<String> {
    let silent =
        |definition: &Definition| reads_unconfined(definition) && !is_local_server(definition);
    let names = names_of(catalog, silent);
    match names[..] {
        [] => None,
        [name] => Some(format!(
            "{name} names no `reads`, and reads what its user may"
        )),
        _ => Some(format!(
            "{} native actions name no `reads`, and read what their user may: {}",
            names.len(),
            few(&names)
        )),
    }
}

/// What is concluded from `cache` and `retry` of actions that do not say what they do to the world.
fn assumed_effects(catalog: &Catalog) -> Option<String> {
    let kinds = [Effects::Once, Effects::Idempotent, Effects::None];
    let parts = kinds.into_iter().filter_map(|kind| {
        let assumed = |definition: &Definition| {
            definition.effects.is_assumed && definition.effects.kind == kind
        };
        let names = names_of(catalog, assumed);
        let shown = few(&names);
        (!names.is_empty()).then(|| format!("\"{}\" of {shown}", kind.name()))
    });
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| {
        let all = parts.join(", ");
        format!("`effects` is assumed where definitions name none: {all}")
    })
}

/// A problem of a policy, taken apart into its place and the rest.
fn at_place(problem: &str, error: &PolicyError) -> Finding {
    let parts = error.texts.iter().find_map(|(name, _)| {
        let rest = problem.strip_prefix(name.as_str())?.strip_prefix(':')?;
        let (line, message) = rest.split_once(": ")?;
        Some((name.clone(), line.parse().ok()?, message.to_owned()))
    });
    let (file, line, message) = match parts {
        Some((file, line, message)) => (Some(file), Some(line), message),
        None => (None, None, problem.to_owned()),
    };
    Finding {
        file,
        line,
        action: None,
        message,
        harmless: false,
    }
}

/// Checks that a repo loads, every definition, that sources and entry points exist, and that files of
/// WebAssembly get what they import. With `fetch` it fetches git repositories; without, it notes those
/// that were not fetched yet and leaves them out.
///
/// # Errors
/// When it cannot be read or evaluated at all.
pub async fn check(
    runtime: &Runtime,
    limits: &Limits,
    policy: &Policy,
    folder: &Path,
    fetch: bool,
) -> Result<RepoCheck, LoadError> {
    let (repo, mut problems) = runtime.load_lenient(folder, within(limits)).await?;
    problems.extend(repo.wrong_grants());
    let mut findings: Vec<Finding> = problems
        .into_iter()
        .map(|error| Finding {
            file: Some(error.location.file),
            line: Some(error.location.line),
            action: None,
            message: error.error,
            harmless: false,
        })
        .collect();
    findings.extend(repo.catalog.unnamed().iter().map(|location| {
        Finding {
            file: Some(location.file.clone()),
            line: Some(location.line),
            action: None,
            message:
                "nothing can call this action: the table that init.lua returns does not hold it"
                    .to_owned(),
            harmless: true,
        }
    }));
    findings.extend(of_policy(policy, &repo));
    for (name, definition) in repo.catalog.iter() {
        let (message, harmless) = match repo.executors().look(definition, fetch).await {
            Ok(Some(_)) => continue,
            Ok(None) => {
                let word =
                    "its repository was not fetched yet, and so not checked (--fetch does that)";
                (word.to_owned(), true)
            }
            Err(error) => (error.message, false),
        };
        findings.push(Finding {
            file: Some(definition.location.file.clone()),
            line: Some(definition.location.line),
            action: Some(name.clone()),
            message,
            harmless,
        });
    }
    findings.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    findings.extend(of_several(&repo));
    Ok(RepoCheck {
        actions: repo.catalog.iter().count(),
        findings,
    })
}
