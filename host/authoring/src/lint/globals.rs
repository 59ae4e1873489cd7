//! Globals that a script reads and that nothing has set.

use std::collections::{BTreeMap, BTreeSet};

use super::syntax_facts::{Facts, Root, Use, What};
use super::{Deadline, Found, MAX_PROBLEMS};
use crate::hints;
use kael_engine::names;

/// Names among which a similar one is looked for.
const MAX_CANDIDATES: usize = 1000;

/// The names in the tables of the sandbox, by the names of the tables.
pub(super) type Globals = BTreeMap<String, BTreeSet<String>>;

/// What a script does to its globals, collected in one pass: each name of it asks these sets.
struct Changes<'a> {
    /// Globals that are read as a whole, and may be changed elsewhere.
    handled: BTreeSet<&'a str>,
    /// Keys that the script sets in `_G` or `_ENV`.
    in_table: BTreeSet<&'a str>,
    /// Globals of which the script sets a field.
    fields: BTreeSet<&'a str>,
}

impl<'a> Changes<'a> {
    fn of(facts: &'a Facts) -> Self {
        let whole = facts.reads.iter().filter(|read| !read.indexed);
        let mut all = Self {
            handled: whole.map(|read| read.name.as_str()).collect(),
            in_table: BTreeSet::new(),
            fields: BTreeSet::new(),
        };
        for one in &facts.uses {
            let (Root::Global(name), What::Set) = (&one.path.root, &one.what) else {
                continue;
            };
            if let ("_G" | "_ENV", Some((key, _))) = (name.as_str(), one.path.keys.first()) {
                all.in_table.insert(key);
            }
            if one.path.keys.len() == 1 {
                all.fields.insert(name);
            }
        }
        all
    }
}

/// Globals that are not there. `others` are those that modules of the repo set when they are required.
pub(super) fn check(
    facts: &Facts,
    globals: &Globals,
    others: &BTreeSet<String>,
    deadline: Deadline,
) -> Vec<Found> {
    // A script that takes the table of globals in hand can put anything there, and so can code that it loads.
    let changes = Changes::of(facts);
    let wild = |name: &str| changes.handled.contains(name);
    if wild("_G") || wild("_ENV") || facts.set.contains("_ENV") || wild("load") {
        return Vec::new();
    }
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
        if deadline.is_over() {
            break;
        }
        if known
            || asked.contains(name)
            || changes.in_table.contains(name)
            || !told.insert((name, read.at))
        {
            continue;
        }
        // Among names of one letter, or two, everything is near.
        let candidates = globals.keys().chain(&facts.set).map(String::as_str);
        let near = (name.len() > 2 && found.len() < MAX_PROBLEMS)
            .then(|| names::nearest(name, candidates.take(MAX_CANDIDATES)))
            .flatten();
        let hint = names::did_you_mean(near, '`');
        found.push(Found {
            at: read.at,
            message: format!("unknown global `{name}`{hint}"),
            remedy: match hints::of_global(name) {
                Some(hint) => hint,
                None => format!("set it before it is read, or make it a local: local {name} = …"),
            },
        });
    }
    let fields = facts
        .uses
        .iter()
        .take_while(|_| !deadline.is_over())
        .filter_map(|one| missing_field(facts, &changes, globals, one));
    found.extend(fields);
    found
}

/// A field that a library of the sandbox has not, where the script leaves the library as it is.
fn missing_field(
    facts: &Facts,
    changes: &Changes<'_>,
    globals: &Globals,
    one: &Use,
) -> Option<Found> {
    let Root::Global(name) = &one.path.root else {
        return None;
    };
    let (key, at) = one.path.keys.first()?;
    let known = globals
        .get(name)
        .filter(|known| !known.is_empty() && !known.contains(key))?;
    let handled = changes.handled.contains(name.as_str());
    let changed = changes.fields.contains(name.as_str());
    let asked = !matches!(one.what, What::Call(_) | What::Method(..)) && one.path.keys.len() == 1;
    if handled || changed || asked || facts.set.contains(name) {
        return None;
    }
    let near = names::nearest(key, known.iter().map(String::as_str));
    let near = near.map(|near| format!("{name}.{near}"));
    let hint = names::did_you_mean(near.as_deref(), '`');
    let fields: Vec<&str> = known.iter().map(String::as_str).collect();
    Some(Found {
        at: *at,
        message: format!("`{name}` has no `{key}` here{hint}"),
        remedy: hints::of_field(name, key)
            .unwrap_or_else(|| format!("a script's `{name}` has {}", fields.join(", "))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::parser;

    const SOON: std::time::Duration = std::time::Duration::from_secs(10);

    #[test]
    fn many_unknown_names_are_found_in_a_time_that_grows_with_the_script() {
        let lines = (0..30_000).map(|n| format!("print(undef{n})\nknown{n} = string.x{n}()\n"));
        let text: String = lines.collect();
        let facts = parser::read(&text).expect("it is Lua");
        let library =
            |name: &str, field: &str| (name.to_owned(), BTreeSet::from([field.to_owned()]));
        let globals = Globals::from([library("print", "x"), library("string", "rep")]);
        let start = std::time::Instant::now();
        let found = check(&facts, &globals, &BTreeSet::new(), Deadline(start + SOON));
        let took = start.elapsed();
        assert_eq!(found.len(), 60_000);
        assert!(took < SOON, "{took:?}");
    }
}
