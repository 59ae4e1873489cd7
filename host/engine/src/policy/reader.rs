//! Takes the keys of a table one by one; what was not taken is unknown.

use super::document::{Kind, Node};
use super::{Mistake, did_you_mean, shown};

pub(super) struct Table<'a> {
    line: u32,
    entries: Vec<(&'a str, u32, &'a Node)>,
    known: &'static [&'static str],
}

impl<'a> Table<'a> {
    /// The keys of a table, of which these may be there.
    pub(super) fn new(
        node: &'a Node,
        known: &'static [&'static str],
        what: &str,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<Self> {
        let Kind::Table(entries) = &node.kind else {
            let message = format!("{what} must be a table, got {}", node.kind.name());
            mistakes.push(Mistake::new(node.line, message));
            return None;
        };
        let table = Self {
            line: node.line,
            entries: entries
                .iter()
                .map(|(key, line, value)| (key.as_str(), *line, value))
                .collect(),
            known,
        };
        for (key, line, _) in &table.entries {
            if !known.contains(key) {
                let near = did_you_mean(key, known.iter().copied());
                let message = format!("unknown key `{}`{near}", shown(key));
                mistakes.push(Mistake::new(*line, message));
            }
        }
        Some(table)
    }

    pub(super) fn line(&self) -> u32 {
        self.line
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&'a Node> {
        debug_assert!(self.known.contains(&key));
        let found = self.entries.iter().find(|(known, ..)| *known == key);
        found.map(|(_, _, value)| *value)
    }

    /// The value of a key that is a text, with or without quotes.
    pub(super) fn text(&self, key: &str, mistakes: &mut Vec<Mistake>) -> Option<&'a str> {
        let node = self.get(key)?;
        match &node.kind {
            Kind::Word(text) | Kind::Text(text) if !text.is_empty() => Some(text),
            other => {
                let message = format!("`{key}` must be a text, got {}", other.name());
                mistakes.push(Mistake::new(node.line, message));
                None
            }
        }
    }

    /// The value of a key that is a text or a list of them, each with its line.
    pub(super) fn texts(&self, key: &str, mistakes: &mut Vec<Mistake>) -> Vec<(&'a str, u32)> {
        let Some(node) = self.get(key) else {
            return Vec::new();
        };
        let elements = match &node.kind {
            Kind::List(elements) => elements.iter().collect(),
            _ => vec![node],
        };
        if elements.is_empty() {
            mistakes.push(Mistake::new(node.line, format!("`{key}` is an empty list")));
        }
        let mut texts = Vec::with_capacity(elements.len());
        for element in elements {
            match &element.kind {
                Kind::Word(text) | Kind::Text(text) if !text.is_empty() => {
                    texts.push((text.as_str(), element.line));
                }
                other => {
                    let message = format!("`{key}` must be texts, got {}", other.name());
                    mistakes.push(Mistake::new(element.line, message));
                }
            }
        }
        texts
    }

    /// The value of a key that is a whole number in a range.
    pub(super) fn whole(
        &self,
        key: &str,
        range: std::ops::RangeInclusive<u32>,
        mistakes: &mut Vec<Mistake>,
    ) -> Option<u32> {
        let node = self.get(key)?;
        let number = match &node.kind {
            Kind::Word(word) => word.parse().ok().filter(|number| range.contains(number)),
            _ => None,
        };
        if number.is_none() {
            let (low, high) = (range.start(), range.end());
            let message = format!("`{key}` must be a whole number from {low} to {high}");
            mistakes.push(Mistake::new(node.line, message));
        }
        number
    }

    /// The value of a key that is true or false; false where it is not there.
    pub(super) fn boolean(&self, key: &str, mistakes: &mut Vec<Mistake>) -> bool {
        let Some(node) = self.get(key) else {
            return false;
        };
        match &node.kind {
            Kind::Word(word) if word == "true" => true,
            Kind::Word(word) if word == "false" => false,
            _ => {
                let message = format!("`{key}` must be true or false");
                mistakes.push(Mistake::new(node.line, message));
                false
            }
        }
    }

    /// The value of a key that is one of a few words.
    pub(super) fn choice<T: Copy>(
        &self,
        key: &str,
        choices: &[(&'static str, T)],
        mistakes: &mut Vec<Mistake>,
    ) -> Option<T> {
        let node = self.get(key)?;
        let word = match &node.kind {
            Kind::Word(word) | Kind::Text(word) => word.as_str(),
            _ => "",
        };
        let found = choices.iter().find(|(known, _)| *known == word);
        if found.is_none() {
            let all: Vec<_> = choices
                .iter()
                .map(|(word, _)| format!("`{word}`"))
                .collect();
            let message = format!("`{key}` must be {}", all.join(" or "));
            mistakes.push(Mistake::new(node.line, message));
        }
        found.map(|(_, choice)| *choice)
    }
}
