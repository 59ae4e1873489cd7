//! A line as a tree that borrows from it, within a bound of depth.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// How deep a line may nest.
pub(super) const MAX_DEPTH: usize = 64;
/// How the error of a deeper one begins.
pub(super) const TOO_DEEP: &str = "nests deeper";

/// A value of JSON.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree<'a> {
    Null,
    Bool(bool),
    I64(i64),
    U64(u64),
    F64(f64),
    Text(Cow<'a, str>),
    List(Vec<Tree<'a>>),
    Object(Vec<(Cow<'a, str>, Tree<'a>)>),
}

impl<'a> Tree<'a> {
    /// Reads a line. It must be UTF-8.
    pub(super) fn read(line: &'a str) -> Result<Self, serde_json::Error> {
        let mut reader = serde_json::Deserializer::from_str(line);
        reader.disable_recursion_limit(); // `Depth` bounds it
        let tree = Depth(MAX_DEPTH).deserialize(&mut reader)?;
        reader.end()?;
        Ok(tree)
    }

    /// The value at a path of keys with dots. A key with dots is tried first.
    pub(super) fn at(&self, path: &str) -> Option<&Self> {
        let Self::Object(fields) = self else {
            return None;
        };
        // The last of equal keys counts.
        let field = |key: &str| fields.iter().rev().find(|(name, _)| name == key);
        if let Some((_, value)) = field(path) {
            return Some(value);
        }
        let mut from = 0;
        while let Some(dot) = path[from..].find('.') {
            let dot = from + dot;
            if let Some((_, inner)) = field(&path[..dot])
                && let Some(found) = inner.at(&path[dot + 1..])
            {
                return Some(found);
            }
            from = dot + 1;
        }
        None
    }

    /// As compact JSON.
    pub(super) fn json(&self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::I64(value) => (*value).into(),
            Self::U64(value) => (*value).into(),
            Self::F64(value) => (*value).into(),
            Self::Text(text) => Value::String(text.clone().into_owned()),
            Self::List(all) => all.iter().map(Self::json).collect(),
            Self::Object(fields) => {
                let field =
                    |(key, value): &(Cow<'_, str>, Self)| (key.clone().into_owned(), value.json());
                Value::Object(fields.iter().map(field).collect())
            }
        }
    }
}

/// Reads a value that may nest so deep.
#[derive(Clone, Copy)]
struct Depth(usize);

impl<'a> DeserializeSeed<'a> for Depth {
    type Value = Tree<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Tree<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Depth {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.0 {
            0 => Err(E::custom(format!("{TOO_DEEP} than {MAX_DEPTH} levels"))),
            left => Ok(Self(left - 1)),
        }
    }
}

impl<'a> Visitor<'a> for Depth {
    type Value = Tree<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Tree<'a>, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree<'a>, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree<'a>, E> {
        Ok(Tree::I64(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree<'a>, E> {
        Ok(match i64::try_from(value) {
            Ok(value) => Tree::I64(value),
            Err(_) => Tree::U64(value),
        })
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree<'a>, E> {
        Ok(Tree::F64(value))
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Tree<'a>, E> {
        Ok(Tree::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Tree<'a>, E> {
        Ok(Tree::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<Tree<'a>, A::Error> {
        let inner = self.deeper::<A::Error>()?;
        let mut all = Vec::new();
        while let Some(value) = list.next_element_seed(inner)? {
            all.push(value);
        }
        Ok(Tree::List(all))
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Tree<'a>, A::Error> {
        let inner = self.deeper::<A::Error>()?;
        let mut fields = Vec::with_capacity(16);
        while let Some(key) = map.next_key_seed(Key)? {
            fields.push((key, map.next_value_seed(inner)?));
        }
        Ok(Tree::Object(fields))
    }
}

/// Reads a key, borrowed where it has no escapes.
struct Key;

impl<'a> DeserializeSeed<'a> for Key {
    type Value = Cow<'a, str>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Cow<'a, str>, D::Error> {
        match Depth(0).deserialize(deserializer)? {
            Tree::Text(text) => Ok(text),
            _ => Err(D::Error::custom("a key must be a string")),
        }
    }
}
