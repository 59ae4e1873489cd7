//! Looks over a document without building it, for what could be read in more than one way.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// What a document is.
pub(super) enum Canonical {
    /// An object whose keys ascend, and those of every object in it.
    Object,
    /// Another value, whose objects are like that.
    Other,
    /// Somewhere in it keys do not ascend.
    No,
}

impl<'de> Deserialize<'de> for Canonical {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Look)
    }
}

struct Look;

impl<'de> Visitor<'de> for Look {
    type Value = Canonical;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Canonical, E> {
        Ok(Canonical::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Canonical, E> {
        Ok(Canonical::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Canonical, E> {
        Ok(Canonical::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Canonical, E> {
        Ok(Canonical::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<Canonical, E> {
        Ok(Canonical::Other)
    }

    fn visit_unit<E>(self) -> Result<Canonical, E> {
        Ok(Canonical::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Canonical, A::Error> {
        let mut ascending = true;
        while let Some(element) = elements.next_element()? {
            ascending &= !matches!(element, Canonical::No);
        }
        Ok(if ascending {
            Canonical::Other
        } else {
            Canonical::No
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Canonical, A::Error> {
        let mut ascending = true;
        let mut last: Option<Cow<'de, str>> = None;
        while let Some(Key(key)) = entries.next_key()? {
            ascending &= last.is_none_or(|last| last < key);
            last = Some(key);
            ascending &= !matches!(entries.next_value()?, Canonical::No);
        }
        Ok(if ascending {
            Canonical::Object
        } else {
            Canonical::No
        })
    }
}

/// A key, borrowed from the document unless it has escapes.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Borrowed(key)))
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Owned(key.to_owned())))
    }
}
