//! Starts a program that serves many calls: confined, limited and with the variables of a native
//! action, in the folder of the repo.

use std::ffi::OsString;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::granted::{Places, Use};
use super::process::{self, Isolation, ProcessCommand, Resident};
use super::programs::{starter, writable};
use super::source::scrubbed;
use super::temporary::Temporary;
use super::{RepoContext, STDERR_TAIL, required};
use crate::confinement::Confinement;
use crate::failure::ActionError;
use crate::limits::ProcessLimits;
use crate::text::hex;

/// What is started.
#[derive(Clone)]
pub struct Beside {
    /// The program and its arguments; without a slash it is looked for on `PATH`.
    pub command: Vec<String>,
    /// Variables that it sees, if they are set.
    pub env: Vec<String>,
    /// Variables with these values: the secrets that its definition binds.
    pub variables: Vec<(String, String)>,
    /// What it may write besides its `TMPDIR`, as a definition names it.
    pub writable: Vec<String>,
    /// What its processes may use.
    pub limits: ProcessLimits,
}

/// A program that was started, and its temporary folder.
pub struct BesideStarted {
    /// The process.
    pub process: Resident,
    /// Removed when this is dropped.
    pub temporary: Temporary,
}

impl Beside {
    /// The same for equal servers alone. It shows no secret.
    #[must_use]
    pub fn key(&self) -> String {
        let rights = (&self.command, &self.env, &self.writable, &self.limits);
        let all = format!("{rights:?} {:?}", self.variables);
        hex(&Sha256::digest(all.as_bytes()))
    }

    /// Starts it, within that time.
    ///
    /// # Errors
    /// When it cannot be started, or not with the confinement that is required.
    pub async fn start(
        &self,
        context: &RepoContext,
        within: Duration,
    ) -> Result<BesideStarted, ActionError> {
        let settings = &context.programs;
        if settings.confinement == Confinement::Required {
            required(super::missing_confinement().await)?;
        }
        let program = settings.starter.clone().ok_or_else(|| {
            ActionError::unavailable("this program cannot start servers by itself", None)
        })?;
        let failed = |error: std::io::Error| {
            let name = self.command.first().map_or("", String::as_str);
            ActionError::unavailable(format!("starting {name}: {error}"), None)
        };
        let confined = settings.confinement != Confinement::Off;
        let places = Places::new(&context.root, &context.environment);
        let writable = match confined {
            true => Some(writable::opened(
                &self.writable,
                &places,
                "the server",
                Use::Write,
            )?),
            false => None,
        };
        let room = process::room(within).await.map_err(failed)?;
        let temporary = Temporary::new(&context.environment.data_folder())?;
        let path = context.sources.path();
        let mut env = scrubbed(&context.environment, path, &self.env);
        env.push(("TMPDIR".into(), temporary.path().into()));
        let bound = self.variables.iter();
        env.extend(bound.map(|(name, value)| (name.into(), value.into())));
        let words = self.command.iter().map(OsString::from);
        let process = process::resident(ProcessCommand {
            program,
            args: [starter::WORD.into()].into_iter().chain(words).collect(),
            env,
            folder: context.root.clone(),
            stdin: Vec::new(),
            timeout: within,
            room: Some(room),
            stdout_cap: usize::MAX,
            stderr_tail: STDERR_TAIL,
            isolation: match confined {
                true => Isolation::Strongest,
                false => Isolation::SameView,
            },
            writable,
            readable: None,
            hidden: context.sources.hidden(),
            temporary: Some(temporary.opened()?),
            limits: Some(self.limits.clone()),
        })
        .await
        .map_err(failed)?;
        Ok(BesideStarted { process, temporary })
    }
}
