//! A journal as lines of JSON, for people and other programs.

use std::fmt::Write as _;

use kael_engine::journal::{Delivery, Entry, Failure, Log, Outcome};
use kael_engine::text::hex;
use serde_json::{Value, json};

use crate::RunRow;

/// The journal, a line for each entry.
#[must_use]
pub fn lines(row: &RunRow, log: &Log) -> String {
    let mut text = String::new();
    for (entry, stored) in log.entries().iter().zip(log.rows()) {
        let mut document = document(entry);
        document["seq"] = stored.seq.into();
        document["at"] = stored.at.into();
        if let Some((chain, cpu_us)) = &stored.commit {
            document["chain"] = hex(chain).into();
            document["cpu_us"] = (*cpu_us).into();
        }
        if stored.seq == 0 {
            document["run"] = row.id.to_string().into();
        }
        writeln!(text, "{document}").ok();
    }
    text
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
