//! JSON text to a Lua value, built while it is parsed.

use std::fmt;

use mlua::Value;
use mlua::prelude::*;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Arrays, MAX_DEPTH};

/// What a `null` inside an object becomes. In an array it is always `json.null`, so that no index moves.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Nulls {
    /// The key is left out.
    Absent,
    /// The key holds `json.null`.
    Kept,
}

/// Decodes one JSON document; an error says what is wrong and where, by line and column.
///
/// Integers of 64 bits stay integers, numbers with a fraction or an exponent are floats. A `null` document is nil.
pub(crate) fn decode(
    lua: &Lua,
    arrays: &Arrays,
    text: &[u8],
    nulls: Nulls,
) -> Result<Value, String> {
    let mut parser = serde_json::Deserializer::from_slice(text);
    // `Node` has a limit of its own.
    parser.disable_recursion_limit();
    let node = Node {
        lua,
        arrays,
        nulls,
        depth: 0,
    };
    let value = node
        .deserialize(&mut parser)
        .map_err(|problem| problem.to_string())?;
    parser.end().map_err(|problem| problem.to_string())?;
    Ok(match value {
        value if value == Value::NULL && nulls == Nulls::Absent => Value::Nil,
        value => value,
    })
}

#[derive(Clone, Copy)]
struct Node<'a> {
    lua: &'a Lua,
    arrays: &'a Arrays,
    nulls: Nulls,
    depth: usize,
}

impl Node<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom(format_args!("nests deeper than {MAX_DEPTH}")));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        // Past 2^63-1 Lua itself reads a decimal number as a float.
        Ok(i64::try_from(value).map_or(Value::Number(value as f64), Value::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.lua
            .create_string(value)
            .map(Value::String)
            .map_err(E::custom)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::NULL)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let table = self.lua.create_table().map_err(A::Error::custom)?;
        let mut index = 0_i64;
        while let Some(value) = elements.next_element_seed(inner)? {
            index += 1;
            table.raw_set(index, value).map_err(A::Error::custom)?;
        }
        self.arrays.mark(&table).map_err(A::Error::custom)?;
        Ok(Value::Table(table))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let table = self.lua.create_table().map_err(A::Error::custom)?;
        while let Some(key) = entries.next_key_seed(inner)? {
            let value = entries.next_value_seed(inner)?;
            // The last of two equal keys holds, also when it is null.
            let value = if value == Value::NULL && self.nulls == Nulls::Absent {
                Value::Nil
            } else {
                value
            };
            table.raw_set(key, value).map_err(A::Error::custom)?;
        }
        Ok(Value::Table(table))
    }
}
