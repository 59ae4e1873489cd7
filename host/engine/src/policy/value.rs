//! Finds the values that rules name in the text of merged parameters: nothing else is read.

use std::borrow::Cow;

use super::scalar::Number;
use crate::json;

/// Values that are kept for the rules of one call. Of what is beyond, a rule learns that it is there.
const MAX_FOUND: usize = 1 << 18;

/// Where a rule looks: keys, and `*` for every element.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Key(String),
    Every,
}

/// What stands at a place.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found<'a> {
    /// There is no such key.
    Missing,
    /// The path leads through a value that has no keys, or no elements.
    Unclear,
    /// The value as JSON text.
    There(&'a str),
}

/// A value, read as far as a test needs it.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Missing,
    Unclear,
    Null,
    Boolean(bool),
    Number(Number),
    Text(Cow<'a, str>),
    /// As JSON text.
    List(&'a str),
    /// As JSON text.
    Table(&'a str),
}

impl<'a> Value<'a> {
    pub(super) fn of(found: Found<'a>) -> Self {
        let text = match found {
            Found::Missing => return Self::Missing,
            Found::Unclear => return Self::Unclear,
            Found::There(text) => text.trim(),
        };
        match text.as_bytes().first() {
            Some(b'{') => Self::Table(text),
            Some(b'[') => Self::List(text),
            Some(b'"') => match plain(text) {
                Some(plain) => Self::Text(Cow::Borrowed(plain)),
                None => serde_json::from_str(text)
                    .map_or(Self::Unclear, |text| Self::Text(Cow::Owned(text))),
            },
            Some(b't') => Self::Boolean(true),
            Some(b'f') => Self::Boolean(false),
            Some(b'n') => Self::Null,
            _ => Number::parse(text).map_or(Self::Unclear, Self::Number),
        }
    }
}

/// A string without escapes, between its quotes.
fn plain(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains('\\')).then_some(inner)
}

/// The paths of the rules of one action, as a tree: parameters are walked once for all of them.
#[derive(Debug, Default)]
pub(super) struct Paths {
    root: Branch,
    slots: usize,
}

#[derive(Debug, Default)]
struct Branch {
    /// Where the value itself goes.
    slot: Option<usize>,
    /// Sorted.
    keys: Vec<(String, Branch)>,
    every: Option<Box<Branch>>,
}

impl Paths {
    /// The slot in which the values at a path will be.
    pub(super) fn slot(&mut self, path: &[Step]) -> usize {
        let mut branch = &mut self.root;
        for step in path {
            branch = match step {
                Step::Every => branch.every.get_or_insert_default(),
                Step::Key(key) => {
                    let at = branch.keys.binary_search_by(|(known, _)| known.cmp(key));
                    let at = at.unwrap_or_else(|at| {
                        branch.keys.insert(at, (key.clone(), Branch::default()));
                        at
                    });
                    &mut branch.keys[at].1
                }
            };
        }
        *branch.slot.get_or_insert_with(|| {
            self.slots += 1;
            self.slots - 1
        })
    }

    /// The values at every path, by slot; several where a path has a `*`.
    pub(super) fn read<'a>(&self, params: &'a str) -> Vec<Vec<Found<'a>>> {
        let mut reading = Reading {
            found: vec![Vec::new(); self.slots],
            left: MAX_FOUND,
        };
        self.root.read(Found::There(params.trim()), &mut reading);
        reading.found
    }
}

/// What was found so far.
struct Reading<'a> {
    found: Vec<Vec<Found<'a>>>,
    /// How many more are kept.
    left: usize,
}

impl<'a> Reading<'a> {
    fn keep(&mut self, slot: usize, at: Found<'a>) {
        let found = &mut self.found[slot];
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                found.push(at);
            }
            // The others leave one doubt.
            None if matches!(found.last(), Some(Found::Unclear)) => {}
            None => found.push(Found::Unclear),
        }
    }
}

impl Branch {
    fn read<'a>(&self, at: Found<'a>, found: &mut Reading<'a>) {
        if let Some(slot) = self.slot {
            found.keep(slot, at);
        }
        if self.keys.is_empty() && self.every.is_none() {
            return;
        }
        match at {
            Found::There(text) if text.starts_with('{') => self.read_table(text, found),
            Found::There(text) if text.starts_with('[') => self.read_list(text, found),
            Found::There("null") | Found::Missing => self.all(Found::Missing, found),
            Found::There(_) | Found::Unclear => self.all(Found::Unclear, found),
        }
    }

    /// The same at every branch below.
    fn all<'a>(&self, at: Found<'a>, found: &mut Reading<'a>) {
        for (_, branch) in &self.keys {
            branch.read(at, found);
        }
        if let Some(every) = &self.every {
            every.read(at, found);
        }
    }

    fn read_table<'a>(&self, text: &'a str, found: &mut Reading<'a>) {
        let mut seen = vec![false; self.keys.len()];
        let read = json::entries::<serde_json::Error>(text, |key, value| {
            let at = self
                .keys
                .binary_search_by(|(known, _)| known.as_str().cmp(key));
            if let Ok(at) = at {
                seen[at] = true;
                self.keys[at].1.read(Found::There(value), found);
            }
            if let Some(every) = &self.every {
                every.read(Found::There(value), found);
            }
            Ok(())
        });
        // Parameters have passed the gate by now; what cannot be read is in doubt all the same.
        let rest = match read {
            Ok(()) => Found::Missing,
            Err(_) => Found::Unclear,
        };
        for ((_, branch), seen) in self.keys.iter().zip(seen) {
            if !seen || read.is_err() {
                branch.read(rest, found);
            }
        }
    }

    fn read_list<'a>(&self, text: &'a str, found: &mut Reading<'a>) {
        for (_, branch) in &self.keys {
            branch.read(Found::Unclear, found);
        }
        let Some(every) = &self.every else { return };
        let read = json::elements(text, |element| every.read(Found::There(element), found));
        if read.is_err() {
            every.read(Found::Unclear, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str, params: &str) -> Vec<String> {
        let steps = crate::policy::rule::steps(path).expect("a path");
        let mut paths = Paths::default();
        let slot = paths.slot(&steps);
        let found = paths.read(params);
        let values = found[slot].iter().map(|found| match found {
            Found::There(text) => (*text).to_owned(),
            other => format!("{other:?}"),
        });
        values.collect()
    }

    #[test]
    fn only_what_a_path_names_is_found() {
        for (path, params, expected) in [
            ("a", r#"{"a":1.50}"#, vec!["1.50"]),
            ("a.b", r#"{"a":{"b":[1, 2]}}"#, vec!["[1, 2]"]),
            ("a.b", r#"{"a":{"\u0062":"x"}}"#, vec!["\"x\""]),
            ("a.b", r#"{"a":{}}"#, vec!["Missing"]),
            ("a.b", r#"{"a":null}"#, vec!["Missing"]),
            ("a.b", "{}", vec!["Missing"]),
            ("a.b", r#"{"a":5}"#, vec!["Unclear"]),
            ("a.b", r#"{"a":[{"b":1}]}"#, vec!["Unclear"]),
            ("a.b", r#"{"a.b":1}"#, vec!["Missing"]),
            (
                "a.*.b",
                r#"{"a":[{"b":1},{},2]}"#,
                vec!["1", "Missing", "Unclear"],
            ),
            (
                "a.*.b",
                r#"{"a":{"x":{"b":1},"y":{"b":2}}}"#,
                vec!["1", "2"],
            ),
            ("a.*", r#"{"a":[]}"#, vec![]),
            ("a.*", r#"{"a":{}}"#, vec![]),
            ("a.*", r#"{"a":"text"}"#, vec!["Unclear"]),
            ("a.*", "{}", vec!["Missing"]),
        ] {
            assert_eq!(read(path, params), expected, "{path} {params}");
        }
    }

    #[test]
    fn what_is_kept_of_a_large_list_is_bounded() {
        let steps = crate::policy::rule::steps("a.*").expect("a path");
        let mut paths = Paths::default();
        let slot = paths.slot(&steps);
        let elements = |count: usize| vec!["1"; count].join(",");
        let list = format!("{{\"a\":[{}]}}", elements(MAX_FOUND + 2));
        let keys: Vec<_> = (0..MAX_FOUND + 2).map(|n| format!("\"k{n}\":1")).collect();
        let table = format!("{{\"a\":{{{}}}}}", keys.join(","));
        for params in [list, table] {
            let found = &paths.read(&params)[slot];
            assert_eq!(found.len(), MAX_FOUND + 1);
            assert!(matches!(found[MAX_FOUND], Found::Unclear));
        }
    }
}
