//! The distributed traces that runs are a part of: the header that was sent with the request.

use kael_store::{StoreError, Tx};

use super::statements;
use crate::id::Id;

statements! {
    ADD = "INSERT INTO srv_traces (run, traceparent) VALUES (?1, ?2)";
    GET = "SELECT traceparent FROM srv_traces WHERE run = ?1";
}

pub(crate) fn add(tx: &Tx<'_>, run: &Id, traceparent: &str) -> Result<(), StoreError> {
    tx.execute(ADD, &[run.into(), traceparent.into()])
        .map(|_| ())
}

pub(crate) fn get(tx: &Tx<'_>, run: &Id) -> Result<Option<String>, StoreError> {
    tx.first(GET, &[run.into()], |row| row.get(0))
}
