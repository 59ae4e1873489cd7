//! Lets a call go on once people have said yes to it. They take a while, so the files of its source and the operator's
//! policy are looked at once more behind the yes.

use std::sync::Arc;

use super::{Dispatcher, PolicyDecision, approval, denied, interrupted};
use crate::catalog::Definition;
use crate::failure::ActionError;
use crate::journal::CallLog;
use crate::permit;

impl Dispatcher {
    /// Waits for the yes to a call.
    ///
    /// # Errors
    /// Why the call is denied.
    pub(super) async fn approved(
        &self,
        definition: &Arc<Definition>,
        (call, name): (u64, &str),
        params: &str,
        decision: &PolicyDecision,
        log: Option<&CallLog>,
    ) -> Result<(), ActionError> {
        let approver = self.policy.approver.as_deref();
        let decides = approval::who_decides(approver, log, name, decision)?;
        let source = self.executor.source_digest(definition).await?;
        let asked = approval::Asked {
            run: &self.run,
            call,
            definition,
            source: source.as_deref().unwrap_or_default(),
        };
        approval::ask(decides, asked, name, params, decision).await?;
        if self.executor.source_digest(definition).await? != source {
            return Err(denied::of_another_source(name, &decision.source));
        }
        let (policy, catalog) = (self.policy.clone(), self.catalog.clone());
        let (definition, run, params) = (definition.clone(), self.run.clone(), params.to_owned());
        let looking = permit::blocking(move || {
            policy.denies_by_now(&catalog, &definition, &params, run.tenant.as_str())
        });
        match looking.await.map_err(|_| interrupted())? {
            None => Ok(()),
            Some(by_now) => Err(denied::by(name, &by_now.source, None)),
        }
    }
}
