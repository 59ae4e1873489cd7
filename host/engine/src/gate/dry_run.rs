//! Answers a call of a dry run.

use std::sync::Arc;

use super::{Dispatcher, DryRun, Planned, answers};
use crate::catalog::Definition;
use crate::executor::Invocation;
use crate::failure::ActionError;

impl Dispatcher {
    /// Answers a call without running anything, and tells what would have been run.
    pub(super) async fn answer_dry(
        &self,
        dry_run: &DryRun,
        definition: &Arc<Definition>,
        name: &str,
        number: u64,
        params: String,
    ) -> Result<String, ActionError> {
        let invocation = Invocation {
            definition,
            // Of variables a plan has the names alone.
            variables: definition
                .secrets
                .keys()
                .map(|variable| (variable.clone(), String::new()))
                .collect(),
            params: params.clone(),
            call: self.identity(number, 1),
            grants: self.policy.grants(),
            secrets: &self.secrets,
        };
        let plan = self.executor.plan(invocation).await?;
        let (from, answer) = match dry_run.given(name, &params) {
            Some(given) => (answers::From::File, given),
            None => {
                let (from, value) = answers::own(definition);
                (from, Ok(value.to_string()))
            }
        };
        let answer = match answer {
            Ok(text) => self
                .bound(definition, text.into_bytes())
                .await
                .map_err(|error| ActionError {
                    message: format!(
                        "the answer of the dry run ({}): {}",
                        from.words(),
                        error.message
                    ),
                    ..error
                }),
            Err(error) => Err(error),
        };
        let planned = Planned {
            action: name.to_owned(),
            params,
            command: plan.command,
            note: plan.note,
            env: plan.env,
            from,
            answer,
        };
        dry_run.told(&planned);
        planned.answer
    }
}
