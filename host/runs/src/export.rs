//! A journal as lines of JSON, for people and other programs.

use std::fmt::Write as _;

use kael_engine::journal::{Delivery, Entry, Failure, Log, LogRow, Outcome};
use kael_engine::run_info::RunId;
use kael_engine::text::hex;
use kael_store::{StoreError, Tx};
use serde_json::{Value, json};

use crate::{RunRow, load};

/// Entries that are read at once.
const PAGE: usize = 256;

/// The journal, a line for each entry.
#[must_use]
pub fn lines(row: &RunRow, log: &Log) -> String {
    let mut text = String::new();
    for (entry, stored) in log.entries().iter().zip(log.rows()) {
        let document = with_place(document(entry), stored, row.id);
        writeln!(text, "{document}").ok();
    }
    text
}

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
            let entry = match Entry::decode(stored.kind, &stored.body) {
                Ok(entry) => document(&entry),
                Err(error) => json!({ "kind": "unreadable", "message": error.to_string() }),
            };
            writeln!(text, "{}", with_place(entry, &stored, id)).ok();
        }
        if left == 0 || count < PAGE {
            let more = load::fitting(tx, id, next, 1, 0)? > 0;
            return Ok((text, more.then_some(next)));
        }
    }
}

/// The document of an entry with where it stands.
fn with_place(mut document: Value, stored: &LogRow, id: RunId) -> Value {
    document["seq"] = stored.seq.into();
    document["at"] = stored.at.into();
    if let Some((chain, cpu_us)) = &stored.commit {
        document["chain"] = hex(chain).into();
        document["cpu_us"] = (*cpu_us).into();
    }
    if stored.seq == 0 {
        document["run"] = id.to_string().into();
    }
    document
}

/// One entry for people: the kind, and what it has.
#[must_use]
pub fn document(entry: &Entry) -> Value {
    match entry {
        Entry::Begin(begin) => json!({
            "kind": "begin",
            "format": begin.format,
            "version": begin.version,
            "guest": hex(&begin.guest),
            "bundle": hex(&begin.bundle),
            "script": hex(&begin.script),
            "name": begin.name,
            "args": begin.args,
            "memory": begin.memory,
            "want_result": begin.want_result,
            "tenant": begin.tenant,
        }),
        Entry::Turn {
            digest,
            asked,
            delivered,
        } => {
            let delivered: Vec<Value> = delivered
                .iter()
                .map(|one| match &one.delivery {
                    Delivery::At(seq) => json!({ "id": one.id, "at": seq }),
                    Delivery::Own(answer) => json!({ "id": one.id, "answer": outcome(answer) }),
                })
                .collect();
            json!({ "kind": "turn", "digest": hex(digest), "asked": asked, "delivered": delivered })
        }
        Entry::Own { name, answer } => {
            json!({ "kind": "own", "name": name, "answer": outcome(answer) })
        }
        Entry::Prints {
            count,
            bytes,
            digest,
        } => json!({ "kind": "prints", "count": count, "bytes": bytes, "digest": hex(digest) }),
        Entry::Intent(intent) => json!({
            "kind": "intent",
            "id": intent.id,
            "call": intent.call,
            "action": intent.name,
            "params": intent.params,
            "key": intent.key,
            "once": intent.once,
            "definition": intent.definition,
            "attempt": intent.attempt,
        }),
        Entry::Outcome {
            id,
            outcome: ended,
            duration,
        } => json!({ "kind": "outcome", "id": id, "outcome": outcome(ended), "us": duration }),
        Entry::Wait { id, wait } => json!({ "kind": "wait", "id": id, "for": format!("{wait:?}") }),
        Entry::Resolve(resolve) => {
            json!({ "kind": "resolve", "id": resolve.id, "by": resolve.by, "verdict": format!("{:?}", resolve.verdict) })
        }
        Entry::Cancel { by } => json!({ "kind": "cancel", "by": by }),
        Entry::Takeover { epoch } => json!({ "kind": "takeover", "epoch": epoch }),
        Entry::End(end) => {
            json!({ "kind": "end", "how": format!("{:?}", end.kind), "text": end.text })
        }
    }
}

fn outcome(outcome: &Outcome) -> Value {
    match outcome {
        Ok(result) => json!({ "ok": result }),
        Err(Failure {
            kind,
            message,
            detail,
        }) => json!({ "error": message, "number": kind, "detail": detail }),
    }
}
