//! Parses JSON text into a Lua value on the stack.

use std::ffi::c_int;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::stack::{HANDLE, Stack};
use super::{MAX_DEPTH, explain};

/// What a `null` in an object becomes. In an array it is always `json.null`, so that no index
/// moves.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Nulls {
    /// The key is left out.
    Absent,
    /// The key holds `json.null`.
    Kept,
}

/// How a document is read.
#[derive(Clone, Copy)]
struct Reading {
    nulls: Nulls,
    /// Whether an object with nothing but the name of a secret becomes a handle.
    handles: bool,
}

impl Reading {
    fn of(nulls: Nulls) -> Self {
        Self {
            nulls,
            handles: false,
        }
    }
}

/// How many elements or entries wait on the stack before they are put into a table of the right
/// size.
const BATCH: c_int = 16;

/// Decodes one JSON document, and pushes it. The error gives line and column.
///
/// 64-bit integers stay integers, and larger ones are an error. Numbers with a fraction or an
/// exponent become floats. A `null` document becomes nil. A byte order mark is skipped.
pub(crate) fn decode(stack: &mut Stack<'_>, text: &[u8], nulls: Nulls) -> Result<(), String> {
    let text = explain::without_mark(text);
    // If the whole text is UTF-8, the parser need not check each string. Otherwise the error has
    // its position.
    match std::str::from_utf8(text) {
        Ok(text) => decode_text(stack, text, nulls),
        Err(_) => {
            let parser = serde_json::Deserializer::from_slice(text);
            whole(stack, Reading::of(nulls), text, parser)
        }
    }
}

/// The same for text that is UTF-8 and has no byte order mark.
pub(crate) fn decode_text(stack: &mut Stack<'_>, text: &str, nulls: Nulls) -> Result<(), String> {
    let parser = serde_json::Deserializer::from_str(text);
    whole(stack, Reading::of(nulls), text.as_bytes(), parser)
}

/// The same for the result of an action: an object with nothing but the name of a secret becomes a handle.
pub(crate) fn decode_result(stack: &mut Stack<'_>, text: &str) -> Result<(), String> {
    let reading = Reading {
        nulls: Nulls::Absent,
        handles: text.contains(HANDLE),
    };
    let parser = serde_json::Deserializer::from_str(text);
    whole(stack, reading, text.as_bytes(), parser)
}

fn whole<'a>(
    stack: &mut Stack<'_>,
    reading: Reading,
    text: &[u8],
    parser: serde_json::Deserializer<impl serde_json::de::Read<'a>>,
) -> Result<(), String> {
    let top = stack.top();
    let read = document(stack, parser, reading);
    explain::exact(text, read).inspect_err(|_| stack.cut(top))
}

fn document<'a>(
    stack: &mut Stack<'_>,
    mut parser: serde_json::Deserializer<impl serde_json::de::Read<'a>>,
    reading: Reading,
) -> serde_json::Result<()> {
    // `Node` bounds the depth.
    parser.disable_recursion_limit();
    room(stack)?;
    let node = Node {
        stack,
        reading,
        null_is_nil: reading.nulls == Nulls::Absent,
        depth: 0,
    };
    node.deserialize(&mut parser)?;
    parser.end()
}

/// Reserves the stack slots for one level of a document.
fn room<E: Error>(stack: &mut Stack<'_>) -> Result<(), E> {
    if stack.reserve(2 * BATCH + 8) {
        Ok(())
    } else {
        Err(E::custom(
            "nests deeper than the stack of the script allows",
        ))
    }
}

/// Pushes one value.
struct Node<'a, 'b> {
    stack: &'a mut Stack<'b>,
    reading: Reading,
    /// Whether a `null` becomes nil at this position.
    null_is_nil: bool,
    depth: usize,
}

impl<'b> Node<'_, 'b> {
    fn enter<E: Error>(&mut self) -> Result<c_int, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom(format_args!("nests deeper than {MAX_DEPTH}")));
        }
        room(self.stack)?;
        // The slot for the table.
        self.stack.push_nil();
        Ok(self.stack.top())
    }

    fn inner(&mut self, null_is_nil: bool) -> Node<'_, 'b> {
        Node {
            stack: self.stack,
            reading: self.reading,
            null_is_nil,
            depth: self.depth + 1,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.stack.push_boolean(value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.stack.push_integer(value);
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => self.stack.push_integer(value),
            Err(_) => return self.visit_f64(value as f64),
        }
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        explain::note_float(value);
        self.stack.push_number(value);
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.stack.push_string(value);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        if self.null_is_nil {
            self.stack.push_nil();
        } else {
            self.stack.push_null();
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        let table = self.enter()?;
        let mut count = 0;
        while count < BATCH && elements.next_element_seed(self.inner(false))?.is_some() {
            count += 1;
        }
        self.stack.fill_list(table, count);
        if count == BATCH {
            let mut index = i64::from(count);
            while elements.next_element_seed(self.inner(false))?.is_some() {
                index += 1;
                self.stack.set_element(table, index);
            }
        }
        self.stack.mark_array(table);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        let table = self.enter()?;
        let mut count = 0;
        while count < BATCH && self.entry(&mut entries)? {
            count += 1;
        }
        let is_handle = self.reading.handles && count == 1 && self.stack.is_handle_entry(table + 1);
        self.stack.fill_object(table, count);
        if is_handle {
            self.stack.mark_handle(table);
        }
        if count == BATCH {
            while self.entry(&mut entries)? {
                self.stack.set_pair(table);
            }
        }
        Ok(())
    }
}

impl Node<'_, '_> {
    /// Pushes the next key and value of an object. Returns false after the last.
    fn entry<'de, A: MapAccess<'de>>(&mut self, entries: &mut A) -> Result<bool, A::Error> {
        if entries.next_key_seed(self.inner(false))?.is_none() {
            return Ok(false);
        }
        let null_is_nil = self.reading.nulls == Nulls::Absent;
        entries.next_value_seed(self.inner(null_is_nil))?;
        Ok(true)
    }
}
