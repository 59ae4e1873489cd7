//! Sample values for a schema, for examples and dry runs.

use serde_json::{Map, Value};

/// Bytes of text that a sample has at most, about: lists of lists multiply.
const MAX_SIZE: usize = 64 << 10;
/// Bytes that a value takes, beside its text.
const VALUE: usize = 8;

/// A value that a schema would take, as far as that is simple.
#[must_use]
pub fn sample_value(schema: &Value) -> Value {
    let mut left = MAX_SIZE;
    sample(schema, 0, &mut left)
}

fn sample(schema: &Value, depth: usize, left: &mut usize) -> Value {
    *left = left.saturating_sub(VALUE);
    if *left == 0 {
        return Value::Null;
    }
    for given in ["default", "const"] {
        if let Some(value) = schema.get(given) {
            return copied(value, left);
        }
    }
    for list in ["examples", "enum"] {
        if let Some(value) = schema.get(list).and_then(|list| list.get(0)) {
            return copied(value, left);
        }
    }
    for list in ["anyOf", "oneOf"] {
        if let Some(first) = schema.get(list).and_then(|list| list.get(0)) {
            return sample(first, depth + 1, left);
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
            Value::Array(
                (0..count)
                    .map(|_| sample(element, depth + 1, left))
                    .collect(),
            )
        }
        Some("object") => {
            let required = schema.get("required").and_then(Value::as_array);
            let names = required.into_iter().flatten().filter_map(Value::as_str);
            let fields = names.map(|name| {
                let property = schema.get("properties").and_then(|all| all.get(name));
                let value = sample(property.unwrap_or(&Value::Null), depth + 1, left);
                (name.to_owned(), value)
            });
            Value::Object(fields.collect())
        }
        _ => Value::Object(Map::new()),
    }
}

/// A value that the schema gives, where there is room for it.
fn copied(value: &Value, left: &mut usize) -> Value {
    match left.checked_sub(value.to_string().len()) {
        Some(rest) => {
            *left = rest;
            value.clone()
        }
        None => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
            sample_value(&schema),
            json!({ "s": "...", "n": 3, "l": [false], "e": "a", "o": {} })
        );
    }

    #[test]
    fn lists_of_lists_do_not_multiply() {
        let list = |items: Value| json!({ "type": "array", "minItems": 16, "items": items });
        let schema = (0..16).fold(json!({ "type": "string" }), |items, _| list(items));
        assert!(sample_value(&schema).to_string().len() < 100_000);
    }
}
