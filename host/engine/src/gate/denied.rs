//! The errors of calls that a policy refuses, with the rule and what to do.

use crate::failure::{ActionError, Detail, ErrorKind};
use crate::policy::{Decision, Pattern, Source, Verdict};

/// The error of a call that a pattern denies.
pub(super) fn by_pattern(pattern: &Pattern) -> ActionError {
    let rule = format!("deny {}", pattern.as_str());
    let message = format!("denied by the policy ({rule})");
    ActionError {
        detail: Some(Box::new(Detail {
            rule: Some(rule),
            ..Detail::default()
        })),
        ..ActionError::new(ErrorKind::Denied, message)
    }
}

/// The error of a call that the rules refuse, because of `why` where it is not the rule alone.
pub(super) fn by_rules(
    action: &str,
    decision: &Decision,
    why: Option<(&str, &str)>,
) -> ActionError {
    let source = &decision.source;
    let mut message = format!("denied by {source}");
    if let Some((why, _)) = why {
        message.push_str(": ");
        message.push_str(why);
    } else if source.rule.starts_with("default") && source.verdict == Verdict::Deny {
        message.push_str(": no rule allows this call");
    }
    if let Some(reason) = &source.reason {
        message.push_str(": ");
        message.push_str(reason);
    }
    let hint = match why {
        Some((_, hint)) => hint.to_owned(),
        None => format!(
            "kael-host policy explain {action} says which rule decides and what would change it"
        ),
    };
    ActionError {
        detail: Some(Box::new(Detail {
            rule: Some(source.rule.clone()),
            file: source.file.clone(),
            line: source.file.is_some().then_some(source.line),
            hint: Some(hint),
            ..Detail::default()
        })),
        ..ActionError::new(ErrorKind::Denied, message)
    }
}

/// The error of a call for which a budget has nothing left.
pub(super) fn over_budget(action: &str, source: &Source) -> ActionError {
    let message = format!("denied by {source}: the budget of the run is spent");
    ActionError {
        detail: Some(Box::new(Detail {
            rule: Some(source.rule.clone()),
            file: source.file.clone(),
            line: source.file.is_some().then_some(source.line),
            hint: Some(format!(
                "the budget of the policy says how often a run may call {action}"
            )),
            ..Detail::default()
        })),
        ..ActionError::new(ErrorKind::Denied, message)
    }
}
