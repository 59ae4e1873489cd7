//! Files of settings in YAML: takes the keys of a table one by one, and notes what is wrong with its line.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::names;
use crate::policy::{Kind, Node, parse_yaml};

/// Lines and what is wrong there.
pub type Errors = Vec<(u32, String)>;

/// All that is wrong with a file of settings.
#[derive(Debug, thiserror::Error)]
pub struct SettingsError {
    /// Each with its file and line.
    pub problems: Vec<String>,
    /// The file and its text.
    pub text: (String, String),
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("\n"))
    }
}

impl SettingsError {
    /// The errors of a file, in the order of its lines.
    #[must_use]
    pub fn new(name: &str, text: &str, mut errors: Errors) -> Self {
        errors.sort();
        let problems = errors
            .into_iter()
            .map(|(line, why)| format!("{name}:{line}: {why}"));
        Self {
            problems: problems.collect(),
            text: (name.to_owned(), text.to_owned()),
        }
    }
}

/// Reads a file of settings by `read`, which notes what is wrong.
///
/// # Errors
/// All that is wrong with it, each with its line.
pub fn read_settings<T>(
    name: &str,
    text: &str,
    read: impl FnOnce(&Node, &mut Errors) -> T,
) -> Result<T, SettingsError> {
    let root = parse_yaml(text)
        .map_err(|mistake| SettingsError::new(name, text, vec![(mistake.line, mistake.message)]))?;
    let mut errors = Errors::new();
    let settings = read(&root, &mut errors);
    match errors.is_empty() {
        true => Ok(settings),
        false => Err(SettingsError::new(name, text, errors)),
    }
}

/// A table of which some keys are known.
pub struct Table<'a> {
    name: String,
    line: u32,
    entries: Vec<(&'a str, &'a Node)>,
    errors: &'a mut Errors,
}

impl<'a> Table<'a> {
    /// The line that it begins on.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.line
    }
}

impl<'a> Table<'a> {
    /// The table at a node. An empty file is an empty table.
    pub fn of(node: &'a Node, name: &str, known: &[&str], errors: &'a mut Errors) -> Option<Self> {
        let entries = match &node.kind {
            Kind::Table(entries) => entries.as_slice(),
            Kind::Nothing => &[],
            other => {
                errors.push((
                    node.line,
                    format!("{name} must be a table, got {}", other.name()),
                ));
                return None;
            }
        };
        for (key, line, _) in entries {
            if !known.contains(&key.as_str()) {
                let near = names::nearest(key, known.iter().copied());
                let hint = names::did_you_mean(near, '`');
                let shown: String = key.chars().take(60).collect();
                errors.push((*line, format!("unknown key `{shown}`{hint}")));
            }
        }
        Some(Self {
            name: name.to_owned(),
            line: node.line,
            entries: entries
                .iter()
                .map(|(key, _, node)| (key.as_str(), node))
                .collect(),
            errors,
        })
    }

    /// The node of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        let found = self.entries.iter().find(|(known, _)| *known == key);
        found.map(|(_, node)| *node)
    }

    /// Notes what is wrong with a key.
    pub fn wrong(&mut self, key: &str, why: &str) {
        let line = self.get(key).map_or(self.line, |node| node.line);
        self.errors.push((line, format!("`{key}` {why}")));
    }

    /// Notes what is wrong with the table.
    pub fn wrong_itself(&mut self, why: &str) {
        self.errors
            .push((self.line, format!("{} {why}", self.name)));
    }

    /// Notes what is wrong at a line.
    pub fn wrong_at(&mut self, line: u32, why: &str) {
        self.errors.push((line, why.to_owned()));
    }

    /// The text of a key.
    pub fn text(&mut self, key: &str) -> Option<&'a str> {
        let node = self.get(key)?;
        match &node.kind {
            Kind::Word(text) | Kind::Text(text) if !text.is_empty() => Some(text),
            other => {
                self.wrong(key, &format!("must be a text, got {}", other.name()));
                None
            }
        }
    }

    /// The path of a key, which starts at `folder` when it is relative.
    pub fn path(&mut self, key: &str, folder: &Path) -> Option<PathBuf> {
        self.text(key).map(|text| folder.join(text))
    }

    /// Reads the value of a key, which is `what`. True if it was there and right.
    pub fn parse<T: FromStr>(&mut self, key: &str, what: &str, value: &mut T) -> bool {
        let Some(text) = self.text(key) else {
            return false;
        };
        match text.parse() {
            Ok(parsed) => {
                *value = parsed;
                true
            }
            Err(_) => {
                let shown: String = text.chars().take(60).collect();
                self.wrong(key, &format!("must be {what}, got `{shown}`"));
                false
            }
        }
    }

    /// The value of a key whose type says what is wrong with it.
    pub fn parsed<T: FromStr<Err: fmt::Display>>(&mut self, key: &str) -> Option<T> {
        let text = self.text(key)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.wrong(key, &error.to_string());
                None
            }
        }
    }

    /// The texts of a key that is one or a list of them.
    pub fn texts(&mut self, key: &str) -> Vec<String> {
        let Some(node) = self.get(key) else {
            return Vec::new();
        };
        let elements: Vec<&Node> = match &node.kind {
            Kind::List(elements) => elements.iter().collect(),
            _ => vec![node],
        };
        let texts = elements
            .into_iter()
            .filter_map(|element| match &element.kind {
                Kind::Word(text) | Kind::Text(text) if !text.is_empty() => Some(text.clone()),
                other => {
                    let why = format!("`{key}` must be texts, got {}", other.name());
                    self.errors.push((element.line, why));
                    None
                }
            });
        texts.collect()
    }

    /// The texts of a key that is a table of any names.
    pub fn map(&mut self, key: &str) -> BTreeMap<String, String> {
        let Some(node) = self.get(key) else {
            return BTreeMap::new();
        };
        let Kind::Table(entries) = &node.kind else {
            self.wrong(key, &format!("must be a table, got {}", node.kind.name()));
            return BTreeMap::new();
        };
        let texts = entries
            .iter()
            .filter_map(|(name, line, node)| match &node.kind {
                Kind::Word(text) | Kind::Text(text) => Some((name.clone(), text.clone())),
                other => {
                    let why = format!("`{name}` must be a text, got {}", other.name());
                    self.errors.push((*line, why));
                    None
                }
            });
        texts.collect()
    }

    /// The table at a key.
    pub fn table(&mut self, key: &str, known: &[&str]) -> Option<Table<'_>> {
        let node = self.get(key)?;
        Table::of(node, &format!("`{key}`"), known, self.errors)
    }

    /// The tables of a list at a key, one after the other.
    pub fn for_tables(&mut self, key: &str, known: &[&str], mut each: impl FnMut(Table<'_>)) {
        let Some(node) = self.get(key) else { return };
        let Kind::List(elements) = &node.kind else {
            return self.wrong(
                key,
                &format!("must be a list of tables, got {}", node.kind.name()),
            );
        };
        for element in elements {
            let name = format!("an element of `{key}`");
            if let Some(table) = Table::of(element, &name, known, self.errors) {
                each(table);
            }
        }
    }
}
