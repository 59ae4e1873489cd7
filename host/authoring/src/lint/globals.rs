//! Globals that a script reads and that nothing has set.

use std::collections::{BTreeMap, BTreeSet};

use super::Found;
use super::syntax_facts::{Facts, Root, Use, What};
use crate::hints;
use kael_engine::names;

/// The names in the tables of the sandbox, by the names of the tables.
pub(super) type Globals = BTreeMap<String, BTreeSet<String>>;

/// Globals that are not there. `others` are those that modules of the repo set when they are required.
pub(super) fn check(facts: &Facts, globals: &Globals, others: &BTreeSet<String>) -> Vec<Found> {
    // A script that takes the table of globals in hand can put anything there, and so can code that it loads.
    let wild = |name: &str| {
        facts
            .reads
            .iter()
            .any(|read| read.name == name && !read.indexed)
    };
    if wild("_G") || wild("_ENV") || facts.set.contains("_ENV") || wild("load") {
        return Vec::new();
    }
    let set_in_table = |name: &str| {
        facts.uses.iter().any(|one| {
            let first = one.path.keys.first();
            let table = Root::Global("_G".to_owned()) == one.path.root
                || Root::Global("_ENV".to_owned()) == one.path.root;
            table && matches!(one.what, What::Set) && first.is_some_and(|(key, _)| key == name)
        })
    };
    let asked: BTreeSet<&str> = facts
        .reads
        .iter()
        .filter(|read| read.asked)
        .map(|read| read.name.as_str())
        .collect();
    let mut found = Vec::new();
    let mut told = BTreeSet::new();
    for read in &facts.reads {
        let name = read.name.as_str();
        let known = globals.contains_key(name)
            || facts.set.contains(name)
            || others.contains(name)
            || name == "_ENV";
        if known || asked.contains(name) || set_in_table(name) || !told.insert((name, read.at)) {
            continue;
        }
        // Among names of one letter, or two, everything is near.
        let near = names::nearest(name, globals.keys().chain(&facts.set).map(String::as_str))
            .filter(|_| name.len() > 2);
        let hint = near.map(|near| format!(" (did you mean `{near}`?)"));
        found.push(Found {
            at: read.at,
            message: format!("unknown global `{name}`{}", hint.unwrap_or_default()),
            remedy: match hints::of_global(name) {
                Some(hint) => hint,
                None => format!("set it before it is read, or make it a local: local {name} = …"),
            },
        });
    }
    let fields = facts
        .uses
        .iter()
        .filter_map(|one| missing_field(facts, globals, one));
    found.extend(fields);
    found
}

/// A field that a library of the sandbox has not, where the script leaves the library as it is.
fn missing_field(facts: &Facts, globals: &Globals, one: &Use) -> Option<Found> {
    let Root::Global(name) = &one.path.root else {
        return None;
    };
    let (key, at) = one.path.keys.first()?;
    let known = globals
        .get(name)
        .filter(|known| !known.is_empty() && !known.contains(key))?;
    let handled = facts
        .reads
        .iter()
        .any(|read| read.name == *name && !read.indexed);
    let changed = facts.uses.iter().any(|other| {
        other.path.root == one.path.root
            && other.path.keys.len() == 1
            && matches!(other.what, What::Set)
    });
    let asked = !matches!(one.what, What::Call(_) | What::Method(..)) && one.path.keys.len() == 1;
    if handled || changed || asked || facts.set.contains(name) {
        return None;
    }
    let near = names::nearest(key, known.iter().map(String::as_str));
    let hint = near.map(|near| format!(" (did you mean `{name}.{near}`?)"));
    let fields: Vec<&str> = known.iter().map(String::as_str).collect();
    Some(Found {
        at: *at,
        message: format!("`{name}` has no `{key}` here{}", hint.unwrap_or_default()),
        remedy: hints::of_field(name, key)
            .unwrap_or_else(|| format!("a script's `{name}` has {}", fields.join(", "))),
    })
}
