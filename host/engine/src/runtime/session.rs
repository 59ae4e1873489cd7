//! A session with a repo: chunks evaluated in a state that is kept until it is lost, and begun anew
//! then.

use std::sync::Arc;

use super::{LoadError, Repo, RunOptions, Runtime};
use crate::run_info::RunInfo;
use crate::sandbox::{self, Chunk, ChunkEnd, Ending, InstanceOptions, Interrupt, Records, Report};

/// A repo that is loaded, and an instance that waits for chunks.
pub struct Session {
    runtime: Runtime,
    options: RunOptions,
    interruptible: bool,
    repo: Option<Arc<Repo>>,
    instance: sandbox::Session,
}

impl Runtime {
    /// Opens a session with the actions of a repo, if one is given. With `interruptible` Lua's code
    /// asks now and then whether it is to end, which makes it slower. The session keeps an
    /// instance, and takes a second one for a moment when it begins anew.
    ///
    /// # Errors
    /// When the repo evaluates differently this time, or no instance is to be had.
    pub async fn session(
        &self,
        repo: Option<Arc<Repo>>,
        options: RunOptions,
        interruptible: bool,
    ) -> Result<Session, LoadError> {
        let instance = self.instance(repo.as_deref(), &options, interruptible);
        Ok(Session {
            instance: instance.await?,
            runtime: self.clone(),
            options,
            interruptible,
            repo,
        })
    }

    async fn instance(
        &self,
        repo: Option<&Repo>,
        options: &RunOptions,
        interruptible: bool,
    ) -> Result<sandbox::Session, LoadError> {
        let info = RunInfo::new(options.tenant.clone());
        let dispatcher = self.dispatcher(repo, options, info.clone());
        let instance = InstanceOptions {
            info,
            limits: options.limits.clone(),
            output: options.output.clone(),
            dispatcher: Some(Arc::new(dispatcher)),
            cancel: None,
            records: Records::default(),
            shared_permits: self.inner.calls.clone(),
        };
        let prepared = repo.map(|repo| &repo.prepared);
        let sandbox = &self.inner.sandbox;
        sandbox::Session::open(sandbox, prepared, instance, interruptible)
            .await
            .map_err(|report| match report.ending {
                Ending::Failed(error) => LoadError::Load(error),
                Ending::Limit(hit, frames) => LoadError::Limit {
                    repo: repo.map_or_else(String::new, |repo| repo.shown.clone()),
                    hit,
                    frames,
                },
                Ending::Done(()) | Ending::OutputClosed | Ending::OutputFailed(_) => {
                    LoadError::OutputClosed
                }
                Ending::Busy(busy) => busy.into(),
                Ending::Exited(_) => LoadError::Fault("a repo ended a session".to_owned()),
                Ending::Cancelled(_) => LoadError::Fault("a session was cancelled".to_owned()),
                Ending::Fault(fault) => LoadError::Fault(fault),
            })
    }
}

impl Session {
    /// Begins anew with another repo, or with the same one as it is now.
    ///
    /// # Errors
    /// As for [`Runtime::session`]; then everything stays as it was.
    pub async fn restart(&mut self, repo: Option<Arc<Repo>>) -> Result<(), LoadError> {
        let instance = self
            .runtime
            .instance(repo.as_deref(), &self.options, self.interruptible);
        self.instance = instance.await?;
        self.repo = repo;
        Ok(())
    }

    /// Begins anew with the repo as it was loaded, when the state was lost.
    ///
    /// # Errors
    /// As for [`Runtime::session`].
    pub async fn revive(&mut self) -> Result<(), LoadError> {
        self.restart(self.repo.clone()).await
    }

    /// Whether the state is lost, and with it all variables.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.instance.is_over()
    }

    /// What asks an evaluation to end.
    #[must_use]
    pub fn interrupt(&self) -> Interrupt {
        self.instance.interrupt()
    }

    /// Evaluates a chunk; none when `stop` ended it.
    pub async fn evaluate(
        &mut self,
        chunk: Chunk,
        stop: impl Future<Output = ()>,
    ) -> Option<Report<ChunkEnd>> {
        self.instance.evaluate(chunk, stop).await
    }

    /// The names that could stand for the last one of a line.
    pub async fn complete(&mut self, line: &str) -> Vec<String> {
        self.instance.complete(line).await
    }

    /// The repo, if one was given.
    #[must_use]
    pub fn repo(&self) -> Option<&Arc<Repo>> {
        self.repo.as_ref()
    }
}
