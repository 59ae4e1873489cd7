//! Asks a person before a call for which a rule says `approve`.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};

use super::denied;
use crate::catalog::Definition;
use crate::failure::ActionError;
use crate::journal::{ApprovalRequest, CallLog, LetterKind, Needed, Post, Wait};
use crate::policy::{Decision, Source};
use crate::run_info::RunInfo;
use crate::text::hex;

/// Bytes of parameters that a person is asked about later: they are kept until then, and shown.
const MAX_PARAMS: usize = 1 << 20;

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

const TERMINAL: &str = "run the script on a terminal with kael-host run, which shows the call and asks, or with --journal, \
                        which waits for kael-host runs approve";

/// What a decision is on, beside the action and its parameters.
pub(super) struct Asked<'a> {
    pub(super) run: &'a RunInfo,
    pub(super) call: u64,
    pub(super) definition: &'a Definition,
    /// The digest of its files; empty where it has none.
    pub(super) source: &'a str,
}

/// Who decides on a call.
pub(super) enum Decides<'a> {
    /// The person who runs the script, now.
    Now(&'a dyn Approver),
    /// In a run with a journal: somebody who does so later.
    Later(&'a CallLog, &'a Post),
}

/// Finds out who decides on a call.
///
/// # Errors
/// That nobody can be asked.
pub(super) fn who_decides<'a>(
    approver: Option<&'a dyn Approver>,
    log: Option<&'a CallLog>,
    action: &str,
    decision: &Decision,
) -> Result<Decides<'a>, ActionError> {
    let later = log.filter(|_| approver.is_none());
    let later = later.and_then(|log| Some((log, log.post.as_ref()?)));
    let knows_people = later.is_some_and(|(_, post)| post.mailbox().knows_people());
    if let Some((rule, why)) = unreachable(&decision.approvals).filter(|_| !knows_people) {
        let hint = "only a server that knows its users can ask for this; loosen `by` to approve on a terminal";
        return Err(denied::by(action, rule, Some((why, hint))));
    }
    let why = "a person must approve this call, and none can be asked here";
    match (later, approver) {
        (Some((log, post)), _) => Ok(Decides::Later(log, post)),
        (None, Some(approver)) => Ok(Decides::Now(approver)),
        (None, None) => Err(denied::by(action, &decision.source, Some((why, TERMINAL)))),
    }
}

/// Lets a call go on when the person who decides on it has said yes.
pub(super) async fn ask(
    decides: Decides<'_>,
    asked: Asked<'_>,
    action: &str,
    params: &str,
    decision: &Decision,
) -> Result<(), ActionError> {
    let approver = match decides {
        Decides::Now(approver) => approver,
        Decides::Later(log, post) => {
            return wait(log, post, &asked, action, params, decision).await;
        }
    };
    let question = Question {
        action: action.to_owned(),
        params: params.to_owned(),
        rules: decision.approvals.clone(),
        within: within(decision),
    };
    let why = match approver.ask(question).await {
        Answer::Yes => return Ok(()),
        Answer::No => "the person who was asked did not approve it".to_owned(),
        Answer::Expired => "the time for an approval is over".to_owned(),
        Answer::Unasked(why) => format!("a person must approve this call, and {why}"),
    };
    Err(denied::by(action, &decision.source, Some((&why, TERMINAL))))
}

/// How long there is for an answer.
fn within(decision: &Decision) -> Option<Duration> {
    let rules = decision.approvals.iter();
    let times = rules.filter_map(|source| source.approval.within);
    times.map(crate::units::TimeLimit::duration).min()
}

/// Waits for a decision that comes later, which may be when another process has the run.
async fn wait(
    log: &CallLog,
    post: &Post,
    asked: &Asked<'_>,
    action: &str,
    params: &str,
    decision: &Decision,
) -> Result<(), ActionError> {
    if params.len() > MAX_PARAMS {
        let why = format!(
            "a person must approve this call, and its parameters have {} bytes: at most {MAX_PARAMS} are kept",
            params.len()
        );
        return Err(denied::by(action, &decision.source, Some((&why, TERMINAL))));
    }
    let rules = decision.approvals.iter();
    let rules: Vec<String> = rules
        .map(|rule| match &rule.reason {
            Some(reason) => format!("{rule}: {reason}"),
            None => rule.to_string(),
        })
        .collect();
    let digest = digest(asked, action, params, &decision.approvals);
    let until = match &log.waited {
        Some(Wait::Approval(before, until)) if *before == digest => *until,
        _ => within(decision).and_then(|within| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
            u64::try_from(now.saturating_add(within).as_micros()).ok()
        }),
    };
    let call = asked.call;
    let what = format!("an approval of call {call}, {action}");
    log.waits(Wait::Approval(digest.clone(), until), until, Some(what));
    log.settle().await;
    let request = ApprovalRequest {
        call,
        digest: digest.clone(),
        action: action.to_owned(),
        params: params.to_owned(),
        rules,
        needed: needed(&decision.approvals),
        until,
    };
    if let Err(why) = post.mailbox().ask(request).await {
        let why = format!("a person must approve this call, and none can be asked: {why}");
        return Err(denied::by(action, &decision.source, Some((&why, TERMINAL))));
    }
    #[derive(serde::Deserialize)]
    struct Decided {
        yes: bool,
        note: Option<String>,
    }
    let letter = log
        .letter(post, (LetterKind::Decision, &digest), until)
        .await;
    let decided = letter.map(|letter| serde_json::from_str::<Decided>(&letter.payload));
    let why = match decided {
        Some(Ok(Decided { yes: true, .. })) => return Ok(()),
        Some(Ok(Decided {
            note: Some(note), ..
        })) => {
            format!("the person who was asked did not approve it: {note}")
        }
        Some(_) => "the person who was asked did not approve it".to_owned(),
        None => "the time for an approval is over".to_owned(),
    };
    Err(denied::by(action, &decision.source, Some((&why, TERMINAL))))
}

/// The SHA-256 of all that a decision is on, in hexadecimal.
fn digest(asked: &Asked<'_>, action: &str, params: &str, rules: &[Arc<Source>]) -> String {
    let mut hash = Sha256::new();
    let number = asked.call.to_string();
    let run = asked.run.id.to_string();
    let fixed = [
        asked.run.tenant.as_str(),
        &run,
        &number,
        action,
        &asked.definition.digest,
        asked.source,
        params,
    ];
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    fixed.into_iter().for_each(&mut add);
    for rule in rules {
        // A run that goes on names the file by another path.
        let file = rule
            .file
            .as_deref()
            .map(Path::new)
            .and_then(Path::file_name);
        add(&file.unwrap_or_default().to_string_lossy());
        add(&rule.line.to_string());
        add(&rule.rule);
        add(rule.reason.as_deref().unwrap_or_default());
        add(rule.approval.role.as_deref().unwrap_or_default());
        add(&rule.approval.count.to_string());
        add(&rule.approval.not_submitter.to_string());
    }
    hex(&hash.finalize())
}

/// Who must say yes so that all of these rules hold.
fn needed(rules: &[Arc<Source>]) -> Needed {
    let by = || rules.iter().map(|rule| &rule.approval);
    let mut roles: Vec<String> = by().filter_map(|by| by.role.clone()).collect();
    roles.sort();
    roles.dedup();
    Needed {
        roles,
        count: by().map(|by| by.count).max().unwrap_or(1),
        not_submitter: by().any(|by| by.not_submitter),
    }
}

/// The rule for which the person who runs the script cannot approve a call, and why.
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
