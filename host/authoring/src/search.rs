//! Finds the actions of a repo that fit a few words, best first.
//!
//! The order is BM25 over names, descriptions and parameters, in which a word of a name counts
//! three times and one of a description twice. A word that no action has stands for the most
//! similar word that one has.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use kael_engine::catalog::{Catalog, Definition};
use kael_engine::names::{self, ActionName};

/// How soon a word that an action repeats stops counting, and how much a long description costs.
/// The usual values.
const SATURATION: f64 = 1.2;
const LENGTH: f64 = 0.75;
/// Words of a query that count.
const MAX_WORDS: usize = 32;
/// Words of one action that count.
const MAX_DOCUMENT: usize = 4096;

/// The words of all actions of a repo, or of other things by their names.
pub struct Index<N = ActionName> {
    names: Vec<N>,
    /// Word → the actions that have it, and their weights.
    words: BTreeMap<String, Vec<(usize, f64)>>,
    lengths: Vec<f64>,
    mean: f64,
}

impl Index {
    /// Reads the words of the actions that `wanted` accepts.
    pub fn new(catalog: &Catalog, wanted: impl Fn(&ActionName, &Definition) -> bool) -> Self {
        let actions = catalog.iter().filter(|(name, found)| wanted(name, found));
        Self::of(actions.map(|(name, definition)| (name.clone(), words_of(definition))))
    }
}

impl<N> Index<N> {
    /// Things by their names, each with its words and their weights.
    pub fn of(documents: impl Iterator<Item = (N, BTreeMap<String, f64>)>) -> Self {
        let mut index = Self {
            names: Vec::new(),
            words: BTreeMap::new(),
            lengths: Vec::new(),
            mean: 1.0,
        };
        for (name, counted) in documents {
            let at = index.names.len();
            index.names.push(name);
            index.lengths.push(counted.values().sum());
            for (word, weight) in counted {
                index.words.entry(word).or_default().push((at, weight));
            }
        }
        if !index.lengths.is_empty() {
            let sum: f64 = index.lengths.iter().sum();
            index.mean = (sum / index.lengths.len() as f64).max(1.0);
        }
        index
    }

    /// All actions that have a word of the query, the best first; all actions by name when the
    /// query has no word.
    #[must_use]
    pub fn find(&self, query: &str) -> Vec<&N> {
        let mut asked = split(query);
        asked.truncate(MAX_WORDS);
        if asked.is_empty() {
            return self.names.iter().collect();
        }
        let mut scores: HashMap<usize, f64> = HashMap::new();
        for word in &asked {
            let Some(found) = self.postings(word) else {
                continue;
            };
            let (all, with) = (self.names.len() as f64, found.len() as f64);
            let rarity = (1.0 + (all - with + 0.5) / (with + 0.5)).ln();
            for (at, weight) in found {
                let length = 1.0 - LENGTH + LENGTH * self.lengths[*at] / self.mean;
                let score = weight * (SATURATION + 1.0) / (weight + SATURATION * length);
                *scores.entry(*at).or_default() += rarity * score;
            }
        }
        let mut ranked: Vec<(usize, f64)> = scores.into_iter().collect();
        ranked.sort_by(|(a, one), (b, other)| other.total_cmp(one).then(a.cmp(b)));
        ranked.iter().map(|(at, _)| &self.names[*at]).collect()
    }

    /// The actions that have a word, one that begins with it, or else the most similar word.
    fn postings(&self, word: &str) -> Option<&Vec<(usize, f64)>> {
        let longer = || {
            let mut from = self.words.range(word.to_owned()..);
            from.next().filter(|(known, _)| known.starts_with(word))
        };
        self.words
            .get(word)
            .or_else(|| (word.len() > 2).then(longer)?.map(|(_, found)| found))
            .or_else(|| {
                self.words
                    .get(names::nearest(word, self.words.keys().map(String::as_str))?)
            })
    }
}

/// The words of texts, each with what a word of it weighs.
#[must_use]
pub fn weighed<'a>(texts: impl IntoIterator<Item = (&'a str, f64)>) -> BTreeMap<String, f64> {
    let mut counted = BTreeMap::new();
    let mut left = MAX_DOCUMENT;
    for (text, weight) in texts {
        for word in split(text).into_iter().take(left) {
            left -= 1;
            *counted.entry(word).or_default() += weight;
        }
    }
    counted
}

/// The words of an action with their weights.
fn words_of(definition: &Definition) -> BTreeMap<String, f64> {
    let mut texts: Vec<(&str, f64)> = Vec::new();
    let mut add = |text, weight| texts.push((text, weight));
    for name in &definition.names {
        add(name.as_str(), 3.0);
    }
    let description = definition.contract.description.as_deref();
    add(description.unwrap_or_default(), 2.0);
    let schema = definition.contract.params.as_ref();
    let properties = schema.and_then(|schema| schema.document().get("properties")?.as_object());
    for (name, schema) in properties.into_iter().flatten() {
        add(name, 1.0);
        let told = schema.get("description").and_then(Value::as_str);
        add(told.unwrap_or_default(), 1.0);
    }
    weighed(texts)
}

/// The words of a text in lower case, `restartPods` as two, without a plural's `s`.
fn split(text: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let mut finish = |word: &mut String| {
        let mut text = word.to_lowercase();
        if text.len() > 3 && text.ends_with('s') && !text.ends_with("ss") {
            text.pop();
        }
        if !text.is_empty() {
            words.push(text);
        }
        word.clear();
    };
    let mut was_lower = false;
    for c in text.chars() {
        if !c.is_alphanumeric() || (was_lower && c.is_uppercase()) {
            finish(&mut word);
        }
        if c.is_alphanumeric() {
            word.push(c);
        }
        was_lower = c.is_lowercase();
    }
    finish(&mut word);
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use kael_engine::catalog::{Location, RawDefinition};

    fn index() -> Index {
        let raw = |name: &str, description: &str, params: Value| {
            RawDefinition {
            names: vec![name.to_owned()],
            location: Location {
                file: "f".to_owned(),
                line: 1,
            },
            body: json!({ "source": "x", "executor": "native", "description": description, "params": params })
                .to_string(),
            error: None,
        }
        };
        let catalog = Catalog::new(&[
            raw(
                "kubectl.restart",
                "Restarts the pods of a deployment.",
                json!({ "name": "string" }),
            ),
            raw(
                "kubectl.logs",
                "The last lines of a pod.",
                json!({ "pod": "string" }),
            ),
            raw(
                "db.query",
                "Reads rows of a table.",
                json!({ "sql": "string" }),
            ),
        ]);
        Index::new(&catalog.expect("valid"), |_, _| true)
    }

    fn found(query: &str) -> Vec<String> {
        let index = index();
        let found = index.find(query);
        found.into_iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_best_match_is_the_first() {
        assert_eq!(found("restart pods"), ["kubectl.restart", "kubectl.logs"]);
        assert_eq!(found("SQL"), ["db.query"]);
        assert_eq!(found("table rows"), ["db.query"]);
        assert!(found("weather").is_empty());
    }

    #[test]
    fn a_slip_and_the_start_of_a_word_find_it() {
        assert_eq!(found("deploymet"), ["kubectl.restart"]);
        assert_eq!(found("deploy"), ["kubectl.restart"]);
    }

    #[test]
    fn no_words_are_all_actions_by_name() {
        assert_eq!(
            found(" ?! "),
            ["db.query", "kubectl.logs", "kubectl.restart"]
        );
    }

    #[test]
    fn words_are_split_where_they_begin() {
        assert_eq!(
            split("restartPods, HTTP-2 classes"),
            ["restart", "pod", "http", "2", "classe"]
        );
    }
}
