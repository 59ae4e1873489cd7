//! Runs one claimed run to its end, and keeps its events and what became of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kael_engine::gate::{Observer, events};
use kael_engine::run_info::{RunId, RunInfo};
use kael_engine::runtime::RunOptions;
use kael_engine::sandbox::{Input, Output, Script};
use tokio::sync::mpsc::UnboundedReceiver;

use super::ending;
use super::recording::Recording;
use crate::app::App;
use crate::event::Event;
use crate::tables::runs::RunRow;
use crate::tables::runs::{self, Ended, State};
use crate::tenant::Tenant;

/// How long the end of a run waits for room in the store before it is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// A run that was claimed: its row says that it runs.
pub(super) struct Claimed {
    pub(super) run: RunRow,
    /// The text of its script.
    pub(super) source: Option<Vec<u8>>,
    /// The event that says that it began.
    pub(super) event: Event,
    /// The seconds that its tenant was charged.
    pub(super) charged: f64,
}

/// Runs a run, and gives its slot back.
pub(super) async fn execute(app: Arc<App>, claimed: Claimed) {
    let begun = Instant::now();
    let (run, tenant, charged) = (claimed.run.id, claimed.run.tenant, claimed.charged);
    let live = app.runner.lives.open(run);
    live.publish([Arc::new(claimed.event.clone())]);
    app.metrics
        .waited(tenant, claimed.run.ready, claimed.event.at);
    let mut recording = Recording::new(app.store.clone(), run, live.clone(), &claimed.event);
    let ended = match prepare(&app, &claimed).await {
        Ok((tenant, script, options)) => {
            perform(&app, &tenant, script, options, &mut recording, &claimed).await
        }
        Err(ended) => ended,
    };
    let events = finish(&app, &claimed, &mut recording, &ended).await;
    // Who hears of the end finds the slot free and the run counted.
    app.runner.running().remove(&run);
    app.runner.fair().finished(tenant, begun.elapsed(), charged);
    app.metrics.ended(tenant, &ended, begun.elapsed());
    live.publish(events);
    app.runner.wake.notify_one();
    app.runner.ended.notify_waiters();
}

/// What the run needs, or why it cannot begin.
async fn prepare(
    app: &Arc<App>,
    claimed: &Claimed,
) -> Result<(Arc<Tenant>, Script, RunOptions), Ended> {
    let fail = |kind: &str, code: i64, message: &str, hint: &str| {
        ending::not_begun(State::Failed, kind, code, message, Some(hint))
    };
    let Some(tenant) = app
        .tenants
        .get(claimed.run.tenant)
        .filter(|tenant| !tenant.is_disabled())
    else {
        let hint = "the operator can enable it again";
        return Err(fail("tenant", 3, "the tenant of the run is disabled", hint));
    };
    let Some(source) = claimed.source.clone() else {
        return Err(fail(
            "bug",
            70,
            "the text of the script is not in the store",
            "please report this",
        ));
    };
    let args = serde_json::from_str(&claimed.run.args).unwrap_or_default();
    let script = Script {
        name: claimed.run.name.clone(),
        source,
        args,
        inputs: Vec::new(),
        input: Input::none(),
        want_result: true,
    };
    let id = RunId::from_bytes(*claimed.run.id.bytes());
    let options = RunOptions {
        run: Some(RunInfo::with_id(id, tenant.engine_name())),
        tenant: tenant.engine_name(),
        limits: tenant.limits_of(&claimed.run.limits),
        policy: tenant.policy(claimed.run.read_only),
        ..RunOptions::default()
    };
    Ok((tenant, script, options))
}

async fn perform(
    app: &Arc<App>,
    tenant: &Tenant,
    script: Script,
    mut options: RunOptions,
    recording: &mut Recording,
    claimed: &Claimed,
) -> Ended {
    let run = claimed.run.id;
    let repo = match tenant.repo(&app.engine).await {
        Ok(repo) => repo,
        Err(problem) => {
            let hint = "the operator of the tenant's actions has to mend them";
            return ending::not_begun(State::Failed, "repo", 3, &problem, Some(hint));
        }
    };
    let (output, mut reader) = Output::channel();
    let output = output.for_page();
    let (observer, mut calls) = events();
    options.output = output.clone();
    options.observer = Some(observer as Arc<dyn Observer>);
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
    drop((output, handle));
    while let Some(bytes) = reader.next().await {
        recording.printed(bytes);
    }
    drain(&mut calls, recording);
    let by = app
        .runner
        .running()
        .get(&run)
        .and_then(|entry| entry.by.clone());
    ending::of_report(report, by.as_deref())
}

fn drain(calls: &mut UnboundedReceiver<kael_engine::gate::CallEvent>, recording: &mut Recording) {
    while let Ok(call) = calls.try_recv() {
        recording.called(&call);
    }
}

/// Writes the end of the run together with its last events, however long the store refuses it. Returns
/// the events.
async fn finish(
    app: &Arc<App>,
    claimed: &Claimed,
    recording: &mut Recording,
    ended: &Ended,
) -> Vec<Arc<Event>> {
    let run = claimed.run.id;
    let mut events: Vec<Arc<Event>> = recording.rest().await;
    events.push(recording.last(&ending::event(ended)));
    loop {
        let (rest, end) = (events.clone(), ended.clone());
        let written = app.store.write(move |tx| {
            for event in &rest {
                crate::tables::events::insert(tx, &run, event)?;
            }
            runs::end(tx, &run, &end)
        });
        match written.await {
            Ok(_) => return events,
            // The next start of the server finds the run.
            Err(kael_store::StoreError::Closed) => return Vec::new(),
            Err(error) => {
                tracing::error!("the end of run {run} is not written yet: {error}");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}
