//! Turns the short form of a schema, such as `{ url = "string", limit = "integer?", tags =
//! "string[]" }`, into JSON Schema.
//!
//! A type is a word. `a|b` allows either type, `[]` makes a list of the type, and a final `?` makes
//! the field optional. A table with names is a table with those fields. A table around one type is
//! a list of that type.

use serde_json::{Map, Value, json};

use super::secret_places;
use crate::names;

/// The types of the short form and their JSON Schema.
const TYPES: [(&str, Option<&str>); 8] = [
    ("string", Some("string")),
    ("integer", Some("integer")),
    ("number", Some("number")),
    ("boolean", Some("boolean")),
    ("table", Some("object")),
    ("list", Some("array")),
    ("null", Some("null")),
    ("any", None),
];

/// Keywords of JSON Schema that describe the inside of a value. A table with one of them is JSON
/// Schema.
const STRUCTURE: [&str; 21] = [
    "properties",
    "patternProperties",
    "additionalProperties",
    "required",
    "items",
    "prefixItems",
    "additionalItems",
    "contains",
    "enum",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedProperties",
    "minProperties",
];

/// Keywords of JSON Schema that may stand beside those.
const BESIDE: [&str; 26] = [
    "type",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "const",
    "format",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "uniqueItems",
    "maxProperties",
    "minContains",
    "maxContains",
    "unevaluatedItems",
    "definitions",
];

/// Turns either form into JSON Schema. With `closed`, tables allow no other fields than their own.
pub(super) fn expand(value: Value, closed: bool) -> Result<Value, String> {
    match &value {
        Value::Object(fields) if is_json_schema(fields) => Ok(mended(value)),
        Value::Object(_) | Value::String(_) | Value::Array(_) => short(&value, closed, 0),
        Value::Bool(_) | Value::Null | Value::Number(_) => Err(
            "must be a table such as { url = \"string\", limit = \"integer?\" }, or JSON Schema"
                .to_owned(),
        ),
    }
}

/// Whether a table is JSON Schema: it has a key that begins with `$`, or it describes the inside of
/// a value and has only keywords of JSON Schema.
fn is_json_schema(fields: &Map<String, Value>) -> bool {
    if fields.keys().any(|key| key.starts_with('$')) {
        return true;
    }
    let known = |key: &String| STRUCTURE.contains(&key.as_str()) || BESIDE.contains(&key.as_str());
    let structure =
        |(key, value): (&String, &Value)| STRUCTURE.contains(&key.as_str()) && !value.is_string();
    let json_types = [
        "string", "integer", "number", "boolean", "object", "array", "null",
    ];
    let typed = match fields.get("type") {
        Some(Value::String(name)) => json_types.contains(&name.as_str()),
        Some(Value::Array(_)) => true,
        _ => false,
    };
    fields.keys().all(known) && (typed || fields.iter().any(structure))
}

/// Turns Lua's empty tables into lists where JSON Schema wants lists.
fn mended(mut schema: Value) -> Value {
    if let Some(required) = schema.get_mut("required")
        && required.as_object().is_some_and(Map::is_empty)
    {
        *required = json!([]);
    }
    schema
}

fn short(value: &Value, closed: bool, depth: usize) -> Result<Value, String> {
    if depth > 32 {
        return Err("nests too deep".to_owned());
    }
    match value {
        Value::String(text) => word(text),
        Value::Array(elements) => match &elements[..] {
            [one] => Ok(json!({ "type": "array", "items": short(one, closed, depth + 1)? })),
            _ => Err("a list in the short form holds one type: { \"string\" }".to_owned()),
        },
        Value::Object(fields) => {
            if depth > 0 && is_json_schema(fields) {
                return Ok(mended(value.clone()));
            }
            let (mut properties, mut required) = (Map::new(), Vec::new());
            for (key, value) in fields {
                let optional_key = key.strip_suffix('?');
                let (name, optional) = match value {
                    Value::String(text) => (key.as_str(), text.trim_end().ends_with('?')),
                    _ => (optional_key.unwrap_or(key), optional_key.is_some()),
                };
                let schema =
                    short(value, closed, depth + 1).map_err(|why| format!("`{name}` {why}"))?;
                properties.insert(name.to_owned(), schema);
                if !optional {
                    required.push(Value::from(name));
                }
            }
            let mut schema = json!({ "type": "object", "properties": properties });
            if !required.is_empty() {
                schema["required"] = Value::Array(required);
            }
            if closed {
                schema["additionalProperties"] = Value::Bool(false);
            }
            Ok(schema)
        }
        other => Err(format!(
            "is {other}, and must be a type such as \"string\" or \"integer?\""
        )),
    }
}

fn word(text: &str) -> Result<Value, String> {
    let text = text.trim();
    let text = text.strip_suffix('?').unwrap_or(text).trim_end();
    if let Some(of) = text.strip_suffix("[]") {
        return Ok(json!({ "type": "array", "items": word_once(of)? }));
    }
    let parts: Vec<Value> = text.split('|').map(word_once).collect::<Result<_, _>>()?;
    Ok(match <[Value; 1]>::try_from(parts) {
        Ok([one]) => one,
        Err(parts) => json!({ "anyOf": parts }),
    })
}

fn word_once(text: &str) -> Result<Value, String> {
    let text = text.trim();
    if let Some(of) = text.strip_suffix("[]") {
        return Ok(json!({ "type": "array", "items": word_once(of)? }));
    }
    match TYPES.iter().find(|(name, _)| *name == text) {
        None if text == "secret" => Ok(secret_places::schema()),
        Some((_, Some(name))) => Ok(json!({ "type": name })),
        Some((_, None)) => Ok(json!({})),
        None => {
            // Names of types in other languages.
            let meant = match text {
                "int" | "long" => Some("integer"),
                "float" | "double" => Some("number"),
                "bool" => Some("boolean"),
                "str" | "text" => Some("string"),
                "object" | "dict" | "map" => Some("table"),
                "array" => Some("list"),
                _ => names::nearest(text, TYPES.iter().map(|(name, _)| *name)),
            };
            let shown: String = text.chars().take(60).collect();
            Err(match meant {
                Some(_) => {
                    let hint = names::did_you_mean(meant, '"');
                    format!("\"{shown}\" is not a type{hint}")
                }
                None => format!(
                    "\"{shown}\" is not a type: use string, integer, number, boolean, table, list, null, any or secret, with [] for a list and ? for optional"
                ),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_form_is_json_schema_in_few_words() {
        let short = json!({ "url": "string", "limit": "integer?", "tags": "string[]", "any": "any?",
            "id": "string|integer", "auth": { "user": "string" }, "more?": { "x": "number" }, "rows": [{ "n": "boolean" }] });
        let full = expand(short, true).expect("a schema");
        assert_eq!(
            full["required"],
            json!(["auth", "id", "rows", "tags", "url"])
        );
        assert_eq!(full["additionalProperties"], json!(false));
        let properties = &full["properties"];
        assert_eq!(properties["url"], json!({ "type": "string" }));
        assert_eq!(properties["limit"], json!({ "type": "integer" }));
        assert_eq!(
            properties["tags"],
            json!({ "type": "array", "items": { "type": "string" } })
        );
        assert_eq!(properties["any"], json!({}));
        assert_eq!(
            properties["id"],
            json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] })
        );
        assert_eq!(properties["auth"]["required"], json!(["user"]));
        assert_eq!(
            properties["more"]["properties"]["x"],
            json!({ "type": "number" })
        );
        assert_eq!(
            properties["rows"]["items"]["properties"]["n"],
            json!({ "type": "boolean" })
        );
        assert_eq!(
            expand(json!("integer[]"), false),
            Ok(json!({ "type": "array", "items": { "type": "integer" } }))
        );
    }

    #[test]
    fn json_schema_is_known_by_its_words() {
        for full in [
            json!({ "type": "object", "properties": { "a": { "type": "string" } } }),
            json!({ "properties": {}, "required": ["a"] }),
            json!({ "type": "array", "items": { "type": "string" } }),
            json!({ "$ref": "#/$defs/x", "$defs": {} }),
            json!({ "type": "string" }),
            json!({ "enum": ["a"] }),
        ] {
            assert_eq!(expand(full.clone(), true), Ok(full));
        }
        for short in [
            json!({ "title": "string", "description": "string" }),
            json!({ "type": "string", "name": "string" }),
            json!({ "type": "string?" }),
            json!({ "properties": "table", "items": "string[]" }),
        ] {
            let full = expand(short.clone(), true).expect("a schema");
            assert_eq!(
                full["properties"].as_object().expect("fields").len(),
                short.as_object().expect("fields").len()
            );
        }
    }

    #[test]
    fn what_is_no_type_is_named() {
        for (value, error) in [
            (
                json!({ "a": "strng" }),
                "`a` \"strng\" is not a type (did you mean \"string\"?)",
            ),
            (
                json!({ "a": "int" }),
                "`a` \"int\" is not a type (did you mean \"integer\"?)",
            ),
            (
                json!({ "a": { "b": 5 } }),
                "`a` `b` is 5, and must be a type such as \"string\" or \"integer?\"",
            ),
            (
                json!({ "a": ["string", "integer"] }),
                "`a` a list in the short form holds one type: { \"string\" }",
            ),
        ] {
            assert_eq!(expand(value, true), Err(error.to_owned()));
        }
        assert!(expand(json!(5), true).is_err());
    }
}
