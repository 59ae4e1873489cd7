//! Finds `require` calls with a literal name that no module has.

use std::collections::BTreeSet;

use super::globals::Globals;
use super::syntax_facts::{Facts, Form, Root, What};
use super::{Deadline, Found, MAX_PROBLEMS};
use kael_engine::names;

/// Well-known modules, and what a script has instead without `require`.
const ELSEWHERE: [(&str, &str); 6] = [
    ("cjson", "json.encode and json.decode are there without it"),
    (
        "cjson.safe",
        "json.encode and json.decode are there without it",
    ),
    ("dkjson", "json.encode and json.decode are there without it"),
    ("json", "json.encode and json.decode are there without it"),
    ("inspect", "inspect and pp are there without it"),
    ("lfs", "files are read and written by actions"),
];

/// Reports missing modules. `modules` are those of the repo; none without a repo.
pub(super) fn check(
    facts: &Facts,
    globals: &Globals,
    modules: Option<&BTreeSet<&str>>,
    deadline: Deadline,
) -> Vec<Found> {
    // The script may add modules itself, with `package.preload` and `package.loaded`.
    let own = facts.reads.iter().any(|read| read.name == "package");
    if own
        || ["require", "package", "_ENV"]
            .iter()
            .any(|name| facts.set.contains(*name))
    {
        return Vec::new();
    }
    let mut found = Vec::new();
    for one in &facts.uses {
        if found.len() >= MAX_PROBLEMS || deadline.is_over() {
            break;
        }
        let (true, true, What::Call(arguments)) = (
            one.path.root == Root::Global("require".to_owned()),
            one.path.keys.is_empty(),
            &one.what,
        ) else {
            continue;
        };
        let Some(first) = arguments.list.first() else {
            continue;
        };
        let Form::Literal(serde_json::Value::String(name)) = &first.form else {
            continue;
        };
        let library = globals.get(name).is_some_and(|fields| !fields.is_empty());
        let here = modules.is_some_and(|modules| modules.contains(name.as_str()));
        // The host may bring it; whether it does is known when it is required.
        let brought = name.starts_with("assay.");
        if here || brought || (library && name != "json") || name == "_G" {
            continue;
        }
        let shown: String = name.chars().take(60).flat_map(char::escape_debug).collect();
        let near = modules.and_then(|modules| names::nearest(name, modules.iter().copied()));
        let hint = names::did_you_mean(near, '\'');
        let elsewhere = ELSEWHERE.iter().find(|(module, _)| module == name);
        let file = shown.replace('.', "/");
        found.push(Found {
            at: first.at,
            message: match modules {
                Some(_) => format!("no module '{shown}' in the actions repo{hint}"),
                None => format!("no module '{shown}': no actions repo was given"),
            },
            remedy: match elsewhere {
                Some((_, instead)) => (*instead).to_owned(),
                None => format!(
                    "modules are Lua files of the actions repo: {file}.lua or {file}/init.lua"
                ),
            },
        });
    }
    found
}
