//! What `doctor --fix` does: only what is Kael's own, and nothing that another program or an administrator decides.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use super::{Finding, storage};
use kael_engine::environment::Environment;
use kael_engine::executor::envyr;

/// Something that helps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fix {
    /// Install envyr, as `setup` does.
    Envyr,
    /// Make a folder.
    Make(PathBuf),
    /// Let its owner into a folder.
    Open(PathBuf),
    /// Shut others out of folders.
    Close(Vec<PathBuf>),
}

/// What became of a finding that there was something to do for.
#[derive(Debug, Clone)]
pub struct Fixed {
    /// The finding's name.
    pub name: &'static str,
    /// What was done, or why it could not be.
    pub outcome: Result<String, String>,
}

/// Does what the findings offer. `announce` is told what takes long, before it is done.
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
            storage::set_mode(folder, false)
                .map_err(|error| format!("{}: {error}", folder.display()))?;
            Ok(format!("{} lets its owner in", folder.display()))
        }
        Fix::Close(folders) => {
            let mut said = Vec::new();
            for folder in folders {
                let shown = folder.display();
                storage::set_mode(folder, true).map_err(|error| format!("{shown}: {error}"))?;
                said.push(format!("{shown} is 0700 now"));
            }
            Ok(said.join(", "))
        }
    }
}
