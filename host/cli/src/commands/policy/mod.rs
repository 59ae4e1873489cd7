//! `kael-host policy`: what a policy allows, one file a subcommand.

pub(crate) mod args;
mod cases;
mod check;
mod explain;

use std::path::PathBuf;

use super::actions::{ActionsContext, Ended, code};
use crate::args::{Bounds, Shared};
use crate::terminal::Paint;
use kael_engine::environment::Environment;
use kael_engine::gate::Policy;
use kael_engine::runtime::Repo;
use kael_engine::sandbox::Output;

use args::{Policy as Arguments, PolicyCommand};

pub(super) fn run(shared: &Shared, arguments: &Arguments, environment: &Environment) -> u8 {
    let context = |json: &bool| ActionsContext {
        shared,
        environment,
        json: *json,
        paint: Paint::new(environment),
    };
    code(match &arguments.command {
        PolicyCommand::Check { file, json } => check::run(&context(json), file),
        PolicyCommand::Explain {
            action,
            params,
            tenant,
            policy,
            json,
        } => {
            let tenant = tenant.as_deref().unwrap_or(DEFAULT_TENANT);
            explain::run(&context(json), action, params, tenant, policy)
        }
        PolicyCommand::Test { file, policy, json } => cases::run(&context(json), file, policy),
    })
}

/// The tenant of runs that name none.
pub(super) const DEFAULT_TENANT: &str = "default";

/// The repo, and the policy that its calls are held to.
fn loaded(context: &ActionsContext<'_>, files: &[PathBuf]) -> Result<(Repo, Policy), Ended> {
    let bounds = Bounds {
        policy: files.to_vec(),
        ..Bounds::default()
    };
    let (settings, folder) = context.settings_with(bounds)?;
    let loaded = context.wait(async {
        let runtime = settings.runtime(2)?;
        let options = settings.repo_options(&Output::in_memory());
        runtime.load(&folder, options).await
    })?;
    let repo = loaded.map_err(|error| context.load_error(&error))?;
    let policy = repo
        .policy(&settings.policy)
        .map_err(|error| context.load_error(&error.into()))?;
    Ok((repo, policy))
}
