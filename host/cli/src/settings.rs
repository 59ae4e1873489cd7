//! Turns the configuration and the command line into the engine's settings.

use std::path::PathBuf;
use std::sync::Arc;

use super::args::{Bounds, Shared};
use super::counts;
use crate::config::{Config, ConfigError, Key, Value};
use kael_engine::environment::Environment;
use kael_engine::executor::programs;
use kael_engine::gate::{CacheUse, DryRun, Pattern, Policy, Recorder};
use kael_engine::limits::Limits;
use kael_engine::runtime::{LoadError, Repo, RepoOptions, RunOptions, Runtime};
use kael_engine::sandbox::Output;
use kael_secrets::Secrets;

/// The settings of one command.
pub(super) struct Settings {
    /// The folder of the actions repo; without one a script runs with no actions.
    pub(super) actions: Option<PathBuf>,
    /// For the script, and for loading the repo.
    pub(super) limits: Limits,
    /// What the script may call.
    pub(super) policy: Policy,
    /// The part of the policy that was typed for this very run: what denies nothing there is a
    /// slip.
    pub(super) cli_policy: Policy,
    /// What is done with results that may be used again.
    pub(super) cache: CacheUse,
    /// Answers calls instead of running them.
    pub(super) dry_run: Option<Arc<DryRun>>,
    /// Writes down the answers.
    pub(super) recorder: Option<Arc<Recorder>>,
    /// Which envyr, what fetching may see, and how much of their confinement actions need.
    pub(super) envyr: programs::Settings,
    /// What the program was started with.
    pub(super) environment: Environment,
}

impl Settings {
    /// A runtime with so many instances: one for the repo, and one for each script or session at
    /// the same time.
    pub(super) fn runtime(&self, instances: u32) -> Result<Runtime, LoadError> {
        let runtime = Runtime::builder()
            .instances(instances)
            .environment(self.environment.clone())
            .programs(self.envyr.clone())
            .executor(Arc::new(kael_wasm::WasmFactory::new()));
        #[cfg(feature = "stdlib")]
        let runtime = runtime
            .executor(Arc::new(kael_stdlib::StdlibFactory))
            .library(kael_stdlib::library());
        #[cfg(feature = "mcp")]
        let runtime = runtime.executor(Arc::new(kael_mcp::client::McpFactory));
        Ok(runtime.build()?)
    }

    /// How the repo is loaded.
    pub(super) fn repo_options(&self, output: &Output) -> RepoOptions {
        RepoOptions {
            limits: self.limits.clone(),
            output: output.clone(),
            ..RepoOptions::default()
        }
    }

    /// The repo, if one is named, once this machine has what its actions require. A pattern that
    /// was typed and that denies nothing is warned of.
    pub(super) async fn repo(
        &self,
        runtime: &Runtime,
        output: &Output,
    ) -> Result<Option<Arc<Repo>>, LoadError> {
        let repo = match &self.actions {
            Some(folder) => Some(runtime.repo(folder, self.repo_options(output)).await?),
            None => {
                runtime.require_confinement().await?;
                None
            }
        };
        if let Some(repo) = &repo {
            repo.policy(&self.policy)?;
        }
        let catalog = repo.as_ref().map(|repo| repo.catalog.iter());
        let definitions = catalog.into_iter().flatten();
        let library = repo.as_ref().and_then(|repo| repo.catalog.library());
        // Definitions of the host are made when they are looked at.
        let brought = library.filter(|_| !self.cli_policy.deny.is_empty());
        let brought = brought.into_iter().flat_map(|library| library.iter());
        let names: Vec<_> = definitions
            .flat_map(|(_, found)| &found.names)
            .chain(brought.flat_map(|found| &found.names))
            .collect();
        for pattern in self.cli_policy.unmatched(&names) {
            tracing::warn!("--deny {} matches no action of the repo", pattern.as_str());
        }
        Ok(repo)
    }

    /// How a script runs.
    pub(super) fn run_options(&self, output: Output) -> RunOptions {
        RunOptions {
            limits: self.limits.clone(),
            policy: self.policy.clone(),
            output,
            cache: self.cache,
            dry_run: self.dry_run.clone(),
            recorder: self.recorder.clone(),
            secrets: Some(Arc::new(Secrets::new(self.environment.clone()))),
            ..RunOptions::default()
        }
    }
}

/// The configuration, with the command line's flags.
pub(super) fn config(
    shared: &Shared,
    bounds: &Bounds,
    environment: &Environment,
) -> Result<Config, ConfigError> {
    // Without a working folder there is no project.
    let folder = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let mut config = Config::resolve(environment, &folder, flags(shared, bounds))?;
    if let Some(path) = &bounds.audit {
        config.open_audit(path)?;
    }
    Ok(config)
}

fn flags(shared: &Shared, bounds: &Bounds) -> Vec<(Key, Value)> {
    let list = |texts: &Vec<String>| (!texts.is_empty()).then(|| Value::List(texts.clone()));
    let trimmed: Vec<String> = shared
        .fetch_env
        .iter()
        .flat_map(|names| crate::config::words(names))
        .collect();
    [
        (Key::ActionsPath, shared.actions.clone().map(Value::Path)),
        (Key::Runner, shared.runner.map(Value::Runner)),
        (Key::Envyr, shared.envyr.clone().map(Value::Path)),
        (Key::FetchEnv, list(&trimmed)),
        (Key::Deny, list(&bounds.deny)),
        (
            Key::Policy,
            (!bounds.policy.is_empty()).then(|| Value::Paths(bounds.policy.clone())),
        ),
        (Key::Confinement, bounds.confinement.map(Value::Confinement)),
        (Key::MaxMemory, bounds.max_memory.map(Value::Size)),
        (Key::MaxCpu, bounds.max_cpu.map(Value::Time)),
        (Key::Timeout, bounds.timeout.map(Value::Time)),
        (Key::MaxOutput, bounds.max_output.map(Value::Size)),
        (Key::MaxCalls, bounds.max_calls.map(Value::Count)),
        (Key::MaxParallel, bounds.max_parallel.map(Value::Count)),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key, value?)))
    .collect()
}

/// Makes the settings of one command from the configuration.
pub(super) fn settings(config: &Config, bounds: &Bounds, environment: Environment) -> Settings {
    let policy = |patterns: &[String]| Policy {
        deny: patterns.iter().map(|text| Pattern::new(text)).collect(),
        ..Policy::default()
    };
    Settings {
        actions: config.path(Key::ActionsPath),
        limits: config.limits(),
        policy: Policy {
            files: config.policies.clone(),
            read_only: bounds.read_only,
            audit: config.audit.clone(),
            counter: counts::counter(&environment),
            guarded: config.guarded.clone(),
            ..policy(&config.list(Key::Deny))
        },
        cli_policy: policy(&bounds.deny),
        cache: match (bounds.no_cache, bounds.refresh) {
            (true, _) => CacheUse::Off,
            (false, true) => CacheUse::Refresh,
            (false, false) => CacheUse::Normal,
        },
        dry_run: None,
        recorder: None,
        envyr: envyr(config),
        environment,
    }
}

/// What was said of envyr.
pub(super) fn envyr(config: &Config) -> programs::Settings {
    programs::Settings {
        runner: config.runner(),
        envyr: config.path(Key::Envyr),
        fetch_env: config.list(Key::FetchEnv),
        confinement: config.confinement(),
        // This very program, with its hidden commands.
        compiler: std::env::current_exe().ok(),
        starter: std::env::current_exe().ok(),
        hidden: Some(kael_secrets::files),
        ..programs::Settings::default()
    }
}
