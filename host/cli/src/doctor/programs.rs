//! Checks that the programs which Kael and actions need are installed and work.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Finding, Fix, Status};
use crate::config::Runner;
use kael_engine::environment::Environment;
use kael_engine::executor::{ask, envyr, programs};

/// What starts native actions.
pub(super) fn envyr(
    runner: Runner,
    named: Option<&Path>,
    environment: &Environment,
    data: &Path,
) -> Finding {
    let found = envyr::find(named, data, environment);
    let version = |path: PathBuf| format!("{} at {}", envyr::VERSION, path.display());
    match (runner, found) {
        (Runner::Builtin, Ok(path)) => {
            let detail = format!("{}; native actions run without it", version(path));
            Finding::ok("envyr", detail)
        }
        (_, Ok(path)) => Finding::ok(
            "envyr",
            format!("{}; it runs native actions", version(path)),
        ),
        (Runner::Envyr, Err(error)) => Finding {
            // Where one is named, it is that one that is to be another.
            fix: named.is_none().then_some(Fix::Envyr),
            ..Finding::new("envyr", Status::Missing, error.message, envyr::REMEDY)
        },
        (Runner::Auto, Err(error)) if named.is_some() => {
            Finding::new("envyr", Status::Missing, error.message, envyr::REMEDY)
        }
        (Runner::Auto | Runner::Builtin, Err(error)) => {
            let first = error.message.split(": ").next().unwrap_or_default();
            let detail = format!(
                "{first}; Kael runs native actions itself, and only those with executor = \"docker\" need it"
            );
            Finding::new("envyr", Status::Absent, detail, envyr::REMEDY)
        }
    }
}

pub(super) fn containers(environment: &Environment, data: &Path) -> Finding {
    match programs::find_engine(environment, data) {
        Ok(path) => Finding::ok("containers", format!("{} answers", path.display())),
        Err(error) => Finding::new(
            "containers",
            Status::Absent,
            format!(
                "{}; only actions with executor = \"docker\" need one",
                error.message
            ),
            "start the docker daemon, or install podman",
        ),
    }
}

/// git and the languages.
pub(super) fn languages(environment: &Environment) -> Vec<Finding> {
    let venv = [
        "python3",
        "-c",
        "import ensurepip, venv, sys; print(sys.version.split()[0])",
    ];
    let looks: [(&str, &[&str], &str, &str); 4] = [
        (
            "git",
            &["git", "--version"],
            "sources from git repositories",
            "install git",
        ),
        (
            "python",
            &venv,
            "actions in Python",
            "install Python 3; for actions that name packages with its modules venv and ensurepip (on Debian: python3-venv)",
        ),
        (
            "node",
            &["node", "--version"],
            "actions in Node",
            "install Node.js",
        ),
        (
            "npm",
            &["npm", "--version"],
            "Node actions whose package.json names packages",
            "install npm",
        ),
    ];
    let look = |(name, words, users, remedy): (&'static str, &[&str], &str, &str)| match said(
        environment,
        words,
    ) {
        Ok(version) => Finding::ok(name, version),
        Err(error) => {
            let detail = format!("{error}; only {users} need it");
            Finding::new(name, Status::Absent, detail, remedy)
        }
    };
    looks.into_iter().map(look).collect()
}

/// The first line that a program prints.
fn said(environment: &Environment, words: &[&str]) -> Result<String, String> {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env_clear();
    for name in ["PATH", "HOME"] {
        if let Some(value) = environment.get(name) {
            command.env(name, value);
        }
    }
    let line = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let line = text.lines().rfind(|line| !line.trim().is_empty());
        line.unwrap_or("nothing").trim().to_owned()
    };
    match ask::output(&mut command) {
        Ok(output) if output.status.success() => Ok(line(&output.stdout)),
        Ok(output) => Err(format!("{} says: {}", words[0], line(&output.stderr))),
        Err(error) => Err(format!("{} cannot be asked: {error}", words[0])),
    }
}
