//! The modules of the host build on each other in one direction.

use std::path::Path;

use kael_tests::project;

/// From the top: a module may use those behind it.
const LAYERS: [&[&str]; 7] = [
    &["cli"],
    &["authoring"],
    &["app", "doctor"],
    &["sandbox"],
    &["dispatch"],
    &["executor"],
    &[
        "activity",
        "bounds",
        "catalog",
        "config",
        "repo",
        "environment",
        "failure",
        "json",
        "limits",
        "names",
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
    if module == "lib" || module == "main" {
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
    let root = project("host/src");
    check(&root, &root);
}
