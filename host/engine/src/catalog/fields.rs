//! Takes the fields of a definition one by one. A wrong or unknown field is an error at the
//! definition's line.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::error::{DefinitionError, Location};
use crate::names;
use crate::units::{ByteSize, TimeLimit, UnitError};

/// How many unknown fields of one table are reported.
const MAX_UNKNOWN: usize = 20;

pub(super) struct Fields<'a> {
    location: &'a Location,
    /// The name of the enclosing field and a dot, or empty.
    prefix: String,
    rest: Map<String, Value>,
    /// Every field that the reader has asked for, for suggestions.
    known: Vec<String>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(location: &'a Location, body: Map<String, Value>) -> Self {
        Self {
            location,
            prefix: String::new(),
            rest: body,
            known: Vec::new(),
        }
    }

    /// The fields of a table that stands inside a field.
    pub(super) fn within(&self, field: String, body: Map<String, Value>) -> Self {
        Self {
            prefix: format!("{}{field}.", self.prefix),
            ..Self::new(self.location, body)
        }
    }

    /// The fields of the table in a field.
    pub(super) fn inner(&mut self, field: &str) -> Result<Option<Self>, DefinitionError> {
        let body = self.object(field)?;
        Ok((!body.is_empty()).then(|| self.within(field.to_owned(), body)))
    }

    pub(super) fn error(&self, field: &str, error: &str) -> DefinitionError {
        self.definition_error(format!("field '{}{field}' {error}", self.prefix))
    }

    fn definition_error(&self, error: String) -> DefinitionError {
        DefinitionError {
            location: self.location.clone(),
            error,
        }
    }

    fn wrong_type(&self, field: &str, expected: &str, got: &Value) -> DefinitionError {
        self.error(field, &format!("must be {expected}, got {}", describe(got)))
    }

    /// The value of a field, of any type.
    pub(super) fn value(&mut self, field: &str) -> Option<Value> {
        self.take(field)
    }

    fn take(&mut self, field: &str) -> Option<Value> {
        self.known.push(field.to_owned());
        #[cfg(test)]
        tests::TAKEN.with_borrow_mut(|taken| taken.insert(format!("{}{field}", self.prefix)));
        self.rest.remove(field)
    }

    pub(super) fn string(&mut self, field: &str) -> Result<Option<String>, DefinitionError> {
        match self.take(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong_type(field, "a string", &other)),
        }
    }

    pub(super) fn required_string(&mut self, field: &str) -> Result<String, DefinitionError> {
        match self.string(field)? {
            Some(text) if !text.is_empty() => Ok(text),
            Some(_) => Err(self.error(field, "is empty")),
            None => Err(self.error(field, "is missing")),
        }
    }

    pub(super) fn object(&mut self, field: &str) -> Result<Map<String, Value>, DefinitionError> {
        match self.take(field) {
            None => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map),
            Some(other) => Err(self.wrong_type(field, "a table with names", &other)),
        }
    }

    pub(super) fn strings(&mut self, field: &str) -> Result<Vec<String>, DefinitionError> {
        self.optional_strings(field).map(Option::unwrap_or_default)
    }

    /// The same, where no list and an empty one differ.
    pub(super) fn optional_strings(
        &mut self,
        field: &str,
    ) -> Result<Option<Vec<String>>, DefinitionError> {
        let elements = match self.take(field) {
            None => return Ok(None),
            // Lua writes an empty list as an empty table.
            Some(Value::Object(map)) if map.is_empty() => return Ok(Some(Vec::new())),
            Some(Value::Array(elements)) => elements,
            Some(other) => return Err(self.wrong_type(field, "a list of strings", &other)),
        };
        let mut strings = Vec::with_capacity(elements.len());
        for (index, element) in elements.into_iter().enumerate() {
            match element {
                Value::String(text) => strings.push(text),
                other => {
                    let error = format!(
                        "must be a list of strings, but element {} is {}",
                        index + 1,
                        describe(&other)
                    );
                    return Err(self.error(field, &error));
                }
            }
        }
        Ok(Some(strings))
    }

    /// False if the field is missing.
    pub(super) fn boolean(&mut self, field: &str) -> Result<bool, DefinitionError> {
        match self.take(field) {
            None => Ok(false),
            Some(Value::Bool(value)) => Ok(value),
            Some(other) => Err(self.wrong_type(field, "true or false", &other)),
        }
    }

    pub(super) fn time(&mut self, field: &str) -> Result<Option<TimeLimit>, DefinitionError> {
        let time = match self.take(field) {
            None => return Ok(None),
            Some(Value::Number(seconds)) => {
                TimeLimit::from_seconds(seconds.as_f64().unwrap_or(f64::NAN))
            }
            Some(Value::String(text)) => text.parse(),
            Some(other) => {
                return Err(self.wrong_type(
                    field,
                    "a number of seconds or a text such as \"5m\"",
                    &other,
                ));
            }
        };
        time.map(Some)
            .map_err(|error| self.error(field, &error.to_string()))
    }

    pub(super) fn size(&mut self, field: &str) -> Result<Option<ByteSize>, DefinitionError> {
        let Some(text) = self.take(field) else {
            return Ok(None);
        };
        let Value::String(text) = text else {
            return Err(self.wrong_type(field, "a text such as \"64MiB\"", &text));
        };
        text.parse()
            .map(Some)
            .map_err(|error: UnitError| self.error(field, &error.to_string()))
    }

    /// A whole number in a range.
    pub(super) fn whole(
        &mut self,
        field: &str,
        range: RangeInclusive<u32>,
    ) -> Result<Option<u32>, DefinitionError> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        match self.take(field) {
            None => Ok(None),
            Some(Value::Number(number)) => number
                .as_u64()
                .and_then(|number| u32::try_from(number).ok())
                .filter(|number| range.contains(number))
                .map(Some)
                .ok_or_else(|| self.error(field, &format!("must be {expected}, got {number}"))),
            Some(other) => Err(self.wrong_type(field, &expected, &other)),
        }
    }

    /// Reports every field that was never taken as unknown.
    pub(super) fn finish(self) -> Vec<DefinitionError> {
        let unknown = |field: &String| {
            let near = names::nearest(field, self.known.iter().map(String::as_str));
            let hint = names::did_you_mean(near, '\'');
            self.definition_error(format!(
                "unknown field '{}{}'{hint}",
                self.prefix,
                field.escape_debug()
            ))
        };
        self.rest.keys().take(MAX_UNKNOWN).map(unknown).collect()
    }
}

/// Returns the value, or keeps the error for later so that one check shows all errors.
pub(super) fn collect_error<T>(
    wrong: &mut Vec<DefinitionError>,
    result: Result<T, DefinitionError>,
) -> Option<T> {
    result.map_err(|error| wrong.push(error)).ok()
}

/// The type of a value in Lua's terms.
pub(super) fn describe(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table with names",
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    use serde_json::json;

    use crate::catalog::defined;

    thread_local! {
        /// Every field that this thread has taken.
        pub(super) static TAKEN: RefCell<BTreeSet<String>> = RefCell::default();
    }

    #[test]
    fn no_field_is_missing_in_the_reference() {
        let reference = include_str!("../../../../docs/reference.md");
        let csv = json!({ "csv": { "separator": ";" } });
        defined(&json!({ "limits": { "cpu": 1 }, "retry": {}, "output": csv }));
        defined(&json!({ "executor": "docker" }));
        let dirs = json!({ "/data": { "path": "x" } });
        defined(
            &json!({ "executor": "wasm", "entrypoint": "y", "limits": { "cpu": 1 }, "dirs": dirs }),
        );
        let digest = "0".repeat(64);
        defined(&json!({ "executor": "mcp", "command": ["x"], "tool": "y", "digest": digest }));
        defined(
            &json!({ "executor": "mcp", "url": "https://x.example", "tool": "y", "digest": digest }),
        );
        let taken = TAKEN.with_borrow(Clone::clone);
        assert!(
            taken.len() > 30 && taken.contains("limits.open_files"),
            "{taken:?}"
        );
        let missing = taken.iter().filter(|field| {
            let name = field.rsplit('.').next().unwrap_or(field);
            !reference.contains(&format!("`{name}`"))
        });
        assert_eq!(missing.collect::<Vec<_>>(), Vec::<&String>::new());
    }
}
