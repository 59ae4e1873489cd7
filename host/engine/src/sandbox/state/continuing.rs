//! A run that ends and begins another one in its place.

use super::wait_call::{self, invalid, new_child, without_journal};
use super::wire::to_wit;
use super::{InstanceState, Outcome, Stop};
use crate::failure::{ActionError, ErrorKind};

/// The name by which the guest asks for it. The host answers it by itself, so that no other branch of the script goes on.
pub(super) const CONTINUE: &str = "kael.continue";

impl InstanceState {
    /// Begins the run that takes the place of this one, and ends this one. A run that was killed in between begins the same
    /// one again, and that is there.
    pub(super) async fn continue_as(&mut self, params: &str) -> wasmtime::Result<Outcome> {
        let error = match self.successor(params).await {
            Ok(()) => return Err(self.end(Stop::Exit(0))),
            Err(error) => error,
        };
        self.failures.note(SHOWN, &error);
        Ok(Err(to_wit(error)))
    }

    async fn successor(&mut self, params: &str) -> Result<(), ActionError> {
        let fields = wait_call::fields(params).map_err(invalid)?;
        let is_unknown =
            |key: &&String| !["script", "name", "args", "inputs"].contains(&key.as_str());
        if let Some(other) = fields.keys().find(is_unknown) {
            let why = format!("no field '{other}' (there are: script, name, args, inputs)");
            return Err(invalid(why));
        }
        let is_named = fields.contains_key("name");
        let mut next = new_child(fields, 0).map_err(invalid)?;
        next.continues = true;
        if !is_named {
            // That of the run before it.
            next.name.clear();
        }
        if let Some(dispatcher) = &self.dispatcher {
            dispatcher.may_start_runs(SHOWN)?;
        }
        let journal = self.journal.as_ref();
        let with_post = journal.and_then(|journal| {
            let recorder = journal.recorder.clone();
            Some((recorder, journal.post.clone()?))
        });
        let Some((recorder, post)) = with_post else {
            return Err(without_journal());
        };
        if recorder.barrier().await.is_err() {
            // The run is ended for it.
            std::future::pending().await
        }
        match post.mailbox().start(next).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(why)) => Err(ActionError::new(ErrorKind::Denied, why)),
            Err(why) => {
                // It goes on when the store takes it.
                recorder.fail(why);
                std::future::pending().await
            }
        }
    }
}

/// How a script writes it.
const SHOWN: &str = "runs.continue_as";
