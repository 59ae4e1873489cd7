//! Where a run stands in a distributed trace, as the W3C's Trace Context has it.
//!
//! The ids of spans follow from the run and the call, so that whoever sends the spans of a run and
//! whoever hands them to its actions need not speak to each other.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::run_id::RunId;
use crate::text::hex;

/// The trace of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The id of the trace.
    pub trace: [u8; 16],
    /// The span that asked for the run, if there is one.
    pub parent: Option<[u8; 8]>,
    /// Whether somebody keeps the trace.
    pub sampled: bool,
}

impl TraceContext {
    /// The trace that a run begins itself: its id is the id of the run.
    #[must_use]
    pub fn of_run(run: RunId) -> Self {
        Self {
            trace: *run.bytes(),
            parent: None,
            sampled: true,
        }
    }

    /// What a header `traceparent` says: `00-TRACE-SPAN-FLAGS`. None if it is not valid, which is to be
    /// taken as if it were not there.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let version = bytes::<1>(parts.next()?)?;
        let trace = bytes::<16>(parts.next()?)?;
        let parent = bytes::<8>(parts.next()?)?;
        let flags = bytes::<1>(parts.next()?)?;
        // Later versions may have more parts.
        let is_known = version != [0xff] && (version != [0] || parts.next().is_none());
        let is_valid = is_known && trace != [0; 16] && parent != [0; 8];
        is_valid.then_some(Self {
            trace,
            parent: Some(parent),
            sampled: flags[0] & 1 == 1,
        })
    }

    /// The span of a run.
    #[must_use]
    pub fn run_span(&self, run: RunId) -> [u8; 8] {
        self.span(run, 0, 0)
    }

    /// The span of one of its calls, from 1.
    #[must_use]
    pub fn call_span(&self, run: RunId, call: u64) -> [u8; 8] {
        self.span(run, call, 0)
    }

    /// The span of an attempt of a call, both from 1.
    #[must_use]
    pub fn attempt_span(&self, run: RunId, call: u64, attempt: u32) -> [u8; 8] {
        self.span(run, call, attempt)
    }

    fn span(&self, run: RunId, call: u64, attempt: u32) -> [u8; 8] {
        let mut hash = Sha256::new();
        hash.update(self.trace);
        hash.update(run.bytes());
        hash.update(call.to_le_bytes());
        hash.update(attempt.to_le_bytes());
        let mut id = [0; 8];
        id.copy_from_slice(&hash.finalize()[..8]);
        id
    }

    /// The header for what a span starts.
    #[must_use]
    pub fn header(&self, span: [u8; 8]) -> String {
        let mut header = format!("00-{}-{}-", hex(&self.trace), hex(&span));
        write!(header, "{:02x}", u8::from(self.sampled)).ok();
        header
    }
}

/// Lowercase hexadecimal digits, two a byte.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 2 * N || !text.bytes().all(is_lower) {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn headers_are_read_as_the_recommendation_says() {
        let context = TraceContext::parse(HEADER).expect("a context");
        assert!(context.sampled);
        assert_eq!(context.header(context.parent.expect("a parent")), HEADER);
        let unsampled = HEADER.replace("-01", "-00");
        assert_eq!(
            TraceContext::parse(&unsampled).map(|context| context.sampled),
            Some(false)
        );
        let later = format!("cc{}-more", &HEADER[2..]);
        assert!(TraceContext::parse(&later).is_some());
        for wrong in [
            "",
            "00",
            &HEADER.to_uppercase(),
            &format!("{HEADER}-more"),
            &format!("ff{}", &HEADER[2..]),
            &HEADER.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            &HEADER.replace("00f067aa0ba902b7", &"0".repeat(16)),
            &HEADER.replace("4bf9", "4bg9"),
            &HEADER.replace("4bf9", "ä9"),
        ] {
            assert_eq!(TraceContext::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn spans_of_a_run_differ_and_stay_the_same() {
        let run = RunId::from_bytes([7; 16]);
        let context = TraceContext::of_run(run);
        let all = [
            context.run_span(run),
            context.call_span(run, 1),
            context.call_span(run, 2),
            context.attempt_span(run, 1, 1),
            context.attempt_span(run, 1, 2),
            context.run_span(RunId::from_bytes([8; 16])),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(context.call_span(run, 1), all[1]);
    }
}
