//! Calls actions because of alerts, through the gate, while the evaluation goes on.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;

use super::args::Run;
use super::load::usage;
use crate::approver;
use crate::args::{Bounds, Shared};
use crate::exit;
use crate::report::Problem;
use crate::runtime;
use crate::sanitize::escape_control;
use crate::settings::{self, Settings};
use crate::settings_text;
use crate::stderr;
use kael_engine::environment::Environment;
use kael_engine::runtime::{LoadError, Repo, Runtime};
use kael_engine::sandbox::Output;
use kael_engine::settings_file::SettingsError;
use kael_rules::alert::Alert;
use kael_rules::on_match::{Call, MAX_SIZE, OnMatch};

/// Calls that wait for one that runs. Behind them the evaluation waits.
const WAITING: usize = 1000;
/// Calls that run at the same time.
const AT_ONCE: usize = 16;

/// How the calls went.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) called: AtomicU64,
    pub(super) failed: AtomicU64,
}

/// Takes alerts, and calls what the file says.
pub(super) struct Caller {
    file: OnMatch,
    calls: mpsc::Sender<Call>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    pub(super) counts: Arc<Counts>,
}

impl Caller {
    /// Reads the file, loads the actions repo, and compares them with the rules. Gives the exit code of what is wrong.
    pub(super) fn start(
        shared: &Shared,
        run: &Run,
        path: &Path,
        rules: &[&str],
        environment: &Environment,
    ) -> Result<Self, u8> {
        let name = path.display().to_string();
        let text = settings_text::read(path, MAX_SIZE)
            .map_err(|why| usage(shared, format!("{name}: {why}")))?;
        let refused = |error: SettingsError| {
            settings_text::problem(&error).report(shared, false, exit::CONFIG)
        };
        let file = OnMatch::parse(&name, &text).map_err(refused)?;
        let settings = settings(shared, run, environment)?;
        let Some(folder) = settings.actions.clone() else {
            let problem = Problem::usage(format!(
                "{name} calls actions, and there is no actions repo"
            ))
            .hinted("use --actions DIR, KAEL_ACTIONS, or `actions_path` in the configuration");
            return Err(problem.report(shared, false, exit::USAGE));
        };
        let tasks = runtime::runtime()
            .map_err(|error| Problem::no_threads(&error).report(shared, false, exit::CONFIG))?;
        let loaded = tasks.block_on(async {
            let runtime = settings.runtime(2)?;
            let options = settings.repo_options(&Output::in_memory());
            let repo = runtime.load(&folder, options).await?;
            repo.policy(&settings.policy)?;
            Ok::<_, LoadError>((runtime, repo))
        });
        let (runtime, repo) = loaded.map_err(|error| {
            let code = exit::of_load_error(&error);
            match Problem::of_load_error(&error) {
                Some(problem) => problem.report(shared, false, code),
                None => code,
            }
        })?;
        file.check(&text, rules, |action| match repo.catalog.get(action) {
            Some(_) => Ok(()),
            None => Err(repo.catalog.unknown_action(action)),
        })
        .map_err(refused)?;
        let (calls, waiting) = mpsc::channel(WAITING);
        let (stop, stopped) = oneshot::channel();
        let counts = Arc::new(Counts::default());
        let counted = counts.clone();
        let thread = thread::Builder::new()
            .name("on-match".to_owned())
            .spawn(move || {
                let gate = Arc::new((runtime, repo, settings));
                tasks.block_on(work(gate, waiting, stopped, counted));
            })
            .map_err(|error| Problem::no_threads(&error).report(shared, false, exit::CONFIG))?;
        Ok(Self {
            file,
            calls,
            stop: Some(stop),
            thread: Some(thread),
            counts,
        })
    }

    /// Hands over what is to be called because of alerts. Waits while too many calls do.
    pub(super) fn take(&self, alerts: &[Alert]) {
        for call in alerts.iter().flat_map(|alert| self.file.calls(alert)) {
            // The thread takes calls until this sender is dropped.
            self.calls.blocking_send(call).ok();
        }
    }

    /// Waits for all calls; or, where the evaluation was ended, ends those that run and leaves out the others.
    pub(super) fn finish(mut self, ended: bool) -> Arc<Counts> {
        if let (true, Some(stop)) = (ended, self.stop.take()) {
            stop.send(()).ok();
        }
        let (thread, counts) = (self.thread.take(), self.counts.clone());
        // Keeps the sender of `stop`, whose end would stop the calls.
        let _stop = self.stop.take();
        drop(self.calls);
        if let Some(thread) = thread {
            thread.join().ok();
        }
        counts
    }
}

fn settings(shared: &Shared, run: &Run, environment: &Environment) -> Result<Settings, u8> {
    let bounds = Bounds {
        policy: run.policy.clone(),
        audit: run.audit.clone(),
        ..Bounds::default()
    };
    let config = settings::config(shared, &bounds, environment)
        .map_err(|error| Problem::of_config_error(&error).report(shared, false, exit::CONFIG))?;
    let mut settings = settings::settings(&config, &bounds, environment.clone());
    settings.policy.approver = approver::at_terminal();
    Ok(settings)
}

async fn work(
    gate: Arc<(Runtime, Repo, Settings)>,
    mut waiting: mpsc::Receiver<Call>,
    stopped: oneshot::Receiver<()>,
    counts: Arc<Counts>,
) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    let all = async {
        while let Some(call) = waiting.recv().await {
            let Ok(place) = places.clone().acquire_owned().await else {
                break;
            };
            let (gate, counts) = (gate.clone(), counts.clone());
            running.spawn(async move {
                called(&gate, call, &counts).await;
                drop(place);
            });
            while running.try_join_next().is_some() {}
        }
        while running.join_next().await.is_some() {}
    };
    let was_stopped = tokio::select! {
        () = all => false,
        Ok(()) = stopped => true,
    };
    if was_stopped {
        // Dropping a call ends what it has started.
        running.shutdown().await;
        let left = waiting.len();
        if left > 0 {
            say(&format!("on_match: {left} calls were not made"));
        }
    }
}

async fn called(
    (runtime, repo, settings): &(Runtime, Repo, Settings),
    call: Call,
    counts: &Counts,
) {
    let Call {
        rule_id,
        action,
        params,
    } = call;
    let outcome = match params {
        Err(why) => Err(why),
        Ok(params) => {
            counts.called.fetch_add(1, Ordering::Relaxed);
            let options = settings.run_options(Output::in_memory());
            let called = runtime.call(repo, &action, params, &options).await;
            called.outcome.map(drop).map_err(|error| error.message)
        }
    };
    if let Err(why) = outcome {
        counts.failed.fetch_add(1, Ordering::Relaxed);
        say(&format!("{rule_id}: {action} failed: {why}"));
    }
}

fn say(text: &str) {
    for line in text.lines() {
        stderr::write(format!("{}\n", escape_control(line)).as_bytes());
    }
}
