//! Values in Lua syntax, and sample calls of actions.

use serde_json::{Map, Value};

use kael_engine::catalog::{Definition, sample_value};
use kael_engine::names::ActionName;

const WORDS: [&str; 23] = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "global", "goto",
    "if", "in", "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
];

/// Whether a text can be a field name: `t.name`.
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

/// How a script writes an action: `actions.a["b-c"]`.
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

/// A call with all required parameters. Without a schema, with the parameters in `defaults`.
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
                        sample_value(schema.unwrap_or(&Value::Null)),
                    );
                }
            }
            needed
        }
        None => definition.defaults.clone(),
    };
    format!("{}({})", path(name), literal(&Value::Object(params)))
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
}
