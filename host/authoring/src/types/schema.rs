//! Turns a JSON Schema into an EmmyLua type.

use serde_json::{Map, Value};

use crate::lua;

/// How many levels are written out. Deeper values become `any`.
const MAX_DEPTH: usize = 8;
/// How many alternatives are written out.
const MAX_ALTERNATIVES: usize = 40;

/// The type of parameters, in which null is `json.null`.
pub(super) fn of(schema: &Value) -> String {
    any_of(schema, 0)
}

/// The type of a result, in which null is nil.
pub(super) fn of_result(schema: &Value) -> String {
    any_of(&without_null(schema), 0)
}

fn without_null(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let nil = |(key, value): (&String, &Value)| {
                let value = match (key.as_str(), value) {
                    ("type", Value::String(name)) if name == "null" => Value::from("nil"),
                    ("type", Value::Array(names)) => {
                        let name = |name: &Value| {
                            if name == "null" {
                                "nil".into()
                            } else {
                                name.clone()
                            }
                        };
                        names.iter().map(name).collect()
                    }
                    _ => without_null(value),
                };
                (key.clone(), value)
            };
            Value::Object(fields.iter().map(nil).collect())
        }
        Value::Array(elements) => elements.iter().map(without_null).collect(),
        other => other.clone(),
    }
}

fn any_of(schema: &Value, depth: usize) -> String {
    if depth > MAX_DEPTH || schema.get("$ref").is_some() {
        return "any".to_owned();
    }
    if let Some(options) = schema.get("enum").and_then(Value::as_array) {
        return united(options.iter().map(constant));
    }
    if let Some(one) = schema.get("const") {
        return constant(one);
    }
    for list in ["anyOf", "oneOf"] {
        if let Some(options) = schema.get(list).and_then(Value::as_array) {
            return united(options.iter().map(|option| any_of(option, depth + 1)));
        }
    }
    match schema.get("type") {
        Some(Value::String(name)) => named(schema, name, depth),
        Some(Value::Array(names)) => {
            let names = names.iter().filter_map(Value::as_str);
            united(names.map(|name| named(schema, name, depth)))
        }
        _ if schema.get("properties").is_some() => named(schema, "object", depth),
        _ if schema.get("items").is_some() => named(schema, "array", depth),
        _ => "any".to_owned(),
    }
}

fn named(schema: &Value, name: &str, depth: usize) -> String {
    match name {
        "string" | "integer" | "number" | "boolean" => name.to_owned(),
        "null" => "kael.Null".to_owned(),
        "nil" => "nil".to_owned(),
        "array" => match schema.get("items") {
            Some(items) if items.is_object() => list_of(&any_of(items, depth + 1)),
            _ => "any[]".to_owned(),
        },
        "object" => object(schema, depth),
        _ => "any".to_owned(),
    }
}

/// A table type, written inline.
fn object(schema: &Value, depth: usize) -> String {
    let none = Map::new();
    let properties = schema
        .get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&none);
    if properties.is_empty() {
        return match schema.get("additionalProperties") {
            Some(values) if values.is_object() => {
                format!("table<string, {}>", any_of(values, depth + 1))
            }
            _ => "table".to_owned(),
        };
    }
    let required = required(schema);
    let field = |(name, schema): (&String, &Value)| {
        let missing = if required.contains(&name.as_str()) {
            ""
        } else {
            "?"
        };
        format!("{}{missing}: {}", key(name), any_of(schema, depth + 1))
    };
    let fields: Vec<String> = properties.iter().map(field).collect();
    format!("{{ {} }}", fields.join(", "))
}

/// The names of the required fields.
pub(super) fn required(schema: &Value) -> Vec<&str> {
    let names = schema.get("required").and_then(Value::as_array);
    names
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// A field name, in brackets if necessary.
pub(super) fn key(name: &str) -> String {
    if lua::is_name(name) {
        name.to_owned()
    } else {
        format!("[{}]", quoted(name))
    }
}

/// The type of a sample value.
pub(super) fn like(value: &Value) -> String {
    match value {
        Value::Null => "any".to_owned(),
        Value::Bool(_) => "boolean".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(elements) => {
            // Each element once: twice for the first would double with each level.
            let mut kinds = elements.iter().map(like);
            let first = kinds.next();
            let alike = first.filter(|first| kinds.all(|kind| kind == *first));
            list_of(&alike.unwrap_or_else(|| "any".to_owned()))
        }
        Value::Object(_) => "table".to_owned(),
    }
}

fn list_of(element: &str) -> String {
    let mut depth = 0;
    let united = element.chars().any(|c| {
        match c {
            '{' | '(' | '<' => depth += 1,
            '}' | ')' | '>' => depth -= 1,
            _ => {}
        }
        c == '|' && depth == 0
    });
    if united {
        format!("({element})[]")
    } else {
        format!("{element}[]")
    }
}

fn constant(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Bool(_) => value.to_string(),
        Value::Number(number) if number.is_i64() => value.to_string(),
        other => like(other),
    }
}

/// A literal in a type. It must stay on its comment line.
fn quoted(text: &str) -> String {
    let plain = |c: &char| !c.is_control() && *c != '"' && *c != '\\';
    if text.chars().all(|c| plain(&c)) {
        format!("\"{text}\"")
    } else {
        "string".to_owned()
    }
}

fn united(types: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = Vec::new();
    for one in types.take(MAX_ALTERNATIVES + 1) {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    if all.is_empty() || all.len() > MAX_ALTERNATIVES || all.iter().any(|one| one == "any") {
        return "any".to_owned();
    }
    all.join("|")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_in_lists_is_looked_at_once() {
        let one = (0..100).fold(json!("x"), |inner, _| json!([inner]));
        assert_eq!(like(&one), format!("string{}", "[]".repeat(100)));
    }

    #[test]
    fn schemas_are_types() {
        for (schema, expected) in [
            (json!({ "type": "string" }), "string"),
            (json!({ "type": ["string", "null"] }), "string|kael.Null"),
            (
                json!({ "type": "array", "items": { "anyOf": [{ "type": "string" }, { "type": "integer" }] } }),
                "(string|integer)[]",
            ),
            (json!({ "enum": ["a", "b", 5, true] }), "\"a\"|\"b\"|5|true"),
            (json!({ "enum": ["a\n---@class Evil"] }), "string"),
            (json!({ "type": "object" }), "table"),
            (
                json!({ "type": "object", "additionalProperties": { "type": "number" } }),
                "table<string, number>",
            ),
            (
                json!({ "properties": { "a": { "type": "integer" }, "b-c": {} }, "required": ["a"] }),
                "{ a: integer, [\"b-c\"]?: any }",
            ),
            (
                json!({ "type": "array", "items": { "properties": { "a": { "type": ["string", "null"] } } } }),
                "{ a?: string|kael.Null }[]",
            ),
            (json!({ "$ref": "#/$defs/x" }), "any"),
            (json!(true), "any"),
        ] {
            assert_eq!(of(&schema), expected, "{schema}");
        }
        assert_eq!(
            of_result(&json!({ "type": ["string", "null"] })),
            "string|nil"
        );
        assert_eq!(like(&json!(["a", "b"])), "string[]");
        assert_eq!(like(&json!(["a", 1])), "any[]");
    }
}
