//! Takes a run over, with everything that it needs to go on in this process.

use std::sync::Arc;

use kael_engine::journal::{Journal, Log};
use kael_engine::limits::Limits;
use kael_engine::run_info::{RunId, RunInfo, Tenant};
use kael_engine::runtime::RepoSnapshot;
use kael_engine::sandbox;
use kael_store::{Tx, Value};

use crate::begin::own_guest;
use crate::limits::StoredLimits;
use crate::needed::Needed;
use crate::stored_args::{StoredArgs, document};
use crate::{Begun, Rules, RunRow, Runs, RunsError, State, bundle, load};

const TAKE: &str = "UPDATE runs SET state = ?3, reason = NULL, epoch = epoch + 1, ended = NULL, ending = NULL, \
                    takeovers = takeovers + ?4 WHERE id = ?1 AND epoch = ?2";

const LIMITS: &str = "UPDATE runs SET limits = ?2 WHERE id = ?1";

#[cfg(test)]
pub(crate) const ALL: [&str; 2] = [TAKE, LIMITS];

/// A script as a run has it.
pub type Script = sandbox::Script;

/// A run that goes on in this process.
pub struct Resumable {
    /// The run: its id stays.
    pub info: Arc<RunInfo>,
    /// Its script and what that is given.
    pub script: Script,
    /// Its limits.
    pub limits: Limits,
    /// The actions repo that it began with.
    pub repo: Option<RepoSnapshot>,
    /// The digest of that.
    pub bundle: [u8; 32],
    /// For the engine.
    pub begun: Begun,
}

/// A run to be looked at.
pub struct Replayable {
    /// Its script and what that is given.
    pub script: Script,
    /// Its limits.
    pub limits: Limits,
    /// The actions repo that it began with.
    pub repo: Option<RepoSnapshot>,
    /// Its journal.
    pub log: Log,
    /// Whether it is a run of this store, and not of a file that nobody has said to trust: what that says of limits is
    /// not to be relied on.
    pub is_trusted: bool,
}

impl Runs {
    /// What a run was held to when it began.
    ///
    /// # Errors
    /// When there is no such run, or it comes from a file that is not trusted: its rules name files.
    pub fn rules(&self, id: RunId) -> Result<Rules, RunsError> {
        let row = self.store.read_blocking(|tx| Ok(RunRow::get(tx, id)))??;
        is_trusted(&row)?;
        let stored: StoredArgs = serde_json::from_str(&row.args).map_err(document)?;
        Ok(stored.rules)
    }

    /// Takes a run over. Nobody else may have it, and it must not be over; one that a limit has ended may go on.
    ///
    /// # Errors
    /// When it cannot go on.
    pub fn resume(&self, id: RunId) -> Result<Resumable, RunsError> {
        let shown = self.store.read_blocking(|tx| load::shown(tx, id))?;
        self.resume_behind(id, shown)
    }

    /// The same for a caller that keeps the output itself, and has that many bytes of it.
    ///
    /// # Errors
    /// When it cannot go on.
    pub fn resume_behind(&self, id: RunId, shown: u64) -> Result<Resumable, RunsError> {
        let lock = self.lock(id)?;
        let (row, replayable) = self.store.read_blocking(|tx| {
            Ok((|| {
                let row = RunRow::get(tx, id)?;
                let replayable = replayable(tx, &row)?;
                Ok::<_, RunsError>((row, replayable))
            })())
        })??;
        let limited = row.state == State::Failed && row.reason.as_deref() == Some("limit");
        if row.state.is_over() && !limited {
            return Err(RunsError::State {
                id,
                state: row.state.name().to_owned(),
                why: "only a run that is not over, or that a limit has ended, can go on",
            });
        }
        if limited && by_memory(&row) {
            return Err(RunsError::State {
                id,
                state: row.state.name().to_owned(),
                why: "the limit on memory has ended it, and a run keeps the memory that it began with",
            });
        }
        is_trusted(&row)?;
        let (bytes, epoch) = (*id.bytes(), row.epoch);
        let died = i64::from(row.state == State::Running);
        let taken = self.store.write(move |tx| {
            let values = [
                Value::from(&bytes),
                Value::Int(epoch),
                Value::Int(State::Running.number()),
                Value::Int(died),
            ];
            tx.change_one(TAKE, &values, "another process has taken the run over")
        });
        taken.wait()?;
        let (sink, unwritten) = self.sink(bytes, None);
        let bundle = replayable.log.begin().bundle;
        let tenant = Tenant::new(&replayable.log.begin().tenant).unwrap_or_default();
        let epoch = epoch + 1;
        let Replayable {
            script,
            limits,
            repo,
            log,
            is_trusted: _,
        } = replayable;
        Ok(Resumable {
            info: RunInfo::with_id(id, tenant),
            script,
            limits,
            repo,
            bundle,
            begun: Begun {
                journal: Journal::resume(log, sink, epoch as u64, shown)
                    .with_mailbox(self.mailbox(bytes)),
                epoch,
                lock,
                unwritten,
            },
        })
    }

    /// From now on a run has these limits: it goes on with them, and is replayed with them.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn keep_limits(&self, id: RunId, limits: &Limits) -> Result<(), RunsError> {
        let limits = serde_json::to_string(&StoredLimits::from(limits)).map_err(document)?;
        let written = self.store.write(move |tx| {
            let values = [Value::from(id.bytes()), Value::from(&limits)];
            tx.change_one(LIMITS, &values, "the run is gone")
        });
        Ok(written.wait()?)
    }

    /// Everything to look at a run again.
    ///
    /// # Errors
    /// When something of it is missing.
    pub fn replayable(&self, id: RunId) -> Result<Replayable, RunsError> {
        self.store
            .read_blocking(|tx| Ok(RunRow::get(tx, id).and_then(|row| replayable(tx, &row))))?
    }
}

/// Refuses a run that comes from a file that is not trusted.
fn is_trusted(row: &RunRow) -> Result<(), RunsError> {
    if !row.is_imported {
        return Ok(());
    }
    Err(RunsError::State {
        id: row.id,
        state: "imported".to_owned(),
        why: "it can be looked at; runs import --trust FILE lets it go on, with the actions repo that the file brings",
    })
}

/// Whether the limit on memory has ended a run. It is the one limit that a script can tell, and so the one that stays.
fn by_memory(row: &RunRow) -> bool {
    let ending = row.ending.as_deref().unwrap_or("null");
    let ending: serde_json::Value = serde_json::from_str(ending).unwrap_or_default();
    ending["limit"] == "memory"
}

fn replayable(tx: &Tx<'_>, row: &RunRow) -> Result<Replayable, RunsError> {
    let id = row.id;
    let missing = |what| RunsError::Missing { id, what };
    let log = load::log(tx, id)?;
    let begin = log.begin();
    if row.guest != own_guest() || begin.guest != own_guest() {
        let version = begin.version.clone();
        return Err(RunsError::Guest { id, version });
    }
    let needed = Needed::get(tx, row, begin)?;
    let inputs = needed.inputs.into_iter();
    let inputs = inputs.map(|(name, _, text)| (name, text)).collect();
    let limits: StoredLimits = serde_json::from_str(&row.limits).map_err(document)?;
    let repo = match begin.bundle {
        digest if digest == [0; 32] => None,
        digest => {
            let repo = bundle::get(tx, &digest, &begin.guest)?;
            Some(repo.ok_or(missing("its actions repo"))?)
        }
    };
    Ok(Replayable {
        script: Script {
            name: begin.name.clone(),
            source: needed.script,
            args: begin.args.clone(),
            inputs,
            input: sandbox::Input::none(),
            want_result: begin.want_result,
        },
        limits: limits.into(),
        repo,
        is_trusted: !row.is_imported,
        log,
    })
}
