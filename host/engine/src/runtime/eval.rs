//! Lua that is evaluated for its value alone: it has no output and no actions.

use std::sync::Arc;

use super::{EvalError, Repo, Runtime};
use crate::gate::{Dispatcher, Policy};
use crate::limits::Limits;
use crate::sandbox::{Ending, InstanceOptions, Output, Script};

impl Runtime {
    /// Evaluates a Lua file that returns a value: the value as JSON text.
    ///
    /// # Errors
    /// Why it has none.
    pub async fn evaluate(
        &self,
        name: &str,
        source: String,
        limits: &Limits,
    ) -> Result<String, EvalError> {
        let script = Script {
            name: name.to_owned(),
            source: source.into_bytes(),
            want_result: true,
            ..Script::default()
        };
        self.eval_internal(None, script, limits).await
    }

    /// Runs a script of Kael's own beside the modules of a repo, and gives what it returns as JSON
    /// text. The script sees the repo's tree, and every action that it calls is unknown.
    ///
    /// # Errors
    /// Why there is no value.
    pub async fn eval_internal(
        &self,
        repo: Option<&Repo>,
        script: Script,
        limits: &Limits,
    ) -> Result<String, EvalError> {
        let mut options = InstanceOptions::internal(limits.clone(), Output::in_memory());
        options.dispatcher = Some(Arc::new(Dispatcher::for_run(
            options.info.clone(),
            Arc::default(),
            Policy::default(),
            self.no_actions(),
        )));
        let prepared = repo.map(|repo| &repo.prepared);
        let sandbox = &self.inner.sandbox;
        let report = sandbox.run_script(prepared, script, options).await;
        match report.ending {
            Ending::Done(value) => Ok(value.unwrap_or_default()),
            Ending::Failed(error) => Err(EvalError::Failed(error)),
            Ending::Limit(hit, _) => Err(EvalError::Limit(hit)),
            Ending::Exited(code) => Err(EvalError::Exited(code)),
            Ending::Busy(busy) => Err(busy.into()),
            Ending::Suspended(why, _) => Err(EvalError::Fault(why.to_string())),
            // Its output is kept in memory, and no handle of it was given away.
            Ending::OutputClosed => Err(EvalError::Fault("the output was closed".to_owned())),
            Ending::Cancelled(_) => Err(EvalError::Fault("it was cancelled".to_owned())),
            Ending::OutputFailed(error) | Ending::Fault(error) => Err(EvalError::Fault(error)),
        }
    }
}
