//! The fixes of `doctor --fix`. They touch only Kael's own files, never other programs or the
//! machine's settings.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::Finding;
use kael_engine::environment::Environment;
use kael_engine::executor::envyr;

/// A fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fix {
    /// Install envyr, like `setup`.
    Envyr,
    /// Create a folder.
    Make(PathBuf),
    /// Give the owner of a folder access to it.
    Open(PathBuf),
    /// Take the access of other users to folders away.
    Close(Vec<PathBuf>),
}

/// The outcome of a fix.
#[derive(Debug, Clone)]
pub struct Fixed {
    /// The finding's name.
    pub name: &'static str,
    /// What was done, or why it could not be.
    pub outcome: Result<String, String>,
}

/// Applies the fixes of the findings. Calls `announce` before a slow one.
pub fn fix(findings: &[Finding], environment: &Environment, announce: impl Fn(&str)) -> Vec<Fixed> {
    let mut done = Vec::new();
    for finding in findings {
        let Some(fix) = &finding.fix else { continue };
        done.push(Fixed {
            name: finding.name,
            outcome: apply(fix, environment, &announce),
        });
    }
    done
}

fn apply(fix: &Fix, environment: &Environment, announce: &impl Fn(&str)) -> Result<String, String> {
    match fix {
        Fix::Envyr => {
            let data = environment.data_folder();
            let folder = envyr::tools_folder(&data);
            announce(&format!(
                "installing envyr {} into {}",
                envyr::VERSION,
                folder.display()
            ));
            let path = envyr::install(&data).map_err(|error| error.to_string())?;
            Ok(format!(
                "installed envyr {} at {}",
                envyr::VERSION,
                path.display()
            ))
        }
        Fix::Make(folder) => {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
            made.map_err(|error| format!("{}: {error}", folder.display()))?;
            Ok(format!("made {}", folder.display()))
        }
        Fix::Open(folder) => {
            set_mode(folder, false).map_err(|error| format!("{}: {error}", folder.display()))?;
            Ok(format!("{} lets its owner in", folder.display()))
        }
        Fix::Close(folders) => {
            let mut said = Vec::new();
            for folder in folders {
                let shown = folder.display();
                set_mode(folder, true).map_err(|error| format!("{shown}: {error}"))?;
                said.push(format!("{shown} is 0700 now"));
            }
            Ok(said.join(", "))
        }
    }
}

/// Sets the owner's permissions, and removes those of others if `alone`.
fn set_mode(folder: &Path, alone: bool) -> io::Result<()> {
    let metadata = fs::symlink_metadata(folder)?;
    if !metadata.is_dir() {
        return Err(io::Error::other("it is not a folder"));
    }
    let mode = if alone {
        0o700
    } else {
        metadata.mode() & 0o7777 | 0o700
    };
    fs::set_permissions(folder, fs::Permissions::from_mode(mode))
}
