//! One action, called through the same gate as a script's calls, without a script.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::{Repo, RunOptions, Runtime};
use crate::failure::ActionError;
use crate::gate::Record;
use crate::permit::Permit;
use crate::run_info::RunInfo;

/// What a call came to.
#[derive(Debug)]
pub struct CallReport {
    /// The run that the call was, all by itself.
    pub run: Arc<RunInfo>,
    /// The result as JSON text.
    pub outcome: Result<String, ActionError>,
    /// The call, for the record.
    pub record: Option<Record>,
}

impl Runtime {
    /// Calls an action of a repo. Of the options, the limits, the output and the journal are those of
    /// a script, and mean nothing here. Dropping the future ends what the action has started.
    pub async fn call(
        &self,
        repo: &Repo,
        name: &str,
        params: String,
        options: &RunOptions,
    ) -> CallReport {
        let run = options.run.clone();
        let run = run.unwrap_or_else(|| RunInfo::new(options.tenant.clone()));
        let dispatcher = self.dispatcher(Some(repo), options, run.clone());
        let record = Mutex::new(None);
        let keep = |new: Record| {
            *record.lock().unwrap_or_else(PoisonError::into_inner) = Some(new);
        };
        let calling = dispatcher.call(name, params, &keep);
        let own = Arc::new(Semaphore::new(1));
        let outcome = match Permit::take(own, self.inner.calls.clone(), run.clone()).await {
            Some(permit) => permit.during(calling).await,
            // The semaphores are never closed.
            None => calling.await,
        };
        CallReport {
            run,
            outcome,
            record: record.into_inner().unwrap_or_else(PoisonError::into_inner),
        }
    }
}
