//! The modules of a crate import each other in one direction only.
//!
//! A module may use its own ancestors: a folder's `mod.rs` and its files belong together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kael_tests::project;

/// A module by its path from the crate's root.
type Module = Vec<String>;

#[test]
fn no_modules_import_each_other_in_a_circle() {
    let mut crates = vec![project("guest/src")];
    let host = std::fs::read_dir(project("host")).expect("a folder");
    crates.extend(host.flatten().map(|entry| entry.path().join("src")));
    for root in crates.iter().filter(|root| root.is_dir()) {
        let mut sources = BTreeMap::new();
        read(root, &[], &mut sources);
        let arrows = arrows(&sources);
        if let Some(circle) = arrows.keys().find_map(|module| circle(module, &arrows)) {
            let circle: Vec<String> = circle.iter().map(|module| module.join("::")).collect();
            panic!("{}: {}", root.display(), circle.join(" -> "));
        }
    }
}

#[test]
fn a_circle_through_a_re_export_is_found() {
    let source = |module: &str, source: &str| {
        let path = module.split("::").map(str::to_owned).collect::<Module>();
        (path, source.to_owned())
    };
    let mut sources = BTreeMap::from([
        source("room", "mod one; mod two; pub use two::{Two, Three};"),
        source("room::one", "use super::Shared;\nuse crate::room::Two;"),
        source("room::two", "// use super::one::One;"),
    ]);
    sources.insert(Module::new(), "pub mod room;".to_owned());
    let first = |sources: &BTreeMap<Module, String>| {
        let arrows = arrows(sources);
        arrows.keys().find_map(|module| circle(module, &arrows))
    };
    assert_eq!(first(&sources), None);
    let two = source("room::two", "fn two() { super::one::one(); }");
    sources.insert(two.0.clone(), two.1);
    assert_eq!(first(&sources).map(|circle| circle.len()), Some(3));
}

/// The sources of all modules below `folder`, without comments and unit tests.
fn read(folder: &Path, module: &[String], sources: &mut BTreeMap<Module, String>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        let name = path.file_stem().expect("a name").to_string_lossy();
        let mut module = module.to_vec();
        if !matches!(name.as_ref(), "mod" | "lib") {
            module.push(name.into_owned());
        }
        if module
            .last()
            .is_some_and(|name| name == "tests" || name == "main")
        {
            continue;
        }
        if path.is_dir() {
            read(&path, &module, sources);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path).expect("text");
            let code = text.split("#[cfg(test)]\nmod tests {").next();
            sources.insert(module, code.unwrap_or_default().to_owned());
        }
    }
}

/// Which modules each module uses, its own ancestors left out.
fn arrows(sources: &BTreeMap<Module, String>) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut exports = BTreeMap::new();
    for (module, source) in sources {
        let code = without_comments(source);
        for start in ["pub use ", "pub(super) use ", "pub(crate) use "] {
            for (at, _) in code.match_indices(start) {
                let text = code[at + start.len()..].split(';').next();
                for path in paths(text.unwrap_or_default()) {
                    if let Some((target, Some(item))) = resolve(module, &path, sources)
                        && target != *module
                    {
                        exports.insert((module.clone(), item), target);
                    }
                }
            }
        }
    }
    let used = |module: &Module, source: &String| {
        let mut targets = BTreeSet::new();
        for path in paths(&without_comments(source)) {
            let Some((mut target, item)) = resolve(module, &path, sources) else {
                continue;
            };
            // A name that the target hands on stands for the module that defines it.
            if let Some(item) = item {
                while let Some(origin) = exports.get(&(target.clone(), item.clone())) {
                    target.clone_from(origin);
                }
            }
            if !module.starts_with(&target) {
                targets.insert(target);
            }
        }
        targets
    };
    let all = sources.iter();
    all.map(|(module, source)| (module.clone(), used(module, source)))
        .collect()
}

fn without_comments(source: &str) -> String {
    let code = source.lines().map(|line| line.split("//").next());
    code.flatten().collect::<Vec<_>>().join("\n")
}

/// The module that a path leads to, and the first name behind it.
fn resolve(
    from: &Module,
    path: &[String],
    sources: &BTreeMap<Module, String>,
) -> Option<(Module, Option<String>)> {
    let mut rest = path;
    let mut target = match rest.first()?.as_str() {
        "crate" => Module::new(),
        "self" | "super" => from.clone(),
        name => {
            let mut child = from.clone();
            child.push(name.to_owned());
            rest = if sources.contains_key(&child) {
                rest
            } else {
                &[]
            };
            from.clone()
        }
    };
    if rest.is_empty() {
        return None;
    }
    while let Some(word @ ("crate" | "self" | "super")) = rest.first().map(String::as_str) {
        if word == "super" {
            target.pop();
        }
        rest = &rest[1..];
    }
    while let Some(name) = rest.first() {
        target.push(name.clone());
        if !sources.contains_key(&target) {
            target.pop();
            break;
        }
        rest = &rest[1..];
    }
    Some((target, rest.first().cloned()))
}

/// Every path in a piece of code: `a::{b, c::d}` gives `a::b` and `a::c::d`.
fn paths(code: &str) -> Vec<Vec<String>> {
    let (mut found, mut tokens) = (Vec::new(), tokens(code).into_iter().peekable());
    let mut open: Vec<Option<Vec<String>>> = Vec::new();
    while let Some(token) = tokens.next() {
        let prefix = open.iter().flatten().next_back().cloned();
        match token.as_str() {
            "{" => open.push(None),
            "}" => _ = open.pop(),
            word if word.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                let mut path = prefix.unwrap_or_default();
                path.push(token);
                while tokens.next_if(|token| token == "::").is_some() {
                    match tokens.peek().map(String::as_str) {
                        Some("{") => {
                            tokens.next();
                            open.push(Some(std::mem::take(&mut path)));
                        }
                        Some(word) if word.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                            path.extend(tokens.next());
                        }
                        _ => {}
                    }
                }
                found.push(path);
            }
            _ => {}
        }
    }
    found.retain(|path| path.len() > 1);
    found
}

/// Words, `::`, and single other characters.
fn tokens(code: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut in_word = false;
    for c in code.chars() {
        let word = c.is_alphanumeric() || c == '_';
        match found.last_mut() {
            Some(last) if word && in_word => last.push(c),
            Some(last) if c == ':' && last == ":" => last.push(c),
            _ if c.is_whitespace() => {}
            _ => found.push(c.to_string()),
        }
        in_word = word;
    }
    found
}

/// The way from a module back to itself, if there is one.
fn circle(start: &Module, arrows: &BTreeMap<Module, BTreeSet<Module>>) -> Option<Vec<Module>> {
    let mut ways = vec![vec![start.clone()]];
    let mut seen = BTreeSet::new();
    while let Some(way) = ways.pop() {
        for next in way
            .last()
            .and_then(|last| arrows.get(last))
            .into_iter()
            .flatten()
        {
            let longer: Vec<Module> = way.iter().chain([next]).cloned().collect();
            if next == start {
                return Some(longer);
            }
            if seen.insert(next.clone()) {
                ways.push(longer);
            }
        }
    }
    None
}
