//! Puts a script's parameters over the team's: the script wins, except where a key is locked. No I/O.
//!
//! The parameters stay text: only the levels that the definition has a say in are taken apart, so that a large document
//! takes no more room than its text.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::json;

/// Why parameters cannot be merged.
#[derive(Debug)]
pub(super) enum MergeError {
    /// The path of a locked key that the script tried to set, or to bury under something that is no table.
    Locked(String),
    /// Not an object.
    Syntax(serde_json::Error),
}

impl From<serde_json::Error> for MergeError {
    fn from(problem: serde_json::Error) -> Self {
        Self::Syntax(problem)
    }
}

/// The parameters that an action is called with, as JSON text. Tables merge key by key; lists and scalars replace. The
/// parameters' keys ascend, and so do the result's.
pub(super) fn merge(
    defaults: &Map<String, Value>,
    params: &str,
    locked: &Map<String, Value>,
) -> Result<String, MergeError> {
    let mut merge = Merge {
        out: String::with_capacity(params.len() + 64),
        path: Vec::new(),
    };
    merge.object(defaults, params, locked)?;
    Ok(merge.out)
}

struct Merge {
    out: String,
    path: Vec<String>,
}

impl Merge {
    fn object(
        &mut self,
        defaults: &Map<String, Value>,
        params: &str,
        locked: &Map<String, Value>,
    ) -> Result<(), MergeError> {
        let given = self.given(defaults, params, locked)?;
        let mut missing: BTreeMap<&str, Value> = BTreeMap::new();
        for (key, value) in defaults.iter().chain(locked) {
            if given.contains(key) {
                continue;
            }
            match (missing.get_mut(key.as_str()), value) {
                (Some(Value::Object(base)), Value::Object(over)) => overlay(base, over),
                _ => _ = missing.insert(key, value.clone()),
            }
        }
        let mut missing = missing.into_iter().peekable();
        self.out.push('{');
        let start = self.out.len();
        json::entries(params, |key, value| {
            while let Some((key, value)) = missing.next_if(|(other, _)| *other < key) {
                self.key(start, key);
                self.out.push_str(&value.to_string());
            }
            self.key(start, key);
            self.value(key, defaults.get(key), value, locked.get(key))
        })?;
        for (key, value) in missing {
            self.key(start, key);
            self.out.push_str(&value.to_string());
        }
        self.out.push('}');
        Ok(())
    }

    /// Which keys of the definition the parameters hold; none that is locked.
    fn given(
        &self,
        defaults: &Map<String, Value>,
        params: &str,
        locked: &Map<String, Value>,
    ) -> Result<BTreeSet<String>, MergeError> {
        let mut given = BTreeSet::new();
        json::entries(params, |key, value| {
            match locked.get(key) {
                None => {}
                Some(Value::Object(locked)) if !locked.is_empty() && value.starts_with('{') => {}
                Some(_) => return Err(MergeError::Locked(self.path_of(key))),
            }
            if defaults.contains_key(key) || locked.contains_key(key) {
                given.insert(key.to_owned());
            }
            Ok(())
        })?;
        Ok(given)
    }

    fn path_of(&self, key: &str) -> String {
        let steps = self.path.iter().map(String::as_str).chain([key]);
        steps.collect::<Vec<_>>().join(".")
    }

    fn key(&mut self, start: usize, key: &str) {
        if self.out.len() > start {
            self.out.push(',');
        }
        self.out.push_str(&Value::from(key).to_string());
        self.out.push(':');
    }

    fn value(
        &mut self,
        key: &str,
        default: Option<&Value>,
        value: &str,
        locked: Option<&Value>,
    ) -> Result<(), MergeError> {
        let none = Map::new();
        let locked = locked.and_then(Value::as_object).unwrap_or(&none);
        match default {
            default
                if value.starts_with('{')
                    && (!locked.is_empty() || default.is_some_and(Value::is_object)) =>
            {
                self.path.push(key.to_owned());
                let default = default.and_then(Value::as_object).unwrap_or(&none);
                self.object(default, value, locked)?;
                self.path.pop();
            }
            // Lua writes an empty list and an empty table alike.
            Some(Value::Array(_)) if is_empty_object(value) => self.out.push_str("[]"),
            _ => self.out.push_str(value),
        }
        Ok(())
    }
}

fn is_empty_object(text: &str) -> bool {
    text.strip_prefix('{')
        .is_some_and(|rest| rest.trim_start() == "}")
}

fn overlay(base: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match (base.get_mut(key), value) {
            (Some(Value::Object(base)), Value::Object(over)) => overlay(base, over),
            _ => _ = base.insert(key.clone(), value.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn merged(defaults: &Value, params: &Value, locked: &Value) -> Result<Value, String> {
        let map = |value: &Value| value.as_object().expect("an object").clone();
        match merge(&map(defaults), &params.to_string(), &map(locked)) {
            Ok(text) => {
                let value: Value = serde_json::from_str(&text).expect("JSON");
                // A tree's keys are sorted: the text's are, too.
                assert_eq!(text, value.to_string());
                Ok(value)
            }
            Err(MergeError::Locked(path)) => Err(path),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn numbers_stay_as_they_were_written() {
        let text = merge(&Map::new(), r#"{"a": 1.50, "b":[1e2 ,3]}"#, &Map::new()).expect("merges");
        assert_eq!(text, r#"{"a":1.50,"b":[1e2 ,3]}"#);
    }

    #[test]
    fn locked_keys_hold_however_they_are_written() {
        let locked = json!({"l": {"x": 1}, "m": 2});
        let locked = locked.as_object().expect("an object");
        for params in [
            r#"{"l":{"y":1},"m":5}"#,
            r#"{"\u006d":3}"#,
            r#"{"l":{"\u0078":1}}"#,
        ] {
            let merged = merge(&Map::new(), params, locked);
            assert!(matches!(merged, Err(MergeError::Locked(_))), "{params}");
        }
        assert!(matches!(
            merge(&Map::new(), "[1]", locked),
            Err(MergeError::Syntax(_))
        ));
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
