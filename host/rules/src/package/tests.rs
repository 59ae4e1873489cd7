//! Packages as they should not be.

use super::*;

const MANIFEST: &str = r#"{"format_version":"1.0","metadata":{"rule_id":"a","rule_name":"A","rule_version":"1"},
    "patterns":{"regexes":["a"]}}"#;

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("it is made");
    fs::write(path, text).expect("it is written");
}

fn said(root: &Path) -> Vec<String> {
    let read = Packages::read(&[root.to_owned()]);
    let prefix = format!("{}", root.display());
    let shown = |problem: &Problem| problem.to_string().replace(&prefix, "R");
    read.problems.iter().map(shown).collect()
}

#[test]
fn two_packages_of_one_id_are_both_named() {
    let root = tempfile::tempdir().expect("a folder");
    for name in ["one", "more/two"] {
        write(root.path(), &format!("{name}/manifest.json"), MANIFEST);
        write(root.path(), &format!("{name}/predicate.lua"), "x = 1");
    }
    assert_eq!(
        said(root.path()),
        ["R/one/manifest.json: the rule id \"a\" is that of R/more/two, too"]
    );
}

#[test]
fn a_package_has_one_predicate_and_one_place_of_patterns() {
    let root = tempfile::tempdir().expect("a folder");
    write(root.path(), "p/manifest.json", MANIFEST);
    assert_eq!(
        said(root.path()),
        ["R/p: there is no predicate.lua and no rule.wasm"]
    );
    write(root.path(), "p/predicate.lua", "x = 1");
    write(root.path(), "p/rule.wasm", "");
    assert_eq!(
        said(root.path()),
        ["R/p: there are predicate.lua and rule.wasm"]
    );
    fs::remove_file(root.path().join("p/rule.wasm")).expect("it is removed");
    write(root.path(), "p/resources/regexes.txt", "a\n");
    assert_eq!(
        said(root.path()),
        ["R/p/resources/regexes.txt: stands beside `patterns.regexes` of the manifest"]
    );
}

#[test]
fn links_and_large_files_are_refused() {
    let root = tempfile::tempdir().expect("a folder");
    write(root.path(), "out/manifest.json", &" ".repeat(70_000));
    assert_eq!(
        said(root.path()),
        ["R/out/manifest.json: has more than 64 KiB"]
    );
    write(root.path(), "out/manifest.json", MANIFEST);
    write(root.path(), "secret", "x = 1");
    std::os::unix::fs::symlink("../secret", root.path().join("out/predicate.lua")).expect("a link");
    assert_eq!(
        said(root.path()),
        ["R/out/predicate.lua: is a link, and a package has plain files"]
    );
    write(root.path(), "rules/b/x", "");
    std::os::unix::fs::symlink("../out", root.path().join("rules/link")).expect("a link");
    assert_eq!(
        said(&root.path().join("rules")),
        ["R/link: is a link to a package, and links are not followed"]
    );
}
