//! The record of a call: made when the call begins, and complete when it has ended.

use std::time::{Duration, Instant};

use crate::activity::SpanGuard;
use crate::failure::ErrorKind;

/// One call, for the record.
#[derive(Debug, Clone)]
pub struct Record {
    /// The name that was asked for.
    pub name: String,
    /// The start of the SHA-256 of the merged parameters, in hexadecimal; empty when they were never merged.
    pub digest: String,
    /// None when it succeeded.
    pub failed: Option<ErrorKind>,
    /// When its turn came.
    pub started: Instant,
    /// From then to its outcome.
    pub duration: Duration,
}

/// A call until it has ended: then, however that was, it is recorded.
pub(super) struct Recording<'a> {
    /// As it can be shown.
    pub(super) name: String,
    pub(super) digest: String,
    pub(super) start: Instant,
    /// How it ended; a call that is dropped was abandoned.
    pub(super) failed: Option<ErrorKind>,
    pub(super) doing: SpanGuard,
    pub(super) keep: &'a (dyn Fn(Record) + Send + Sync),
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        let record = Record {
            name: std::mem::take(&mut self.name),
            digest: std::mem::take(&mut self.digest),
            failed: self.failed,
            started: self.start,
            duration: self.start.elapsed(),
        };
        self.doing
            .outcome(record.failed.map_or("ok", ErrorKind::name));
        tracing::info!(
            target: "kael::action",
            name = record.name,
            params = record.digest,
            outcome = record.failed.map_or("ok", ErrorKind::name),
            ms = record.duration.as_millis() as u64,
        );
        (self.keep)(record);
    }
}

/// A name that a hostile guest may have made up, cut to what a line can hold.
pub(super) fn shown(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.len() <= 100 && name.bytes().all(plain) {
        return name.to_owned();
    }
    let mut shown: String = name
        .chars()
        .take(100)
        .flat_map(char::escape_debug)
        .collect();
    if name.chars().nth(100).is_some() {
        shown.push_str("...");
    }
    shown
}
