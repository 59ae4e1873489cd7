//! The modules of the engine build on each other in one direction, and papers say what the code
//! does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use kael_tests::project;

/// The modules of the engine, from the top. A module may use those below it. Cargo checks the
/// arrows between crates.
const LAYERS: [&[&str]; 7] = [
    &["runtime"],
    &["sandbox"],
    &["gate"],
    &["executor"],
    &["settings_file"],
    &["policy"],
    &[
        "activity",
        "bounds",
        "catalog",
        "confinement",
        "environment",
        "failure",
        "journal",
        "json",
        "limits",
        "names",
        "permit",
        "private_file",
        "repo",
        "report_item",
        "run_id",
        "run_info",
        "secrets",
        "text",
        "trace_context",
        "units",
    ],
];

fn layer(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|layer| layer.contains(&module))
        .unwrap_or_else(|| panic!("which layer is `{module}` in?"))
}

fn check(path: &Path, root: &Path) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).expect("a folder").flatten() {
            check(&entry.path(), root);
        }
        return;
    }
    let relative = path
        .strip_prefix(root)
        .expect("below src")
        .with_extension("");
    let module = relative
        .components()
        .next()
        .expect("a name")
        .as_os_str()
        .to_string_lossy()
        .into_owned();
    if module == "lib" {
        return;
    }
    let source = std::fs::read_to_string(path).expect("text");
    for (number, line) in source.lines().enumerate() {
        for (at, _) in line.match_indices("crate::") {
            let used: String = line[at + 7..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            assert!(
                used == module || layer(&module) <= layer(&used),
                "{}:{}: `{module}` may not use `{used}`",
                path.display(),
                number + 1
            );
        }
    }
}

#[test]
fn imports_run_one_way() {
    let root = project("host/engine/src");
    check(&root, &root);
}

/// The `.rs` files below `folder`, as paths from the project's root.
fn sources(folder: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(project(folder))
        .expect("a folder")
        .flatten()
    {
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            sources(&path, found);
        } else if path.ends_with(".rs") {
            found.push(path);
        }
    }
}

/// How often the code of a file contains `unsafe`.
fn unsafes(source: &str) -> usize {
    source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .filter(|word| *word == "unsafe")
        .count()
}

#[test]
fn unsafe_code_is_counted_and_justified_in_architecture_md() {
    let text = std::fs::read_to_string(project("ARCHITECTURE.md")).expect("it is there");
    let table = text.split("## Unsafe").nth(1).expect("the section");
    let mut told: Vec<String> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split(" | ").take(2).collect::<Vec<_>>().join(" | "))
        .collect();
    let mut files = Vec::new();
    for folder in ["guest/src", "guest/builder/src", "host", "tests/src"] {
        sources(folder, &mut files);
    }
    let mut found: Vec<String> = files
        .iter()
        .filter_map(|file| {
            let source = std::fs::read_to_string(project(file)).expect("text");
            let lifted = ["allow(unsafe_code", "expect(unsafe_code"];
            let flat: String = source.split_whitespace().collect();
            let lifts = lifted.iter().any(|lift| flat.contains(lift));
            lifts.then(|| format!("| `{file}` | {}", unsafes(&source)))
        })
        .collect();
    told.sort();
    found.sort();
    assert_eq!(told, found);
}

/// Whether a source has a test whose head begins so.
fn has_test(source: &str, head: &str) -> bool {
    source.match_indices(head).any(|(at, _)| {
        let before = source[..at].trim_end_matches("async ").trim_end();
        let attribute = before.lines().next_back().unwrap_or_default().trim();
        attribute == "#[test]" || attribute.starts_with("#[tokio::test")
    })
}

#[test]
fn tests_that_security_md_names_exist() {
    let text = std::fs::read_to_string(project("SECURITY.md")).expect("it is there");
    let mut seen = 0;
    for word in text.split('`').skip(1).step_by(2) {
        let Some((module, test)) = word.rsplit_once("::") else {
            continue;
        };
        let file = module.replace("::", "/");
        let path = project("tests/suite").join(file).with_extension("rs");
        let source = std::fs::read_to_string(&path).unwrap_or_default();
        let name = match test.strip_suffix('*') {
            Some(start) => format!("fn {start}"),
            None => format!("fn {test}("),
        };
        assert!(
            has_test(&source, &name),
            "SECURITY.md names `{word}`, and there is no such test"
        );
        seen += 1;
    }
    assert!(seen >= 8, "{seen} tests are named");
}

/// The text of all `.rs` files below a folder.
fn text_of(folder: &str) -> String {
    let mut files = Vec::new();
    sources(folder, &mut files);
    let read = |file: &String| std::fs::read_to_string(project(file)).expect("text");
    files.iter().map(read).collect()
}

#[test]
fn every_row_of_the_conversions_names_tests_that_exist() {
    let page = std::fs::read_to_string(project("docs/conversions.md")).expect("it is there");
    let all = text_of("guest/src") + &text_of("host") + &text_of("tests/suite");
    let mut seen = 0;
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| ---");
    for row in page.lines().filter(is_row) {
        let last = row.trim_end_matches(" |").rsplit(" | ").next();
        let last = last.unwrap_or_default();
        if last == "test" {
            continue;
        }
        let words: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
        let is_there = |word: &&str| {
            let name = word.rsplit("::").next().unwrap_or_default();
            let case = project("tests/hostile/cases")
                .join(word)
                .with_extension("lua");
            word.contains("::") && has_test(&all, &format!("fn {name}("))
                || last.ends_with("of the hostile suite") && case.exists()
        };
        assert!(!words.is_empty() && words.iter().all(is_there), "{row}");
        seen += 1;
    }
    assert!(seen > 60, "{seen} rows");
}

#[test]
fn every_fuzz_target_has_seeds() {
    let mut seen = 0;
    for folder in ["host/fuzz", "guest/fuzz"] {
        let targets = std::fs::read_dir(project(folder).join("targets")).expect("a folder");
        for target in targets.flatten() {
            let name = target.path().with_extension("");
            let name = name.file_name().expect("a name");
            let seeds = project(folder).join("seeds").join(name);
            let count = std::fs::read_dir(&seeds).map_or(0, Iterator::count);
            assert!(
                count > 0,
                "{} has no file: .ci/fuzz needs one",
                seeds.display()
            );
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen} targets");
}

/// What Cargo would build for `packages`: each crate with every set of features that it would have.
fn features(packages: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .current_dir(project("."))
        .args([
            "tree",
            "--locked",
            "--offline",
            "--edges",
            "normal,build,dev",
        ])
        .args(["--prefix", "none", "--format", "{p}|{f}"])
        .args(packages)
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{output:?}");
    let mut found = BTreeMap::<String, BTreeSet<String>>::new();
    for line in String::from_utf8(output.stdout).expect("text").lines() {
        let line = line.trim_end_matches(" (*)");
        if let Some((package, features)) = line.split_once('|') {
            let features = features.trim_end_matches(" (*)").to_owned();
            found
                .entry(package.to_owned())
                .or_default()
                .insert(features);
        }
    }
    found
}

#[test]
fn every_choice_of_packages_has_the_same_features() {
    let program = features(&["--package", "kael-host"]);
    let tests = features(&["--package", "kael-host", "--package", "kael-tests"]);
    let targets = features(&["--package", "kael-host-fuzz"]);
    assert!(program.len() > 200, "{program:?}");
    for (package, features) in &program {
        assert_eq!(
            features.len(),
            1,
            "{package} is built more than once, with {features:?}: name it in host/features/Cargo.toml"
        );
        for others in [&tests, &targets] {
            assert!(
                others.get(package).is_none_or(|other| other == features),
                "{package} is built with {features:?} and {:?}: name it in host/features/Cargo.toml",
                others[package]
            );
        }
    }
}
