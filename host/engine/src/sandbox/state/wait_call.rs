//! The host's own names whose answers take their time, as an action's do: `sleep`, and what a run with a journal waits
//! for beside actions.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use super::Outcome;
use super::wire::to_wit;
use crate::failure::{ActionError, Detail, ErrorKind};
use crate::gate::Dispatcher;
use crate::journal::{CallLog, LetterKind, NewChild, Post, Wait};

/// Bytes of the name of a signal.
const MAX_NAME: usize = 200;
/// Bytes of the script of a run that another one starts, with its inputs and what is in `arg`.
const MAX_CHILD: usize = 8 << 20;

/// What one of these names asks for.
enum Asked {
    Sleep(Duration),
    Signal(String, Option<Duration>),
    Child(String, Option<Duration>),
    Start(Box<NewChild>),
}

/// A call of one of these names.
pub(super) struct WaitCall {
    shown: &'static str,
    asked: Result<Asked, ActionError>,
    /// When it ends in any case, in microseconds since 1970.
    until: Option<u64>,
}

/// How a script writes one of these names; none for other names.
pub(super) fn shown(name: &str) -> Option<&'static str> {
    Some(match name {
        "kael.sleep" => "sleep",
        "kael.wait" => "wait_for",
        "kael.child" => "runs.wait",
        "kael.start" => "runs.start",
        _ => return None,
    })
}

/// Whether a call of that name counts as a call of an action does.
pub(super) fn counts(name: &str) -> bool {
    name == "kael.start" || shown(name).is_none()
}

impl WaitCall {
    /// The call of that number; none for other names.
    pub(super) fn of(name: &str, params: &str, number: u64) -> Option<Self> {
        let shown = shown(name)?;
        let asked = Asked::read(name, params, number).map_err(invalid);
        Some(Self {
            shown,
            asked,
            until: None,
        })
    }

    /// Refuses what the policy of the run does not allow.
    pub(super) fn authorize(&mut self, dispatcher: &Dispatcher) {
        if matches!(self.asked, Ok(Asked::Start(_)))
            && let Err(error) = dispatcher.may_start_runs("runs.start")
        {
            self.asked = Err(error);
        }
    }

    /// How a script writes it.
    pub(super) fn shown(&self) -> &'static str {
        self.shown
    }

    /// Writes down what it waits for, and until when. What was written down before counts.
    pub(super) fn begin(&mut self, log: &CallLog) {
        let Ok(asked) = &self.asked else { return };
        let due = |time: &Option<Duration>| time.and_then(due);
        match asked {
            Asked::Sleep(time) => {
                self.until = match &log.waited {
                    Some(Wait::Until(time)) => Some(*time),
                    _ => due(&Some(*time)),
                };
                if let Some(until) = self.until {
                    log.waits(Wait::Until(until), Some(until), None);
                }
            }
            Asked::Signal(name, timeout) => {
                self.until = match &log.waited {
                    Some(Wait::Signal(_, until)) => *until,
                    _ => due(timeout),
                };
                if let Some(post) = &log.post {
                    post.opens(log.id);
                    let wait = Wait::Signal(name.clone(), self.until);
                    log.waits(wait, self.until, Some(format!("the signal `{name}`")));
                }
            }
            Asked::Child(run, timeout) => {
                self.until = match &log.waited {
                    Some(Wait::Child(_, until)) => *until,
                    _ => due(timeout),
                };
                if log.post.is_some() {
                    let wait = Wait::Child(run.clone(), self.until);
                    log.waits(wait, self.until, Some(format!("run {run}")));
                }
            }
            Asked::Start(_) => {}
        }
    }

    /// Answers it, when it is time.
    pub(super) async fn answer(self, log: Option<&CallLog>) -> Result<String, ActionError> {
        let asked = self.asked?;
        if let Asked::Sleep(time) = asked {
            sleep(time, self.until).await;
            return Ok("null".to_owned());
        }
        let with_post = log.and_then(|log| Some((log, log.post.as_ref()?)));
        let Some((log, post)) = with_post else {
            return Err(without_journal());
        };
        match asked {
            Asked::Sleep(_) => Ok("null".to_owned()),
            Asked::Signal(name, _) => {
                let of = (LetterKind::Signal, name.as_str());
                let letter = log.letter(post, of, self.until).await;
                letter.map(|letter| letter.payload).ok_or_else(|| {
                    let message = format!("the signal `{name}` did not come in time");
                    ActionError::new(ErrorKind::Timeout, message)
                })
            }
            Asked::Child(run, _) => child(log, post, &run, self.until).await,
            Asked::Start(child) => {
                log.settle().await;
                match post.mailbox().start(*child).await {
                    Ok(Ok(id)) => Ok(Value::from(id).to_string()),
                    Ok(Err(why)) => Err(ActionError::new(ErrorKind::Denied, why)),
                    Err(why) => log.stop(why).await,
                }
            }
        }
    }
}

/// What became of a child.
async fn child(
    log: &CallLog,
    post: &Post,
    run: &str,
    until: Option<u64>,
) -> Result<String, ActionError> {
    match post.mailbox().is_child(run).await {
        Ok(true) => {}
        Ok(false) => {
            return Err(invalid(format!(
                "`{run}` is no run that this one has started"
            )));
        }
        Err(why) => return Err(ActionError::new(ErrorKind::Unavailable, why)),
    }
    let of = (LetterKind::Child, run);
    let Some(letter) = log.letter(post, of, until).await else {
        let message = format!("run {run} did not end in time");
        return Err(ActionError::new(ErrorKind::Timeout, message));
    };
    let mut end: Map<String, Value> = serde_json::from_str(&letter.payload).unwrap_or_default();
    if end.get("ok") == Some(&Value::Bool(true)) {
        return Ok(end.remove("result").unwrap_or_default().to_string());
    }
    let text = |key: &str| end.get(key).and_then(Value::as_str).unwrap_or_default();
    let (state, why) = (text("state"), text("message"));
    let message = match why {
        "" => format!("run {run} {state}"),
        why => format!("run {run} {state}: {why}"),
    };
    let kind = match state {
        "was cancelled" => ErrorKind::Cancelled,
        _ => ErrorKind::Failed,
    };
    Err(ActionError::new(kind, message))
}

impl Asked {
    fn read(name: &str, params: &str, number: u64) -> Result<Self, String> {
        let fields = fields(params)?;
        let seconds = |key: &str| match fields.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let seconds = value.as_f64();
                let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                time.map(Some).ok_or("expected a number of seconds")
            }
        };
        let text = |key: &str| fields.get(key).and_then(Value::as_str);
        Ok(match name {
            "kael.sleep" => Self::Sleep(seconds("seconds")?.ok_or("expected a number of seconds")?),
            "kael.wait" => {
                let name = text("name").filter(|name| !name.is_empty() && name.len() <= MAX_NAME);
                let name = name.ok_or("the name of a signal has 1 to 200 bytes")?;
                Self::Signal(name.to_owned(), seconds("timeout")?)
            }
            "kael.child" => {
                let run = text("run").filter(|run| run.len() <= MAX_NAME);
                let run = run.ok_or("expected the id of a run")?;
                Self::Child(run.to_owned(), seconds("timeout")?)
            }
            _ => Self::Start(Box::new(new_child(fields, number)?)),
        })
    }
}

/// The fields of what one of these names was given.
pub(super) fn fields(params: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(params).map_err(|_| "expected a table".to_owned())
}

/// What `runs.start` was given.
pub(super) fn new_child(fields: Map<String, Value>, call: u64) -> Result<NewChild, String> {
    let mut child = NewChild {
        call,
        continues: false,
        name: format!("child {call}"),
        script: String::new(),
        args: Vec::new(),
        inputs: BTreeMap::new(),
        is_abandoned: false,
    };
    let mut has_script = false;
    for (key, value) in fields {
        match (key.as_str(), value) {
            ("script", Value::String(text)) => (child.script, has_script) = (text, true),
            ("script", _) => return Err("the field 'script' is the text of a script".to_owned()),
            ("name", Value::String(text)) if !text.is_empty() && text.len() <= MAX_NAME => {
                child.name = text;
            }
            ("name", _) => return Err("the field 'name' is a text of 1 to 200 bytes".to_owned()),
            ("args", Value::Array(list)) => {
                let texts = list.into_iter().map(|one| match one {
                    Value::String(text) => Some(text),
                    Value::Number(number) => Some(number.to_string()),
                    _ => None,
                });
                let texts: Option<Vec<String>> = texts.collect();
                child.args = texts.ok_or("the field 'args' is a list of texts")?;
            }
            // An empty table is an empty list.
            ("args", Value::Object(none)) if none.is_empty() => {}
            ("args", _) => return Err("the field 'args' is a list of texts".to_owned()),
            ("inputs", Value::Object(files)) => {
                for (name, text) in files {
                    let Value::String(text) = text else {
                        return Err("the field 'inputs' has a text for each name".to_owned());
                    };
                    child.inputs.insert(name, text);
                }
            }
            ("inputs", Value::Array(none)) if none.is_empty() => {}
            ("inputs", _) => return Err("the field 'inputs' has a text for each name".to_owned()),
            ("on_parent_end", Value::String(word)) if word == "cancel" || word == "abandon" => {
                child.is_abandoned = word == "abandon";
            }
            ("on_parent_end", _) => {
                return Err("the field 'on_parent_end' is \"cancel\" or \"abandon\"".to_owned());
            }
            (other, _) => {
                return Err(format!(
                    "no field '{other}' (there are: script, name, args, inputs, wait, on_parent_end)"
                ));
            }
        }
    }
    let inputs = child
        .inputs
        .iter()
        .map(|(name, text)| name.len() + text.len());
    let args = child.args.iter().map(String::len);
    let bytes = child.script.len() + inputs.sum::<usize>() + args.sum::<usize>();
    match has_script {
        true if bytes > MAX_CHILD => Err(format!(
            "the script, its inputs and its args have {bytes} bytes together, and may have {MAX_CHILD}"
        )),
        true => Ok(child),
        false => Err("the field 'script' is missing: the text of a script".to_owned()),
    }
}

/// The time of day at which that is over, in microseconds since 1970; none when it cannot be written.
fn due(time: Duration) -> Option<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let due = now.saturating_add(time).as_micros();
    Some(u64::try_from(due).unwrap_or(u64::MAX))
}

/// Waits as long as the script has asked, or for the rest of that.
async fn sleep(mut time: Duration, until: Option<u64>) {
    if let Some(until) = until {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let left = Duration::from_micros(until).saturating_sub(now.unwrap_or_default());
        // A clock that goes back makes no sleep longer.
        time = left.min(time);
    }
    tokio::time::sleep(time).await;
}

/// The error of a run without a journal.
pub(super) fn without_journal() -> ActionError {
    let hint =
        "start the run with kael-host run --journal, or say `journal: on` in the configuration";
    ActionError {
        detail: Some(Box::new(Detail {
            hint: Some(hint.to_owned()),
            ..Detail::default()
        })),
        ..ActionError::new(ErrorKind::Unavailable, "this needs a run with a journal")
    }
}

pub(super) fn invalid(why: String) -> ActionError {
    ActionError::new(ErrorKind::InvalidParams, why)
}

/// The outcome as it crosses the boundary.
pub(super) fn outcome(answer: Result<String, ActionError>) -> Outcome {
    answer.map_err(to_wit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_guest_may_ask_for_is_read_strictly() {
        for (name, params, why) in [
            ("kael.sleep", "{}", "expected a number of seconds"),
            (
                "kael.sleep",
                r#"{"seconds":-1}"#,
                "expected a number of seconds",
            ),
            ("kael.sleep", "[]", "expected a table"),
            (
                "kael.wait",
                r#"{"name":""}"#,
                "the name of a signal has 1 to 200 bytes",
            ),
            (
                "kael.wait",
                r#"{"name":"a","timeout":"x"}"#,
                "expected a number of seconds",
            ),
            ("kael.child", "{}", "expected the id of a run"),
            ("kael.start", "{}", "the field 'script' is missing"),
            ("kael.start", r#"{"script":1}"#, "the field 'script' is"),
            (
                "kael.start",
                r#"{"script":"","args":[{}]}"#,
                "the field 'args' is",
            ),
            (
                "kael.start",
                r#"{"script":"","file":"x"}"#,
                "no field 'file'",
            ),
            (
                "kael.start",
                r#"{"script":"","on_parent_end":"stay"}"#,
                "the field 'on_parent_end' is",
            ),
        ] {
            let call = WaitCall::of(name, params, 1).expect("one of them");
            let error = call.answer(None).await.expect_err(params);
            assert_eq!(error.kind, ErrorKind::InvalidParams, "{params}");
            assert!(
                error.message.starts_with(why),
                "{params}: {}",
                error.message
            );
        }
        for (name, params) in [
            ("kael.wait", r#"{"name":"a","timeout":1e300}"#),
            ("kael.wait", r#"{"name":"a"}"#),
            ("kael.start", r#"{"script":"","args":{},"inputs":[]}"#),
        ] {
            let Some(call) = WaitCall::of(name, params, 1) else {
                panic!("{name}");
            };
            let error = call.answer(None).await.expect_err(params);
            if error.kind == ErrorKind::InvalidParams {
                continue; // No clock counts that far.
            }
            assert_eq!(error.message, "this needs a run with a journal");
        }
        assert!(WaitCall::of("t.a", "{}", 1).is_none());
    }
}
