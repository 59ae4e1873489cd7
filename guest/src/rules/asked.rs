//! What the natives of a rule answer from: its batch of events, its schema and its patterns.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::batch::{Batch, Value};
use super::glob::Glob;
use super::pattern::Pattern;

/// What the rule of this instance asks about.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) batch: Batch,
    /// The handle of the current event; 0 where there is none.
    pub(super) handle: u32,
    /// The time of the current or the last event, in nanoseconds.
    pub(super) now: i64,
    /// By id, for small ids: the slot plus one.
    slots: Vec<u16>,
    /// The slots of large ids.
    more_slots: BTreeMap<u32, u16>,
    pub(super) paths: BTreeMap<String, u32>,
    pub(super) patterns: Vec<Pattern>,
    pub(super) globs: Vec<Glob>,
    /// A byte for each event and function: 0 no match, 1 a match, 2 an error; 4 more if it emitted.
    pub(super) verdicts: Vec<u8>,
    /// Texts beside the verdicts: an event, a kind and the text.
    pub(super) texts: Vec<(u32, u8, Vec<u8>)>,
    pub(super) functions: usize,
    /// How often a field was asked for that the schema lacks.
    pub(super) unknown: u64,
}

/// Ids below this have their slots in a list.
const SMALL: u32 = 1 << 16;

thread_local! {
    static ASKED: RefCell<Asked> = RefCell::default();
}

/// Reads or changes what the natives answer from. No Lua code runs meanwhile.
pub(super) fn with<T>(use_it: impl FnOnce(&mut Asked) -> T) -> T {
    ASKED.with_borrow_mut(use_it)
}

impl Asked {
    /// The fields that a schema has, by their slots.
    pub(super) fn set_fields(&mut self, fields: impl Iterator<Item = (u32, String)>) {
        for (slot, (id, path)) in fields.enumerate() {
            let slot = slot as u16 + 1;
            if id < SMALL {
                let at = id as usize;
                if self.slots.len() <= at {
                    self.slots.resize(at + 1, 0);
                }
                self.slots[at] = slot;
            } else {
                self.more_slots.insert(id, slot);
            }
            self.paths.insert(path, id);
        }
    }

    pub(super) fn set_patterns(&mut self, patterns: Vec<Pattern>, globs: Vec<Glob>) {
        (self.patterns, self.globs) = (patterns, globs);
    }

    pub(super) fn value(&mut self, id: u32) -> Option<Value> {
        let slot = match self.slots.get(id as usize) {
            Some(slot) => *slot,
            None => self.more_slots.get(&id).copied().unwrap_or(0),
        };
        match slot.checked_sub(1) {
            Some(slot) => self.batch.value(slot),
            None => {
                self.unknown += 1;
                None
            }
        }
    }
}
