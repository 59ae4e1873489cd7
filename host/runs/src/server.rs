//! What a server needs of its runs inside its own transactions, so that what it knows of a run and the run itself are
//! never apart.

use std::collections::BTreeMap;

use kael_engine::journal::Entry;
use kael_engine::run_info::RunId;
use kael_store::{StoreError, Tx, Value};

use crate::stored_args::StoredArgs;
use crate::{CancelOutcome, Family, State, inbox, texts, undo};

const NEXT: &str = "SELECT min(wake) FROM runs WHERE wake IS NOT NULL";
const DUE: &str = "SELECT id, tenant, state, name, script, args, parent, continues FROM runs \
                   WHERE wake IS NOT NULL AND wake <= ?1 ORDER BY wake LIMIT ?2";
const AWAKE: &str = "UPDATE runs SET wake = NULL WHERE id = ?1";
const PUT_OFF: &str = "UPDATE runs SET wake = ?2 WHERE id = ?1";
const STATE: &str = "SELECT state FROM runs WHERE id = ?1";
const TENANT: &str = "SELECT tenant FROM runs WHERE id = ?1";
const TURNS: &str = "SELECT count(*) FROM journal WHERE run = ?1 AND kind = 1";
const INTENTS: &str = "SELECT body FROM journal WHERE run = ?1 AND kind = 4 ORDER BY seq LIMIT ?2";

#[cfg(test)]
pub(crate) const ALL: [&str; 8] = [NEXT, DUE, AWAKE, PUT_OFF, STATE, TENANT, TURNS, INTENTS];

/// A run that is to go on, or to begin.
#[derive(Debug)]
pub struct Due {
    /// Its id.
    pub id: RunId,
    /// Whose it is.
    pub tenant: i64,
    /// What a run that another has started begins with.
    pub child: Option<Child>,
}

/// A run that another one has started, and that has not begun.
#[derive(Debug)]
pub struct Child {
    /// The run that has started it, or in whose place it comes.
    pub parent: RunId,
    /// Whether it comes in the place of that one.
    pub continues: bool,
    /// How errors name its script.
    pub name: String,
    /// The digest of its script.
    pub script: [u8; 32],
    /// What its script finds in `arg`.
    pub args: Vec<String>,
}

/// When the next run is to go on.
///
/// # Errors
/// When the store cannot be read.
pub fn next_wake(tx: &Tx<'_>) -> Result<Option<i64>, StoreError> {
    let next = tx.first(NEXT, &[], |row| row.get::<Option<i64>>(0))?;
    Ok(next.flatten())
}

/// The runs whose time, signal, child or decision has come, the first first.
///
/// # Errors
/// When the store cannot be read.
pub fn due(tx: &Tx<'_>, limit: i64) -> Result<Vec<Due>, StoreError> {
    let rows = tx.query(DUE, &[Value::Int(tx.now()), Value::Int(limit)], |row| {
        Ok((
            RunId::from_bytes(row.get(0)?),
            row.get::<i64>(1)?,
            row.get::<i64>(2)? == State::Queued.number(),
            (row.get::<String>(3)?, row.get::<[u8; 32]>(4)?),
            row.get::<String>(5)?,
            (
                row.get::<Option<[u8; 16]>>(6)?,
                row.get::<Option<[u8; 16]>>(7)?,
            ),
        ))
    })?;
    let due = rows.into_iter().map(
        |(id, tenant, is_new, (name, script), args, (parent, before))| {
            let parent = before.or(parent);
            let child = parent.filter(|_| is_new).map(|parent| Child {
                parent: RunId::from_bytes(parent),
                continues: before.is_some(),
                name,
                script,
                args: serde_json::from_str::<StoredArgs>(&args)
                    .unwrap_or_default()
                    .args,
            });
            Due { id, tenant, child }
        },
    );
    Ok(due.collect())
}

/// Clears the time at which a run is to go on: the caller has queued it.
///
/// # Errors
/// When that cannot be written.
pub fn awake(tx: &Tx<'_>, id: RunId) -> Result<(), StoreError> {
    tx.execute(AWAKE, &[Value::from(id.bytes())])?;
    Ok(())
}

/// The run is looked at again at that time.
///
/// # Errors
/// When that cannot be written.
pub fn put_off(tx: &Tx<'_>, id: RunId, until: i64) -> Result<(), StoreError> {
    tx.execute(PUT_OFF, &[Value::from(id.bytes()), Value::Int(until)])?;
    Ok(())
}

/// A text by its digest, if it is there.
///
/// # Errors
/// When the store cannot be read.
pub fn text(tx: &Tx<'_>, tenant: i64, digest: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
    texts::get(tx, tenant, digest)
}

/// Whose a run is, if anything of it is kept.
///
/// # Errors
/// When the store cannot be read.
pub fn tenant(tx: &Tx<'_>, id: RunId) -> Result<Option<i64>, StoreError> {
    tx.first(TENANT, &[Value::from(id.bytes())], |row| row.get(0))
}

/// Whether anything of a run is kept that it can go on from. A run of which nothing is has had no effect.
///
/// # Errors
/// When the store cannot be read.
pub fn is_kept(tx: &Tx<'_>, id: RunId) -> Result<bool, StoreError> {
    let state = tx.first(STATE, &[Value::from(id.bytes())], |row| row.get::<i64>(0))?;
    Ok(state.is_some())
}

/// How often a run has crossed the gate, as far as that is durable: a run that gets further has more.
///
/// # Errors
/// When the store cannot be read.
pub fn turns(tx: &Tx<'_>, id: RunId) -> Result<i64, StoreError> {
    let turns = tx.first(TURNS, &[Value::from(id.bytes())], |row| row.get::<i64>(0))?;
    Ok(turns.unwrap_or(0))
}

/// The calls of a run that had effects, as far as its journal says: their numbers and their actions, at most so many.
///
/// # Errors
/// When the store cannot be read.
pub fn effects(tx: &Tx<'_>, id: RunId, most: i64) -> Result<BTreeMap<u64, String>, StoreError> {
    let values = [Value::from(id.bytes()), Value::Int(most)];
    let bodies = tx.query(INTENTS, &values, |row| row.get::<Vec<u8>>(0))?;
    let intents = bodies
        .iter()
        .filter_map(|body| match Entry::decode(4, body) {
            Ok(Entry::Intent(intent)) => Some((intent.call, intent.name)),
            _ => None,
        });
    Ok(intents.collect())
}

/// Ends a run that nothing runs, if anything of it is kept. It cannot go on.
///
/// # Errors
/// When that cannot be written.
pub fn cancel(tx: &Tx<'_>, id: RunId, by: &str) -> Result<Family, StoreError> {
    let state = tx.first(STATE, &[Value::from(id.bytes())], |row| row.get::<i64>(0))?;
    match state {
        Some(state) if state != State::Cancelled.number() => undo::cancel(tx, id, by.to_owned()),
        _ => Ok(Family::default()),
    }
}

/// Asks a run to end, so that its script can clean up. One that neither runs nor waits is the server's to end.
///
/// # Errors
/// When that cannot be written.
pub fn ask_to_end(tx: &Tx<'_>, id: RunId, by: &str) -> Result<CancelOutcome, StoreError> {
    let state = tx.first(STATE, &[Value::from(id.bytes())], |row| row.get::<i64>(0))?;
    let outcome = match state {
        Some(state) if state == State::Waiting.number() => CancelOutcome::Wakes,
        Some(state) if state != State::Running.number() => return Ok(CancelOutcome::Ended),
        // The server knows that it runs, and nothing of it may be kept yet.
        _ => CancelOutcome::Knows,
    };
    inbox::ask_to_end(tx, id.bytes(), by)?;
    Ok(outcome)
}

/// Removes entries of the journal of a run that is over, at most so many: how many. What is left goes with [`remove`].
///
/// # Errors
/// When that cannot be written.
pub fn remove_entries(tx: &Tx<'_>, id: RunId, most: i64) -> Result<i64, StoreError> {
    undo::remove_entries(tx, id, most)
}

/// Removes the actions repos that no run has any more.
///
/// # Errors
/// When that cannot be written.
pub fn remove_repos(tx: &Tx<'_>) -> Result<(), StoreError> {
    undo::remove_repos(tx)
}

/// Removes what is kept of a run that is over.
///
/// # Errors
/// When that cannot be written.
pub fn remove(tx: &Tx<'_>, tenant: i64, id: RunId) -> Result<(), StoreError> {
    undo::remove_rows(tx, tenant, id)
}
