//! Values that a schema would take, for examples and dry runs.

use serde_json::{Map, Value};

/// A value that a schema would take, as far as that is simple.
#[must_use]
pub fn sample_value(schema: &Value, depth: usize) -> Value {
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
            return sample_value(first, depth + 1);
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
                    .map(|_| sample_value(element, depth + 1))
                    .collect(),
            )
        }
        Some("object") => {
            let required = schema.get("required").and_then(Value::as_array);
            let names = required.into_iter().flatten().filter_map(Value::as_str);
            let fields = names.map(|name| {
                let property = schema.get("properties").and_then(|all| all.get(name));
                let value = sample_value(property.unwrap_or(&Value::Null), depth + 1);
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
            sample_value(&schema, 0),
            json!({ "s": "...", "n": 3, "l": [false], "e": "a", "o": {} })
        );
    }
}
