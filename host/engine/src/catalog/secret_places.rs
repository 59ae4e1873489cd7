//! Secrets in a definition: variables that are bound to them, and where parameters and results are some.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::error::DefinitionError;
use super::executor::Executor;
use super::fields::Fields;

/// A step on the way to a secret in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretStep {
    /// A field of a table.
    Key(String),
    /// Every element of a list.
    Every,
}

/// Where a secret stands.
pub type SecretPlace = Vec<SecretStep>;

/// The schema of the type "secret": a handle.
pub(super) fn schema() -> Value {
    json!({
        "title": "secret",
        "type": "object",
        "properties": { "$secret": { "type": "string" } },
        "required": ["$secret"],
        "additionalProperties": false,
    })
}

/// The places in documents of a schema that are secrets.
pub(super) fn places(document: &Value) -> Vec<SecretPlace> {
    let mut places = Vec::new();
    find(document, &schema(), &mut Vec::new(), &mut places);
    places
}

fn find(document: &Value, secret: &Value, path: &mut SecretPlace, places: &mut Vec<SecretPlace>) {
    if document == secret {
        places.push(path.clone());
        return;
    }
    let properties = document.get("properties").and_then(Value::as_object);
    for (key, inner) in properties.into_iter().flatten() {
        path.push(SecretStep::Key(key.clone()));
        find(inner, secret, path, places);
        path.pop();
    }
    if let Some(inner) = document.get("items") {
        path.push(SecretStep::Every);
        find(inner, secret, path, places);
        path.pop();
    }
}

/// Reads `secrets`: names of secrets by the variables that the program sees them in.
pub(super) fn bound(
    fields: &mut Fields<'_>,
    executor: Executor,
    is_variable: impl Fn(&Fields<'_>, &str) -> Result<(), DefinitionError>,
) -> Result<BTreeMap<String, String>, DefinitionError> {
    let given = fields.object("secrets")?;
    if !given.is_empty() && executor == Executor::Docker {
        let error =
            "is not for executor \"docker\": the command line of its client would show the value";
        return Err(fields.error("secrets", error));
    }
    let mut bound = BTreeMap::new();
    for (variable, name) in given {
        is_variable(fields, &variable)?;
        let Value::String(name) = name else {
            let error = format!("`{variable}` must be the name of a secret");
            return Err(fields.error("secrets", &error));
        };
        bound.insert(variable, name);
    }
    Ok(bound)
}
