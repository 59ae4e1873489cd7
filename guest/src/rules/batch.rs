//! The events that the host handed over, and the one that is being evaluated.
//!
//! All numbers are little-endian. A batch is the number of its events (u32, and 4 bytes of
//! padding), then the events. An event is
//!
//! - its length in bytes (u32, a multiple of 8), its type (u32), its number (u64), its time in
//!   nanoseconds (i64), the numbers of slots and of fields (u16 each), 4 bytes of padding;
//! - for each slot, the place of its field among the fields, from 1, or 0 (u16), padded to 8;
//! - its fields: a tag (u32), a length (u32), and a value or the place of a text in the event (u64);
//! - the texts.
//!
//! The host made it, so a place beyond the end is a mistake of Kael's, and traps.

use std::rc::Rc;

/// The value of a field. Texts are given by their place in the batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    I64(i64),
    U64(u64),
    Bool(bool),
    F64(f64),
    String(Text),
    Bytes(Text),
    /// A list, as JSON text.
    Array(Text),
}

/// Where a text begins and ends in a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Text {
    start: usize,
    end: usize,
}

impl Text {
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start..self.end]
    }
}

/// Events, and a place among them.
#[derive(Default)]
pub(crate) struct Batch {
    bytes: Rc<Vec<u8>>,
    left: u32,
    /// Where the current event begins; 0 before the first.
    event: usize,
    /// How many events have begun.
    pub(crate) begun: u32,
}

impl Batch {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let mut batch = Self {
            bytes: Rc::new(bytes),
            ..Self::default()
        };
        batch.left = batch.u32_at(0);
        batch
    }

    /// The bytes of all events. They are held while Lua copies a text, which may run a finaliser of
    /// the rule, which may ask for fields, too.
    pub(crate) fn bytes(&self) -> Rc<Vec<u8>> {
        self.bytes.clone()
    }

    /// How many events are still to come.
    pub(crate) fn left(&self) -> u32 {
        self.left
    }

    /// Goes to the next event. Returns its number and its time.
    pub(crate) fn next(&mut self) -> Option<(u64, i64)> {
        if self.left == 0 {
            self.event = 0;
            return None;
        }
        self.left -= 1;
        self.begun += 1;
        self.event = match self.event {
            0 => 8,
            at => at + self.u32_at(at) as usize,
        };
        Some((
            self.u64_at(self.event + 8),
            self.u64_at(self.event + 16).cast_signed(),
        ))
    }

    /// The value of a slot in the current event.
    pub(crate) fn value(&self, slot: u16) -> Option<Value> {
        if self.event == 0 {
            return None;
        }
        let slots = self.u16_at(self.event + 24);
        if slot >= slots {
            return None;
        }
        let index = self.event + 32;
        let field = usize::from(self.u16_at(index + 2 * usize::from(slot))).checked_sub(1)?;
        let fields = index + (2 * usize::from(slots)).next_multiple_of(8);
        let field = fields + 16 * field;
        let length = self.u32_at(field + 4) as usize;
        let bits = self.u64_at(field + 8);
        let text = || {
            let start = self.event + bits as usize;
            Text {
                start,
                end: start + length,
            }
        };
        Some(match self.u32_at(field) {
            1 => Value::I64(bits.cast_signed()),
            2 => Value::U64(bits),
            3 => Value::Bool(bits != 0),
            4 => Value::F64(f64::from_bits(bits)),
            5 => Value::String(text()),
            6 => Value::Bytes(text()),
            7 => Value::Array(text()),
            _ => return None,
        })
    }

    fn u16_at(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.array(at))
    }

    fn u32_at(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.array(at))
    }

    fn u64_at(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.array(at))
    }

    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let bytes = self.bytes.get(at..).and_then(|bytes| bytes.first_chunk());
        *bytes.expect("the host made the batch")
    }
}
