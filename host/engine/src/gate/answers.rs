//! Answers that are known before anybody asks: written by hand, or recorded from a real run. They stay text: what an action
//! once answered may be of any size.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

pub use super::answers_error::{AnswerError, AnswersError, TextError};
use crate::failure::{ActionError, Detail, ErrorKind};
use crate::json::{self, MAX_TREE, Misread};
use crate::policy::Decision;
use crate::private_file;

/// An object, its values as the texts that they are.
type Fields<'a> = BTreeMap<String, &'a RawValue>;

/// The answers of one file.
#[derive(Debug, Default)]
pub struct Answers {
    by_action: HashMap<String, Vec<Answer>>,
}

#[derive(Debug)]
struct Answer {
    /// The merged parameters that it is for, as canonical JSON text; any, when there are none.
    params: Option<String>,
    outcome: Result<String, ActionError>,
    used: bool,
}

impl Answers {
    /// Reads answers: a list of `{ "action", "params", "result" or "error" }`, the same one a line as `--record` writes
    /// them, or an object of results by action.
    ///
    /// # Errors
    /// What is wrong, with the number of the answer.
    pub fn parse(text: &str) -> Result<Self, AnswersError> {
        let (mut answers, text) = (Self::default(), json::unmarked(text));
        match text.trim_ascii_start().as_bytes().first() {
            Some(b'[') => {
                let entries: Vec<&RawValue> = read(text)?;
                for (at, entry) in entries.into_iter().enumerate() {
                    let number = at + 1;
                    let added = answers.add(entry.get());
                    added.map_err(|error| AnswersError::Answer { number, error })?;
                }
            }
            Some(b'{') => match read::<Fields<'_>>(text) {
                Ok(fields) if fields.contains_key("action") => {
                    let added = answers.add(text);
                    added.map_err(|error| AnswersError::Answer { number: 1, error })?;
                }
                Ok(fields) => {
                    for (action, result) in fields {
                        let any = Answer {
                            params: None,
                            outcome: Ok(result.get().to_owned()),
                            used: false,
                        };
                        answers.by_action.entry(action).or_default().push(any);
                    }
                }
                Err(error) => match answers.lines(text) {
                    Ok(()) => {}
                    Err(why) => return Err(why.unwrap_or(error.into())),
                },
            },
            _ => {
                let _: &RawValue = read(text)?;
                return Err(AnswersError::NoList);
            }
        }
        Ok(answers)
    }

    /// One a line. An error without a reason means that the text is no such list.
    fn lines(&mut self, text: &str) -> Result<(), Option<AnswersError>> {
        for (at, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
        {
            let at_line = |error| {
                Some(AnswersError::Line {
                    line: at + 1,
                    error,
                })
            };
            // What is wrong with the first line is wrong with the whole as one document, and is told of that.
            let sound: Result<&RawValue, _> = serde_json::from_str(line);
            sound.map_err(|error| {
                (at > 0).then(|| TextError::Json(Misread::new(line, &error).below(at)).into())
            })?;
            self.add(line).map_err(at_line)?;
        }
        Ok(())
    }

    fn add(&mut self, entry: &str) -> Result<(), AnswerError> {
        if !entry.trim_ascii_start().starts_with('{') {
            return Err(AnswerError::NoObject);
        }
        let mut fields: Fields<'_> = read(entry)?;
        let action = fields
            .remove("action")
            .and_then(|name| read(name.get()).ok());
        let Some(action) = action else {
            return Err(AnswerError::NoAction);
        };
        // What ran the action says nothing of its answer.
        fields.remove("runner");
        let params = fields.remove("params");
        let params = params.map(|text| canonical(text.get())).transpose()?;
        let outcome = match (fields.remove("result"), fields.remove("error")) {
            (Some(result), None) => Ok(result.get().to_owned()),
            (None, Some(error)) => Err(failure(
                json::parse(error.get().as_bytes()).unwrap_or_default(),
            )?),
            _ => return Err(AnswerError::NoOutcome),
        };
        // What a policy said then is for people.
        fields.remove("decision");
        if let Some(other) = fields.keys().next() {
            return Err(AnswerError::UnknownField(other.clone()));
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
    fn next(&mut self, action: &str, params: &str) -> Option<Result<String, ActionError>> {
        let answers = self.by_action.get_mut(action)?;
        let params = canonical(params).ok();
        let exact = |answer: &Answer| answer.params.is_some() && answer.params == params;
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

fn read<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, TextError> {
    serde_json::from_str(text).map_err(|error| match error.is_data() {
        true => TextError::Shape(error),
        false => TextError::Json(Misread::new(text, &error)),
    })
}

/// Parameters in the form in which equal ones are equal texts. Of very many values that is the form in which a run has them.
fn canonical(params: &str) -> Result<String, AnswerError> {
    let look = json::check(params).map_err(AnswerError::Params)?;
    if look.values > MAX_TREE {
        return Ok(params.to_owned());
    }
    let tree = json::parse(params.as_bytes()).map_err(AnswerError::Params)?;
    Ok(tree.to_string())
}

fn failure(error: Value) -> Result<ActionError, AnswerError> {
    let wrong = |field| move |error| AnswerError::ErrorField { field, error };
    if let Value::String(message) = error {
        return Ok(ActionError::new(ErrorKind::Failed, message));
    }
    let Value::Object(mut fields) = error else {
        return Err(AnswerError::ErrorShape);
    };
    let Some(Value::String(message)) = fields.remove("message") else {
        return Err(AnswerError::NoMessage);
    };
    let kind: ErrorKind = match fields.remove("kind") {
        None => ErrorKind::Failed,
        Some(kind) => serde_json::from_value(kind).map_err(wrong("kind"))?,
    };
    let detail: Option<Detail> = match fields.remove("detail") {
        None | Some(Value::Null) => None,
        Some(detail) => Some(serde_json::from_value(detail).map_err(wrong("detail"))?),
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
pub struct DryRun {
    answers: Mutex<Answers>,
    tell: Box<dyn Fn(&Planned) + Send + Sync>,
    /// Answers that nobody gave: the action, and in words from where.
    sample_value: Mutex<Vec<(String, From)>>,
}

impl DryRun {
    /// Answers from these, and tells every call.
    #[must_use]
    pub fn new(answers: Answers, tell: impl Fn(&Planned) + Send + Sync + 'static) -> Self {
        Self {
            answers: Mutex::new(answers),
            tell: Box::new(tell),
            sample_value: Mutex::default(),
        }
    }

    /// The last answer that nobody gave.
    #[must_use]
    pub fn last_made_up(&self) -> Option<(String, From)> {
        self.sample_value
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .last()
            .cloned()
    }

    pub(super) fn given(&self, action: &str, params: &str) -> Option<Result<String, ActionError>> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.next(action, params)
    }

    pub(super) fn told(&self, planned: &Planned) {
        if planned.from != From::File {
            let mut sample_value = self
                .sample_value
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            // Only the last is ever asked for.
            sample_value.clear();
            sample_value.push((planned.action.clone(), planned.from));
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
        Ok(Self(Mutex::new(private_file::create(path)?)))
    }

    pub(super) fn add(
        &self,
        action: &str,
        params: &str,
        runner: Option<&str>,
        outcome: &Result<String, ActionError>,
        decision: Option<&Decision>,
    ) -> io::Result<()> {
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = BufWriter::new(&mut *file);
        let action = Value::from(action);
        write!(file, "{{\"action\":{action},\"params\":{params},")?;
        if let Some(decision) = decision {
            let source = &decision.source;
            let line = source.file.is_some().then_some(source.line);
            let decision = json!({ "verdict": decision.verdict.word(), "rule": source.rule, "file": source.file, "line": line });
            write!(file, "\"decision\":{decision},")?;
        }
        if let Some(runner) = runner {
            write!(file, "\"runner\":\"{runner}\",")?;
        }
        match outcome {
            Ok(result) => {
                file.write_all(b"\"result\":")?;
                // A line break stands only between the values of a document.
                for (at, part) in result.trim().split(['\n', '\r']).enumerate() {
                    file.write_all(if at == 0 { b"" } else { b" " })?;
                    file.write_all(part.as_bytes())?;
                }
            }
            Err(error) => {
                let error =
                    json!({ "kind": error.kind, "message": error.message, "detail": error.detail });
                write!(file, "\"error\":{error}")?;
            }
        }
        file.write_all(b"}\n")?;
        file.flush()
    }
}

/// The answer that a definition itself has.
pub(super) fn own(definition: &crate::catalog::Definition) -> (From, Value) {
    match (&definition.contract.example, &definition.contract.returns) {
        (Some(example), _) => (From::Example, example.clone()),
        (None, Some(returns)) => (From::Returns, returns.sample_value()),
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
            let outcome = answers.next(action, &params.to_string());
            outcome.map(|outcome| outcome.map_err(|error| error.message))
        };
        assert_eq!(next("a", json!({ "q": 1 })), Some(Ok("1".into())));
        assert_eq!(next("a", json!({ "q": 1 })), Some(Ok("2".into())));
        assert_eq!(next("a", json!({ "q": 1 })), Some(Ok("2".into())));
        assert_eq!(next("a", json!({ "q": 2 })), Some(Ok("9".into())));
        assert_eq!(next("b", json!({})), Some(Err("no".into())));
        assert_eq!(next("c", json!({})), None);
        let mut by_action = Answers::parse("{\"a\":{\"x\":1}}").expect("answers");
        assert_eq!(by_action.next("a", "{}"), Some(Ok("{\"x\":1}".into())));
    }

    #[test]
    fn what_is_no_answer_is_named() {
        for (text, error) in [
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
                "it begins with \"x\", which is not a JSON value, at line 2 column 1",
            ),
        ] {
            let found = Answers::parse(text).expect_err("it is none");
            assert_eq!(found.to_string(), error);
        }
        assert!(Answers::parse("nonsense").is_err());
    }
}
