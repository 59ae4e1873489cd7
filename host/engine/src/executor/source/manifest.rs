//! Reads the files that name packages. A package that was installed may have put a FIFO in the
//! place of one, or a file without end: nothing is waited for, and no more is read than a bound.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::SourceError;
use crate::executor::unblocked;
use crate::permit;

/// Bytes of a manifest that are looked at; npm and pip read the rest.
const CAP: u64 = 16 << 20;
/// Files that a list of requirements includes, and their bytes together.
const MAX_INCLUDES: usize = 100;
const INCLUDES_CAP: usize = 16 << 20;
/// Larger files are read on another thread.
const LARGE: u64 = 64 << 10;

/// What a manifest says; empty where there is none.
pub(super) fn manifest(path: &Path) -> String {
    start(path, CAP)
}

/// The start of a file; empty where there is none.
pub(super) fn start(path: &Path, cap: u64) -> String {
    let mut content = Vec::new();
    if let Ok(file) = unblocked::open(path) {
        file.take(cap).read_to_end(&mut content).ok();
    }
    String::from_utf8_lossy(&content).into_owned()
}

/// Does what reads these files, on another thread where one of them is large. Calls of other runs
/// are not held up then.
pub(super) async fn reading<T: Send + 'static>(
    files: &[PathBuf],
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, SourceError> {
    let is_large = |file: &PathBuf| file.metadata().is_ok_and(|file| file.len() > LARGE);
    if !files.iter().any(is_large) {
        return Ok(work());
    }
    let working = permit::blocking(work).await;
    working.map_err(|error| SourceError::Interrupted(error.to_string()))
}

/// The files that a list of requirements includes with `-r` and `-c`, and those that these include:
/// their texts, one after the other.
pub(super) fn included(list: &Path, text: &str) -> String {
    let mut all = String::new();
    let mut seen = BTreeSet::new();
    let mut next = names(list, text);
    while let Some(path) = next.pop() {
        if seen.len() > MAX_INCLUDES || all.len() > INCLUDES_CAP {
            break;
        }
        // One file has many spellings.
        let real = path.canonicalize().unwrap_or_else(|_| path.clone());
        if seen.insert(real) {
            let text = manifest(&path);
            next.extend(names(&path, &text));
            all.push_str(&path.to_string_lossy());
            all.push('\n');
            all.push_str(&text);
            all.push('\n');
        }
    }
    all
}

/// The files that a list includes itself.
fn names(list: &Path, text: &str) -> Vec<PathBuf> {
    let folder = list.parent().unwrap_or(Path::new("."));
    // pip reads a line that ends in a backslash together with the next.
    let text = text.replace("\\\r\n", "").replace("\\\n", "");
    let names = text.lines().filter_map(|line| {
        let line = line.trim();
        let options = ["--requirement", "--constraint", "-r", "-c"];
        let rest = options
            .iter()
            .find_map(|option| line.strip_prefix(option))?;
        let name = rest.trim_start_matches(['=', ' ', '\t']);
        let name = name.split(" #").next().unwrap_or_default().trim();
        let name = name.trim_matches(['"', '\'']);
        let name = name.strip_prefix("file://").unwrap_or(name);
        (!name.is_empty() && !name.contains("://")).then(|| folder.join(name))
    });
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_includes_others_in_every_spelling() {
        let text = "a>=1\n-r one.txt\n -rtwo.txt # why\n--requirement=three.txt\n\
            --constraint 'four.txt'\n-c \\\nfive.txt\n-c file:///six.txt\n-r https://x.org/r\n\
            --no-binary :all:\n# -r none.txt\n-e ./none\n-c\n";
        let found = names(Path::new("/s/requirements.txt"), text);
        let expected = ["one", "two", "three", "four", "five"].map(|name| format!("/s/{name}.txt"));
        let expected = expected.into_iter().chain(["/six.txt".to_owned()]);
        assert_eq!(found, expected.map(PathBuf::from).collect::<Vec<_>>());
    }

    #[test]
    fn lists_that_include_each_other_are_read_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        for (name, text) in [
            ("b.txt", "-r sub/c.txt\nb\n"),
            ("sub/c.txt", "-r ../b.txt\nc\n"),
        ] {
            std::fs::create_dir_all(at("sub")).expect("a folder");
            std::fs::write(at(name), text).expect("a file");
        }
        let text = included(&at("a.txt"), "-r b.txt\n-r a.txt\n");
        assert!(text.contains("\nb\n") && text.contains("\nc\n"), "{text}");
        assert_eq!(text.matches("\nb\n").count(), 1, "{text}");
    }
}
