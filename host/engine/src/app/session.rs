//! A session with a repo: chunks evaluated in a state that is kept until it is lost, and begun anew then.

use std::sync::Arc;

use super::{AppError, Repo, Settings, begin};
use crate::catalog::Catalog;
use crate::gate::Dispatcher;
use crate::sandbox::{self, Chunk, ChunkEnd, Ending, Interrupt, Output, Report, Sandbox};

/// A repo that is loaded, the gate to its actions, and an instance that waits for chunks.
pub struct Session {
    settings: Settings,
    output: Output,
    interruptible: bool,
    sandbox: Arc<Sandbox>,
    repo: Option<Repo>,
    dispatcher: Arc<Dispatcher>,
    instance: sandbox::Session,
}

impl Session {
    /// Loads the repo and begins.
    ///
    /// # Errors
    /// Whatever is wrong with the repo.
    pub async fn open(
        settings: Settings,
        output: Output,
        interruptible: bool,
    ) -> Result<Self, AppError> {
        // One for the session and one for the repo; the next session is made before the last one is gone.
        let sandbox = Arc::new(Sandbox::new(3)?);
        let (repo, dispatcher) = begin(&settings, &sandbox, &output).await?;
        let instance = instance(
            &sandbox,
            &settings,
            repo.as_ref(),
            output.clone(),
            dispatcher.clone(),
            interruptible,
        )
        .await?;
        Ok(Self {
            settings,
            output,
            interruptible,
            sandbox,
            repo,
            dispatcher,
            instance,
        })
    }

    /// Begins anew with the repo as it is now.
    ///
    /// # Errors
    /// Whatever is wrong with the repo; then everything stays as it was.
    pub async fn reset(&mut self) -> Result<(), AppError> {
        let (repo, dispatcher) = begin(&self.settings, &self.sandbox, &self.output).await?;
        self.instance = instance(
            &self.sandbox,
            &self.settings,
            repo.as_ref(),
            self.output.clone(),
            dispatcher.clone(),
            self.interruptible,
        )
        .await?;
        (self.repo, self.dispatcher) = (repo, dispatcher);
        Ok(())
    }

    /// Begins anew with the repo as it was loaded, when the state was lost.
    ///
    /// # Errors
    /// When the repo evaluates differently this time.
    pub async fn revive(&mut self) -> Result<(), AppError> {
        self.instance = instance(
            &self.sandbox,
            &self.settings,
            self.repo.as_ref(),
            self.output.clone(),
            self.dispatcher.clone(),
            self.interruptible,
        )
        .await?;
        Ok(())
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
    pub fn repo(&self) -> Option<&Repo> {
        self.repo.as_ref()
    }

    /// What it was told.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The actions of the repo.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        self.repo
            .as_ref()
            .map(|repo| repo.catalog.clone())
            .unwrap_or_default()
    }
}

async fn instance(
    sandbox: &Arc<Sandbox>,
    settings: &Settings,
    repo: Option<&Repo>,
    output: Output,
    dispatcher: Arc<Dispatcher>,
    interruptible: bool,
) -> Result<sandbox::Session, AppError> {
    let ready = repo.map(|repo| &repo.ready);
    let limits = &settings.limits;
    sandbox::Session::open(sandbox, ready, limits, output, dispatcher, interruptible)
        .await
        .map_err(|report| match report.ending {
            Ending::Failed(error) => AppError::Load(error),
            Ending::Limit(hit, frames) => AppError::Limit {
                repo: settings
                    .actions
                    .as_ref()
                    .map(|folder| folder.display().to_string())
                    .unwrap_or_default(),
                hit,
                frames,
            },
            Ending::Done(()) | Ending::OutputClosed | Ending::OutputFailed(_) => {
                AppError::OutputClosed
            }
            Ending::Busy(busy) => busy.into(),
            Ending::Exited(_) => AppError::Fault("a repo ended a session".to_owned()),
            Ending::Fault(fault) => AppError::Fault(fault),
        })
}
