//! The envyr program: where it is, whether it is the version that Kael was tested with, and how to install it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use thiserror::Error;

use crate::environment::Environment;
use crate::executor::ask;
use crate::executor::on_path::on_path;
use crate::executor::unblocked;
use crate::failure::ActionError;

/// The version of envyr that Kael works with. Its behaviour is worked around in places, so others are refused.
pub const VERSION: &str = "0.4.2";

/// The command that installs it.
pub const REMEDY: &str = "install it with: kael-host setup";

/// Why envyr was not installed.
#[derive(Debug, Error)]
pub enum InstallError {
    /// cargo ran and failed; it says why on stderr.
    #[error("cargo could not install envyr {VERSION} ({0})")]
    Failed(std::process::ExitStatus),
    /// There is no cargo.
    #[error("cargo could not be started: {0}")]
    NoCargo(std::io::Error),
}

/// Whether a program is envyr of the version that is wanted.
#[must_use]
pub fn is_current(program: &Path) -> bool {
    let output = ask::output(Command::new(program).arg("--version"));
    output.is_ok_and(|output| output.stdout == format!("envyr {VERSION}\n").into_bytes())
}

/// Installs envyr into Kael's own folder with cargo, which tells its progress on stderr. Gives the program.
///
/// # Errors
/// When cargo is not there, or fails.
pub fn install(data: &Path) -> Result<PathBuf, InstallError> {
    let tools = tools_folder(data);
    let program = tools.join("bin/envyr");
    let mut cargo = Command::new("cargo");
    cargo
        .args(["install", "envyr", "--locked", "--force", "--version"])
        .arg(format!("={VERSION}"))
        .arg("--root")
        .arg(&tools)
        .stdin(Stdio::null());
    match cargo.status() {
        Ok(status) if status.success() && is_current(&program) => Ok(program),
        Ok(status) => Err(InstallError::Failed(status)),
        Err(error) => Err(InstallError::NoCargo(error)),
    }
}

/// Kael's own folder for programs.
#[must_use]
pub fn tools_folder(data: &Path) -> PathBuf {
    data.join("tools")
}

/// Finds envyr: what was named, else Kael's own, else the first on `PATH`.
///
/// # Errors
/// When there is none, or it is another version.
pub fn find(
    named: Option<&Path>,
    data: &Path,
    environment: &Environment,
) -> Result<PathBuf, ActionError> {
    let unavailable = |message: String| ActionError::unavailable(message, Some(REMEDY.to_owned()));
    let path = match named {
        Some(path) => path.to_owned(),
        None => {
            let own = tools_folder(data).join("bin/envyr");
            let found = match own.is_file() {
                true => Some(own),
                false => environment
                    .get("PATH")
                    .and_then(|path| on_path("envyr", path)),
            };
            found.ok_or_else(|| unavailable(format!("envyr is not installed: {REMEDY}")))?
        }
    };
    let path = path
        .canonicalize()
        .map_err(|error| unavailable(format!("no envyr at {}: {error}", path.display())))?;
    let version = version(&path, data)
        .ok_or_else(|| unavailable(format!("{} is not envyr {VERSION}", path.display())))?;
    if version != VERSION {
        return Err(unavailable(format!(
            "{} is envyr {version}, and Kael needs {VERSION}: {REMEDY}",
            path.display()
        )));
    }
    Ok(path)
}

/// What `envyr --version` says; remembered for as long as the file stays the same.
fn version(path: &Path, data: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = path.metadata().ok()?;
    let identity = format!(
        "{}\n{} {} {}\n",
        path.display(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec()
    );
    let memo = tools_folder(data).join("envyr-version");
    if let Ok(text) = unblocked::text(&memo, 4096)
        && let Some(version) = text.strip_prefix(&identity)
    {
        return Some(version.to_owned());
    }
    let output = ask::output(Command::new(path).arg("--version").env_clear()).ok()?;
    let version = String::from_utf8(output.stdout)
        .ok()?
        .trim()
        .strip_prefix("envyr ")?
        .to_owned();
    // Losing the memo costs one more call.
    std::fs::create_dir_all(tools_folder(data)).ok();
    std::fs::write(memo, identity + &version).ok();
    Some(version)
}
