//! The store, as the engine reaches it for one run.

use std::sync::Arc;

use kael_engine::journal::{ApprovalRequest, Letter, Mailbox, Mailing, NewChild};
use kael_engine::run_info::RunId;

use crate::{Store, approvals, children, inbox};

/// What reaches one run.
pub(crate) struct StoreMailbox {
    pub(crate) store: Store,
    pub(crate) run: [u8; 16],
    /// Told when the run has started another.
    pub(crate) has_started: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Mailbox for StoreMailbox {
    fn letters_after(&self, number: u64) -> Mailing<'_, Vec<Letter>> {
        let run = self.run;
        Box::pin(async move {
            let reading = self
                .store
                .read(move |tx| inbox::after(tx, &run, number))
                .await;
            reading.map_err(|error| error.to_string())
        })
    }

    fn start(&self, child: NewChild) -> Mailing<'_, Result<String, String>> {
        let run = self.run;
        let writing = self.store.write(move |tx| {
            let started = children::start(tx, &run, &child);
            started.map_err(|error| match error {
                crate::RunsError::Store(error) => error,
                error => kael_store::StoreError::Conflict(error.to_string()),
            })
        });
        Box::pin(async move {
            let started = writing.await.map_err(|error| error.to_string())?;
            if let Some(has_started) = &self.has_started {
                has_started();
            }
            Ok(started)
        })
    }

    fn cancelled_by(&self) -> Mailing<'_, Option<String>> {
        let run = self.run;
        Box::pin(async move {
            let reading = self
                .store
                .read(move |tx| inbox::cancelled_by(tx, &run))
                .await;
            reading.map_err(|error| error.to_string())
        })
    }

    fn knows_people(&self) -> bool {
        self.has_started.is_some()
    }

    fn ask(&self, request: ApprovalRequest) -> Mailing<'_, ()> {
        let run = self.run;
        let writing = self
            .store
            .write(move |tx| approvals::ask(tx, &run, &request));
        Box::pin(async move { writing.await.map_err(|error| error.to_string()) })
    }

    fn is_child<'a>(&'a self, run: &'a str) -> Mailing<'a, bool> {
        let parent = self.run;
        Box::pin(async move {
            let Some(id) = RunId::parse(run) else {
                return Ok(false);
            };
            let reading = self
                .store
                .read(move |tx| children::is_child(tx, &parent, id.bytes()))
                .await;
            reading.map_err(|error| error.to_string())
        })
    }
}
