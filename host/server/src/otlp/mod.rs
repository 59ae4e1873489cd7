//! Traces for OpenTelemetry: a span for each run, each of its calls, and each attempt of a call, sent to a collector
//! as OTLP over HTTP in JSON.
//!
//! A run goes on with the trace whose `traceparent` its submitter sent, or begins one with its own id. Without the
//! setting `otlp`, nothing of this is done.

mod export;
mod observer;
mod span;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use kael_engine::gate::Observer;
use kael_engine::run_info::RunId;
use kael_engine::trace_context::TraceContext;
use serde_json::json;

use crate::id::Id;
use crate::tables::runs::{Ended, RunRow};
use crate::time;

pub(crate) use export::{Collector, Exporter};
pub(crate) use observer::Told;
use span::Span;

/// The trace of a run that was submitted with this `traceparent`, or none.
pub(crate) fn context(run: &Id, traceparent: Option<&str>) -> TraceContext {
    let given = traceparent.and_then(TraceContext::parse);
    given.unwrap_or_else(|| TraceContext::of_run(RunId::from_bytes(*run.bytes())))
}

/// An observer that makes spans of calls, and tells everything on.
pub(crate) fn observer(
    exporter: &Arc<Exporter>,
    next: Arc<dyn Observer>,
    context: TraceContext,
) -> Arc<dyn Observer> {
    match context.sampled {
        true => Arc::new(Told::new(exporter.clone(), next, context)),
        false => next,
    }
}

/// Makes the span of a run that has ended.
pub(crate) fn run_ended(
    exporter: &Exporter,
    context: &TraceContext,
    run: &RunRow,
    tenant: &str,
    started: i64,
    ended: &Ended,
) {
    if !context.sampled {
        return;
    }
    let id = RunId::from_bytes(*run.id.bytes());
    let failed = ended.error.as_deref().map(|error| {
        let error: serde_json::Value = serde_json::from_str(error).unwrap_or_default();
        error["message"].as_str().unwrap_or_default().to_owned()
    });
    exporter.add(Span {
        trace: context.trace,
        id: context.run_span(id),
        parent: context.parent,
        name: format!("run {}", run.name),
        start: nanos(started),
        end: nanos(time::now()),
        attributes: vec![
            ("kael.run", json!(run.id.to_string())),
            ("kael.tenant", json!(tenant)),
            ("kael.origin", json!(run.origin)),
            ("kael.state", json!(ended.state.name())),
            ("kael.reason", json!(ended.reason)),
            ("kael.exit_code", json!(ended.exit_code)),
            ("kael.queue_ms", json!((started - run.ready).max(0) / 1000)),
        ],
        failed,
    });
}

/// Microseconds as the nanoseconds of OTLP.
fn nanos(micros: i64) -> u64 {
    u64::try_from(micros).unwrap_or(0).saturating_mul(1000)
}

fn nanos_of(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
