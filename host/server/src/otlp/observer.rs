//! Makes spans of the calls of a run, and of their attempts.

use std::sync::Arc;

use kael_engine::failure::ErrorKind;
use kael_engine::gate::{Attempt, CallStart, Observer, Record};
use kael_engine::trace_context::TraceContext;
use serde_json::json;

use super::span::Span;
use super::{Exporter, nanos_of};

/// Makes spans, and hands everything on to another observer.
pub(crate) struct Told {
    exporter: Arc<Exporter>,
    next: Arc<dyn Observer>,
    context: TraceContext,
}

impl Told {
    pub(super) fn new(
        exporter: Arc<Exporter>,
        next: Arc<dyn Observer>,
        context: TraceContext,
    ) -> Self {
        Self {
            exporter,
            next,
            context,
        }
    }
}

fn failure(failed: Option<ErrorKind>) -> Option<String> {
    failed.map(|kind| kind.name().to_owned())
}

impl Observer for Told {
    fn call_begins(&self, call: &CallStart) {
        self.next.call_begins(call);
    }

    fn attempt_ends(&self, attempt: &Attempt) {
        let (context, run) = (&self.context, attempt.run.id);
        self.exporter.add(Span {
            trace: context.trace,
            id: context.attempt_span(run, attempt.call, attempt.attempt),
            parent: Some(context.call_span(run, attempt.call)),
            name: format!("attempt {}", attempt.attempt),
            start: nanos_of(attempt.run.time_of(attempt.started)),
            end: nanos_of(attempt.run.time_of(attempt.started + attempt.duration)),
            attributes: vec![
                ("kael.call", json!(attempt.call)),
                ("kael.attempt", json!(attempt.attempt)),
            ],
            failed: failure(attempt.failed),
        });
        self.next.attempt_ends(attempt);
    }

    fn call_ends(&self, call: &Record) {
        let (context, run) = (&self.context, call.run.id);
        let decision = call.decision.as_ref();
        let rule = decision.map(|decision| decision.source.to_string());
        self.exporter.add(Span {
            trace: context.trace,
            id: context.call_span(run, call.call),
            parent: Some(context.run_span(run)),
            name: call.name.clone(),
            start: nanos_of(call.started_at()),
            end: nanos_of(call.ended_at()),
            attributes: vec![
                ("kael.call", json!(call.call)),
                ("kael.action", json!(call.name)),
                ("kael.runner", json!(call.runner)),
                ("kael.rule", json!(rule)),
            ],
            failed: failure(call.failed),
        });
        self.next.call_ends(call);
    }
}
