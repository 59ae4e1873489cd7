//! What people see of runs.

use std::collections::BTreeMap;

use kael_engine::journal::{Broken, Entry, Log, LogReader};
use kael_engine::run_info::RunId;
use kael_engine::text::hex;

use crate::{RunRow, Runs, RunsError, children, load};

/// One run, with its journal as far as it can be read.
pub struct RunView {
    /// The row.
    pub row: RunRow,
    /// The entries, or what is wrong with them.
    pub log: Result<Log, RunsError>,
    /// Whether a process has it now.
    pub is_held: bool,
}

/// What a look at a journal found.
#[derive(Debug)]
pub enum Verified {
    /// All is as it was written: how many entries, and the last chain in hexadecimal.
    Whole(u64, String),
    /// What is wrong.
    Broken(Broken),
}

impl Runs {
    /// The newest runs first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn list(&self, count: u32) -> Result<Vec<RunRow>, RunsError> {
        Ok(self
            .store
            .read_blocking(|tx| RunRow::newest(tx, self.tenant, count.into()))?)
    }

    /// Those of them that have all of these labels.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn labelled(
        &self,
        labels: &BTreeMap<String, String>,
        count: u32,
    ) -> Result<Vec<RunRow>, RunsError> {
        let tenant = self.tenant;
        Ok(self
            .store
            .read_blocking(|tx| RunRow::labelled(tx, tenant, labels, count.into()))?)
    }

    /// The runs with a time at which they are to go on, the next first: that time is now for those that were just
    /// started or that a letter has come for, and was before for those whose process has died since.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn waiting(&self) -> Result<Vec<RunRow>, RunsError> {
        Ok(self.store.read_blocking(RunRow::waiting)?)
    }

    /// The run of an id, or of the beginning or the end of one.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn find(&self, text: &str) -> Result<RunId, RunsError> {
        if let Some(id) = RunId::parse(text) {
            return Ok(self.store.read_blocking(|tx| Ok(RunRow::get(tx, id)))??.id);
        }
        let unknown = || RunsError::Unknown(text.chars().take(60).collect());
        if text.len() < 4 {
            return Err(unknown());
        }
        let all = self.list(u32::MAX)?;
        let found = all.iter().map(|row| row.id).filter(|id| {
            let id = id.to_string();
            id.starts_with(text) || id.ends_with(text)
        });
        let found: Vec<RunId> = found.collect();
        match found[..] {
            [] => Err(unknown()),
            [id] => Ok(id),
            _ => Err(RunsError::Ambiguous {
                text: text.to_owned(),
                count: found.len(),
            }),
        }
    }

    /// One run.
    ///
    /// # Errors
    /// When there is none.
    pub fn show(&self, id: RunId) -> Result<RunView, RunsError> {
        let is_held = self.is_held(id)?;
        self.store.read_blocking(|tx| {
            Ok(RunRow::get(tx, id).map(|row| RunView {
                row,
                log: load::log(tx, id),
                is_held,
            }))
        })?
    }

    /// The run that has taken the place of another by `runs.continue_as`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn continued(&self, id: RunId) -> Result<Option<RunId>, RunsError> {
        Ok(self
            .store
            .read_blocking(|tx| children::continued(tx, id.bytes()))?)
    }

    /// Whether a process has a run.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub fn is_held(&self, id: RunId) -> Result<bool, RunsError> {
        Ok(self.store.is_run_locked(id.bytes())?)
    }

    /// What a run has printed, as far as it is durable.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn output(&self, id: RunId) -> Result<Vec<u8>, RunsError> {
        Ok(self.store.read_blocking(|tx| load::output(tx, id))?)
    }

    /// Whether a journal is what was written.
    ///
    /// # Errors
    /// When there is no such run.
    pub fn verify(&self, id: RunId) -> Result<Verified, RunsError> {
        let ended = self.store.read_blocking(|tx| {
            let mut reader = LogReader::checking();
            let read = RunRow::get(tx, id).and_then(|_| load::read(tx, id, &mut reader));
            Ok(read.map(|()| reader.end()))
        })?;
        match ended {
            Ok(Ok((entries, chain))) => Ok(Verified::Whole(entries, hex(&chain))),
            Ok(Err(source)) | Err(RunsError::Broken { source, .. }) => Ok(Verified::Broken(source)),
            Err(error) => Err(error),
        }
    }
}

/// The number that the guest gave the call with that number in the run, if it is in doubt.
pub(crate) fn doubtful(log: &Log, call: u64) -> Option<u32> {
    let mut doubtful = None;
    for entry in log.entries() {
        match entry {
            Entry::Intent(intent) if intent.call == call => doubtful = Some(intent.id),
            Entry::Outcome { id, .. } if doubtful == Some(*id) => doubtful = None,
            Entry::CallsCancelled { ids } => doubtful = doubtful.filter(|id| !ids.contains(id)),
            // One that was given up because the run was to end has an answer without an outcome.
            Entry::Turn { delivered, .. } => {
                doubtful = doubtful.filter(|id| delivered.iter().all(|one| one.id != *id));
            }
            Entry::Resolve(resolve) if doubtful == Some(resolve.id) => doubtful = None,
            _ => {}
        }
    }
    doubtful
}
