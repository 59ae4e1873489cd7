//! Puts a script's parameters over the team's: the script wins, except where a key is locked. No I/O.
//!
//! The parameters stay text: the merge takes apart only the levels that the definition mentions, so that a large document
//! takes no more room than its text. These are the only rules of merging and locking that there are: the gate applies them
//! to a call, and `kael-host check` applies them to what it knows of a call before the script runs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use thiserror::Error;

use crate::json::{self, JsonError, Misread};

/// Why parameters cannot be merged.
#[derive(Debug, Error)]
pub enum MergeError {
    /// The path of a locked key that the script tried to set, or to bury under something that is no table.
    #[error("parameter `{0}` is locked by the team")]
    Locked(String),
    /// Not an object, or not a document that Kael takes.
    #[error("bad parameters: {0}")]
    Document(JsonError),
}

impl From<serde_json::Error> for MergeError {
    fn from(error: serde_json::Error) -> Self {
        Self::Document(JsonError::Syntax(Misread::of(&error)))
    }
}

/// What the caller of the merge knows of the parameters, and what it does about a locked key that they set. A path is the
/// keys from the outermost to the one that is meant.
pub trait Locks {
    /// Whether the value at the path is not known yet, so that nothing can be wrong with it.
    fn is_unknown(&self, path: &[String]) -> bool;

    /// Hears of a locked key that the parameters set. Unless this is an error, the merge goes on without that key.
    fn refuse(&mut self, path: &[String]) -> Result<(), MergeError>;
}

/// The gate: it knows every value, and the first locked key ends the call.
struct Gate;

impl Locks for Gate {
    fn is_unknown(&self, _: &[String]) -> bool {
        false
    }

    fn refuse(&mut self, path: &[String]) -> Result<(), MergeError> {
        Err(locked(path))
    }
}

/// The error of a locked key.
pub fn locked(path: &[String]) -> MergeError {
    MergeError::Locked(path.join("."))
}

/// The parameters that an action is called with, as JSON text. Tables merge key by key; lists and scalars replace. The
/// parameters' keys ascend, and so do the result's.
pub fn merge(
    defaults: &Map<String, Value>,
    params: &str,
    locked: &Map<String, Value>,
) -> Result<String, MergeError> {
    merge_with(&mut Gate, defaults, params, locked)
}

/// The same over parameters that are known in part, as trees.
pub fn merge_known(
    locks: &mut impl Locks,
    defaults: &Map<String, Value>,
    params: Map<String, Value>,
    locked: &Map<String, Value>,
) -> Result<Map<String, Value>, MergeError> {
    // A tree's keys ascend, and so do its text's.
    let params = Value::Object(params).to_string();
    json::check(&params).map_err(MergeError::Document)?;
    let merged = merge_with(locks, defaults, &params, locked)?;
    match json::parse(merged.as_bytes()).map_err(MergeError::Document)? {
        Value::Object(merged) => Ok(merged),
        _ => Ok(Map::new()), // a merge is an object
    }
}

fn merge_with(
    locks: &mut impl Locks,
    defaults: &Map<String, Value>,
    params: &str,
    locked: &Map<String, Value>,
) -> Result<String, MergeError> {
    let mut merge = Merge {
        out: String::with_capacity(params.len() + 64),
        path: Vec::new(),
        locks,
    };
    merge.object(defaults, params, locked)?;
    Ok(merge.out)
}

struct Merge<'a, L> {
    out: String,
    path: Vec<String>,
    locks: &'a mut L,
}

/// Keys of one table of the parameters.
#[derive(Default)]
struct Given {
    /// Those that the definition has, too, and that are merged.
    merged: BTreeSet<String>,
    /// Those that were refused, and are left out.
    refused: BTreeSet<String>,
}

impl<L: Locks> Merge<'_, L> {
    fn object(
        &mut self,
        defaults: &Map<String, Value>,
        params: &str,
        locked: &Map<String, Value>,
    ) -> Result<(), MergeError> {
        let given = self.given(defaults, params, locked)?;
        let mut missing: BTreeMap<&str, Value> = BTreeMap::new();
        for (key, value) in defaults.iter().chain(locked) {
            if given.merged.contains(key) {
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
            if given.refused.contains(key) {
                return Ok(());
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

    /// Which keys of the definition the parameters hold, and which of them are locked.
    fn given(
        &mut self,
        defaults: &Map<String, Value>,
        params: &str,
        locked: &Map<String, Value>,
    ) -> Result<Given, MergeError> {
        let mut given = Given::default();
        json::entries(params, |key, value| {
            let is_locked = match locked.get(key) {
                None => false,
                Some(Value::Object(locked)) => locked.is_empty() || !value.starts_with('{'),
                Some(_) => true,
            };
            if is_locked && self.refuses(key)? {
                given.refused.insert(key.to_owned());
            } else if defaults.contains_key(key) || locked.contains_key(key) {
                given.merged.insert(key.to_owned());
            }
            Ok::<(), MergeError>(())
        })?;
        Ok(given)
    }

    /// Whether a locked key of the table at the path is refused, and the merge goes on without it.
    fn refuses(&mut self, key: &str) -> Result<bool, MergeError> {
        self.path.push(key.to_owned());
        let known = !self.locks.is_unknown(&self.path);
        let heard = match known {
            true => self.locks.refuse(&self.path),
            false => Ok(()),
        };
        self.path.pop();
        heard.map(|()| known)
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
            Err(MergeError::Document(_))
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
