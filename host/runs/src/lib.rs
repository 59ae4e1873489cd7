//! Runs that survive their process: their journals in a store, and what can be done with them.
//!
//! [`Runs`] is the door. `begin` writes a run down before its script starts and gives the journal that the engine
//! writes; `resume` gives everything that a run needs to go on in another process. The rest is for people: `list`,
//! `show`, `signal`, `decide`, `resolve`, `cancel`, `remove`, `verify`, `export`. `waiting` are the runs that someone
//! should `resume`, and `fork` makes a new run of the beginning of another.
//!
//! A run belongs to the process that holds its lock ([`kael_store::RunLock`]); the log itself is the fence: an entry
//! that does not follow the last one is refused, so that a process that has lost a run cannot begin its next effect.
//!
//! A server keeps the journals of its runs in its own store, which no other process opens: [`Runs::of_server`] takes no
//! locks, leaves the output to the server, and lets it write the end of a run together with what it writes itself.
//! [`server`] is what it needs inside its own transactions.

mod approvals;
pub mod archive;
mod begin;
mod bundle;
mod children;
mod conclude;
mod counts;
#[cfg(test)]
mod crash;
mod entry_document;
mod error;
pub mod export;
mod export_file;
mod family;
mod fork;
mod import;
mod inbox;
mod limits;
mod load;
mod look;
mod mailbox;
mod needed;
mod no_fork;
mod refusal;
mod resume;
mod row;
mod rules;
pub mod server;
mod sink;
mod stored_args;
mod texts;
mod undo;

pub use approvals::{Approval, Decision, decide};
pub use begin::Begun;
pub use bundle::StoredRepo;
pub use conclude::Conclusion;
pub use counts::StoredCounts;
pub use error::RunsError;
pub use family::Family;
pub use fork::{Forking, OtherScript};
pub use import::Imported;
pub use inbox::Signal;
pub use look::{RunView, Verified};
pub use no_fork::NoFork;
pub use refusal::Refusal;
pub use resume::{Replayable, Resumable, Script};
pub use row::{RunRow, State};
pub use rules::Rules;
pub use undo::{CancelOutcome, Settlement};

use std::path::Path;
use std::sync::Arc;

use kael_engine::run_info::RunId;
#[cfg(not(test))]
use kael_store::Store;
use kael_store::{Mode, RunLock};

#[cfg(test)]
use crash::FaultyStore as Store;
use mailbox::StoreMailbox;
use sink::{Create, StoreSink, Unwritten};

/// The runs of one store.
#[derive(Clone)]
pub struct Runs {
    store: Store,
    tenant: i64,
    /// Whose store it is: a server's, or that of all processes of its user.
    keeper: Keeper,
}

/// Who has the store.
#[derive(Clone)]
enum Keeper {
    /// All processes of a user: a run is locked by the one that has it, and its output is kept here.
    Processes,
    /// One server. Calls the function when a run has started another.
    Server(Arc<dyn Fn() + Send + Sync>),
}

impl Runs {
    /// The runs in a file, which is made if there is none.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, RunsError> {
        let store = Store::open(path, Mode::Shared)?;
        Ok(Self {
            store,
            tenant: TENANT,
            keeper: Keeper::Processes,
        })
    }

    /// The runs of a tenant in the store of a server. `has_started` is called when a run has started another.
    #[must_use]
    pub fn of_server(store: Store, tenant: i64, has_started: Arc<dyn Fn() + Send + Sync>) -> Self {
        Self {
            store,
            tenant,
            keeper: Keeper::Server(has_started),
        }
    }

    /// Keeps other processes off a run; none is needed where there are no others.
    fn lock(&self, id: RunId) -> Result<Option<RunLock>, RunsError> {
        match self.keeper {
            Keeper::Server(_) => Ok(None),
            Keeper::Processes => {
                let lock = self.store.lock_run(id.bytes())?;
                lock.map(Some).ok_or(RunsError::Busy(id))
            }
        }
    }

    fn is_server(&self) -> bool {
        matches!(self.keeper, Keeper::Server(_))
    }

    fn mailbox(&self, run: [u8; 16]) -> Arc<StoreMailbox> {
        Arc::new(StoreMailbox {
            store: self.store.clone(),
            run,
            has_started: match &self.keeper {
                Keeper::Server(has_started) => Some(has_started.clone()),
                Keeper::Processes => None,
            },
        })
    }

    /// What writes the journal of a run; `create` writes a new one down.
    fn sink(&self, run: [u8; 16], create: Option<Create>) -> (Arc<StoreSink>, Arc<Unwritten>) {
        let unwritten = Arc::new(Unwritten::new(create));
        let sink = StoreSink {
            store: self.store.clone(),
            run,
            is_server: self.is_server(),
            unwritten: unwritten.clone(),
        };
        (Arc::new(sink), unwritten)
    }
}

/// The tenant of a host that has no others.
const TENANT: i64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_fits_the_tables() {
        let folder = tempfile::tempdir().expect("a folder");
        let runs = Runs::open(&folder.path().join("kael.db")).expect("a store");
        let all = [
            &begin::ALL[..],
            &approvals::ALL,
            &bundle::ALL,
            &children::ALL,
            &conclude::ALL,
            &fork::ALL,
            &import::ALL,
            &inbox::ALL,
            &load::ALL,
            &resume::ALL,
            &server::ALL,
            &sink::ALL,
            &texts::ALL,
            &undo::ALL,
        ];
        for sql in all.concat() {
            let explained = format!("EXPLAIN {sql}");
            let is_used = |number: &usize| sql.contains(&format!("?{number}"));
            let parameters = vec![kael_store::Value::Null; (1..).take_while(is_used).count()];
            let prepared = runs
                .store
                .read_blocking(|tx| tx.query(&explained, &parameters, |_| Ok(())));
            prepared.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        }
        assert!(runs.list(5).expect("a list").is_empty());
    }
}
