//! `kael-host run checks.yaml`: a file of checks, which a script of Kael's own runs.

use std::path::Path;

use kael_engine::policy::{Kind, Node, parse_yaml};

/// Whether a file is one of checks, by its name.
pub(super) fn is_one(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("yaml" | "yml"))
}

/// What the script is given: the text of the file, and the scripts that it names. `read` reads a
/// text.
pub(super) fn inputs(
    path: &Path,
    read: impl Fn(&Path) -> Result<String, String>,
) -> Result<Vec<(String, Vec<u8>)>, String> {
    let text = read(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut inputs = Vec::new();
    // A file that this reader refuses has no inputs here; the script reads it again, and says what is wrong.
    if let Ok(document) = parse_yaml(&text) {
        for name in scripts(&document) {
            let script = read(&folder.join(name))?;
            inputs.push((format!("file:{name}"), script.into_bytes()));
        }
    }
    inputs.push(("checks".to_owned(), text.into_bytes()));
    Ok(inputs)
}

fn get<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    let Kind::Table(entries) = &node.kind else {
        return None;
    };
    let found = entries.iter().find(|(known, ..)| known == key);
    found.map(|(_, _, value)| value)
}

/// The files of all checks, each once.
fn scripts(document: &Node) -> Vec<&str> {
    let Some(Kind::List(checks)) = get(document, "checks").map(|node| &node.kind) else {
        return Vec::new();
    };
    let file = |check| match &get(check, "file")?.kind {
        Kind::Word(name) | Kind::Text(name) => Some(name.as_str()),
        _ => None,
    };
    let mut files: Vec<&str> = checks.iter().filter_map(file).collect();
    files.sort_unstable();
    files.dedup();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_of_checks_are_found() {
        let text = "checks:\n  - { name: a, type: script, file: b.lua }\n  - { name: c, type: script, file: \"b.lua\" }\n  - { name: d, type: http, url: x }\n";
        let document = parse_yaml(text).expect("YAML");
        assert_eq!(scripts(&document), ["b.lua"]);
        assert!(is_one(Path::new("a/checks.yaml")) && !is_one(Path::new("a.lua")));
    }
}
