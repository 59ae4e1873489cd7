//! `kael-host rules list`: the rules of packages.

use serde_json::json;

use super::args::List;
use super::load::shown;
use crate::exit;
use crate::sanitize::escape_control;
use crate::terminal::{say, say_json};
use kael_rules::package::{Package, Packages};

pub(super) fn run(list: &List) -> u8 {
    let read = Packages::read(&list.folders);
    let code = if read.has_errors() {
        exit::CONFIG
    } else {
        exit::SUCCESS
    };
    if list.json {
        let document = json!({
            "rules": read.packages.iter().map(document).collect::<Vec<_>>(),
            "problems": read.problems.iter().map(shown).collect::<Vec<_>>(),
        });
        return say_json(&document, code);
    }
    let mut out = String::new();
    for package in &read.packages {
        let manifest = &package.manifest;
        let types = match &manifest.event_types {
            None => "all types".to_owned(),
            Some(types) => types.join(", "),
        };
        let count = package.regexes.len() + package.globs.len();
        out += &format!(
            "{}  {}  {}  {types}  {count} patterns  {} bytes  {}\n",
            manifest.rule_id,
            manifest.severity.name(),
            package.language.name(),
            package.predicate.1.len(),
            escape_control(&manifest.rule_name),
        );
    }
    for problem in &read.problems {
        let kind = if problem.warning { "warning" } else { "error" };
        out += &format!("{kind}: {}\n", shown(problem));
    }
    say(&out, code)
}

fn document(package: &Package) -> serde_json::Value {
    let manifest = &package.manifest;
    json!({
        "id": manifest.rule_id,
        "name": manifest.rule_name,
        "version": manifest.rule_version,
        "severity": manifest.severity.name(),
        "runtime": package.language.name(),
        "event_types": manifest.event_types,
        "regexes": package.regexes.len(),
        "globs": package.globs.len(),
        "bytes": package.predicate.1.len(),
        "folder": package.folder,
        "digest": package.digest,
    })
}
