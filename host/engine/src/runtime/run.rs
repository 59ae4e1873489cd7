//! One run: what a caller decides about it, and the handle that it is followed, cancelled and
//! reported by.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::{Repo, Runtime};
use crate::activity::SpanKind;
use crate::executor::Execute;
use crate::gate::{CacheUse, DryRun, Observer, Policy, PolicyHook, Recorder};
use crate::journal::Journal;
use crate::limits::Limits;
use crate::run_info::{RunId, RunInfo, Tenant};
use crate::sandbox::{Cancel, InstanceOptions, Output, Records, Report, Script};
use crate::secrets::SecretSource;

/// What a caller decides about one run.
#[derive(Clone, Default)]
pub struct RunOptions {
    /// For whom it is done.
    pub tenant: Tenant,
    /// What it may use.
    pub limits: Limits,
    /// What it may call.
    pub policy: Policy,
    /// Decides on every call that the policy allows.
    pub hook: Option<Arc<dyn PolicyHook>>,
    /// Where its actions' secrets come from; without it there are none.
    pub secrets: Option<Arc<dyn SecretSource>>,
    /// Follows its calls while they happen.
    pub observer: Option<Arc<dyn Observer>>,
    /// Runs the host's own actions where there is no repo: [`Runtime::without_repo`] makes it. The runtime's own without it.
    pub without_repo: Option<Arc<dyn Execute>>,
    /// Where its output goes; in memory, unless this says otherwise.
    pub output: Output,
    /// How results that may be used again are used.
    pub cache: CacheUse,
    /// Answers calls instead of running them.
    pub dry_run: Option<Arc<DryRun>>,
    /// Writes down the answers.
    pub recorder: Option<Arc<Recorder>>,
    /// Writes down the run itself, so that it can go on after its process.
    pub journal: Option<Journal>,
    /// The run that goes on, or whose id is known beforehand; none for a new one.
    pub run: Option<Arc<RunInfo>>,
}

/// What a script's run came to; its result is JSON text, when it was wanted.
pub type RunReport = Report<Option<String>>;

/// A run: a future of its report.
///
/// The run makes progress while the handle is polled; hand it to `tokio::spawn` to go on with
/// something else meanwhile. Dropping the handle cancels the run and ends all that it has started,
/// without a report.
#[must_use = "a run goes on only while its handle is polled, and dropping the handle cancels it"]
pub struct RunHandle {
    info: Arc<RunInfo>,
    cancel: Cancel,
    limits: Limits,
    records: Records,
    running: Pin<Box<dyn Future<Output = RunReport> + Send>>,
}

impl RunHandle {
    /// The id of the run.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.info.id
    }

    /// The id, the tenant and the clock of the run.
    #[must_use]
    pub fn info(&self) -> &Arc<RunInfo> {
        &self.info
    }

    /// Cancels the run. The handle then yields the report of what the run had done by then, with
    /// the ending [`Cancelled`](crate::sandbox::Ending::Cancelled).
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// What cancels the run from elsewhere, while something else awaits the handle.
    #[must_use]
    pub fn canceller(&self) -> Cancel {
        self.cancel.clone()
    }
}

impl Future for RunHandle {
    type Output = RunReport;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<RunReport> {
        let running = &mut self.running;
        // What unwinds ends this run, and nothing of it is used again.
        let polled = catch_unwind(AssertUnwindSafe(|| running.as_mut().poll(context)));
        polled.unwrap_or_else(|panic| {
            let fault = format!("the host panicked: {}", panic_message(&*panic));
            let info = self.info.clone();
            Poll::Ready(Report::faulted(info, &self.limits, &self.records, fault))
        })
    }
}

/// What a panic said.
fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("(no message)")
}

impl Runtime {
    /// Runs a script in an instance of its own, with the actions of a repo if one is given.
    pub fn run(&self, repo: Option<&Arc<Repo>>, script: Script, options: RunOptions) -> RunHandle {
        let info = options.run.clone();
        let info = info.unwrap_or_else(|| RunInfo::new(options.tenant.clone()));
        let dispatcher = self.dispatcher(repo.map(|repo| &**repo), &options, info.clone());
        let (cancel, records) = (Cancel::default(), Records::default());
        let instance = InstanceOptions {
            info: info.clone(),
            limits: options.limits.clone(),
            output: options.output,
            dispatcher: Some(Arc::new(dispatcher)),
            cancel: Some(cancel.clone()),
            records: records.clone(),
            shared_permits: self.inner.calls.clone(),
            journal: options.journal,
        };
        let (runtime, repo, own) = (self.clone(), repo.cloned(), info.clone());
        let running = async move {
            let activity = runtime.activity();
            let _running = activity.begin_for(SpanKind::Script, &script.name, &own);
            let prepared = repo.as_ref().map(|repo| &repo.prepared);
            let sandbox = &runtime.inner.sandbox;
            sandbox.run_script(prepared, script, instance).await
        };
        RunHandle {
            info,
            cancel,
            limits: options.limits,
            records,
            running: Box::pin(running),
        }
    }
}
