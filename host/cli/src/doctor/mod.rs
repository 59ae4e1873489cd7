//! Looks at what a machine has of what Kael needs. Finds; the command line prints.

mod confinement;
mod fix;
mod programs;
mod settings;
mod storage;

pub use fix::{Fix, Fixed, fix};

use serde::Serialize;

use crate::config::{Config, ConfigError, Confinement, Key};
use kael_engine::environment::Environment;
use kael_engine::executor::machine;

/// How something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    Ok,
    /// There, but it does not promise all that it could.
    Limited,
    /// Not there, and only some actions need it.
    Absent,
    /// Not there, and nothing goes without it.
    Missing,
}

/// One thing that was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// One word.
    pub name: &'static str,
    /// How it was found.
    pub status: Status,
    /// What was found, and what that means.
    pub detail: String,
    /// What would help, where something is to be helped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// What [`fix`] would do, where it can do something.
    #[serde(skip)]
    pub fix: Option<Fix>,
}

impl Finding {
    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Ok,
            detail: detail.into(),
            remedy: None,
            fix: None,
        }
    }

    fn new(name: &'static str, status: Status, detail: impl Into<String>, remedy: &str) -> Self {
        Self {
            name,
            status,
            detail: detail.into(),
            remedy: Some(remedy.to_owned()),
            fix: None,
        }
    }
}

/// Looks at everything. Where the whole confinement is required, what is lacking of it counts as missing. Where the
/// configuration is wrong, the rest is looked at as if there were none.
pub async fn examine(
    config: Result<&Config, &ConfigError>,
    environment: &Environment,
) -> Vec<Finding> {
    let data = environment.data_folder();
    let settled = config.ok();
    let named = settled.and_then(|config| config.path(Key::Envyr));
    let runner = settled.map(Config::runner).unwrap_or_default();
    // Before anything else: to look at programs makes this folder.
    let folder = storage::data(&data);
    let mut findings = vec![
        settings::config(config),
        programs::envyr(runner, named.as_deref(), environment, &data),
        folder,
        storage::caches(&data),
        settings::repo(settled).await,
    ];
    findings.extend(programs::languages(environment));
    findings.push(programs::containers(environment, &data));
    let wanted = settled.map(Config::confinement).unwrap_or_default();
    if wanted == Confinement::Off {
        findings.push(confinement::off());
        return findings;
    }
    let confinement = confinement::findings(&machine().await);
    findings.extend(confinement.into_iter().map(|finding| match finding.status {
        Status::Limited if wanted == Confinement::Required => Finding {
            status: Status::Missing,
            ..finding
        },
        _ => finding,
    }));
    findings
}
