//! Asks a person before a call for which a rule says `approve`.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::denied;
use crate::failure::ActionError;
use crate::policy::{Decision, Source};

/// What a person is asked.
#[derive(Debug, Clone)]
pub struct Question {
    /// The action.
    pub action: String,
    /// The merged parameters as JSON text: what the action would get.
    pub params: String,
    /// The rules that want a person.
    pub rules: Vec<Arc<Source>>,
    /// How long there is for an answer.
    pub within: Option<Duration>,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The person who runs the script said yes.
    Yes,
    /// The person said no.
    No,
    /// There was no answer in time.
    Expired,
    /// The question cannot be asked: why.
    Unasked(String),
}

/// A future of an answer.
pub type Asking<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// Something that can ask the person who runs the script.
pub trait Approver: Send + Sync {
    /// Asks. Dropping the future takes the question back.
    fn ask(&self, question: Question) -> Asking<'_>;
}

/// Lets a call go on when a person who may do so has said yes.
pub(super) async fn ask(
    approver: Option<&dyn Approver>,
    action: &str,
    params: &str,
    decision: &Decision,
) -> Result<(), ActionError> {
    const TERMINAL: &str =
        "run the script on a terminal with kael-host run, which shows the call and asks";
    if let Some((rule, why)) = unreachable(&decision.approvals) {
        let hint = "only a server that knows its users can ask for this; loosen `by` to approve on a terminal";
        return Err(denied::by(action, rule, Some((why, hint))));
    }
    let Some(approver) = approver else {
        let why = "a person must approve this call, and none can be asked here";
        return Err(denied::by(action, &decision.source, Some((why, TERMINAL))));
    };
    let question = Question {
        action: action.to_owned(),
        params: params.to_owned(),
        rules: decision.approvals.clone(),
        within: decision
            .approvals
            .iter()
            .filter_map(|source| source.approval.within)
            .map(crate::units::TimeLimit::duration)
            .min(),
    };
    let why = match approver.ask(question).await {
        Answer::Yes => return Ok(()),
        Answer::No => "the person who was asked did not approve it".to_owned(),
        Answer::Expired => "the time for an approval is over".to_owned(),
        Answer::Unasked(why) => format!("a person must approve this call, and {why}"),
    };
    Err(denied::by(action, &decision.source, Some((&why, TERMINAL))))
}

/// The rule for which the person who runs the script cannot approve a call, and why. This is the one place that decides who
/// may.
fn unreachable(rules: &[Arc<Source>]) -> Option<(&Source, &'static str)> {
    rules.iter().find_map(|rule| {
        let by = &rule.approval;
        let why = match () {
            () if by.not_submitter => {
                "a person other than the one who runs the script must approve it"
            }
            () if by.role.is_some() => "a person with a role must approve it",
            () if by.count > 1 => "several people must approve it",
            () => return None,
        };
        Some((&**rule, why))
    })
}
