//! The values that filters run over.
//!
//! Not those of jaq-json: its integers are as wide as a pointer, which is 32 bits in here, its values may nest without
//! end, so that comparing or dropping one overflows the stack, and its order of numbers is none that sorting could rely
//! on. These are what Lua and JSON have, and every list and object knows how many levels it nests.

mod jaq;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use jaq_core::{Error, Exn, ValR};

use super::number::Number;
use super::text;
use crate::convert::MAX_DEPTH;

/// A value. Objects are sorted by their keys, as tables of Lua have no order.
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

/// The elements of a list, and at most so many levels of lists and objects, itself included.
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
    /// Set when a value would have nested deeper than it may, where no error could be returned: the evaluation is over.
    static TOO_DEEP: Cell<bool> = const { Cell::new(false) };
}

/// Takes the mark that a value would have nested too deep.
pub(super) fn take_too_deep() -> bool {
    TOO_DEEP.take()
}

/// Whether there is such a mark.
pub(super) fn is_too_deep() -> bool {
    TOO_DEEP.get()
}

/// The value as a child on this level, if it may be one.
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
        // The map is asked for a `String`, which is what its keys share.
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

    /// Merges objects within objects, too.
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

    /// What stands at an index or under a key, where the value can have one.
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

/// An index from the start, or from the end when it is negative.
fn position(at: i64, length: usize) -> Option<usize> {
    if at >= 0 {
        return usize::try_from(at).ok();
    }
    length.checked_sub(usize::try_from(at.unsigned_abs()).ok()?)
}

/// Where the elements of `part` begin, one after the other.
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

/// For messages: a long value is cut.
impl fmt::Display for Val {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            // Their text may be as large as the memory; what is shown is the start.
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
            value => text::write(value),
        };
        let text = String::from_utf8_lossy(&text);
        match text.char_indices().nth(60) {
            Some((cut, _)) => write!(f, "{}...", &text[..cut]),
            None => f.write_str(&text),
        }
    }
}

/// What errors and `catch` say, and nothing else.
pub(super) fn message(error: Error<Val>) -> String {
    match error.into_val() {
        Val::Text(text) => unshared(text),
        other => other.to_string(),
    }
}

/// What an exception is to a caller outside: an error, or nothing that a filter may do here.
pub(super) fn failure(exception: Exn<'_, Val>) -> String {
    match exception.get_err() {
        Ok(error) => message(error),
        Err(_) => "the filter left a label that is not around it".to_owned(),
    }
}
