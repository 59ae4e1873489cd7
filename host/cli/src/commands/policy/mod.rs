//! `kael-host policy`: what a policy allows, one file a subcommand.

mod cases;
mod check;
mod explain;

use std::path::PathBuf;

use serde_json::{Value, json};

use super::actions::{Ended, Session, code};
use crate::args::{Bounds, Policy as Arguments, PolicyCommand, Shared};
use crate::terminal::Paint;
use kael_engine::app::{self, Repo};
use kael_engine::environment::Environment;
use kael_engine::gate::Policy;
use kael_engine::policy::{Rulebook, Source};

pub(super) fn run(shared: &Shared, arguments: &Arguments, environment: &Environment) -> u8 {
    let session = |json: &bool| Session {
        shared,
        environment,
        json: *json,
        paint: Paint::new(environment),
    };
    code(match &arguments.command {
        PolicyCommand::Check { file, json } => check::run(&session(json), file),
        PolicyCommand::Explain {
            action,
            params,
            tenant,
            policy,
            json,
        } => {
            let tenant = tenant.as_deref().unwrap_or(DEFAULT_TENANT);
            explain::run(&session(json), action, params, tenant, policy)
        }
        PolicyCommand::Test { file, policy, json } => cases::run(&session(json), file, policy),
    })
}

/// For whom scripts run that name nobody.
pub(super) const DEFAULT_TENANT: &str = "default";

/// The repo, and the policy that its calls are held to.
fn loaded(session: &Session<'_>, files: &[PathBuf]) -> Result<(Repo, Policy), Ended> {
    let bounds = Bounds {
        policy: files.to_vec(),
        ..Bounds::default()
    };
    let (settings, folder) = session.settings_with(bounds)?;
    let loaded = session.wait(app::inspect(&folder, &settings.limits))?;
    let repo = match loaded {
        Ok((repo, problems)) if problems.is_empty() => repo,
        Ok((_, problems)) => {
            return Err(session.app_error(&app::AppError::Definitions(problems)));
        }
        Err(error) => return Err(session.app_error(&error)),
    };
    let policy = repo
        .policy(&settings.policy)
        .map_err(|error| session.app_error(&error.into()))?;
    Ok((repo, policy))
}

/// The rules, of which there may be none: then everything is allowed.
fn rules(policy: &Policy) -> Option<&Rulebook> {
    policy.rulebook.as_deref()
}

/// How reports name a rule.
pub(crate) fn told(source: &Source) -> Value {
    json!({
        "verdict": source.verdict.word(),
        "rule": source.rule,
        "file": source.file,
        "line": source.file.is_some().then_some(source.line),
        "reason": source.reason,
    })
}
