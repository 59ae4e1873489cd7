//! Numbers that a schema says are integers become integers: Lua writes `6 / 2` as 3.0, and programs
//! that are given "3.0" refuse it.

use serde_json::Value;

/// From here on numbers with a fraction have gaps between integers.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Whether there is any number in a schema that must be an integer.
pub(super) fn are_named(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => is_integer(schema) || fields.values().any(are_named),
        Value::Array(elements) => elements.iter().any(are_named),
        _ => false,
    }
}

/// Makes whole numbers of such a value integers, where the schema says by the place alone that they
/// are.
pub(super) fn made_of(schema: &Value, value: &mut Value) {
    match value {
        Value::Number(number) if is_integer(schema) => {
            let whole = number.as_f64().filter(|number| {
                !number.is_nan() && number.fract() == 0.0 && number.abs() <= EXACT
            });
            if let (true, Some(whole)) = (number.is_f64(), whole) {
                *value = Value::from(whole as i64);
            }
        }
        Value::Object(fields) => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let rest = schema.get("additionalProperties");
            for (name, value) in fields {
                let named = properties.and_then(|all| all.get(name));
                if let Some(schema) = named.or(rest) {
                    made_of(schema, value);
                }
            }
        }
        Value::Array(elements) => {
            if let Some(schema) = schema.get("items") {
                for element in elements {
                    made_of(schema, element);
                }
            }
        }
        _ => {}
    }
}

/// Whether a schema takes integers and no other numbers.
fn is_integer(schema: &Value) -> bool {
    match schema.get("type") {
        Some(Value::String(kind)) => kind == "integer",
        Some(Value::Array(kinds)) => {
            kinds.iter().any(|kind| kind == "integer") && !kinds.iter().any(|kind| kind == "number")
        }
        _ => false,
    }
}
