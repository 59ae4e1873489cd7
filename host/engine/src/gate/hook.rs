//! The policy hook: an embedder's own decision on each call, made before the call starts.
//!
//! The gate asks it after parameters were merged and validated and the run's own policy allowed the
//! action, and before the cache, a dry run or an executor sees the call. Without a hook the gate
//! does not come here.

use std::pin::Pin;
use std::sync::Arc;

use crate::catalog::Definition;
use crate::failure::{ActionError, Detail, ErrorKind};
use crate::policy::{Decision as PolicyDecision, Source, SourceKind};
use crate::run_info::RunInfo;

/// A call that waits for its decision.
#[derive(Debug, Clone, Copy)]
pub struct CallRequest<'a> {
    /// The run that makes the call, and its tenant.
    pub run: &'a RunInfo,
    /// The number of the call in its run, from 1.
    pub call: u64,
    /// The name by which the script calls the action.
    pub action: &'a str,
    /// The merged and validated parameters as JSON text: exactly what the action would get.
    pub params: &'a str,
    /// What the team defined.
    pub definition: &'a Definition,
}

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It goes on.
    Allow,
    /// The script gets an error of kind `denied`.
    Deny {
        /// Why, for the script's author.
        reason: String,
        /// The rule that decided, for the error's detail.
        rule: Option<String>,
    },
}

/// A decision that may take its time. The call's own limits go on counting meanwhile.
pub type Deciding<'a> = Pin<Box<dyn Future<Output = Decision> + Send + 'a>>;

/// Decides on calls. One hook may serve any number of runs at the same time.
pub trait PolicyHook: Send + Sync {
    /// Decides on one call. Dropping the future means that the call was abandoned.
    fn decide<'a>(&'a self, request: CallRequest<'a>) -> Deciding<'a>;
}

/// Asks the hook, notes its refusal as what decided, and turns it into the error that a script sees.
pub(super) async fn ask(
    hook: &dyn PolicyHook,
    request: CallRequest<'_>,
    noted: &mut Option<PolicyDecision>,
) -> Result<(), ActionError> {
    match hook.decide(request).await {
        Decision::Allow => Ok(()),
        Decision::Deny { reason, rule } => {
            let named = rule.clone().unwrap_or_else(|| "policy hook".to_owned());
            let source = Source {
                reason: Some(reason.clone()),
                ..Source::denying(SourceKind::Hook, named)
            };
            *noted = Some(PolicyDecision::of(Arc::new(source)));
            Err(denied(&reason, rule))
        }
    }
}

/// The error of a call that a rule denies.
fn denied(reason: &str, rule: Option<String>) -> ActionError {
    let message = format!("denied by the policy: {reason}");
    ActionError {
        detail: rule.map(|rule| {
            Box::new(Detail {
                rule: Some(rule),
                ..Detail::default()
            })
        }),
        ..ActionError::new(ErrorKind::Denied, message)
    }
}
