//! A journal as documents and lines of JSON, for people and other programs.

use std::fmt::Write as _;

use kael_engine::journal::Entry;
use kael_engine::run_info::RunId;
use kael_store::{StoreError, Tx};
use serde_json::{Value, json};

use crate::archive::Place;
use crate::entry_document::EntryDocument;
use crate::load;

/// Entries that are read at once.
const PAGE: usize = 256;

/// The lines of a journal from an entry on, as many as have that many bytes in the store, and the number of the next one
/// if there are more. What cannot be read is said in its line; the chain is not looked at.
///
/// # Errors
/// When the store cannot be read.
pub fn page(
    tx: &Tx<'_>,
    id: RunId,
    from: u64,
    bytes: u64,
) -> Result<(String, Option<u64>), StoreError> {
    let (mut text, mut next, mut left) = (String::new(), from, bytes);
    loop {
        let count = load::fitting(tx, id, next, PAGE, left)?;
        if count == 0 {
            return Ok((text, None));
        }
        for stored in load::rows_from(tx, id, next, count)? {
            left = left.saturating_sub(stored.body.len() as u64);
            next = stored.seq + 1;
            let place = Place::of(&stored);
            let document = match Entry::decode(stored.kind, &stored.body) {
                Ok(entry) => place.document(document(&entry)),
                Err(error) => {
                    let why = error.to_string();
                    place.document(json!({ "kind": "unreadable", "message": why }))
                }
            };
            let document = match stored.seq {
                0 => with_run(document, id),
                _ => document,
            };
            writeln!(text, "{document}").ok();
        }
        if left == 0 || count < PAGE {
            let more = load::fitting(tx, id, next, 1, 0)? > 0;
            return Ok((text, more.then_some(next)));
        }
    }
}

/// How many entries the journal of a run has, and how many bytes they have together.
///
/// # Errors
/// When the store cannot be read.
pub fn size(tx: &Tx<'_>, id: RunId) -> Result<(u64, u64), StoreError> {
    load::size(tx, id)
}

/// The first entry says of which run it is.
fn with_run(mut document: Value, id: RunId) -> Value {
    document["run"] = id.to_string().into();
    document
}

/// One entry as JSON: the kind, and what it has.
#[must_use]
pub fn document(entry: &Entry) -> Value {
    serde_json::to_value(EntryDocument::from(entry)).unwrap_or_default()
}
