//! Why an instance is over, in words.

use std::time::Duration;

use kael_engine::limits::LimitHit;
use kael_engine::sandbox::Ending;

/// An instance that is over.
pub(super) struct Stopped {
    /// What counts it: `limit`, `trap` or `capture`.
    pub(super) kind: &'static str,
    /// Why, for a person.
    pub(super) message: String,
}

/// Why a predicate in Lua ended. The message leaves out the name of the file where it begins with it;
/// `what` was going on, for at most `time`.
pub(super) fn of_lua(ending: Ending<()>, file: &str, what: &str, time: Duration) -> Stopped {
    let kind = match ending {
        Ending::Limit(..) => "limit",
        _ => "trap",
    };
    let message = match ending {
        Ending::Failed(error) => {
            let message = error.message;
            let mut text = match message.strip_prefix(file) {
                None => message,
                Some(rest) => match rest.strip_prefix(": ") {
                    Some(rest) => rest.to_owned(),
                    None => format!("line {}", rest.trim_start_matches(':')),
                },
            };
            for frame in error.traceback.iter().take(10) {
                text += &format!("\n  {frame}");
            }
            text
        }
        Ending::Limit(LimitHit::Memory { allowed, .. }, _) => {
            format!("{what} needs more memory than {allowed}")
        }
        Ending::Limit(LimitHit::Cpu { .. }, frames) => {
            let at = frames.first().map(|frame| format!(", at {frame}"));
            let ms = time.as_millis();
            format!(
                "{what} computes for more than {ms} ms{}",
                at.unwrap_or_default()
            )
        }
        Ending::Limit(hit, _) => format!("{what} reached a limit: {hit:?}"),
        Ending::Busy(_) => "there are too many rules for the instances of this process".into(),
        Ending::Fault(fault) => format!("{what} trapped: {fault}"),
        other => format!("{what} ended: {other:?}"),
    };
    Stopped { kind, message }
}
