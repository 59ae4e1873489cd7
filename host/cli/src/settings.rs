//! From what was typed, found and set to what one command is told.

use std::path::PathBuf;
use std::sync::Arc;

use super::args::{Bounds, Shared};
use crate::config::{Config, ConfigError, Key, Value};
use kael_engine::app::Settings;
use kael_engine::environment::Environment;
use kael_engine::executor::envyr;
use kael_engine::gate::{CacheUse, Pattern, Policy};

/// The configuration with what was typed on top.
pub(super) fn config(
    shared: &Shared,
    bounds: &Bounds,
    environment: &Environment,
) -> Result<Config, ConfigError> {
    // Where there is no working folder, there is no project either.
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

/// What one command is told.
pub(super) fn settings(config: &Config, bounds: &Bounds, environment: Environment) -> Settings {
    let policy = |patterns: &[String]| Policy {
        deny: patterns.iter().map(|text| Pattern::new(text)).collect(),
        ..Policy::default()
    };
    Settings {
        executors: vec![Arc::new(kael_wasm::WasmFactory)],
        actions: config.path(Key::ActionsPath),
        limits: config.limits(),
        policy: Policy {
            files: config.policies.clone(),
            read_only: bounds.read_only,
            audit: config.audit.clone(),
            ..policy(&config.list(Key::Deny))
        },
        typed: policy(&bounds.deny),
        cache: match (bounds.no_cache, bounds.refresh) {
            (true, _) => CacheUse::Off,
            (false, true) => CacheUse::Refresh,
            (false, false) => CacheUse::Normal,
        },
        rehearsal: None,
        recorder: None,
        envyr: envyr(config),
        environment,
    }
}

/// What was said of envyr.
pub(super) fn envyr(config: &Config) -> envyr::Settings {
    envyr::Settings {
        envyr: config.path(Key::Envyr),
        fetch_env: config.list(Key::FetchEnv),
        confinement: config.confinement(),
        // This very program, with its hidden command.
        compiler: std::env::current_exe().ok(),
        ..envyr::Settings::default()
    }
}
