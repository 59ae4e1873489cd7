//! Packages: finds their folders, reads them, and collects everything that is wrong.

pub(crate) mod json;
mod manifest;
mod patterns;

mod window;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use kael_engine::executor::unblocked;
use sha2::{Digest as _, Sha256};

pub use manifest::{Language, Manifest, Severity};

pub use window::{Sequence, Threshold, Throttle};

use crate::problem::Problem;

/// Bytes that the files of a package may have.
const MAX_MANIFEST: u64 = 64 << 10;
const MAX_LUA: u64 = 1 << 20;
const MAX_WASM: u64 = 8 << 20;
const MAX_PATTERNS: u64 = 5 << 20;
/// How deep below a folder packages are looked for.
const MAX_DEPTH: usize = 4;

/// A package that has been read.
#[derive(Debug, Clone)]
pub struct Package {
    /// The folder, as the user named it.
    pub folder: PathBuf,
    /// What it says of its rule.
    pub manifest: Manifest,
    /// The predicate's file name and bytes.
    pub predicate: (String, Vec<u8>),
    /// Its language.
    pub language: Language,
    /// The predicate in the other language, where the package has both.
    pub other: Option<(String, Vec<u8>)>,
    /// Its regular expressions.
    pub regexes: Vec<String>,
    /// Its globs.
    pub globs: Vec<String>,
    /// SHA-256 of all that was read.
    pub digest: String,
}

/// Where patterns came from: the file, and the key within it.
pub(crate) struct Source {
    pub(crate) file: String,
    pub(crate) key: &'static str,
}

/// Packages, and what is wrong with them.
#[derive(Debug, Default)]
pub struct Packages {
    /// Those that are sound, by their ids.
    pub packages: Vec<Package>,
    /// Errors and warnings, by folder.
    pub problems: Vec<Problem>,
}

impl Packages {
    /// Reads all packages in and below some folders.
    #[must_use]
    pub fn read(folders: &[PathBuf]) -> Self {
        let mut all = Self::default();
        for folder in folders {
            let mut found = Vec::new();
            find(folder, 0, &mut found, &mut all.problems);
            if found.is_empty() && !all.problems.iter().any(|problem| !problem.warning) {
                let message = "there is no package: a folder with a manifest.json";
                let problem = Problem::error(folder.display().to_string(), message);
                all.problems
                    .push(problem.hinted("kael-host rules init NAME makes one"));
            }
            for folder in found {
                all.packages
                    .extend(Package::read(&folder, &mut all.problems));
            }
        }
        all.packages
            .sort_by(|one, other| one.manifest.rule_id.cmp(&other.manifest.rule_id));
        let mut seen: BTreeMap<String, PathBuf> = BTreeMap::new();
        let problems = &mut all.problems;
        all.packages.retain(|package| {
            let id = package.manifest.rule_id.clone();
            if let Some(first) = seen.get(&id) {
                let message = format!("the rule id \"{id}\" is that of {}, too", first.display());
                problems.push(Problem::error(package.file("manifest.json"), message));
                return false;
            }
            seen.insert(id, package.folder.clone());
            true
        });
        all
    }

    /// Whether anything is wrong beyond warnings.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| !problem.warning)
    }
}

/// Finds the folders that are packages. Links are not followed, but for the one that was named.
fn find(folder: &Path, depth: usize, found: &mut Vec<PathBuf>, out: &mut Vec<Problem>) {
    if folder.join("manifest.json").symlink_metadata().is_ok() {
        found.push(folder.to_owned());
        return;
    }
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            let message = format!("cannot be read: {}", brief(&error));
            out.push(Problem::error(folder.display().to_string(), message));
            return;
        }
    };
    let mut folders: Vec<PathBuf> = Vec::new();
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => folders.push(entry.path()),
            Ok(kind) if kind.is_symlink() && entry.path().join("manifest.json").exists() => {
                let message = "is a link to a package, and links are not followed";
                out.push(Problem::error(entry.path().display().to_string(), message));
            }
            _ => {}
        }
    }
    folders.sort();
    if depth < MAX_DEPTH {
        for folder in folders {
            find(&folder, depth + 1, found, out);
        }
    }
}

impl Package {
    /// The name of a file of the package in messages.
    #[must_use]
    pub fn file(&self, name: &str) -> String {
        shown(&self.folder, name)
    }

    /// The same rule with its predicate in the other language, if it has both.
    #[must_use]
    pub fn in_other_language(&self) -> Option<Self> {
        Some(Self {
            predicate: self.other.clone()?,
            other: Some(self.predicate.clone()),
            language: match self.language {
                Language::Lua => Language::Wasm,
                Language::Wasm => Language::Lua,
            },
            ..self.clone()
        })
    }

    /// Reads one package.
    pub fn read(folder: &Path, out: &mut Vec<Problem>) -> Option<Self> {
        let before = errors(out);
        let mut digest = Sha256::new();
        let text = required(folder, "manifest.json", MAX_MANIFEST, out)?;
        digest.update(&text);
        let manifest = Manifest::read(&shown(folder, "manifest.json"), &text, out);
        let lua = optional(folder, "predicate.lua", MAX_LUA, out);
        let mut wasm = None;
        for name in ["rule.wasm", "predicate.wasm"] {
            if wasm.is_none() {
                wasm = optional(folder, name, MAX_WASM, out).map(|bytes| (name.to_owned(), bytes));
            }
        }
        let lua = lua.map(|bytes| ("predicate.lua".to_owned(), bytes));
        let manifest = manifest?;
        if lua.is_none() && wasm.is_none() && errors(out) > before {
            // A predicate that cannot be read was told of; it is not missing.
            return None;
        }
        let (predicate, other, language) = match (lua, wasm, manifest.language) {
            (Some(lua), None, None | Some(Language::Lua)) => (lua, None, Language::Lua),
            (None, Some(wasm), None | Some(Language::Wasm)) => (wasm, None, Language::Wasm),
            (Some(lua), wasm, Some(Language::Lua)) => (lua, wasm, Language::Lua),
            (lua, Some(wasm), Some(Language::Wasm)) => (wasm, lua, Language::Wasm),
            (Some(_), Some((name, _)), None) => {
                let message = format!("there are predicate.lua and {name}");
                out.push(
                    Problem::error(folder.display().to_string(), message)
                        .hinted("say which one is meant: \"runtime\": \"lua\" or \"wasm\""),
                );
                return None;
            }
            (lua, _, wanted) => {
                let missing = match (wanted, lua.is_some()) {
                    (Some(Language::Wasm), true) => "no rule.wasm, which `runtime` asks for",
                    (Some(Language::Lua), _) => "no predicate.lua, which `runtime` asks for",
                    _ => "no predicate.lua and no rule.wasm",
                };
                let message = format!("there is {missing}");
                out.push(Problem::error(folder.display().to_string(), message));
                return None;
            }
        };
        digest.update(&predicate.1);
        if let Some((_, bytes)) = &other {
            digest.update(bytes);
        }
        let mut read =
            |name: &str, key: &'static str, listed: &[String], out: &mut Vec<Problem>| {
                let text = optional(folder, name, MAX_PATTERNS, out);
                let source = Source {
                    file: shown(folder, name),
                    key: "",
                };
                match text.map(String::from_utf8) {
                    None => {
                        let file = shown(folder, "manifest.json");
                        (Source { file, key }, listed.to_vec())
                    }
                    Some(Err(_)) => {
                        out.push(Problem::error(&source.file, "is not UTF-8"));
                        (source, Vec::new())
                    }
                    Some(Ok(text)) => {
                        if manifest.has_patterns && !listed.is_empty() {
                            let message = format!("stands beside `{}` of the manifest", key.trim());
                            out.push(
                                Problem::error(&source.file, message).hinted("keep one of the two"),
                            );
                        }
                        digest.update(&text);
                        (source, patterns::lines(&text))
                    }
                }
            };
        let regexes = read(
            "resources/regexes.txt",
            "patterns.regexes ",
            &manifest.regexes,
            out,
        );
        let globs = read(
            "resources/globs.txt",
            "patterns.globs ",
            &manifest.globs,
            out,
        );
        patterns::check("regex", &regexes.0, &regexes.1, out);
        patterns::check("glob", &globs.0, &globs.1, out);
        if errors(out) > before {
            return None;
        }
        Some(Self {
            folder: folder.to_owned(),
            manifest,
            predicate,
            language,
            other,
            regexes: regexes.1,
            globs: globs.1,
            digest: hex(&digest.finalize()),
        })
    }
}

/// How many problems are errors.
fn errors(problems: &[Problem]) -> usize {
    problems.iter().filter(|problem| !problem.warning).count()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn shown(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

/// The system's words for an error, without its number.
pub(crate) fn brief(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error")
        .next()
        .unwrap_or(&text)
        .to_lowercase()
}

fn required(folder: &Path, name: &str, most: u64, out: &mut Vec<Problem>) -> Option<Vec<u8>> {
    match read_plain(&folder.join(name), most) {
        Ok(bytes) => Some(bytes),
        Err(why) => {
            out.push(Problem::error(shown(folder, name), why));
            None
        }
    }
}

fn optional(folder: &Path, name: &str, most: u64, out: &mut Vec<Problem>) -> Option<Vec<u8>> {
    match folder.join(name).symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        _ => required(folder, name, most, out),
    }
}

/// The bytes of a plain file; a link out of the package, a pipe or a device is refused.
pub(crate) fn read_plain(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let refused = |error: io::Error| format!("cannot be read: {}", brief(&error));
    let kind = path.symlink_metadata().map_err(refused)?;
    if kind.is_symlink() {
        return Err("is a link, and a package has plain files".into());
    }
    // Looked at once more when it is open: it may have become something else.
    let file = unblocked::open_plain(path).map_err(refused)?;
    let mut bytes = Vec::new();
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(refused)?;
    if bytes.len() as u64 > most {
        return Err(format!("has more than {} KiB", most >> 10));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
