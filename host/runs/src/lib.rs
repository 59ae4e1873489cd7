//! Runs that survive their process: their journals in a store, and what can be done with them.
//!
//! [`Runs`] is the door. `begin` writes a run down before its script starts and gives the journal that the engine
//! writes; `resume` gives everything that a run needs to go on in another process. The rest is for people: `list`,
//! `show`, `signal`, `decide`, `resolve`, `cancel`, `remove`, `verify`, `export`. `due` are the runs that someone should `resume`.
//!
//! A run belongs to the process that holds its lock ([`kael_store::RunLock`]); the log itself is the fence: an entry
//! that does not follow the last one is refused, so that a process that has lost a run cannot begin its next effect.

mod approvals;
mod begin;
mod children;
mod error;
pub mod export;
mod inbox;
mod limits;
mod load;
mod look;
mod mailbox;
mod resume;
mod row;
mod rules;
mod sink;
mod stored_args;
mod texts;
mod undo;

pub use approvals::{Approval, Decision};
pub use begin::Begun;
pub use error::RunsError;
pub use inbox::Signal;
pub use look::{RunView, Verified};
pub use resume::{Replayable, Resumable, Script};
pub use row::{RunRow, State};
pub use rules::Rules;

use std::path::Path;

use kael_store::{Mode, Store};

/// The runs of one store.
#[derive(Clone)]
pub struct Runs {
    store: Store,
}

impl Runs {
    /// The runs in a file, which is made if there is none.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, RunsError> {
        let store = Store::open(path, Mode::Shared)?;
        Ok(Self { store })
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
            &children::ALL,
            &inbox::ALL,
            &load::ALL,
            &resume::ALL,
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
