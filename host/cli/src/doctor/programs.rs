//! Checks that the programs which Kael and actions need are installed and work.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{Finding, Fix, Status};
use kael_engine::environment::Environment;
use kael_engine::executor::envyr;

pub(super) fn envyr(named: Option<&Path>, environment: &Environment, data: &Path) -> Finding {
    match envyr::find(named, data, environment) {
        Ok(path) => Finding::ok("envyr", format!("{} at {}", envyr::VERSION, path.display())),
        Err(error) => Finding {
            // If the user names a program, only that one must be fixed, by the user.
            fix: named.is_none().then_some(Fix::Envyr),
            ..Finding::new("envyr", Status::Missing, error.message, envyr::REMEDY)
        },
    }
}

pub(super) fn containers(environment: &Environment, data: &Path) -> Finding {
    match envyr::find_engine(environment, data) {
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
            "install Python 3 with its modules venv and ensurepip (on Debian: python3-venv)",
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
            "Node actions with a package.json",
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
    command.args(&words[1..]).env_clear().stdin(Stdio::null());
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
    match command.output() {
        Ok(output) if output.status.success() => Ok(line(&output.stdout)),
        Ok(output) => Err(format!("{} says: {}", words[0], line(&output.stderr))),
        Err(error) => Err(format!("{} cannot be started: {error}", words[0])),
    }
}
