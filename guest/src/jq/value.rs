//! The values of filters.
//!
//! jaq-json's values do not fit: its integers are as wide as a pointer, which has 32 bits here; its
//! values nest without bound, so comparing or dropping one overflows the stack; and its order of
//! numbers is not total. These values have what Lua and JSON have, and every list and object knows
//! its depth.

mod jaq;
mod write_json;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use jaq_core::{Error, Exn, ValR};

use super::number::Number;
use crate::convert::MAX_DEPTH;
pub(super) use write_json::write_json;

/// A value. Objects are sorted by key, because Lua's tables have no order.
#[derive(Clone, Debug, Default)]
pub(super) enum Val {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Rc<String>),
    List(Rc<List>),
    Object(Rc<Object>),
}

/// The elements of a list, and an upper bound of its depth.
#[derive(Clone, Debug, Default)]
pub(super) struct List {
    items: Vec<Val>,
    levels: usize,
}

/// The entries of an object.
#[derive(Clone, Debug, Default)]
pub(super) struct Object {
    entries: BTreeMap<Rc<String>, Val>,
    levels: usize,
}

thread_local! {
    /// Set when a value would nest too deep where no error can be returned. Ends the evaluation.
    static TOO_DEEP: Cell<bool> = const { Cell::new(false) };
}

/// Takes the mark of a value that nests too deep.
pub(super) fn take_too_deep() -> bool {
    TOO_DEEP.take()
}

/// Whether the mark is set.
pub(super) fn is_too_deep() -> bool {
    TOO_DEEP.get()
}

/// The value as a child. Null with the mark set if it would nest too deep.
fn child(value: Val) -> Val {
    if value.levels() < MAX_DEPTH {
        return value;
    }
    TOO_DEEP.set(true);
    Val::Null
}

impl List {
    pub(super) fn items(&self) -> &[Val] {
        &self.items
    }

    fn put(&mut self, index: usize, value: Val) {
        let value = child(value);
        self.levels = self.levels.max(1 + value.levels());
        self.items[index] = value;
    }

    pub(super) fn extend(&mut self, more: &Self) {
        self.items.extend(more.items.iter().cloned());
        self.levels = self.levels.max(more.levels);
    }

    pub(super) fn retain(&mut self, keep: impl FnMut(&Val) -> bool) {
        self.items.retain(keep);
    }
}

impl FromIterator<Val> for List {
    fn from_iter<I: IntoIterator<Item = Val>>(items: I) -> Self {
        let mut levels = 1;
        let count = |item: Val| {
            let item = child(item);
            levels = levels.max(1 + item.levels());
            item
        };
        let items = items.into_iter().map(count).collect();
        Self { items, levels }
    }
}

impl Object {
    pub(super) fn entries(&self) -> &BTreeMap<Rc<String>, Val> {
        &self.entries
    }

    fn get(&self, key: &str) -> Option<&Val> {
        // The map's keys are shared `String`s, so the lookup needs a `String`.
        let key = key.to_owned();
        self.entries.get(&key)
    }

    pub(super) fn insert(&mut self, key: Rc<String>, value: Val) {
        let value = child(value);
        self.levels = self.levels.max(1 + value.levels());
        self.entries.insert(key, value);
    }

    pub(super) fn extend(&mut self, more: &Self) {
        let pairs = more.entries.iter();
        self.entries
            .extend(pairs.map(|(key, value)| (key.clone(), value.clone())));
        self.levels = self.levels.max(more.levels);
    }

    /// Also merges nested objects.
    pub(super) fn merge(&mut self, more: &Self) {
        for (key, value) in &more.entries {
            match (self.entries.get_mut(key), value) {
                (Some(Val::Object(own)), Val::Object(other)) => Rc::make_mut(own).merge(other),
                _ => {
                    self.entries.insert(key.clone(), value.clone());
                }
            }
        }
        self.levels = self.levels.max(more.levels);
    }
}

impl Val {
    fn levels(&self) -> usize {
        match self {
            Self::List(list) => list.levels.max(1),
            Self::Object(object) => object.levels.max(1),
            _ => 0,
        }
    }

    pub(super) fn number(&self) -> Option<Number> {
        match self {
            Self::Int(int) => Some(Number::Int(*int)),
            Self::Float(float) => Some(Number::Float(*float)),
            _ => None,
        }
    }

    fn object(entries: Object) -> Self {
        Self::Object(Rc::new(entries))
    }

    pub(super) fn list(self) -> Result<Rc<List>, Error<Self>> {
        match self {
            Self::List(list) => Ok(list),
            other => Err(Error::typ(other, "array")),
        }
    }

    /// The value at an index or key. Fails if the value has neither.
    pub(super) fn find(&self, index: &Self) -> ValR<Option<Self>, Self> {
        use jaq_core::ValT as _;
        Ok(match (self, index) {
            (Self::Null, Self::Null | Self::Int(_) | Self::Float(_) | Self::Text(_)) => None,
            (Self::Object(object), Self::Text(key)) => object.entries.get(key).cloned(),
            (Self::List(list), Self::Int(_) | Self::Float(_)) => {
                let at = index.number().and_then(Number::whole);
                at.and_then(|at| position(at, list.items.len()))
                    .and_then(|at| list.items.get(at).cloned())
            }
            (Self::List(list), Self::List(part)) => Some(indices(&list.items, &part.items)),
            (Self::Null | Self::List(_) | Self::Text(_), Self::Object(bounds)) => {
                let bound = |name: &str| bounds.get(name);
                Some(self.clone().range(bound("start")..bound("end"))?)
            }
            _ => return Err(Error::index(self.clone(), index.clone())),
        })
    }
}

/// An index from the start. A negative one counts from the end.
fn position(at: i64, length: usize) -> Option<usize> {
    if at >= 0 {
        return usize::try_from(at).ok();
    }
    length.checked_sub(usize::try_from(at.unsigned_abs()).ok()?)
}

/// The positions at which `part` occurs in `items`.
pub(super) fn indices(items: &[Val], part: &[Val]) -> Val {
    if part.is_empty() {
        return Val::Null;
    }
    let starts = items.windows(part.len()).enumerate();
    let hits = starts.filter(|(_, window)| *window == part);
    hits.map(|(at, _)| Val::from(at)).collect()
}

fn unshared<T: Clone>(shared: Rc<T>) -> T {
    Rc::try_unwrap(shared).unwrap_or_else(|shared| (*shared).clone())
}

/// For messages: shortens long values.
impl fmt::Display for Val {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            // A string may be as large as the memory, so only its start is copied.
            Self::Text(text) if text.len() > 200 => {
                let start: String = text.chars().take(60).collect();
                return write!(f, "{start:?}...");
            }
            Self::List(list) if list.items.len() > 60 => {
                return write!(f, "an array of {} elements", list.items.len());
            }
            Self::Object(object) if object.entries.len() > 60 => {
                return write!(f, "an object of {} entries", object.entries.len());
            }
            value => write_json(value),
        };
        let text = String::from_utf8_lossy(&text);
        match text.char_indices().nth(60) {
            Some((cut, _)) => write!(f, "{}...", &text[..cut]),
            None => f.write_str(&text),
        }
    }
}

/// The text of an error in messages and in `catch`.
pub(super) fn message(error: Error<Val>) -> String {
    match error.into_val() {
        Val::Text(text) => unshared(text),
        other => other.to_string(),
    }
}

/// The text of an exception that leaves the filter.
pub(super) fn failure(exception: Exn<'_, Val>) -> String {
    match exception.get_err() {
        Ok(error) => message(error),
        Err(_) => "the filter left a label that is not around it".to_owned(),
    }
}
