//! Writes the journal of a run while it goes on: entries are kept until a barrier, and output is held back until the
//! entries before it are durable.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

use super::chain::Chain;
use super::crossing::{Crossing, Stretch};
use super::entry::{Delivered, Delivery, End, Entry, Intent, Outcome, Wait};
use super::log::{Log, LogRow};
use super::sink::{Batch, Sink, SinkError};
use crate::bounds::Meter;

/// How long output is held back for more of it, and the end of an effect for the next barrier.
const OUTPUT_WITHIN: Duration = Duration::from_millis(20);
const OUTCOME_WITHIN: Duration = Duration::from_millis(2);

/// Entries and bytes that are handed to the sink without a barrier.
const MAX_BUFFERED: usize = 1000;
const MAX_BUFFERED_BYTES: usize = 1 << 20;

/// Entries and bytes that the journal of one run may have.
const MAX_ENTRIES: u64 = 200_000;
const MAX_BYTES: u64 = 1 << 30;

/// Shows output.
pub(crate) trait Release: Send + Sync {
    /// Shows it. An error means that the reader has left, with the reason if it is known.
    fn release(
        &self,
        text: Vec<u8>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Option<String>>> + Send + '_>>;
}

/// What a barrier comes to.
pub(crate) type Barrier = Result<(), SinkError>;

/// Entries that are not handed over yet, and what was.
struct Buffer {
    next: u64,
    rows: Vec<LogRow>,
    bytes: usize,
    total: u64,
    chain: [u8; 32],
    stretch: Stretch,
    /// Printed, and not handed over.
    output: Vec<u8>,
    /// What the script has told of how far it is.
    status: Option<String>,
    /// Handed over, and not shown.
    unshown: Vec<u8>,
    /// Where `output` begins in the whole.
    offset: u64,
    /// Where `unshown` begins.
    shown: u64,
    /// Entries of outcomes that the script has not got, by call.
    undelivered: HashMap<u32, u64>,
    timer: Option<Instant>,
    clock: f64,
    /// Batches that were handed over, and how many of them are durable.
    handed: u64,
    durable: u64,
}

/// A batch that was handed over.
struct Handed {
    appending: super::sink::Appending,
    /// From 1.
    number: u64,
}

pub(crate) struct Recorder {
    sink: Arc<dyn Sink>,
    buffer: Mutex<Buffer>,
    /// One shows at a time.
    showing: tokio::sync::Mutex<()>,
    meter: OnceLock<Meter>,
    release: OnceLock<Arc<dyn Release>>,
    /// Set when the output takes no more, and why.
    pub(crate) closed: OnceLock<Option<String>>,
    failed: watch::Sender<Option<SinkError>>,
    shown_before: u64,
    /// Who has wanted the run to end, once that is written down.
    pub(super) cancelled: OnceLock<String>,
    pub(super) was_dropped: OnceLock<()>,
}

impl Recorder {
    pub(super) fn new(sink: Arc<dyn Sink>, next: u64, chain: [u8; 32], shown: u64) -> Self {
        let buffer = Buffer {
            next,
            rows: Vec::new(),
            bytes: 0,
            total: 0,
            chain,
            stretch: Stretch::default(),
            output: Vec::new(),
            status: None,
            unshown: Vec::new(),
            offset: shown,
            shown,
            undelivered: HashMap::new(),
            timer: None,
            clock: 0.0,
            handed: 0,
            durable: 0,
        };
        Self {
            sink,
            buffer: Mutex::new(buffer),
            showing: tokio::sync::Mutex::new(()),
            meter: OnceLock::new(),
            release: OnceLock::new(),
            closed: OnceLock::new(),
            failed: watch::Sender::new(None),
            shown_before: shown,
            cancelled: OnceLock::new(),
            was_dropped: OnceLock::new(),
        }
    }

    /// For a journal that goes on: what it has counts.
    pub(super) fn behind(log: &Log, sink: Arc<dyn Sink>, shown: u64) -> Self {
        let recorder = Self::new(sink, log.count(), log.head().0, shown);
        recorder.lock().total = log.bytes();
        recorder
    }

    /// Writes down, once, that somebody wants the run to end.
    pub(crate) fn cancel(&self, by: &str) {
        if self.cancelled.set(by.to_owned()).is_ok() {
            let by = by.to_owned();
            self.push(&Entry::Cancel { by });
        }
    }

    /// That is written down in what the run has behind it.
    pub(crate) fn was_cancelled(&self, by: String) {
        self.cancelled.set(by).ok();
    }

    /// Writes down that the run was ended because its script had not ended in time after that.
    pub(crate) fn drop_run(&self, by: &str) {
        self.cancel(by);
        self.was_dropped.set(()).ok();
    }

    /// Once, before the run begins.
    pub(crate) fn set_up(&self, meter: Meter, release: Arc<dyn Release>) {
        self.meter.set(meter).ok();
        self.release.set(release).ok();
    }

    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an entry, and says which number it has.
    pub(crate) fn push(&self, entry: &Entry) -> u64 {
        let (mut buffer, at) = (self.lock(), now());
        buffer.end_stretch(at);
        let seq = buffer.push(entry, at);
        self.hand_over_if_large(buffer);
        seq
    }

    /// Adds a crossing that showed something.
    pub(crate) fn show(&self, bytes: u64, digest: &[u8; 32]) {
        self.lock().stretch.add(bytes, digest);
    }

    /// Adds a crossing with one of the host's own names.
    pub(crate) fn own(&self, name: String, answer: Outcome) {
        self.push(&Entry::Own { name, answer });
    }

    /// Adds that the script has cancelled calls, in front of the crossing that did so.
    pub(crate) fn calls_cancelled(&self, ids: Vec<u32>) {
        self.push(&Entry::CallsCancelled { ids });
    }

    /// Adds a crossing. Each completion: its call, whether its answer is written here (and not in an entry of its own), and
    /// the answer.
    pub(crate) fn turn(&self, crossing: Crossing, completions: Vec<(u32, bool, Outcome)>) {
        let Crossing::Turn { digest, asked } = crossing else {
            return;
        };
        let (mut buffer, at) = (self.lock(), now());
        buffer.end_stretch(at);
        let mut delivered = Vec::with_capacity(completions.len());
        for (id, own, outcome) in completions {
            let seq = buffer.undelivered.remove(&id).filter(|_| !own);
            let delivery = seq.map_or(Delivery::Own(outcome), Delivery::At);
            delivered.push(Delivered { id, delivery });
        }
        buffer.push(
            &Entry::Turn {
                digest,
                asked,
                delivered,
            },
            at,
        );
        self.hand_over_if_large(buffer);
    }

    /// Adds how a call ended. The end of an effect becomes durable within two milliseconds; no call waits for that.
    pub(crate) fn outcome(
        self: &Arc<Self>,
        id: u32,
        outcome: Outcome,
        duration: Duration,
        is_effect: bool,
    ) {
        let duration = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let seq = self.push(&Entry::Outcome {
            id,
            outcome,
            duration,
        });
        self.lock().undelivered.insert(id, seq);
        if is_effect {
            self.flush_within(OUTCOME_WITHIN);
        }
    }

    /// The outcome of a call is in an entry of an earlier attempt.
    pub(crate) fn known(&self, id: u32, seq: u64) {
        self.lock().undelivered.insert(id, seq);
    }

    pub(crate) fn forget(&self, id: u32) {
        self.lock().undelivered.remove(&id);
    }

    /// Says that an effect is about to begin, and waits until that is durable.
    pub(crate) async fn intent(&self, intent: Intent) -> Barrier {
        self.push(&Entry::Intent(Box::new(intent)));
        self.barrier().await
    }

    /// Says what a call waits for.
    pub(crate) fn wait(&self, id: u32, wait: Wait) {
        self.push(&Entry::Wait { id, wait });
    }

    /// Holds output back until the entries before it are durable.
    pub(crate) fn print(self: &Arc<Self>, text: &[u8]) {
        self.lock().output.extend_from_slice(text);
        self.flush_within(OUTPUT_WITHIN);
    }

    /// Keeps how far the run is, for the next entries that become durable.
    pub(crate) fn status(self: &Arc<Self>, text: String) {
        self.lock().status = Some(text);
        self.flush_within(OUTPUT_WITHIN);
    }

    /// The time of day of a run never goes back.
    pub(crate) fn clock(&self, wall: f64) -> f64 {
        let mut buffer = self.lock();
        buffer.clock = buffer.clock.max(wall);
        buffer.clock
    }

    /// Whether the journal has as much as it may have.
    pub(crate) fn is_full(&self) -> bool {
        let buffer = self.lock();
        buffer.next >= MAX_ENTRIES || buffer.total >= MAX_BYTES
    }

    /// Bytes of the output that were shown before this attempt.
    pub(crate) fn shown_before(&self) -> u64 {
        self.shown_before
    }

    /// Waits until all entries so far are durable, and shows the output before them.
    pub(crate) async fn barrier(&self) -> Barrier {
        if let Some(error) = self.failed.borrow().clone() {
            return Err(error);
        }
        let (handed, upto) = self.hand_over(self.lock());
        if let Some(Handed { appending, number }) = handed {
            if let Err(error) = appending.await {
                self.failed.send_replace(Some(error.clone()));
                return Err(error);
            }
            let mut buffer = self.lock();
            buffer.durable = buffer.durable.max(number);
        }
        self.show_up_to(upto).await;
        Ok(())
    }

    /// The end of the run or of this attempt at it.
    pub(crate) async fn end(&self, end: End) -> Barrier {
        self.push(&Entry::End(Box::new(end)));
        self.barrier().await
    }

    /// The store took something else of the run no more: the run stops, as where its journal cannot be written.
    pub(crate) fn fail(&self, why: String) {
        self.failed.send_replace(Some(SinkError::Failed(why)));
    }

    /// Waits until the journal cannot be written.
    pub(crate) async fn failure(&self) -> SinkError {
        let mut failed = self.failed.subscribe();
        let failed = failed.wait_for(Option::is_some).await;
        failed
            .ok()
            .and_then(|error| error.clone())
            .unwrap_or(SinkError::Fenced)
    }

    fn hand_over_if_large(&self, buffer: MutexGuard<'_, Buffer>) {
        if buffer.rows.len() >= MAX_BUFFERED || buffer.bytes >= MAX_BUFFERED_BYTES {
            // It becomes durable without a barrier. If it fails, the next barrier finds a gap.
            drop(self.hand_over(buffer));
        }
    }

    /// Gives what is buffered to the sink, under the lock: batches are in the order of their numbers.
    /// None if nothing is buffered and all earlier batches are durable; an empty batch is durable no sooner than they are.
    /// Returns where the output ends that was printed so far, too.
    fn hand_over(&self, mut buffer: MutexGuard<'_, Buffer>) -> (Option<Handed>, u64) {
        buffer.end_stretch(now());
        let output = std::mem::take(&mut buffer.output);
        let offset = buffer.offset;
        buffer.offset += output.len() as u64;
        let upto = buffer.offset;
        if !output.is_empty() {
            buffer.unshown.extend_from_slice(&output);
        }
        let status = buffer.status.take();
        let is_empty = buffer.rows.is_empty() && output.is_empty() && status.is_none();
        if is_empty && buffer.durable == buffer.handed {
            return (None, upto);
        }
        buffer.handed += 1;
        let number = buffer.handed;
        let mut rows = std::mem::take(&mut buffer.rows);
        buffer.bytes = 0;
        buffer.timer = None;
        let cpu_us = self.meter.get().map_or(0, |meter| {
            u64::try_from(meter.spent().as_micros()).unwrap_or(u64::MAX)
        });
        let mut chain = Chain::after(&buffer.chain);
        for row in &rows {
            chain.add(row.seq, row.at, row.kind, &row.body);
        }
        if let Some(last) = rows.last_mut() {
            let end = chain.end(cpu_us);
            last.commit = Some((end, cpu_us));
            buffer.chain = end;
        }
        let batch = Batch {
            rows,
            output,
            offset,
            status,
        };
        let appending = self.sink.append(batch);
        (Some(Handed { appending, number }), upto)
    }

    /// Shows what is durable of the output.
    async fn show_up_to(&self, upto: u64) {
        let _one = self.showing.lock().await;
        let text = {
            let mut buffer = self.lock();
            let Some(count) = upto.checked_sub(buffer.shown).filter(|count| *count > 0) else {
                return;
            };
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            let count = count.min(buffer.unshown.len());
            buffer.shown += count as u64;
            buffer.unshown.drain(..count).collect::<Vec<u8>>()
        };
        if let Some(release) = self.release.get()
            && let Err(why) = release.release(text).await
        {
            self.closed.set(why).ok();
        }
    }

    /// A barrier after this time. No call waits for it.
    fn flush_within(self: &Arc<Self>, time: Duration) {
        let due = Instant::now() + time;
        {
            let mut buffer = self.lock();
            if buffer.timer.is_some_and(|timer| timer <= due) {
                return;
            }
            buffer.timer = Some(due);
        }
        let recorder = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep_until(due.into()).await;
            if let Some(recorder) = recorder.upgrade() {
                recorder.lock().timer = None;
                recorder.barrier().await.ok();
            }
        });
    }
}

impl Buffer {
    fn push(&mut self, entry: &Entry, at: u64) -> u64 {
        let (seq, body) = (self.next, entry.encode());
        self.next += 1;
        self.bytes += body.len();
        self.total += body.len() as u64;
        self.rows.push(LogRow {
            seq,
            at,
            kind: entry.kind(),
            body,
            commit: None,
        });
        seq
    }

    fn end_stretch(&mut self, at: u64) {
        if self.stretch.count > 0 {
            let stretch = std::mem::take(&mut self.stretch);
            let entry = Entry::Prints {
                count: stretch.count,
                bytes: stretch.bytes,
                digest: stretch.digest(),
            };
            self.push(&entry, at);
        }
    }
}

/// Microseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    })
}

#[cfg(test)]
mod tests;
