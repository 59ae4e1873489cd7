//! Handles of secrets in documents: where they stand, and what is put in their places.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::catalog::{SecretPlace, SecretStep};

/// The only key of a handle.
pub const HANDLE: &str = "$secret";

/// A handle where the definition declares no secret: its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misplaced(pub String);

/// The handle of a secret.
#[must_use]
pub fn handle(name: &str) -> Value {
    json!({ HANDLE: name })
}

fn name_of(value: &Value) -> Option<&str> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    fields.get(HANDLE)?.as_str()
}

/// The names of all handles in a document, which must stand at these places.
///
/// # Errors
/// The first that stands elsewhere.
pub fn named(document: &Value, places: &[SecretPlace]) -> Result<BTreeSet<String>, Misplaced> {
    let places: Vec<&[SecretStep]> = places.iter().map(Vec::as_slice).collect();
    let mut names = BTreeSet::new();
    walk(document, &places, "", &mut |path, name, is_declared| {
        if !is_declared {
            return Err(Misplaced(path.to_owned()));
        }
        names.insert(name.to_owned());
        Ok(())
    })?;
    Ok(names)
}

/// The names of all handles in a document, at any place.
#[must_use]
pub fn names_in(document: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    _ = walk(document, &[], "", &mut |_, name, _| {
        names.insert(name.to_owned());
        Ok::<(), Misplaced>(())
    });
    names
}

fn walk<E>(
    value: &Value,
    places: &[&[SecretStep]],
    path: &str,
    found: &mut impl FnMut(&str, &str, bool) -> Result<(), E>,
) -> Result<(), E> {
    if let Some(name) = name_of(value) {
        let is_declared = places.iter().any(|place| place.is_empty());
        return found(path, name, is_declared);
    }
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let path = joined(path, key);
                walk(value, &below(places, Some(key)), &path, found)?;
            }
        }
        Value::Array(elements) => {
            for (at, value) in elements.iter().enumerate() {
                let path = format!("{path}[{}]", at + 1);
                walk(value, &below(places, None), &path, found)?;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    Ok(())
}

/// The path of a field.
fn joined(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    }
}

/// The places below a key, or below the elements of a list.
fn below<'a>(places: &[&'a [SecretStep]], key: Option<&str>) -> Vec<&'a [SecretStep]> {
    let leads = |place: &&'a [SecretStep]| match (place.split_first()?, key) {
        ((SecretStep::Key(own), rest), Some(key)) if own == key => Some(rest),
        ((SecretStep::Every, rest), None) => Some(rest),
        _ => None,
    };
    places.iter().filter_map(leads).collect()
}

/// Puts something in the place of everything that stands at a declared place.
///
/// # Errors
/// The first that `replace` gives.
pub fn replaced<E>(
    document: &mut Value,
    places: &[SecretPlace],
    replace: &mut impl FnMut(&str, &Value) -> Result<Value, E>,
) -> Result<(), E> {
    for place in places {
        put(document, place, "", replace)?;
    }
    Ok(())
}

fn put<E>(
    value: &mut Value,
    place: &[SecretStep],
    path: &str,
    replace: &mut impl FnMut(&str, &Value) -> Result<Value, E>,
) -> Result<(), E> {
    match (place.split_first(), value) {
        (None, value) => {
            *value = replace(path, value)?;
        }
        (Some((SecretStep::Key(key), rest)), Value::Object(fields)) => {
            if let Some(value) = fields.get_mut(key) {
                put(value, rest, &joined(path, key), replace)?;
            }
        }
        (Some((SecretStep::Every, rest)), Value::Array(elements)) => {
            for (at, value) in elements.iter_mut().enumerate() {
                let path = joined(path, &(at + 1).to_string());
                put(value, rest, &path, replace)?;
            }
        }
        _ => {}
    }
    Ok(())
}
