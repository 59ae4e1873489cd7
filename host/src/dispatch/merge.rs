//! Puts a script's parameters over the team's: the script wins, except where a key is locked. No I/O.

use serde_json::{Map, Value};

/// The parameters that an action is called with. Tables merge key by key; lists and scalars replace.
///
/// # Errors
/// The path of the locked key that the script tried to set, or to bury under something that is no table.
pub(super) fn merge(
    defaults: &Map<String, Value>,
    params: Map<String, Value>,
    locked: &Map<String, Value>,
) -> Result<Map<String, Value>, String> {
    if let Some(path) = touched(&params, locked) {
        return Err(path);
    }
    let mut merged = defaults.clone();
    overlay(&mut merged, params);
    overlay(&mut merged, locked.clone());
    Ok(merged)
}

/// The path of a locked key that the parameters set.
fn touched(params: &Map<String, Value>, locked: &Map<String, Value>) -> Option<String> {
    for (key, locked) in locked {
        match (params.get(key), locked) {
            (None, _) => {}
            (Some(Value::Object(params)), Value::Object(locked)) if !locked.is_empty() => {
                if let Some(inner) = touched(params, locked) {
                    return Some(format!("{key}.{inner}"));
                }
            }
            (Some(_), _) => return Some(key.clone()),
        }
    }
    None
}

fn overlay(base: &mut Map<String, Value>, over: Map<String, Value>) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Object(base)), Value::Object(over)) => overlay(base, over),
            // Lua writes an empty list and an empty table alike.
            (Some(base @ Value::Array(_)), Value::Object(over)) if over.is_empty() => {
                *base = Value::Array(Vec::new())
            }
            (Some(base), value) => *base = value,
            (None, value) => {
                base.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(defaults: &Value, params: &Value, locked: &Value) -> Result<Value, String> {
        let map = |value: &Value| value.as_object().expect("an object").clone();
        merge(&map(defaults), map(params), &map(locked)).map(Value::Object)
    }

    #[test]
    fn tables_merge_and_the_rest_replaces() {
        let defaults = json!({"a": 1, "t": {"x": 1, "y": {"z": 2}}, "l": [1, 2]});
        let params = json!({"a": 2, "t": {"y": {"w": 3}}, "l": [9], "n": null});
        let expected = json!({"a": 2, "t": {"x": 1, "y": {"z": 2, "w": 3}}, "l": [9], "n": null});
        assert_eq!(merged(&defaults, &params, &json!({})), Ok(expected));
    }

    #[test]
    fn an_empty_table_over_a_list_is_an_empty_list() {
        assert_eq!(
            merged(&json!({"l": [1]}), &json!({"l": {}}), &json!({})),
            Ok(json!({"l": []}))
        );
        assert_eq!(
            merged(&json!({"t": {"x": 1}}), &json!({"t": {}}), &json!({})),
            Ok(json!({"t": {"x": 1}}))
        );
    }

    #[test]
    fn locked_keys_hold_at_any_depth() {
        let locked = json!({"tenant": "acme", "auth": {"role": {"name": "ro"}}});
        let expected =
            json!({"tenant": "acme", "auth": {"role": {"name": "ro", "extra": 1}, "user": "u"}});
        let params = json!({"auth": {"user": "u", "role": {"extra": 1}}});
        assert_eq!(merged(&json!({}), &params, &locked), Ok(expected));
        for (params, path) in [
            (json!({"tenant": "evil"}), "tenant"),
            (json!({"tenant": "acme"}), "tenant"),
            (json!({"tenant": null}), "tenant"),
            (json!({"auth": {"role": {"name": "rw"}}}), "auth.role.name"),
            (json!({"auth": 5}), "auth"),
            (json!({"auth": []}), "auth"),
            (json!({"auth": null}), "auth"),
            (json!({"auth": {"role": "x"}}), "auth.role"),
        ] {
            assert_eq!(
                merged(&json!({}), &params, &locked),
                Err(path.to_owned()),
                "{params}"
            );
        }
    }
}
