//! Keeps what is locked out of reach of the names of other options.
//!
//! Programs take more spellings of an option than its name: argparse, getopt_long and clap its first letters, others its negation,
//! another case, or `_` for `-`; getopt and Go's `flag` take the next word for the value of one that came without. So with
//! something locked, a name that a program could take for a locked one is refused, and locked options come last.

use serde_json::{Map, Value};

use super::{refused, shown};
use crate::catalog::Definition;
use crate::failure::ActionError;
use crate::json;

/// What turns an option into its opposite, or is left out of its name, in the manners of different programs.
const NEGATIONS: [&str; 12] = [
    "no", "not", "non", "un", "dis", "disable", "enable", "with", "without", "set", "unset",
    "reset",
];

/// Refuses keys of a document that are locked ones in another case: decoders such as Go's take both for the same, and the last.
pub(super) fn no_other_case(locked: &Map<String, Value>, params: &str) -> Result<(), ActionError> {
    if locked.is_empty() {
        return Ok(());
    }
    let folded: Vec<String> = locked.keys().map(|key| folded(key)).collect();
    json::entries(params, |key, value| {
        match locked.get(key) {
            Some(Value::Object(inner)) if value.starts_with('{') => {
                no_other_case(inner, value).map_err(Other::Refused)?;
            }
            Some(_) => {}
            None if folded.contains(&self::folded(key)) => {
                return Err(Other::Refused(refused(format!(
                    "parameter `{}` is locked by the team, in another case",
                    shown(key)
                ))));
            }
            None => {}
        }
        Ok(())
    })
    .map_err(|other| match other {
        Other::Refused(error) => error,
        Other::Syntax(error) => refused(format!("the parameters are not a table: {error}")),
    })
}

enum Other {
    Refused(ActionError),
    Syntax(serde_json::Error),
}

impl From<serde_json::Error> for Other {
    fn from(error: serde_json::Error) -> Self {
        Self::Syntax(error)
    }
}

/// A name without its case, as Unicode folds it: the Kelvin sign is a k, and the long s an s.
fn folded(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

/// The parameters in the order in which they become options: flags without a value first, what is locked last. An error where one
/// of them could be taken for a locked one.
pub(super) fn ordered<'a>(
    definition: &Definition,
    params: &'a Map<String, Value>,
) -> Result<Vec<(&'a String, &'a Value)>, ActionError> {
    let is_locked = |name: &str| definition.locked.contains_key(name);
    let mut ordered: Vec<_> = params.iter().collect();
    if definition.locked.is_empty() {
        return Ok(ordered);
    }
    for (name, value) in params.iter().filter(|(name, _)| !is_locked(name)) {
        let others = definition.locked.keys();
        let named = definition.names_parameter(name);
        if let Some(locked) = others
            .into_iter()
            .find(|locked| is_mistaken(name, locked, named))
        {
            return Err(refused(format!(
                "parameter `{}` could be taken for `{locked}`, which is locked by the team: where it is an option of its own, its definition names it in `params`",
                shown(name)
            )));
        }
        // A program that wants a value takes the next word for it, which may be a locked option.
        if *value == Value::Bool(true) && !is_flag(definition, name) {
            return Err(refused(format!(
                "parameter `{}` is true, and an option without a value could take the next one for its value, where some are locked by the team: where it is a flag, its definition names it in `params` as a boolean",
                shown(name)
            )));
        }
    }
    ordered.sort_by_key(|(name, value)| (is_locked(name), !value.is_boolean()));
    Ok(ordered)
}

/// Whether a program could take a name for a locked one. A name that the definition lists is an option of its own, which programs
/// prefer to an abbreviation; another spelling of the whole name it is all the same.
fn is_mistaken(name: &str, locked: &str, listed: bool) -> bool {
    let (name, locked) = (letters(name), letters(locked));
    if name == locked {
        return true;
    }
    if listed {
        return false;
    }
    let negated = format!("no{locked}");
    // `nocache` may be locked, and `cache` be its opposite.
    let stripped = locked.strip_prefix("no").filter(|rest| !rest.is_empty());
    let starts = |whole: &str| whole.starts_with(&name);
    if starts(&locked) || starts(&negated) || stripped.is_some_and(starts) {
        return true;
    }
    let rests = NEGATIONS
        .iter()
        .filter_map(|negation| name.strip_prefix(negation));
    let mut rests = rests.filter(|rest| !rest.is_empty());
    rests.any(|rest| locked.starts_with(rest))
}

/// What is left of a name when case and separators do not count.
fn letters(name: &str) -> String {
    let separator = |c: &char| !matches!(c, '-' | '_' | '.');
    let letters = name.chars().filter(separator);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

/// Whether the definition says that a parameter is a flag: as a boolean in `params`, or by its default.
fn is_flag(definition: &Definition, name: &str) -> bool {
    if definition.defaults.get(name).is_some_and(Value::is_boolean) {
        return true;
    }
    let schema = definition.contract.params.as_ref();
    let property = schema.and_then(|schema| schema.document().get("properties")?.get(name));
    match property.and_then(|property| property.get("type")) {
        Some(Value::String(kind)) => kind == "boolean",
        Some(Value::Array(kinds)) => kinds.iter().all(|kind| kind == "boolean" || kind == "null"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_key_in_another_case_is_refused() {
        let locked = serde_json::json!({ "tenant": "acme", "auth": { "user": "a" }, "mask": 1 });
        let locked = locked.as_object().expect("an object");
        let refused = |params: &str| no_other_case(locked, params).is_err();
        assert!(!refused(
            r#"{"tenant":"acme","auth":{"user":"a","host":"x"},"mask":1,"other":{"Tenant":1}}"#
        ));
        for params in [
            r#"{"Tenant":"evil","tenant":"acme"}"#,
            r#"{"TENANT":"evil"}"#,
            r#"{"auth":{"User":"evil","user":"a"}}"#,
            r#"{"Auth":{"user":"evil"}}"#,
            "{\"ma\u{17f}\u{212a}\":2}",
        ] {
            assert!(refused(params), "{params}");
        }
    }

    #[test]
    fn a_name_that_could_be_taken_for_a_locked_one_is() {
        for (name, locked) in [
            ("f", "force"),
            ("forc", "force"),
            ("Force", "force"),
            ("FORC", "force"),
            ("no-force", "force"),
            ("no-forc", "force"),
            ("noforce", "force"),
            ("no_force", "force"),
            ("no", "force"),
            ("n", "force"),
            ("not-force", "force"),
            ("disable-force", "force"),
            ("without-fo", "force"),
            ("unset-force", "force"),
            ("dry_run", "dry-run"),
            ("dryRun", "dry-run"),
            ("dry", "dry-run"),
            ("cache", "no-cache"),
            ("ca", "no-cache"),
            ("cache", "nocache"),
            ("a.b", "a-b"),
        ] {
            assert!(is_mistaken(name, locked, false), "{name} for {locked}");
        }
        for (name, locked) in [
            ("name", "force"),
            ("forced", "force"),
            ("force-all", "force"),
            ("node", "force"),
            ("with", "force"),
            ("tag", "tenant"),
        ] {
            assert!(!is_mistaken(name, locked, false), "{name} for {locked}");
        }
        // What the definition lists is an option of its own.
        assert!(!is_mistaken("for", "force", true));
        assert!(is_mistaken("FORCE", "force", true));
    }
}
