//! Runs the programs that fetch and prepare sources: confined, within their time, and one at a time
//! for each source, across processes.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::SourceError;
use super::files::local;
use super::variables::Variables;
use crate::activity::ActivityLog;
use crate::catalog::Language;
use crate::executor::failure_message;
use crate::executor::lock::{self, Lock, Waiting};
use crate::executor::process::{Ending, Isolation, Opened};
use crate::executor::starting::{StartError, Starting};
use crate::units::TimeLimit;

/// A clone, a virtual environment and its packages may take this long.
const TIMEOUT: Duration = Duration::from_secs(600);

/// How ssh is called if `GIT_SSH_COMMAND` is not set. A question about a host key would wait for an
/// answer that never comes.
pub(super) const SSH: &str = "ssh -oBatchMode=yes";

/// What fetching and preparing have in common.
pub(crate) struct Tools<'a> {
    /// Kael's data folder.
    pub(super) data: &'a Path,
    /// The scrubbed environment and the variables for fetching.
    pub(super) env: &'a Variables,
    pub(super) activity: &'a ActivityLog,
    /// What no program of them sees.
    pub(super) hidden: &'a [PathBuf],
    /// How long to wait for another host or call that does the same.
    pub(super) wait: TimeLimit,
}

/// A program that fetches or prepares.
pub(super) struct Tool<'a> {
    pub(super) program: &'a Path,
    pub(super) args: Vec<OsString>,
    pub(super) env: Variables,
    /// Where it starts.
    pub(super) folder: &'a Path,
    pub(super) isolation: Isolation,
    /// All that it may write, beside its `TMPDIR`.
    pub(super) writable: Vec<Opened>,
    /// How the message of its failure begins.
    pub(super) what: &'a str,
}

impl Tools<'_> {
    /// `PATH` of the programs.
    pub(super) fn path(&self) -> &OsStr {
        let path = self.env.iter().find(|(name, _)| name == "PATH");
        path.map_or(OsStr::new(""), |(_, path)| path)
    }

    /// Runs a program to its end. Gives what it printed.
    pub(super) async fn run(&self, tool: Tool<'_>) -> Result<Vec<u8>, SourceError> {
        let starting = Starting {
            program: tool.program,
            args: tool.args,
            env: tool.env,
            folder: tool.folder,
            stdin: String::new(),
            timeout: TIMEOUT,
            isolation: tool.isolation,
            writable: Some(tool.writable),
            readable: None,
            hidden: self.hidden.to_vec(),
            limits: None,
        };
        let ended = starting.run(self.data, |_| ()).await;
        let (finished, _temporary) = ended.map_err(|error| match error {
            StartError::Process(error) => local(tool.program, error),
            StartError::Temporary(error) => SourceError::Temporary(error),
        })?;
        if finished.ending == Ending::Exited(0) {
            return Ok(finished.stdout);
        }
        // Python says on stdout why it makes no virtual environment.
        let said = match finished.stderr.trim_ascii() {
            [] => &finished.stdout,
            _ => &finished.stderr,
        };
        let stderr = String::from_utf8_lossy(said).into_owned();
        let reason = match finished.ending {
            Ending::TimedOut => format!("it took longer than {} s", TIMEOUT.as_secs()),
            _ => failure_message::reason(&stderr, Language::Other)
                .unwrap_or_else(|| "no word of why".to_owned()),
        };
        Err(SourceError::Tool {
            what: tool.what.to_owned(),
            reason: reason.trim_start_matches("Error: ").to_owned(),
            stderr,
        })
    }

    /// Waits for the turn of this call. The turn ends when the lock is dropped or the process ends.
    pub(crate) async fn lock(&self, key: &str) -> Result<Lock, SourceError> {
        let folder = self.data.join("locks");
        let locked = lock::lock(&folder, key, Waiting::within(self.wait.duration())).await;
        let locked = locked.map_err(|error| local(&folder.join(key), error))?;
        locked.ok_or(SourceError::Waited(self.wait))
    }
}

/// In a user namespace the system's configuration of ssh seems to belong to another user, and ssh
/// refuses that. So ssh takes the user's own alone, where Kael is not root. False if
/// `GIT_SSH_COMMAND` is set: then that is left as it is.
pub(super) fn own_ssh_configuration(env: &mut Variables) -> bool {
    if rustix::process::geteuid().is_root() {
        return true;
    }
    let home = env.iter().find(|(name, _)| name == "HOME");
    let own = home.map(|(_, home)| Path::new(home).join(".ssh/config"));
    let own = own.filter(|own| own.is_file());
    let command = env
        .iter_mut()
        .find(|(name, value)| name == "GIT_SSH_COMMAND" && value == SSH);
    let Some((_, command)) = command else {
        return false;
    };
    command.push(" -F ");
    // In quotes, as a shell reads it.
    match own.as_deref().and_then(Path::to_str) {
        Some(own) => command.push(format!("'{}'", own.replace('\'', r"'\''"))),
        None => command.push("none"),
    }
    true
}
