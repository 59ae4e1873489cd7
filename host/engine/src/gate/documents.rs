//! The two documents of a call: parameters, merged and held to their schema, and the result. Both are checked as text;
//! a tree is built only where a schema or the order of keys asks for one, and then of a bounded size.

use serde_json::Value;

use super::merge;
use crate::catalog::{Definition, Mistakes, Schema, TOO_COSTLY_HINT};
use crate::executor::{PRINTED_NOTHING, not_json};
use crate::failure::{ActionError, ErrorKind};
use crate::json::{self, JsonError, MAX_TREE};

/// Parameters of one call may have this many bytes, as the script sent them and merged.
pub(super) const MAX_PARAMS: usize = 64 << 20;

/// The parameters that an action is called with, as canonical JSON text. At no time there are more than two texts of them.
pub(super) fn merged(definition: &Definition, params: String) -> Result<String, ActionError> {
    if params.len() > MAX_PARAMS {
        return Err(too_large());
    }
    let look = json::check(&params).map_err(bad_params)?;
    match params.trim_start().as_bytes().first() {
        Some(b'{') => {}
        Some(b'[') => {
            return Err(invalid(
                "parameters must be a table with names, got a list".to_owned(),
            ));
        }
        _ => return Err(invalid("parameters must be a table with names".to_owned())),
    }
    let canonical = canonical(params, &look)?;
    // Nothing to put under or over them, and nothing in them that could be read in two ways: they go as they came.
    let text = if definition.defaults.is_empty() && definition.locked.is_empty() {
        canonical
    } else {
        let merged = merge::merge(&definition.defaults, &canonical, &definition.locked);
        drop(canonical);
        merged.map_err(|error| invalid(error.to_string()))?
    };
    let text = match &definition.contract.params {
        Some(schema) => {
            let mut tree =
                tree(&text).map_err(|error| invalid(format!("the parameters {error}")))?;
            drop(text);
            schema.check(&mut tree).map_err(|mistakes| {
                let message = mistakes.told("the parameters", "parameter ");
                hinted(invalid(message), &mistakes)
            })?;
            tree.to_string()
        }
        None => text,
    };
    if text.len() > MAX_PARAMS {
        Err(too_large())
    } else {
        Ok(text)
    }
}

/// A document that nobody can read in another way: the last of equal keys holds, and keys ascend.
pub(super) fn canonical(text: String, look: &json::Look) -> Result<String, ActionError> {
    if look.canonical {
        return Ok(text); // as the guest writes them
    }
    if look.values > MAX_TREE {
        return Err(invalid(format!(
            "parameters of more than {MAX_TREE} values must have their keys sorted, and each once"
        )));
    }
    let tree = json::parse(text.as_bytes()).map_err(bad_params)?;
    drop(text);
    Ok(tree.to_string())
}

/// What an action prints is one JSON document, and what its definition promises.
pub(super) fn bound(schema: Option<&Schema>, stdout: Vec<u8>) -> Result<String, ActionError> {
    let bad = |message: String| ActionError::new(ErrorKind::BadOutput, message);
    if stdout.iter().all(u8::is_ascii_whitespace) {
        return Err(bad(PRINTED_NOTHING.to_owned()));
    }
    // Only what is not text is looked at twice.
    let text = match std::str::from_utf8(&stdout) {
        Ok(_) => json::text(stdout),
        Err(_) => match json::text(stdout.clone()) {
            Err(error) => return Err(not_json(&error, &stdout)),
            sound => sound,
        },
    };
    let text = text.map_err(|error| not_json(&error, b""))?;
    if let Err(error) = json::check(&text) {
        return Err(not_json(&error, text.as_bytes()));
    }
    if let Some(schema) = schema {
        let tree = tree(&text).map_err(|error| bad(format!("the result {error}")))?;
        schema.check_exactly(&tree).map_err(|mistakes| {
            let told = mistakes.told("the result", "");
            let message = match mistakes.steps {
                None => format!("returned what its definition does not promise: {told}"),
                Some(_) => format!("returned what cannot be checked: {told}"),
            };
            hinted(bad(message), &mistakes)
        })?;
    }
    Ok(text)
}

/// Documents with a schema from this size on are checked beside the threads that others need.
const LARGE: usize = 32 << 10;

/// The same where what reads it looks at all of it: at a schema, or at many values.
pub(super) fn takes_long_if(costly: bool, size: usize) -> bool {
    json::is_large(size) || costly && size >= LARGE
}

/// Texts from this size on are held against patterns beside those threads. A pattern that repeats
/// much takes a microsecond and more for each byte of a text that was made for it.
const MATCHED: usize = 256;

/// Whether a document takes long enough for others to have the thread meanwhile.
pub(super) fn takes_long(schema: Option<&Schema>, size: usize) -> bool {
    let matches = schema.is_some_and(Schema::has_patterns) && size >= MATCHED;
    matches || takes_long_if(schema.is_some(), size)
}

/// Whether a document of this size waits for its turn: small ones take no memory to speak of.
pub(super) fn takes_turns(size: usize) -> bool {
    size >= LARGE
}

/// Adds what helps where a check was given up.
fn hinted(mut error: ActionError, mistakes: &Mistakes) -> ActionError {
    if mistakes.steps.is_some() {
        let detail = error.detail.get_or_insert_default();
        detail.hint = Some(TOO_COSTLY_HINT.to_owned());
    }
    error
}

/// What a schema is held against.
fn tree(text: &str) -> Result<Value, String> {
    let look = json::check(text).map_err(|error| error.to_string())?;
    if look.values > MAX_TREE {
        return Err(format!(
            "of an action with a schema may hold {MAX_TREE} values, and these are {}",
            look.values
        ));
    }
    json::parse(text.as_bytes()).map_err(|error| error.to_string())
}

fn invalid(message: String) -> ActionError {
    ActionError::new(ErrorKind::InvalidParams, message)
}

fn bad_params(error: JsonError) -> ActionError {
    invalid(format!("bad parameters: {error}"))
}

fn too_large() -> ActionError {
    invalid(format!(
        "the parameters are larger than {} MiB",
        MAX_PARAMS >> 20
    ))
}
