//! Checks the configuration, and the actions repo that it names.

use std::path::Path;

use super::{Finding, Status};
use crate::config::{Config, ConfigError, Key};
use kael_engine::limits::Limits;
use kael_engine::runtime::{LoadError, RepoOptions, Runtime};

/// The files of the configuration, or what is wrong with them.
pub(super) fn config(config: Result<&Config, &ConfigError>) -> Finding {
    match config {
        Err(error) => {
            let remedy = match &error.hint {
                Some(hint) => hint.clone(),
                None => {
                    "mend it there; kael-host config shows every setting with its place".to_owned()
                }
            };
            Finding::new(
                "config",
                Status::Missing,
                error.to_string().replace('\n', "; "),
                &remedy,
            )
        }
        Ok(config) if config.files.is_empty() => {
            Finding::ok("config", "no files: variables, flags and defaults")
        }
        Ok(config) => {
            let files = config
                .files
                .iter()
                .map(|file| file.path.display().to_string());
            Finding::ok("config", files.collect::<Vec<_>>().join(", "))
        }
    }
}

/// Whether the repo loads and its definitions are valid, if one is named.
pub(super) async fn repo(config: Option<&Config>) -> Finding {
    let Some(folder) = config.and_then(|config| config.path(Key::ActionsPath)) else {
        let detail = "no actions repo is named (--actions, KAEL_ACTIONS, or `actions_path`)";
        return Finding::ok("repo", detail);
    };
    let limits = config.map(Config::limits).unwrap_or_default();
    match looked(&folder, &limits).await {
        Ok(detail) => Finding::ok("repo", detail),
        Err(detail) => Finding::new(
            "repo",
            Status::Missing,
            detail,
            "kael-host actions validate shows all that is wrong",
        ),
    }
}

async fn looked(folder: &Path, limits: &Limits) -> Result<String, String> {
    let loading = async {
        let runtime = Runtime::builder().instances(2).build()?;
        let options = RepoOptions {
            limits: limits.clone(),
            ..RepoOptions::default()
        };
        runtime.load_lenient(folder, options).await
    };
    let loaded: Result<_, LoadError> = loading.await;
    let (repo, problems) = loaded.map_err(|error| error.to_string())?;
    let count = repo.catalog.iter().count();
    match &problems[..] {
        [] => Ok(format!("{count} actions in {}", folder.display())),
        [one] => Err(one.to_string()),
        [first, more @ ..] => Err(format!("{first}; and {} more", more.len())),
    }
}
