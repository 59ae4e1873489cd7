//! The errors of calls that a policy refuses, with the rule and what to do.

use crate::failure::{ActionError, Detail, ErrorKind};
use crate::policy::{Source, SourceKind};

/// The error of a call that a part of the policy refuses, because of `why` where it is not that part alone: a sentence and
/// the advice.
pub(super) fn by(action: &str, source: &Source, why: Option<(&str, &str)>) -> ActionError {
    let mut message = match source.kind {
        SourceKind::Pattern => format!("denied by the policy ({source})"),
        SourceKind::Unusable => format!("denied: {source}"),
        _ => format!("denied by {source}"),
    };
    let more = match (source.kind, why) {
        (_, Some((why, _))) => Some(why),
        (SourceKind::Default, None) => Some("no rule allows this call"),
        (SourceKind::Budget, None) => Some("the budget of the run is spent"),
        (SourceKind::Requirement, None) if source.reason.is_none() => {
            Some("its definition names no `reads`")
        }
        _ => None,
    };
    for more in more.into_iter().chain(source.reason.as_deref()) {
        message.push_str(": ");
        message.push_str(more);
    }
    let hint = match (source.kind, why) {
        (_, Some((_, hint))) => Some(hint.to_owned()),
        (SourceKind::Pattern | SourceKind::Unusable, None) => None,
        (SourceKind::Budget, None) => Some(format!(
            "the budget of the policy says how often a run may call {action}"
        )),
        // A reason is about what no definition can say.
        (SourceKind::Requirement, None) if source.reason.is_some() => Some(
            "only a server at a `url` is allowed where a policy requires `confined_reads`"
                .to_owned(),
        ),
        (SourceKind::Requirement, None) => Some(format!(
            "say in the definition of {action} what it reads: `reads = {{}}` for nothing beside what it needs to run"
        )),
        _ => Some(format!(
            "kael-host policy explain {action} says which rule decides and what would change it"
        )),
    };
    ActionError {
        detail: Some(Box::new(Detail {
            rule: Some(source.rule.clone()),
            file: source.file.clone(),
            line: source.file.is_some().then_some(source.line),
            hint,
            ..Detail::default()
        })),
        ..ActionError::new(ErrorKind::Denied, message)
    }
}

/// The error of a call whose files have changed since a person was asked.
pub(super) fn of_another_source(action: &str, source: &Source) -> ActionError {
    let why = "the files of its source have changed since the person was asked";
    let hint = "call it again: then the person is asked about the files that are there";
    by(action, source, Some((why, hint)))
}

/// The error of every call after one that could not be written to the audit log.
pub(super) fn without_audit(why: &str) -> ActionError {
    ActionError {
        detail: Some(Box::new(Detail {
            hint: Some("make room for the audit log, and run the script again".to_owned()),
            ..Detail::default()
        })),
        ..ActionError::new(
            ErrorKind::Denied,
            format!("denied: an earlier call is not in the audit log: {why}"),
        )
    }
}
