//! What a rule asks of one value: a closed vocabulary, and an answer that may be doubt.

use std::fmt;
use std::sync::Arc;

use regex::Regex;

use super::Mistake;
use super::document::{Kind, Node};
use super::pattern::Pattern;
use super::scalar::{Number, Scalar};
use super::steps::Steps;
use super::value::Value;
use super::{did_you_mean, shown};
use crate::catalog::Schema;
use crate::json::{self, MAX_TREE};

/// Bytes that a compiled `matches` may have.
const MAX_REGEX: usize = 256 << 10;
/// Bytes of a text that `matches` reads; a longer one is in doubt.
const MAX_MATCHED: usize = 64 << 10;
/// Values in a list.
const MAX_LIST: usize = 1000;

/// Whether a condition holds. `Unknown` is between the two: and is the least, or is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truth {
    /// It does not hold.
    No,
    /// It cannot be decided: a value is missing, is of another type than the test is for, or takes too many steps.
    Unknown,
    /// It holds.
    Yes,
}

impl Truth {
    pub(super) fn not(self) -> Self {
        match self {
            Self::No => Self::Yes,
            Self::Unknown => Self::Unknown,
            Self::Yes => Self::No,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

/// How two numbers are to stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Over,
    AtLeast,
    Under,
    AtMost,
}

/// A test of one value.
#[derive(Clone)]
pub(super) enum Test {
    Equal(Scalar),
    OneOf(Vec<Scalar>),
    Not(Box<Test>),
    All(Vec<Test>),
    Order(Order, Number),
    Starts(String),
    Ends(String),
    Glob(Pattern),
    Matches(Regex),
    Length(Box<Test>),
    Present,
    Missing,
    Schema(Arc<Schema>),
}

/// The words of tests that stand as keys.
const WORDS: [&str; 12] = [
    "not", "over", "at_least", "under", "at_most", "starts", "ends", "glob", "matches", "length",
    "schema", "one_of",
];

impl Test {
    /// Reads a test; what is wrong is noted.
    pub(super) fn read(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<Self> {
        match &node.kind {
            Kind::Word(word) if word == "present" => Some(Self::Present),
            Kind::Word(word) if word == "missing" => Some(Self::Missing),
            Kind::Word(_) | Kind::Text(_) => scalar(node, mistakes).map(Self::Equal),
            Kind::List(_) => one_of(node, mistakes),
            Kind::Nothing => {
                mistakes.push(Mistake::new(node.line, "a condition has no value"));
                None
            }
            Kind::Table(entries) if entries.is_empty() => {
                mistakes.push(Mistake::new(node.line, "a condition without a test"));
                None
            }
            Kind::Table(entries) => {
                let tests: Vec<_> = entries
                    .iter()
                    .map(|(word, line, value)| Self::word(word, *line, value, mistakes))
                    .collect();
                let mut tests = tests.into_iter().collect::<Option<Vec<_>>>()?;
                match tests.len() {
                    1 => tests.pop(),
                    _ => Some(Self::All(tests)),
                }
            }
        }
    }

    fn word(word: &str, line: u32, value: &Node, mistakes: &mut Vec<Mistake>) -> Option<Self> {
        let order = match word {
            "over" => Some(Order::Over),
            "at_least" => Some(Order::AtLeast),
            "under" => Some(Order::Under),
            "at_most" => Some(Order::AtMost),
            _ => None,
        };
        if let Some(order) = order {
            return match scalar(value, mistakes)? {
                Scalar::Number(number) => Some(Self::Order(order, number)),
                other => {
                    let message = format!("`{word}` wants a number, got {other}");
                    mistakes.push(Mistake::new(value.line, message));
                    None
                }
            };
        }
        match word {
            "not" => Some(Self::Not(Box::new(Self::read(value, mistakes)?))),
            "one_of" => one_of(value, mistakes),
            "starts" => text(word, value, mistakes).map(Self::Starts),
            "ends" => text(word, value, mistakes).map(Self::Ends),
            "glob" => text(word, value, mistakes).map(|text| Self::Glob(Pattern::new(&text))),
            "matches" => regex(&text(word, value, mistakes)?, value.line, mistakes),
            "length" => {
                let inner = Self::read(value, mistakes)?;
                if !inner.is_of_numbers() {
                    let message = "`length` wants a number, or tests of one, as in { at_most: 10 }";
                    mistakes.push(Mistake::new(value.line, message));
                    return None;
                }
                Some(Self::Length(Box::new(inner)))
            }
            "schema" => schema(value, mistakes),
            other => {
                let near = did_you_mean(other, WORDS.into_iter());
                let message = format!("unknown test `{}`{near}", shown(other));
                mistakes.push(Mistake::new(line, message));
                None
            }
        }
    }

    fn is_of_numbers(&self) -> bool {
        match self {
            Self::Equal(Scalar::Number(_)) | Self::Order(..) => true,
            Self::OneOf(all) => all.iter().all(|one| matches!(one, Scalar::Number(_))),
            Self::Not(test) => test.is_of_numbers(),
            Self::All(tests) => tests.iter().all(Self::is_of_numbers),
            _ => false,
        }
    }

    /// Whether it looks at more of a value than its beginning takes.
    pub(super) fn is_costly(&self) -> bool {
        match self {
            Self::Matches(_) | Self::Schema(_) => true,
            Self::Not(test) => test.is_costly(),
            Self::All(tests) => tests.iter().any(Self::is_costly),
            _ => false,
        }
    }

    /// The steps of a test of this value, but for a schema's.
    fn cost(&self, value: &Value<'_>) -> usize {
        let size = match value {
            Value::Text(text) => text.len(),
            Value::List(text) | Value::Table(text) => text.len(),
            _ => 0,
        };
        match self {
            Self::OneOf(all) => all.len(),
            Self::Matches(_) => 1 + size.min(MAX_MATCHED),
            Self::Glob(_) | Self::Length(_) => 1 + size / 8,
            _ => 1,
        }
    }

    /// Whether a value passes, in the steps that are left.
    pub(super) fn holds(&self, value: &Value<'_>, steps: &Steps) -> Truth {
        if matches!(value, Value::Unclear) || !steps.take(self.cost(value)) {
            return Truth::Unknown;
        }
        match (self, value) {
            (Self::Not(test), _) => test.holds(value, steps).not(),
            (Self::All(tests), _) => tests
                .iter()
                .map(|test| test.holds(value, steps))
                .min()
                .unwrap_or(Truth::Unknown),
            (Self::Equal(scalar), _) => equal(scalar, value),
            (Self::OneOf(all), _) => {
                let each = all.iter().map(|scalar| equal(scalar, value));
                each.max().unwrap_or(Truth::Unknown)
            }
            (Self::Present, _) => (!matches!(value, Value::Missing)).into(),
            (Self::Missing, _) => matches!(value, Value::Missing).into(),
            (Self::Order(order, bound), Value::Number(number)) => {
                let against = number.compare(*bound);
                match order {
                    Order::Over => against.is_gt(),
                    Order::AtLeast => against.is_ge(),
                    Order::Under => against.is_lt(),
                    Order::AtMost => against.is_le(),
                }
                .into()
            }
            (Self::Starts(start), Value::Text(text)) => text.starts_with(start.as_str()).into(),
            (Self::Ends(end), Value::Text(text)) => text.ends_with(end.as_str()).into(),
            (Self::Glob(pattern), Value::Text(text)) => pattern.matches(text).into(),
            (Self::Matches(regex), Value::Text(text)) if text.len() <= MAX_MATCHED => {
                regex.is_match(text).into()
            }
            (Self::Length(test), _) => match length(value) {
                Some(length) => test.holds(&Value::Number(Number::Integer(length)), steps),
                None => Truth::Unknown,
            },
            (Self::Schema(schema), _) => fits(schema, value, steps),
            _ => Truth::Unknown,
        }
    }
}

/// Whether a value is a scalar. An action may read `"50"` as 50 and a list of one element as that
/// element, so these leave a doubt.
fn equal(scalar: &Scalar, value: &Value<'_>) -> Truth {
    let number = |text: &str, number: Number| {
        let read = Number::parse(text.trim());
        read.is_some_and(|read| read.compare(number).is_eq())
    };
    let alike = match (scalar, value) {
        (Scalar::Null, _) => return matches!(value, Value::Null).into(),
        (_, Value::Missing | Value::Null) => return Truth::No,
        (Scalar::Boolean(one), Value::Boolean(two)) => return (one == two).into(),
        (Scalar::Number(one), Value::Number(two)) => return one.compare(*two).is_eq().into(),
        (Scalar::Text(one), Value::Text(two)) => return (one == two).into(),
        (_, Value::List(_) | Value::Table(_) | Value::Unclear) => true,
        (Scalar::Number(one), Value::Text(two)) => number(two, *one),
        (Scalar::Text(one), Value::Number(two)) => number(one, *two),
        (Scalar::Boolean(one), Value::Text(two)) => {
            two.trim().eq_ignore_ascii_case(&one.to_string())
        }
        (Scalar::Text(one), Value::Boolean(two)) => one.eq_ignore_ascii_case(&two.to_string()),
        (Scalar::Boolean(_), Value::Number(_)) | (Scalar::Number(_), Value::Boolean(_)) => false,
    };
    if alike { Truth::Unknown } else { Truth::No }
}

/// Characters of a text, elements of a list, keys of a table.
fn length(value: &Value<'_>) -> Option<i64> {
    let mut count = 0_i64;
    match value {
        Value::Text(text) => count = i64::try_from(text.chars().count()).ok()?,
        Value::List(text) => {
            let elements: Vec<serde::de::IgnoredAny> = serde_json::from_str(text).ok()?;
            count = i64::try_from(elements.len()).ok()?;
        }
        Value::Table(text) => json::entries::<serde_json::Error>(text, |_, _| {
            count += 1;
            Ok(())
        })
        .ok()?,
        _ => return None,
    }
    Some(count)
}

/// A schema wants a tree, whose size is bounded. A check that is given up decides nothing.
fn fits(schema: &Schema, value: &Value<'_>, steps: &Steps) -> Truth {
    let tree = match value {
        Value::Null => serde_json::Value::Null,
        Value::Boolean(boolean) => (*boolean).into(),
        Value::Number(Number::Integer(integer)) => (*integer).into(),
        Value::Number(Number::Float(float)) => (*float).into(),
        Value::Text(text) => text.as_ref().into(),
        Value::List(text) | Value::Table(text) => {
            let small = |look: &json::Look| look.values <= MAX_TREE;
            let look = steps.take(text.len() / 8).then(|| json::check(text));
            let look = look.and_then(Result::ok).filter(small);
            let tree = look
                .filter(|look| steps.take(look.values * 10))
                .and_then(|_| json::parse(text.as_bytes()).ok());
            match tree {
                Some(tree) => tree,
                None => return Truth::Unknown,
            }
        }
        Value::Missing | Value::Unclear => return Truth::Unknown,
    };
    steps
        .fits(schema, &tree)
        .map_or(Truth::Unknown, Truth::from)
}

fn scalar(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<Scalar> {
    let wrong = match &node.kind {
        Kind::Text(text) => return Some(Scalar::Text(text.clone())),
        Kind::Word(word) => match Scalar::of_word(word) {
            Ok(scalar) => return Some(scalar),
            Err(wrong) => wrong,
        },
        other => format!("expected one value, got {}", other.name()),
    };
    mistakes.push(Mistake::new(node.line, wrong));
    None
}

fn one_of(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<Test> {
    let Kind::List(elements) = &node.kind else {
        let message = format!("`one_of` wants a list, got {}", node.kind.name());
        mistakes.push(Mistake::new(node.line, message));
        return None;
    };
    if elements.is_empty() || elements.len() > MAX_LIST {
        let message = format!("a list of values holds 1 to {MAX_LIST} of them");
        mistakes.push(Mistake::new(node.line, message));
        return None;
    }
    let all: Vec<_> = elements
        .iter()
        .map(|element| match &element.kind {
            Kind::Word(word) if word == "present" || word == "missing" => {
                let message = format!("`{word}` is a test and no value: put a text in quotes");
                mistakes.push(Mistake::new(element.line, message));
                None
            }
            _ => scalar(element, mistakes),
        })
        .collect();
    all.into_iter().collect::<Option<Vec<_>>>().map(Test::OneOf)
}

fn text(word: &str, node: &Node, mistakes: &mut Vec<Mistake>) -> Option<String> {
    match scalar(node, mistakes)? {
        Scalar::Text(text) if !text.is_empty() => return Some(text),
        Scalar::Text(_) => {
            let message = format!("`{word}` wants a text that is not empty");
            mistakes.push(Mistake::new(node.line, message));
        }
        other => {
            let message = format!("`{word}` wants a text, got {other}: put it in quotes");
            mistakes.push(Mistake::new(node.line, message));
        }
    }
    None
}

fn regex(text: &str, line: u32, mistakes: &mut Vec<Mistake>) -> Option<Test> {
    let built = regex::RegexBuilder::new(text)
        .size_limit(MAX_REGEX)
        .dfa_size_limit(MAX_REGEX)
        .nest_limit(50)
        .build();
    match built {
        Ok(regex) => Some(Test::Matches(regex)),
        Err(error) => {
            let why = match error {
                regex::Error::CompiledTooBig(_) => "it is too large when compiled".to_owned(),
                error => error
                    .to_string()
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .to_owned(),
            };
            let message = format!("`matches`: `{}`: {why}", shown(text));
            mistakes.push(Mistake::new(line, message));
            None
        }
    }
}

fn schema(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<Test> {
    let document = document(node, mistakes)?;
    if !document.is_object() {
        let message = "`schema` wants a JSON Schema: a table".to_owned();
        mistakes.push(Mistake::new(node.line, message));
        return None;
    }
    match Schema::compile(document) {
        Ok(schema) => Some(Test::Schema(Arc::new(schema))),
        Err(error) => {
            mistakes.push(Mistake::new(node.line, format!("`schema`: {error}")));
            None
        }
    }
}

/// A value of a file as JSON, for cases that a policy is tested with.
///
/// # Errors
/// The first word that has no one reading.
pub fn value_of(node: &Node) -> Result<serde_json::Value, Mistake> {
    let mut mistakes = Vec::new();
    match document(node, &mut mistakes) {
        Some(value) if mistakes.is_empty() => Ok(value),
        _ => Err(mistakes
            .into_iter()
            .next()
            .unwrap_or_else(|| Mistake::new(node.line, "expected a value"))),
    }
}

/// A node as JSON.
fn document(node: &Node, mistakes: &mut Vec<Mistake>) -> Option<serde_json::Value> {
    use serde_json::Value as Json;
    Some(match &node.kind {
        Kind::Nothing => Json::Null,
        Kind::Word(_) | Kind::Text(_) => match scalar(node, mistakes)? {
            Scalar::Null => Json::Null,
            Scalar::Boolean(boolean) => boolean.into(),
            Scalar::Number(Number::Integer(integer)) => integer.into(),
            Scalar::Number(Number::Float(float)) => float.into(),
            Scalar::Text(text) => text.into(),
        },
        Kind::List(elements) => {
            let all: Vec<_> = elements.iter().map(|one| document(one, mistakes)).collect();
            Json::Array(all.into_iter().collect::<Option<_>>()?)
        }
        Kind::Table(entries) => {
            let all: Vec<_> = entries
                .iter()
                .map(|(key, _, value)| Some((key.clone(), document(value, mistakes)?)))
                .collect();
            Json::Object(all.into_iter().collect::<Option<_>>()?)
        }
    })
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |all: &[Scalar]| {
            let all: Vec<String> = all.iter().map(ToString::to_string).collect();
            all.join(", ")
        };
        match self {
            Self::Equal(scalar) => write!(f, "{scalar}"),
            Self::OneOf(all) => write!(f, "one of {}", list(all)),
            Self::Not(test) => write!(f, "not {test}"),
            Self::All(tests) => {
                let all: Vec<String> = tests.iter().map(ToString::to_string).collect();
                f.write_str(&all.join(" and "))
            }
            Self::Order(order, number) => {
                let word = match order {
                    Order::Over => "over",
                    Order::AtLeast => "at least",
                    Order::Under => "under",
                    Order::AtMost => "at most",
                };
                write!(f, "{word} {number}")
            }
            Self::Starts(text) => write!(f, "starts with \"{}\"", shown(text)),
            Self::Ends(text) => write!(f, "ends with \"{}\"", shown(text)),
            Self::Glob(pattern) => write!(f, "like \"{}\"", shown(pattern.as_str())),
            Self::Matches(regex) => write!(f, "matches \"{}\"", shown(regex.as_str())),
            Self::Length(test) => write!(f, "length {test}"),
            Self::Present => f.write_str("present"),
            Self::Missing => f.write_str("missing"),
            Self::Schema(_) => f.write_str("fits the schema"),
        }
    }
}

impl fmt::Debug for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
