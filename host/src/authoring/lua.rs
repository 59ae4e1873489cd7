//! Values as Lua would write them, and an example of a call.

use serde_json::{Map, Value};

use crate::catalog::Definition;
use crate::names::ActionName;

const WORDS: [&str; 23] = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "global", "goto",
    "if", "in", "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
];

/// Whether a text can stand as a name: `t.name`.
#[must_use]
pub fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !WORDS.contains(&text)
}

/// A text as a Lua literal.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A key of a table constructor.
#[must_use]
pub fn key(text: &str) -> String {
    if is_name(text) {
        text.to_owned()
    } else {
        format!("[{}]", quote(text))
    }
}

/// A value on one line.
#[must_use]
pub fn literal(value: &Value) -> String {
    match value {
        Value::Null => "json.null".to_owned(),
        Value::String(text) => quote(text),
        Value::Array(elements) if elements.is_empty() => "{}".to_owned(),
        Value::Array(elements) => {
            let parts: Vec<String> = elements.iter().map(literal).collect();
            format!("{{ {} }}", parts.join(", "))
        }
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let parts: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{} = {}", key(name), literal(value)))
                .collect();
            format!("{{ {} }}", parts.join(", "))
        }
        other => other.to_string(),
    }
}

/// Where an action is found in a script: `actions.a["b-c"]`.
#[must_use]
pub fn path(name: &ActionName) -> String {
    let mut out = "actions".to_owned();
    for part in name.as_str().split('.') {
        if is_name(part) {
            out.push('.');
            out.push_str(part);
        } else {
            out.push_str(&format!("[{}]", quote(part)));
        }
    }
    out
}

/// A call with all that the action needs; without a schema, with what it has defaults for.
#[must_use]
pub fn example_call(name: &ActionName, definition: &Definition) -> String {
    let params = match &definition.contract.params {
        Some(schema) => {
            let mut needed = Map::new();
            let document = schema.document();
            let properties = document.get("properties").and_then(Value::as_object);
            let required = document.get("required").and_then(Value::as_array);
            for property in required.into_iter().flatten().filter_map(Value::as_str) {
                let set = |values: &Map<String, Value>| values.contains_key(property);
                if !set(&definition.defaults) && !set(&definition.locked) {
                    let schema = properties.and_then(|all| all.get(property));
                    needed.insert(
                        property.to_owned(),
                        made_up(schema.unwrap_or(&Value::Null), 0),
                    );
                }
            }
            needed
        }
        None => definition.defaults.clone(),
    };
    format!("{}({})", path(name), literal(&Value::Object(params)))
}

/// A value that a schema would take, as far as that is simple.
#[must_use]
pub fn made_up(schema: &Value, depth: usize) -> Value {
    for given in ["default", "const"] {
        if let Some(value) = schema.get(given) {
            return value.clone();
        }
    }
    for list in ["examples", "enum"] {
        if let Some(value) = schema.get(list).and_then(|list| list.get(0)) {
            return value.clone();
        }
    }
    for list in ["anyOf", "oneOf"] {
        if let Some(first) = schema.get(list).and_then(|list| list.get(0)) {
            return made_up(first, depth + 1);
        }
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
        Some(kind) => kind.as_str(),
        None if schema.get("properties").is_some() => Some("object"),
        None => None,
    };
    match kind {
        _ if depth > 16 => Value::Null,
        Some("string") => Value::from("..."),
        Some("integer" | "number") => {
            let least = schema.get("minimum").or_else(|| schema.get("maximum"));
            least.cloned().unwrap_or_else(|| Value::from(0))
        }
        Some("boolean") => Value::from(false),
        Some("array") => {
            let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
            let element = schema.get("items").unwrap_or(&Value::Null);
            let count = least.min(16);
            Value::Array((0..count).map(|_| made_up(element, depth + 1)).collect())
        }
        Some("object") => {
            let required = schema.get("required").and_then(Value::as_array);
            let names = required.into_iter().flatten().filter_map(Value::as_str);
            let fields = names.map(|name| {
                let property = schema.get("properties").and_then(|all| all.get(name));
                let value = made_up(property.unwrap_or(&Value::Null), depth + 1);
                (name.to_owned(), value)
            });
            Value::Object(fields.collect())
        }
        _ => Value::Object(Map::new()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_lua_reads_them() {
        let value = json!({ "a": [1, 2.5, "x\"\n"], "end": null, "b-c": {}, "t": true });
        assert_eq!(
            literal(&value),
            r#"{ a = { 1, 2.5, "x\"\n" }, ["b-c"] = {}, ["end"] = json.null, t = true }"#
        );
        assert_eq!(quote("\u{1b}[31m"), "\"\\u{1b}[31m\"");
    }

    #[test]
    fn what_is_made_up_fits_simple_schemas() {
        let schema = json!({
            "type": "object", "required": ["s", "n", "l", "e", "o"],
            "properties": {
                "s": { "type": "string" }, "n": { "type": "integer", "minimum": 3 },
                "l": { "type": "array", "minItems": 1, "items": { "type": "boolean" } },
                "e": { "enum": ["a", "b"] }, "o": { "type": "object" }, "skipped": { "type": "string" },
            },
        });
        assert_eq!(
            made_up(&schema, 0),
            json!({ "s": "...", "n": 3, "l": [false], "e": "a", "o": {} })
        );
    }
}
