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
    /// None when it is lost. While an evaluation goes on, the evaluation owns it: to drop that ends
    /// the instance and its calls.
    instance: Option<sandbox::Session>,
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
            instance: Some(instance.await?),
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
            journal: None,
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
                Ending::Suspended(why, _) => LoadError::Fault(why.to_string()),
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
        if self.is_lost() {
            // Its place is free again: the new instance may be the only one that there can be.
            self.instance = None;
        }
        let instance = self
            .runtime
            .instance(repo.as_deref(), &self.options, self.interruptible);
        self.instance = Some(instance.await?);
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
        self.instance.as_ref().is_none_or(sandbox::Session::is_over)
    }

    /// What asks an evaluation to end.
    #[must_use]
    pub fn interrupt(&self) -> Interrupt {
        let interrupt = self.instance.as_ref().map(sandbox::Session::interrupt);
        interrupt.unwrap_or_default()
    }

    /// Evaluates a chunk; none when `stop` ended it, or when the state is lost. Dropping the future
    /// ends what the chunk has begun, and the state is lost.
    pub async fn evaluate(
        &mut self,
        chunk: Chunk,
        stop: impl Future<Output = ()>,
    ) -> Option<Report<ChunkEnd>> {
        let mut instance = self.instance.take()?;
        let report = instance.evaluate(chunk, stop).await;
        self.instance = Some(instance);
        report
    }

    /// The names that could stand for the last one of a line.
    pub async fn complete(&mut self, line: &str) -> Vec<String> {
        let Some(mut instance) = self.instance.take() else {
            return Vec::new();
        };
        let names = instance.complete(line).await;
        self.instance = Some(instance);
        names
    }

    /// The repo, if one was given.
    #[must_use]
    pub fn repo(&self) -> Option<&Arc<Repo>> {
        self.repo.as_ref()
    }
}
