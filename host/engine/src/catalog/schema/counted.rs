//! Makes a schema count its steps where it does not look at the value.
//!
//! `true`, `{}` and parts that only have a title are never asked anything. Where definitions refer
//! to definitions, a few of them can reach such a part more often than could ever be counted.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// The keyword that counts.
pub(super) const STEP: &str = "x-kael-step";

/// Keywords whose value is a list of schemas for the same value.
const LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Keywords whose value is a schema for the same value.
const SINGLE: [&str; 4] = ["not", "if", "then", "else"];
/// Keywords whose value holds schemas by names, for the same value or for references.
const NAMED: [&str; 4] = ["$defs", "definitions", "dependentSchemas", "dependencies"];
/// Keywords that hold schemas for what is inside the value.
const INSIDE: [&str; 11] = [
    "properties",
    "patternProperties",
    "additionalProperties",
    "items",
    "prefixItems",
    "additionalItems",
    "contains",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
];
/// With one of these a schema looks at its value, or at a part that counts.
const LOOKS: [&str; 7] = ["type", "enum", "const", "allOf", "anyOf", "oneOf", "not"];

/// References that a schema may have: each takes a level of the stack, and compiling them takes
/// time that grows with their square.
const MAX_REFERENCES: usize = 1000;
/// Patterns that a schema may have.
const MAX_PATTERNS: usize = 1000;

/// The parts of a schema that cost more than their text.
#[derive(Debug, Default)]
pub(super) struct Parts {
    references: usize,
    pub(super) patterns: usize,
    /// The places within the document that are referred to.
    targets: BTreeSet<String>,
}

impl Parts {
    /// Counts them, wherever they stand.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn of(document: &Value) -> Result<Self, String> {
        let mut parts = Self::default();
        parts.add(document);
        for (count, most, name) in [
            (parts.references, MAX_REFERENCES, "references"),
            (parts.patterns, MAX_PATTERNS, "patterns"),
        ] {
            if count > most {
                return Err(format!("it has more than {most} {name}"));
            }
        }
        Ok(parts)
    }

    fn add(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    match (key.as_str(), value) {
                        ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(to)) => {
                            self.references += 1;
                            let pointer = to.strip_prefix('#').unwrap_or_default();
                            if pointer.starts_with('/') {
                                self.targets.insert(pointer.to_owned());
                            }
                        }
                        ("pattern", Value::String(_)) => self.patterns += 1,
                        ("patternProperties", Value::Object(all)) => self.patterns += all.len(),
                        _ => {}
                    }
                    self.add(value);
                }
            }
            Value::Array(elements) => elements.iter().for_each(|element| self.add(element)),
            _ => {}
        }
    }
}

/// The schema with the keyword in it, where it has any references.
pub(super) fn counted(document: &Value, parts: &Parts) -> Option<Value> {
    if parts.references == 0 {
        return None;
    }
    let mut counted = document.clone();
    count(&mut counted);
    // What is referred to may stand where no schema is looked for.
    for pointer in &parts.targets {
        if let Some(target) = counted.pointer_mut(pointer) {
            count(target);
        }
    }
    Some(counted)
}

fn count(schema: &mut Value) {
    if let Value::Bool(holds) = schema {
        *schema = json!({ STEP: holds });
        return;
    }
    let Value::Object(fields) = schema else {
        return;
    };
    for (key, value) in fields.iter_mut() {
        let key = key.as_str();
        match value {
            Value::Array(elements) if LISTS.contains(&key) => elements.iter_mut().for_each(count),
            Value::Array(elements) if INSIDE.contains(&key) => {
                elements
                    .iter_mut()
                    .filter(|element| element.is_object())
                    .for_each(count);
            }
            value if SINGLE.contains(&key) => count(value),
            Value::Object(named) if NAMED.contains(&key) => named.values_mut().for_each(count),
            Value::Object(named) if matches!(key, "properties" | "patternProperties") => {
                named
                    .values_mut()
                    .filter(|value| value.is_object())
                    .for_each(count);
            }
            value @ Value::Object(_) if INSIDE.contains(&key) => count(value),
            _ => {}
        }
    }
    if !LOOKS.iter().any(|key| fields.contains_key(*key)) {
        fields.insert(STEP.to_owned(), Value::Bool(true));
    }
}
