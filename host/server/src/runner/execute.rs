//! Runs one claimed run until it ends or waits, and keeps its events and what became of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kael_engine::gate::{Observer, Policy, events};
use kael_engine::runtime::RunOptions;
use kael_engine::sandbox::{Ending, Output};
use kael_engine::trace_context::TraceContext;
use kael_runs::{Conclusion, Family};
use kael_store::StoreError;
use tokio::sync::mpsc::UnboundedReceiver;

use super::claimed::Claimed;
use super::ending::{self, Outcome};
use super::family::{self, FamilyEvents};
use super::journal::{self, Journaled};
use super::recording::Recording;
use crate::app::App;
use crate::event::Event;
use crate::otlp;
use crate::tables::runs::State;
use crate::tables::traces;
use crate::tenant::Tenant;

/// How long the end of a run waits for room in the store before it is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// What became of a run, and what is to be written of that in its journal.
struct Done {
    outcome: Outcome,
    conclusion: Option<Conclusion>,
}

impl From<Outcome> for Done {
    fn from(outcome: Outcome) -> Self {
        Self {
            outcome,
            conclusion: None,
        }
    }
}

/// Runs a run, and gives its slot back.
pub(super) async fn execute(app: Arc<App>, claimed: Claimed) {
    let begun = Instant::now();
    let (run, tenant, charged) = (claimed.run.id, claimed.run.tenant, claimed.charged);
    let live = app.runner.lives.open(run);
    live.publish([Arc::new(claimed.event.clone())]);
    if claimed.run.started.is_none() {
        app.metrics
            .waited(tenant, claimed.run.ready, claimed.event.at);
    }
    let known = claimed.kept.unwrap_or(0);
    let store = app.store.clone();
    let mut recording = Recording::new(store, run, live.clone(), &claimed.event, known);
    let trace = trace_of(&app, &claimed).await;
    let done = match prepare(&app, &claimed, &recording, trace).await {
        Ok((tenant, journaled)) => {
            perform(&app, &tenant, journaled, &mut recording, &claimed).await
        }
        Err(outcome) => outcome.into(),
    };
    let (events, family) = finish(&app, &claimed, &mut recording, &done).await;
    // Who hears of the end finds the slot free and the run counted.
    let entry = app.runner.running().remove(&run);
    app.runner.fair().finished(tenant, begun.elapsed(), charged);
    if let Outcome::Ended(ended) = &done.outcome {
        app.metrics.ended(tenant, ended, begun.elapsed());
        if let (Some(exporter), Some(trace)) = (&app.traces, trace) {
            let name = app.tenants.get(tenant).map(|tenant| tenant.name.clone());
            let run = &claimed.run;
            let started = run.started.unwrap_or(claimed.event.at);
            let name = name.unwrap_or_default();
            otlp::run_ended(exporter, &trace, run, &name, started, ended);
        }
    }
    if matches!(done.outcome, Outcome::Again) {
        app.runner.fair().add_queued(tenant, 1);
    }
    live.publish(events);
    family.tell(&app);
    // It has stopped by itself while it was being cancelled.
    if let (false, Some(by)) = (done.outcome.is_end(), entry.and_then(|entry| entry.by))
        && let Err(error) = family::cancel(&app, run, &by).await
    {
        tracing::error!("run {run} is not cancelled: {error}");
    }
}

/// The distributed trace of a run; none without a collector.
async fn trace_of(app: &App, claimed: &Claimed) -> Option<TraceContext> {
    app.traces.as_ref()?;
    let run = claimed.run.id;
    let header = app.store.read(move |tx| traces::get(tx, &run)).await;
    Some(otlp::context(&run, header.ok().flatten().as_deref()))
}

/// What the run needs, or why it cannot begin or go on.
async fn prepare(
    app: &Arc<App>,
    claimed: &Claimed,
    recording: &Recording,
    trace: Option<TraceContext>,
) -> Result<(Arc<Tenant>, Journaled), Outcome> {
    let stop = |kind: &str, code: i64, message: &str, hint: &str| match claimed.kept {
        None => Outcome::Ended(ending::not_begun(
            State::Failed,
            kind,
            code,
            message,
            Some(hint),
        )),
        // A run that has begun is not over for that.
        Some(_) => Outcome::Parked {
            error: ending::problem(kind, message, Some(hint)),
            usage: None,
        },
    };
    let Some(tenant) = app
        .tenants
        .get(claimed.run.tenant)
        .filter(|tenant| !tenant.is_disabled())
    else {
        // Claimed just before: it goes back to the queue, which waits.
        return Err(Outcome::Again);
    };
    if claimed.kept.is_some() {
        let shown = recording.offset();
        let resumed = journal::resume(app, &tenant, claimed, shown).await;
        return match resumed {
            Ok(journaled) => Ok((tenant, journaled.traced(trace))),
            Err(error) => Err(Outcome::Parked { error, usage: None }),
        };
    }
    let Some(source) = claimed.source.clone() else {
        let message = "the text of the script is not in the store";
        return Err(stop("bug", 70, message, "please report this"));
    };
    let repo = tenant.repo(&app.engine).await.map_err(|problem| {
        let hint = "the operator of the tenant's actions has to mend them";
        stop("repo", 3, &problem, hint)
    })?;
    let journaled = journal::begin(app, &tenant, claimed, source, repo);
    let journaled = journaled.map_err(|error| {
        stop(
            "bug",
            70,
            &error.to_string(),
            "the log of the server says more",
        )
    })?;
    Ok((tenant, journaled.traced(trace)))
}

async fn perform(
    app: &Arc<App>,
    tenant: &Tenant,
    journaled: Journaled,
    recording: &mut Recording,
    claimed: &Claimed,
) -> Done {
    let run = claimed.run.id;
    let (output, mut reader) = Output::channel();
    let output = output.for_page();
    let (observer, mut calls) = events();
    let observer = observer as Arc<dyn Observer>;
    let options = RunOptions {
        run: Some(journaled.info.clone()),
        tenant: tenant.engine_name(),
        limits: journaled.limits.clone(),
        policy: Policy {
            counter: Some(app.counts.clone()),
            ..tenant.policy(claimed.run.read_only)
        },
        secrets: Some(tenant.secrets()),
        journal: Some(journaled.journal()),
        output: output.clone(),
        observer: Some(match (&app.traces, journaled.info.trace) {
            (Some(exporter), Some(trace)) => otlp::observer(exporter, observer, trace),
            _ => observer,
        }),
        without_repo: match journaled.repo {
            Some(_) => None,
            None => Some(tenant.without_repo(&app.engine)),
        },
        ..RunOptions::default()
    };
    let Journaled {
        script,
        repo,
        begun,
        ..
    } = journaled;
    let mut handle = app.engine.run(repo.as_ref(), script, options);
    if let Some(entry) = app.runner.running().get_mut(&run) {
        entry.start(handle.canceller());
    }
    let report = loop {
        tokio::select! {
            // What the run has said comes before its end.
            biased;
            Some(bytes) = reader.next(), if !recording.is_full() => recording.printed(bytes),
            Some(call) = calls.recv(), if !recording.is_full() => recording.called(&call),
            report = &mut handle => break report,
            () = recording.go_on() => recording.shown(&output),
        }
    };
    recording.shown(&output);
    let conclusion = begun.conclusion(&report);
    let ended_by = begun.ended_by(&report.ending).map(str::to_owned);
    // The journal holds the output open, too: the reader ends when all holders are gone.
    drop((output, handle, begun));
    while let Some(bytes) = reader.next().await {
        recording.printed(bytes);
    }
    drain(&mut calls, recording);
    let by = app
        .runner
        .running()
        .get(&run)
        .and_then(|entry| entry.by.clone());
    let was_cancelled = matches!(report.ending, Ending::Cancelled(_)) && by.is_some();
    let outcome = match ended_by {
        Some(who) => ending::cleaned_up(report, &who),
        None => ending::of_report(report, by.as_deref()),
    };
    if !outcome.is_end() {
        recording.stopped();
    }
    // The journal and the tables of the server say the same: a run that has started this one reads the journal.
    let conclusion = match &outcome {
        _ if was_cancelled => conclusion.cancelled(),
        Outcome::Ended(ended) if ended.state == State::Failed => {
            conclusion.failed(&ending::message(ended))
        }
        _ => conclusion,
    };
    Done {
        conclusion: Some(conclusion),
        outcome,
    }
}

fn drain(calls: &mut UnboundedReceiver<kael_engine::gate::CallEvent>, recording: &mut Recording) {
    while let Ok(call) = calls.try_recv() {
        recording.called(&call);
    }
}

/// Writes what became of the run together with its last events, however long the store refuses it. Returns the events,
/// and what became of the runs that it has started.
async fn finish(
    app: &Arc<App>,
    claimed: &Claimed,
    recording: &mut Recording,
    done: &Done,
) -> (Vec<Arc<Event>>, FamilyEvents) {
    let (run, by) = (claimed.run.id, format!("run {}", claimed.run.id));
    let mut events: Vec<Arc<Event>> = recording.rest().await;
    events.push(recording.last(done.outcome.kind(), &done.outcome.event()));
    let mut conclusion = done.conclusion.clone();
    loop {
        let (rest, end, by) = (events.clone(), done.outcome.clone(), by.clone());
        let of_write = app.clone();
        let to_write = conclusion.clone();
        let written = app.store.write(move |tx| {
            let family = match to_write {
                Some(conclusion) => conclusion.write(tx)?,
                None => Family::default(),
            };
            for event in &rest {
                crate::tables::events::insert(tx, &run, event)?;
            }
            end.write(tx, &run)?;
            FamilyEvents::write(tx, &of_write, family, &by)
        });
        match written.await {
            Ok(family) => return (events, family),
            // The next start of the server finds the run.
            Err(StoreError::Closed) => return (Vec::new(), FamilyEvents::default()),
            Err(StoreError::Conflict(why)) if conclusion.is_some() => {
                tracing::error!("the journal of run {run} does not get its end: {why}");
                conclusion = None;
            }
            Err(error) => {
                tracing::error!("the end of run {run} is not written yet: {error}");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}
