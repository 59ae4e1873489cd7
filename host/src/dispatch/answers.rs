//! Answers that are known before anybody asks: written by hand, or recorded from a real run.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

use crate::failure::{ActionError, Detail, ErrorKind};
use crate::json;
use crate::private;

/// The answers of one file.
#[derive(Debug, Default)]
pub struct Answers {
    by_action: HashMap<String, Vec<Answer>>,
}

#[derive(Debug)]
struct Answer {
    /// The merged parameters that it is for; any, when there are none.
    params: Option<Value>,
    outcome: Result<Value, ActionError>,
    used: bool,
}

impl Answers {
    /// Reads answers: a list of `{ "action", "params", "result" or "error" }`, the same one a line as `--record` writes
    /// them, or an object of results by action.
    ///
    /// # Errors
    /// What is wrong, with the number of the answer.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut answers = Self::default();
        match json::parse(text.as_bytes()) {
            Ok(Value::Array(entries)) => {
                for (at, entry) in entries.into_iter().enumerate() {
                    answers
                        .add(entry)
                        .map_err(|why| format!("answer {}: {why}", at + 1))?;
                }
            }
            Ok(Value::Object(fields)) if fields.contains_key("action") => {
                answers
                    .add(Value::Object(fields))
                    .map_err(|why| format!("answer 1: {why}"))?;
            }
            Ok(Value::Object(fields)) => {
                for (action, result) in fields {
                    let any = Answer {
                        params: None,
                        outcome: Ok(result),
                        used: false,
                    };
                    answers.by_action.entry(action).or_default().push(any);
                }
            }
            Ok(_) => return Err("expected a list of answers, or results by action".to_owned()),
            Err(problem) => answers
                .lines(text)
                .map_err(|why| why.unwrap_or_else(|| problem.to_string()))?,
        }
        Ok(answers)
    }

    /// One a line. An error without words means that the text is no such list.
    fn lines(&mut self, text: &str) -> Result<(), Option<String>> {
        for (at, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
        {
            let at_line = |why: String| Some(format!("line {}: {why}", at + 1));
            let entry = json::parse(line.as_bytes()).map_err(|problem| {
                if at == 0 {
                    None
                } else {
                    at_line(problem.to_string())
                }
            })?;
            self.add(entry).map_err(at_line)?;
        }
        Ok(())
    }

    fn add(&mut self, entry: Value) -> Result<(), String> {
        let Value::Object(mut fields) = entry else {
            return Err("expected an object with `action` and `result`".to_owned());
        };
        let Some(Value::String(action)) = fields.remove("action") else {
            return Err("`action` is missing: the name of an action".to_owned());
        };
        let params = fields.remove("params");
        let outcome = match (fields.remove("result"), fields.remove("error")) {
            (Some(result), None) => Ok(result),
            (None, Some(error)) => Err(failure(error)?),
            _ => return Err("either `result` or `error` is to be there".to_owned()),
        };
        if let Some(other) = fields.keys().next() {
            return Err(format!("unknown field `{}`", other.escape_debug()));
        }
        let answer = Answer {
            params,
            outcome,
            used: false,
        };
        self.by_action.entry(action).or_default().push(answer);
        Ok(())
    }

    /// The actions that there are answers for.
    pub fn actions(&self) -> impl Iterator<Item = &str> {
        self.by_action.keys().map(String::as_str)
    }

    /// The next answer to a call: those for its parameters in their order, the last of them again and again; then those
    /// for any parameters.
    fn next(&mut self, action: &str, params: &Value) -> Option<Result<Value, ActionError>> {
        let answers = self.by_action.get_mut(action)?;
        let exact = |answer: &Answer| answer.params.as_ref() == Some(params);
        let any = |answer: &Answer| answer.params.is_none();
        let find = |fits: &dyn Fn(&Answer) -> bool| {
            let unused = answers
                .iter()
                .position(|answer| fits(answer) && !answer.used);
            unused.or_else(|| answers.iter().rposition(fits))
        };
        let at = find(&exact).or_else(|| find(&any))?;
        answers[at].used = true;
        Some(answers[at].outcome.clone())
    }
}

fn failure(error: Value) -> Result<ActionError, String> {
    if let Value::String(message) = error {
        return Ok(ActionError::new(ErrorKind::Failed, message));
    }
    let Value::Object(mut fields) = error else {
        return Err("`error` must be a text or an object with `message`".to_owned());
    };
    let Some(Value::String(message)) = fields.remove("message") else {
        return Err("`error` has no `message`".to_owned());
    };
    let kind: ErrorKind = match fields.remove("kind") {
        None => ErrorKind::Failed,
        Some(kind) => {
            serde_json::from_value(kind).map_err(|problem| format!("`error.kind`: {problem}"))?
        }
    };
    let detail: Option<Detail> = match fields.remove("detail") {
        None | Some(Value::Null) => None,
        Some(detail) => Some(
            serde_json::from_value(detail)
                .map_err(|problem| format!("`error.detail`: {problem}"))?,
        ),
    };
    Ok(ActionError {
        kind,
        message,
        detail: detail.map(Box::new),
    })
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// The file of answers.
    File,
    /// The definition's `example`.
    Example,
    /// Made from the definition's `returns`.
    Returns,
    /// From nothing: an empty table.
    Nothing,
}

impl From {
    /// In words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::File => "from the answers",
            Self::Example => "the `example` of its definition",
            Self::Returns => "made up from its `returns`",
            Self::Nothing => "made up from nothing",
        }
    }
}

/// What an action would have been called with.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its name.
    pub action: String,
    /// Merged, as JSON text.
    pub params: String,
    /// The exact command line, as far as it is known.
    pub command: Vec<String>,
    /// Why it is not known further.
    pub note: Option<String>,
    /// The names of all variables that it would see.
    pub env: Vec<String>,
    /// Where the answer came from.
    pub from: From,
    /// The answer as JSON text, or the error.
    pub answer: Result<String, ActionError>,
}

/// Answers calls instead of running them.
pub struct Rehearsal {
    answers: Mutex<Answers>,
    tell: Box<dyn Fn(&Planned) + Send + Sync>,
    /// Answers that nobody gave: the action, and in words from where.
    made_up: Mutex<Vec<(String, From)>>,
}

impl Rehearsal {
    /// Answers from these, and tells every call.
    #[must_use]
    pub fn new(answers: Answers, tell: impl Fn(&Planned) + Send + Sync + 'static) -> Self {
        Self {
            answers: Mutex::new(answers),
            tell: Box::new(tell),
            made_up: Mutex::default(),
        }
    }

    /// The last answer that nobody gave.
    #[must_use]
    pub fn last_made_up(&self) -> Option<(String, From)> {
        self.made_up
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .last()
            .cloned()
    }

    pub(super) fn given(&self, action: &str, params: &str) -> Option<Result<Value, ActionError>> {
        let params = json::parse(params.as_bytes()).unwrap_or(Value::Null);
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.next(action, &params)
    }

    pub(super) fn told(&self, planned: &Planned) {
        if planned.from != From::File {
            let mut made_up = self.made_up.lock().unwrap_or_else(PoisonError::into_inner);
            // Only the last is ever asked for.
            made_up.clear();
            made_up.push((planned.action.clone(), planned.from));
        }
        (self.tell)(planned);
    }
}

/// Writes the answers of a real run, one a line, as they come.
#[derive(Debug)]
pub struct Recorder(Mutex<File>);

impl Recorder {
    /// Begins a file that only its owner can read.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self(Mutex::new(private::create(path)?)))
    }

    pub(super) fn add(
        &self,
        action: &str,
        params: &str,
        outcome: &Result<String, ActionError>,
    ) -> io::Result<()> {
        let (key, value) = match outcome {
            Ok(result) => ("result", result.trim().replace(['\n', '\r'], " ")),
            Err(error) => {
                let error =
                    json!({ "kind": error.kind, "message": error.message, "detail": error.detail });
                ("error", error.to_string())
            }
        };
        let action = Value::from(action);
        let line = format!("{{\"action\":{action},\"params\":{params},\"{key}\":{value}}}\n");
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes())
    }
}

/// The answer that a definition itself has.
pub(super) fn own(definition: &crate::catalog::Definition) -> (From, Value) {
    match (&definition.contract.example, &definition.contract.returns) {
        (Some(example), _) => (From::Example, example.clone()),
        (None, Some(returns)) => (From::Returns, returns.made_up()),
        (None, None) => (From::Nothing, Value::Object(Map::new())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_their_order_for_their_parameters() {
        let mut answers = Answers::parse(
            "{\"action\":\"a\",\"params\":{\"q\":1},\"result\":1}\n{\"action\":\"a\",\"params\":{\"q\":1},\"result\":2}\n{\"action\":\"a\",\"result\":9}\n{\"action\":\"b\",\"error\":\"no\"}\n",
        )
        .expect("answers");
        let mut next = |action: &str, params: Value| {
            answers
                .next(action, &params)
                .map(|outcome| outcome.map_err(|error| error.message))
        };
        assert_eq!(next("a", json!({ "q": 1 })), Some(Ok(json!(1))));
        assert_eq!(next("a", json!({ "q": 1 })), Some(Ok(json!(2))));
        assert_eq!(next("a", json!({ "q": 1 })), Some(Ok(json!(2))));
        assert_eq!(next("a", json!({ "q": 2 })), Some(Ok(json!(9))));
        assert_eq!(next("b", json!({})), Some(Err("no".into())));
        assert_eq!(next("c", json!({})), None);
        let mut by_action = Answers::parse("{\"a\":{\"x\":1}}").expect("answers");
        assert_eq!(by_action.next("a", &json!({})), Some(Ok(json!({ "x": 1 }))));
    }

    #[test]
    fn what_is_no_answer_is_named() {
        for (text, problem) in [
            (
                "[{}]",
                "answer 1: `action` is missing: the name of an action",
            ),
            (
                "[{\"action\":\"a\"}]",
                "answer 1: either `result` or `error` is to be there",
            ),
            (
                "[{\"action\":\"a\",\"result\":1,\"x\":2}]",
                "answer 1: unknown field `x`",
            ),
            ("5", "expected a list of answers, or results by action"),
            (
                "{\"action\":\"a\",\"result\":1}\nx",
                "line 2: expected value at line 1 column 1",
            ),
        ] {
            assert_eq!(Answers::parse(text).err().as_deref(), Some(problem));
        }
        assert!(Answers::parse("nonsense").is_err());
    }
}
