//! Reads JSON text into the values of filters.

use std::fmt;
use std::rc::Rc;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::value::{Object, Val};
use crate::convert::{MAX_DEPTH, explain};

/// Reads one document. Skips a byte order mark. An integer of more than 64 bits is an error.
pub(super) fn read_json(text: &[u8]) -> Result<Val, String> {
    let text = explain::without_mark(text);
    let mut parser = serde_json::Deserializer::from_slice(text);
    // `Node` bounds the depth.
    parser.disable_recursion_limit();
    let read = Node(0)
        .deserialize(&mut parser)
        .and_then(|value| parser.end().map(|()| value));
    explain::exact(text, read)
}

/// A value at this depth below the root.
struct Node(usize);

impl<'de> DeserializeSeed<'de> for Node {
    type Value = Val;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Val, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Node {
    fn inner<E: Error>(&self) -> Result<Self, E> {
        if self.0 == MAX_DEPTH {
            return Err(E::custom(format_args!("nests deeper than {MAX_DEPTH}")));
        }
        Ok(Self(self.0 + 1))
    }
}

impl<'de> Visitor<'de> for Node {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Val, E> {
        Ok(Val::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Val, E> {
        Ok(Val::Int(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Val, E> {
        match i64::try_from(value) {
            Ok(value) => Ok(Val::Int(value)),
            Err(_) => self.visit_f64(value as f64),
        }
    }

    fn visit_f64<E>(self, value: f64) -> Result<Val, E> {
        explain::note_float(value);
        Ok(Val::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Val, E> {
        Ok(Val::from(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Val, E> {
        Ok(Val::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Val, A::Error> {
        let mut list = Vec::new();
        loop {
            match elements.next_element_seed(self.inner()?)? {
                Some(element) => list.push(element),
                None => return Ok(list.into_iter().collect()),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Val, A::Error> {
        let mut object = Object::default();
        while let Some(key) = entries.next_key::<String>()? {
            object.insert(Rc::new(key), entries.next_value_seed(self.inner()?)?);
        }
        Ok(Val::Object(Rc::new(object)))
    }
}
