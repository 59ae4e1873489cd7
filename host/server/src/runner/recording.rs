//! Keeps the events of a run that runs: they are gathered for 20 ms, written in one transaction, and
//! published when they are durable.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use kael_engine::failure::ErrorKind;
use kael_engine::gate::CallEvent;
use kael_engine::sandbox::Output;
use kael_store::{Pending, Store, StoreError};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::live::Live;
use crate::event::{Event, Kind};
use crate::id::Id;
use crate::tables::events;
use crate::time;

/// How long events are gathered before they are written.
const GATHER: Duration = Duration::from_millis(20);
/// How long a write that failed waits for the next try.
const RETRY: Duration = Duration::from_millis(500);
/// How often a run that prints nothing is asked for tables and charts.
const TICK: Duration = Duration::from_secs(1);
/// Bytes of output in one event.
const PIECE: usize = 32 << 10;
/// Bytes of events that may wait to be written; then the script waits.
const MAX_WAITING: usize = 1 << 20;
/// Tables and charts of a run that are kept, and bytes of them.
const MAX_ITEMS: usize = 200;
const MAX_ITEM_BYTES: usize = 16 << 20;

/// An event without its number, which it gets when it is written.
struct Draft {
    at: i64,
    kind: Kind,
    body: Vec<u8>,
    /// The number of the call that begins with it.
    call: Option<u64>,
}

/// The events of one run.
pub(super) struct Recording {
    store: Store,
    run: Id,
    live: Arc<Live>,
    next: i64,
    offset: i64,
    drafts: Vec<Draft>,
    bytes: usize,
    /// Written, and not durable yet.
    written: Option<Pending<()>>,
    /// What is being written, or has to be written again.
    unwritten: Vec<Arc<Event>>,
    due: Option<Instant>,
    items: usize,
    item_bytes: usize,
    /// Tables and charts that a run that goes on shows again.
    known: usize,
}

impl Recording {
    /// Goes on behind the last event that a run has, which has that many tables and charts.
    pub(super) fn new(store: Store, run: Id, live: Arc<Live>, last: &Event, known: usize) -> Self {
        Self {
            store,
            run,
            live,
            next: last.seq + 1,
            offset: last.offset,
            drafts: Vec::new(),
            bytes: 0,
            written: None,
            unwritten: Vec::new(),
            due: None,
            items: 0,
            item_bytes: 0,
            known,
        }
    }

    /// Bytes that the run has printed, as far as that is known.
    pub(super) fn offset(&self) -> u64 {
        u64::try_from(self.offset).unwrap_or(0)
    }

    /// Whether the run must wait before it says more.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= MAX_WAITING
    }

    /// The run has printed something.
    pub(super) fn printed(&mut self, mut bytes: Vec<u8>) {
        self.bytes += bytes.len();
        if let Some(last) = self.drafts.last_mut()
            && last.kind == Kind::Output
            && last.body.len() + bytes.len() <= PIECE
        {
            last.body.append(&mut bytes);
            return self.gather();
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(cut(rest, PIECE));
            self.draft(Kind::Output, piece.to_vec(), None);
            rest = more;
        }
    }

    /// A call has begun or ended.
    pub(super) fn called(&mut self, event: &CallEvent) {
        let (kind, call, body) = match event {
            CallEvent::Begins(call) => (Kind::CallStarted, call.call, begins(call)),
            CallEvent::Ends(call) => (Kind::CallEnded, call.call, ends(call)),
        };
        if kind == Kind::CallEnded {
            // A call that has ended before its beginning was kept has one event.
            self.drafts.retain(|draft| draft.call != Some(call));
        }
        let body = body.to_string().into_bytes();
        self.bytes += body.len();
        self.draft(kind, body, (kind == Kind::CallStarted).then_some(call));
    }

    /// The run stops, and goes on later: the calls that end with its instance are open.
    pub(super) fn stopped(&mut self) {
        let cancelled = ErrorKind::Cancelled.name();
        self.drafts.retain(|draft| {
            let body: Option<Value> = match draft.kind {
                Kind::CallEnded => serde_json::from_slice(&draft.body).ok(),
                _ => None,
            };
            body.is_none_or(|body| body["outcome"] != cancelled)
        });
    }

    /// Something else about the run.
    pub(super) fn note(&mut self, kind: Kind, body: &Value) {
        let body = body.to_string().into_bytes();
        self.bytes += body.len();
        self.draft(kind, body, None);
    }

    /// Takes the tables and charts that the run has shown.
    pub(super) fn shown(&mut self, output: &Output) {
        for item in output.take_shown().report_items.shown {
            let Ok(body) = serde_json::to_value(item) else {
                continue;
            };
            let size = body.to_string().len();
            if self.items < MAX_ITEMS && self.item_bytes + size <= MAX_ITEM_BYTES {
                self.items += 1;
                self.item_bytes += size;
                if self.items > self.known {
                    self.note(Kind::Report, &body);
                }
            }
        }
    }

    fn draft(&mut self, kind: Kind, body: Vec<u8>, call: Option<u64>) {
        let at = time::now();
        self.drafts.push(Draft {
            at,
            kind,
            body,
            call,
        });
        self.gather();
    }

    fn gather(&mut self) {
        self.due.get_or_insert_with(|| Instant::now() + GATHER);
    }

    /// Writes what is due, and publishes what has become durable. Nothing is lost when the future is
    /// dropped. Returns when there was something to do, or when a moment has passed.
    pub(super) async fn go_on(&mut self) {
        if self.written.is_none() {
            match self.due {
                Some(due) => sleep_until(due).await,
                None => return tokio::time::sleep(TICK).await,
            }
            self.write(false);
        }
        let result = match &mut self.written {
            Some(written) => written.await,
            None => return pending().await,
        };
        self.done(result);
    }

    /// Waits until what is being written is durable, and gives what is left for the last write.
    pub(super) async fn rest(&mut self) -> Vec<Arc<Event>> {
        if let Some(written) = &mut self.written {
            let result = written.await;
            self.done(result);
        }
        self.number(true);
        std::mem::take(&mut self.unwritten)
    }

    /// The last event of the run, or of this attempt at it.
    pub(super) fn last(&mut self, kind: Kind, body: &Value) -> Arc<Event> {
        let event = Event {
            seq: self.next,
            at: time::now(),
            kind,
            offset: self.offset,
            body: body.to_string().into_bytes(),
        };
        self.next += 1;
        Arc::new(event)
    }

    fn write(&mut self, all: bool) {
        self.number(all);
        self.due = None;
        if self.unwritten.is_empty() {
            return;
        }
        let (run, events) = (self.run, self.unwritten.clone());
        self.written = Some(self.store.write(move |tx| {
            events
                .iter()
                .try_for_each(|event| events::insert(tx, &run, event))
        }));
    }

    fn done(&mut self, result: Result<(), StoreError>) {
        self.written = None;
        match result {
            Ok(()) => self.live.publish(std::mem::take(&mut self.unwritten)),
            Err(error) => {
                tracing::warn!(
                    "the events of run {} are not written yet: {error}",
                    self.run
                );
                self.due = Some(Instant::now() + RETRY);
            }
        }
        if !self.drafts.is_empty() {
            self.gather();
        }
    }

    /// Gives the drafts their numbers. Unless it is `all`, half a character at the end waits for its
    /// other half.
    fn number(&mut self, all: bool) {
        let mut drafts = std::mem::take(&mut self.drafts);
        self.bytes = 0;
        if let Some(last) = drafts.last_mut()
            && last.kind == Kind::Output
            && !all
        {
            let whole = cut(&last.body, last.body.len());
            if whole < last.body.len() && whole > 0 {
                let half = last.body.split_off(whole);
                self.bytes = half.len();
                self.drafts.push(Draft {
                    body: half,
                    call: None,
                    ..*last
                });
            }
        }
        for draft in drafts {
            if draft.kind == Kind::Output {
                self.offset += i64::try_from(draft.body.len()).unwrap_or(0);
            }
            self.unwritten.push(Arc::new(Event {
                seq: self.next,
                at: draft.at,
                kind: draft.kind,
                offset: self.offset,
                body: draft.body,
            }));
            self.next += 1;
        }
    }
}

/// The most bytes, up to `most`, that end with a whole character. Bytes that are no UTF-8 are cut
/// anywhere.
fn cut(bytes: &[u8], most: usize) -> usize {
    let most = most.min(bytes.len());
    let start = most.saturating_sub(3);
    for at in (start..most).rev() {
        let length = match bytes[at] {
            0x80..=0xbf => continue,
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return most,
        };
        return if at + length > most && at > 0 {
            at
        } else {
            most
        };
    }
    most
}

fn begins(call: &kael_engine::gate::CallStart) -> Value {
    json!({
        "call": call.call,
        "action": call.name,
        "status": "started",
        "started": time::text(time::of(call.started_at())),
    })
}

fn ends(call: &kael_engine::gate::Record) -> Value {
    let millis = (call.duration.as_secs_f64() * 1e6).round() / 1e3;
    let rule = call.decision.as_ref().map(|decision| {
        let source = &decision.source;
        json!({
            "verdict": decision.verdict.word(),
            "rule": source.rule,
            "reason": source.reason,
            "line": source.file.is_some().then_some(source.line),
        })
    });
    json!({
        "call": call.call,
        "action": call.name,
        "status": "ended",
        "started": time::text(time::of(call.started_at())),
        "ms": millis,
        "outcome": call.failed.map_or("ok", ErrorKind::name),
        "params_digest": call.digest,
        "runner": call.runner,
        "decision": rule,
    })
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn characters_stay_whole() {
        assert_eq!(cut(b"abc", 2), 2);
        assert_eq!(cut("aä".as_bytes(), 3), 3);
        assert_eq!(cut(&"aä".as_bytes()[..2], 2), 1);
        assert_eq!(cut("a€b".as_bytes(), 3), 1);
        assert_eq!(cut("a€b".as_bytes(), 4), 4);
        assert_eq!(cut("𝄞".as_bytes(), 2), 2);
        assert_eq!(cut(b"a\xff\xff", 3), 3);
        assert_eq!(cut(b"", 5), 0);
    }
}
