//! Looks at what a machine has of what Kael needs. Finds; the command line prints.

mod confinement;
mod programs;

use std::path::Path;

use serde::Serialize;

use crate::environment::Environment;
use crate::executor::envyr;
use crate::executor::machine;

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
}

impl Finding {
    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            status: Status::Ok,
            detail: detail.into(),
            remedy: None,
        }
    }

    fn new(name: &'static str, status: Status, detail: impl Into<String>, remedy: &str) -> Self {
        Self {
            name,
            status,
            detail: detail.into(),
            remedy: Some(remedy.to_owned()),
        }
    }
}

/// Looks at everything. Where the whole confinement is required, what is lacking of it counts as missing.
pub async fn examine(
    settings: &envyr::Settings,
    environment: &Environment,
    required: bool,
) -> Vec<Finding> {
    let data = environment.data_folder();
    let mut findings = vec![
        programs::envyr(settings, environment, &data),
        data_folder(&data),
    ];
    findings.extend(programs::languages(environment));
    findings.push(programs::containers(environment, &data));
    let confinement = confinement::findings(&machine().await);
    findings.extend(confinement.into_iter().map(|finding| match finding.status {
        Status::Limited if required => Finding {
            status: Status::Missing,
            ..finding
        },
        _ => finding,
    }));
    findings
}

fn data_folder(data: &Path) -> Finding {
    let write = || {
        std::fs::create_dir_all(data)?;
        tempfile::tempfile_in(data).map(|_| ())
    };
    let shown = data.display();
    match write() {
        Ok(()) => Finding::ok("data", format!("{shown} can be written")),
        Err(problem) => Finding::new(
            "data",
            Status::Missing,
            format!("{shown} cannot be written: {problem}"),
            "let this user write there, or name another folder with KAEL_DATA",
        ),
    }
}
