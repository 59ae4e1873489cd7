//! A run that is looked at where its journal is left: evaluates what the inspector gives, and calls nothing.

use super::super::bindings::kael::engine::actions::{Call, Completion};
use super::super::cancel::cancelled;
use super::super::suspension::Suspension;
use super::continuing::CONTINUE;
use super::wire::to_wit;
use super::{InstanceState, Outcome, Stop};
use crate::failure::{ActionError, ErrorKind};
use crate::journal::{Inspected, is_own};

/// The name by which the guest asks for the next input.
const NEXT: &str = "kael.look";

/// Why nothing is called.
const REFUSED: &str =
    "the run is only looked at, where its journal was left: nothing is called from there";

impl InstanceState {
    /// Answers a crossing of a run that is looked at.
    pub(super) async fn inspected(
        &mut self,
        submit: Vec<Call>,
    ) -> wasmtime::Result<Vec<Completion>> {
        let mut done = Vec::with_capacity(submit.len());
        for Call { id, name, params } in submit {
            let outcome = match name.as_str() {
                NEXT => self.next_input(&params).await?,
                name if is_own(name) && name != CONTINUE && name != "kael.status" => {
                    self.host_call(name, params).await?
                }
                _ => Err(to_wit(ActionError::new(ErrorKind::Unavailable, REFUSED))),
            };
            done.push(Completion { id, outcome });
        }
        Ok(done)
    }

    /// Shows what the last input has printed, and waits for the next. The limits count anew for each.
    async fn next_input(&mut self, params: &str) -> wasmtime::Result<Outcome> {
        let inspector = self.journal.as_ref().and_then(|journal| {
            let recorder = journal.recorder.clone();
            Some((journal.inspector.clone()?, recorder))
        });
        let Some((inspector, recorder)) = inspector else {
            return Err(self.end(Stop::Fault("the run is not being inspected")));
        };
        recorder.barrier().await.ok();
        let Ok(last) = serde_json::from_str::<Inspected>(params) else {
            return Err(self.end(Stop::Fault(
                "the guest does not say what became of an input",
            )));
        };
        let canceller = self.cancel.clone();
        let input = tokio::select! {
            biased;
            () = cancelled(canceller.as_ref()) => Err(Stop::Cancelled),
            input = inspector.next(last) => input.ok_or(Stop::Suspended(Suspension::LogEnds)),
        };
        self.begin();
        match input {
            Ok(input) => Ok(Ok(serde_json::to_string(&input).unwrap_or_default())),
            Err(stop) => Err(self.end(stop)),
        }
    }
}
