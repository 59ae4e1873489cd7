//! What a restored store forgets: everything that would go on by itself.

use kael_store::{StoreError, Tx};

use super::statements;
use crate::id::Id;

statements! {
    OPEN = "SELECT id, started IS NOT NULL FROM srv_runs WHERE ended IS NULL AND state IN (0, 1, 5) ORDER BY id";
    DROP_QUEUE = "DELETE FROM srv_queue";
    DROP_LATER = "DELETE FROM srv_later";
    HOLD = "UPDATE srv_deliveries SET held = 1";
    EXTEND_KEYS = "UPDATE srv_run_keys SET expires = ?1 WHERE expires < ?1";
    DROP_SESSIONS = "DELETE FROM srv_sessions";
    DROP_SIGN_INS = "DELETE FROM srv_sign_ins";
    DROP_TOKENS = "DELETE FROM srv_tokens";
    // 6: parked, until a person decides.
    PARK = "UPDATE runs SET state = 6, reason = 'restored', wake = NULL WHERE state IN (0, 1, 2)";
}

/// The runs that would go on, and whether each has begun.
pub(crate) fn open_runs(tx: &Tx<'_>) -> Result<Vec<(Id, bool)>, StoreError> {
    tx.query(OPEN, &[], |row| {
        Ok((Id::of(row.get(0)?), row.get::<i64>(1)? != 0))
    })
}

/// Empties the queues, and parks the runs with a journal that are not over.
pub(crate) fn drop_queues(tx: &Tx<'_>) -> Result<(), StoreError> {
    for statement in [DROP_QUEUE, DROP_LATER, PARK] {
        tx.execute(statement, &[])?;
    }
    Ok(())
}

/// Keeps what was still to be delivered until a person decides: it may have arrived since. How many deliveries.
pub(crate) fn hold_deliveries(tx: &Tx<'_>) -> Result<usize, StoreError> {
    tx.execute(HOLD, &[])
}

/// Keeps the idempotency keys of requests and webhooks until that time at least: who got no answer sends again.
pub(crate) fn extend_keys(tx: &Tx<'_>, until: i64) -> Result<(), StoreError> {
    tx.execute(EXTEND_KEYS, &[until.into()]).map(|_| ())
}

/// Ends the sessions of browsers, and the one-time links that begin one.
pub(crate) fn drop_sessions(tx: &Tx<'_>) -> Result<(), StoreError> {
    for statement in [DROP_SESSIONS, DROP_SIGN_INS] {
        tx.execute(statement, &[])?;
    }
    Ok(())
}

/// Takes all tokens away: how many.
pub(crate) fn drop_tokens(tx: &Tx<'_>) -> Result<usize, StoreError> {
    tx.execute(DROP_TOKENS, &[])
}
