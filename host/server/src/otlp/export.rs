//! Sends spans to a collector, some at once, beside the runs. A collector that does not answer costs
//! spans and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kael_net::Trust;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::span::{Span, request};
use crate::dial::{Address, post_json};

/// Where a collector takes traces.
const PATH: &str = "/v1/traces";
/// Spans that wait to be sent; more are dropped.
const MAX_WAITING: usize = 8192;
/// Spans of one request, and how long it waits for them.
const BATCH: usize = 512;
const GATHER: Duration = Duration::from_secs(1);
/// How long a collector may take, and how long the end of the server waits for it.
const ANSWER: Duration = Duration::from_secs(10);
const LAST: Duration = Duration::from_secs(3);
/// How often it is told that a collector does not answer.
const TELL: Duration = Duration::from_secs(60);

/// Where spans are sent.
pub(crate) struct Collector {
    pub(crate) address: Address,
    pub(crate) trust: Trust,
}

/// Takes spans.
pub(crate) struct Exporter {
    spans: Sender<Span>,
    dropped: AtomicU64,
}

impl Exporter {
    /// An exporter, and the task that sends what it takes, until the server ends.
    pub(crate) fn new(
        collector: Collector,
        ending: watch::Receiver<bool>,
    ) -> (Arc<Self>, impl Future<Output = ()> + Send) {
        let (spans, inbox) = channel(MAX_WAITING);
        let exporter = Arc::new(Self {
            spans,
            dropped: AtomicU64::new(0),
        });
        (exporter, send_all(collector, inbox, ending))
    }

    /// Takes a span; it is dropped when too many wait.
    pub(crate) fn add(&self, span: Span) {
        if self.spans.try_send(span).is_err() {
            let before = self.dropped.fetch_add(1, Ordering::Relaxed);
            if before.is_power_of_two() || before == 0 {
                tracing::warn!(
                    "the collector of traces is too slow: {} spans are dropped",
                    before + 1
                );
            }
        }
    }
}

async fn send_all(
    collector: Collector,
    mut inbox: Receiver<Span>,
    mut ending: watch::Receiver<bool>,
) {
    let mut told: Option<Instant> = None;
    loop {
        let first = tokio::select! {
            first = inbox.recv() => first,
            _ = ending.wait_for(|ending| *ending) => None,
        };
        let Some(first) = first else { break };
        let batch = gather(first, &mut inbox, &mut ending).await;
        if let Err(why) = send(&collector, &batch, ANSWER).await
            && told.is_none_or(|told| told.elapsed() > TELL)
        {
            told = Some(Instant::now());
            tracing::warn!("{} spans are lost: {why}", batch.len());
        }
    }
    let mut rest = Vec::new();
    while let Ok(span) = inbox.try_recv() {
        rest.push(span);
    }
    for batch in rest.chunks(BATCH) {
        if let Err(why) = send(&collector, batch, LAST).await {
            tracing::warn!("the last spans are lost: {why}");
            return;
        }
    }
}

/// What comes within a moment of the first.
async fn gather(
    first: Span,
    inbox: &mut Receiver<Span>,
    ending: &mut watch::Receiver<bool>,
) -> Vec<Span> {
    let until = Instant::now() + GATHER;
    let mut batch = vec![first];
    while batch.len() < BATCH {
        let next = tokio::select! {
            next = timeout_at(until, inbox.recv()) => next.ok().flatten(),
            _ = ending.wait_for(|ending| *ending) => None,
        };
        let Some(span) = next else { break };
        batch.push(span);
    }
    batch
}

async fn send(collector: &Collector, spans: &[Span], within: Duration) -> Result<(), String> {
    if spans.is_empty() {
        return Ok(());
    }
    let address = &collector.address;
    let body = request(spans).to_string().into_bytes();
    let sent = post_json(address, &collector.trust, PATH, body);
    match timeout(within, sent).await {
        Ok(Ok(200..300)) => Ok(()),
        Ok(Ok(status)) => Err(format!(
            "the collector at {address} answered with status {status}"
        )),
        Ok(Err(why)) => Err(format!("the collector at {address}: {why}")),
        Err(_) => Err(format!("the collector at {address} does not answer")),
    }
}
