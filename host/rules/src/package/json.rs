//! Reads the values of a manifest or a schema, and collects everything that is wrong.

use serde_json::{Map, Value};

use crate::problem::Problem;

/// The name nearest to `name`, if one is near.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let score = |known: &&'a str| (strsim::damerau_levenshtein(name, known), *known);
    let (distance, found) = known.iter().map(score).min()?;
    (distance <= 3 && distance < name.len()).then_some(found)
}

/// An object of a file that is being read.
pub(crate) struct Object<'a> {
    file: &'a str,
    /// The path of the object within the file; empty for the whole.
    at: String,
    fields: &'a Map<String, Value>,
}

/// The kind of a value, as messages name it.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl<'a> Object<'a> {
    /// The whole document, if it is an object.
    pub(crate) fn root(file: &'a str, value: &'a Value, out: &mut Vec<Problem>) -> Option<Self> {
        match value {
            Value::Object(fields) => Some(Self {
                file,
                at: String::new(),
                fields,
            }),
            other => {
                let message = format!("must be an object, is {}", kind(other));
                out.push(Problem::error(file, message));
                None
            }
        }
    }

    /// The path of a key.
    pub(crate) fn path(&self, key: &str) -> String {
        match self.at.is_empty() {
            true => key.to_owned(),
            false => format!("{}.{key}", self.at),
        }
    }

    /// Says that the value of a key is wrong.
    pub(crate) fn wrong(&self, key: &str, must: &str, out: &mut Vec<Problem>) {
        let message = match self.fields.get(key) {
            Some(value) => format!("`{}` must be {must}, is {}", self.path(key), kind(value)),
            None => format!("`{}` is missing: it must be {must}", self.path(key)),
        };
        out.push(Problem::error(self.file, message));
    }

    /// Says that a value is of the right type, and wrong.
    pub(crate) fn refuse(&self, key: &str, why: &str, out: &mut Vec<Problem>) {
        out.push(Problem::error(
            self.file,
            format!("`{}` {why}", self.path(key)),
        ));
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        self.fields.iter()
    }

    /// The value of a key; none where it is missing or null.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Value> {
        self.fields.get(key).filter(|value| !value.is_null())
    }

    pub(crate) fn object(&self, key: &str, out: &mut Vec<Problem>) -> Option<Object<'a>> {
        match self.get(key)? {
            Value::Object(fields) => Some(Object {
                file: self.file,
                at: self.path(key),
                fields,
            }),
            _ => {
                self.wrong(key, "an object", out);
                None
            }
        }
    }

    pub(crate) fn string(&self, key: &str, out: &mut Vec<Problem>) -> Option<String> {
        match self.get(key)? {
            Value::String(text) => Some(text.clone()),
            _ => {
                self.wrong(key, "a string", out);
                None
            }
        }
    }

    pub(crate) fn required(&self, key: &str, out: &mut Vec<Problem>) -> String {
        if self.get(key).is_none() {
            self.wrong(key, "a string", out);
        }
        let text = self.string(key, out).unwrap_or_default();
        if self.get(key).is_some_and(|value| value == "") {
            self.refuse(key, "is empty", out);
        }
        text
    }

    pub(crate) fn boolean(&self, key: &str, out: &mut Vec<Problem>) -> Option<bool> {
        match self.get(key)? {
            Value::Bool(value) => Some(*value),
            _ => {
                self.wrong(key, "true or false", out);
                None
            }
        }
    }

    /// A whole number of at least 1.
    pub(crate) fn count(&self, key: &str, out: &mut Vec<Problem>) -> Option<u64> {
        match self.get(key)?.as_u64() {
            Some(value) if value > 0 => Some(value),
            _ => {
                self.wrong(key, "a whole number of at least 1", out);
                None
            }
        }
    }

    pub(crate) fn strings(&self, key: &str, out: &mut Vec<Problem>) -> Vec<String> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let all: Option<Option<Vec<String>>> =
            value.as_array().map(|all| all.iter().map(text).collect());
        match all {
            Some(Some(texts)) => texts,
            _ => {
                self.wrong(key, "a list of strings", out);
                Vec::new()
            }
        }
    }

    /// Warns of keys that nothing reads.
    pub(crate) fn only(&self, known: &[&str], out: &mut Vec<Problem>) {
        for key in self.fields.keys() {
            if known.contains(&key.as_str()) {
                continue;
            }
            let message = format!("the key `{}` is not known, and ignored", self.path(key));
            let warning = Problem::warning(self.file, message);
            out.push(match nearest(key, known) {
                Some(near) => warning.hinted(format!("did you mean `{near}`?")),
                None => warning,
            });
        }
    }
}

/// Parses a file's text; an error names line and column.
pub(crate) fn parse(file: &str, text: &[u8], out: &mut Vec<Problem>) -> Option<Value> {
    match serde_json::from_slice(text) {
        Ok(value) => Some(value),
        Err(error) => {
            let place = format!("{file}:{}:{}", error.line(), error.column());
            let whole = error.to_string();
            let message = whole.split(" at line ").next().unwrap_or(&whole);
            out.push(Problem::error(place, format!("not JSON: {message}")));
            None
        }
    }
}
