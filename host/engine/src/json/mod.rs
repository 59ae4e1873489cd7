//! Checks JSON from outside for its bytes, depth and number of values, and keeps it as text where
//! possible.
//!
//! Parsed values take many times the memory of their text. So a document that only passes through
//! is checked and never parsed into values.

mod last;
mod misread;
mod rounded;
mod spawn;
mod turns;

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use thiserror::Error;

pub(crate) use last::last;
pub use misread::Misread;
pub use spawn::{aside, beside, is_large};

/// How deep arrays and objects may nest. The guest has the same bound.
pub const MAX_DEPTH: usize = 128;

/// How many values a document may have, keys included. In Lua each takes at least 16 bytes, however
/// short its text.
pub const MAX_VALUES: usize = 4 << 20;

/// How many values a document may have that Kael parses into a tree.
pub const MAX_TREE: usize = 100_000;

/// Why Kael refuses a document.
#[derive(Debug, Error)]
pub enum JsonError {
    /// It is no JSON.
    #[error("{0}")]
    Syntax(Misread),
    /// It nests too deeply.
    #[error("it nests deeper than {MAX_DEPTH}")]
    TooDeep,
    /// It has too many values.
    #[error("it holds more than {MAX_VALUES} values")]
    TooMany,
    /// It is not UTF-8, from this byte on.
    #[error("it is not UTF-8 (byte {0})")]
    NotText(usize),
    #[error("it is UTF-16, and JSON is UTF-8")]
    /// It is UTF-16.
    Utf16,
    #[error("{0}")]
    /// It has an integer that would be rounded.
    Rounded(Misread),
}

impl JsonError {
    /// The same error for a text that begins so many lines into its file.
    pub(crate) fn below(self, lines: usize) -> Self {
        match self {
            Self::Syntax(misread) => Self::Syntax(misread.below(lines)),
            Self::Rounded(misread) => Self::Rounded(misread.below(lines)),
            other => other,
        }
    }
}

/// The text without a leading byte order mark, which some programs write.
pub fn unmarked(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Parses a document into a tree. Only for small documents, and those of the team or the operator:
/// a tree takes up to a hundred times the memory of its text.
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    if nests_too_deep(text) {
        return Err(JsonError::TooDeep);
    }
    let mut parser = serde_json::Deserializer::from_slice(text);
    // serde_json's own limit is one level lower. The depth was checked above.
    parser.disable_recursion_limit();
    let misread = |error| JsonError::Syntax(Misread::new(&String::from_utf8_lossy(text), &error));
    let value = serde::Deserialize::deserialize(&mut parser).map_err(misread)?;
    parser.end().map_err(misread)?;
    Ok(value)
}

/// What a check learns about a document.
pub struct Look {
    /// Whether the keys of every object ascend. Then no key is there twice, and every parser reads
    /// the same document.
    pub canonical: bool,
    /// How many values it holds, keys included.
    pub values: usize,
}

/// Checks that a text is one document that the guest can take. Looks at every number and string,
/// and keeps none.
pub fn check(text: &str) -> Result<Look, JsonError> {
    if nests_too_deep(text.as_bytes()) {
        return Err(JsonError::TooDeep);
    }
    let (left, ascending, large) = (Cell::new(MAX_VALUES), Cell::new(true), Cell::new(false));
    let mut parser = serde_json::Deserializer::from_str(text);
    parser.disable_recursion_limit();
    let value = CheckedSeed {
        left: &left,
        ascending: &ascending,
        large: &large,
    };
    let checked = value.deserialize(&mut parser).and_then(|()| parser.end());
    checked.map_err(|error| match left.get() {
        0 => JsonError::TooMany,
        _ => JsonError::Syntax(Misread::new(text, &error)),
    })?;
    if large.get()
        && let Some((at, length)) = rounded::first(text)
    {
        return Err(JsonError::Rounded(Misread::rounded(text, at, length)));
    }
    Ok(Look {
        canonical: ascending.get(),
        values: MAX_VALUES - left.get(),
    })
}

/// The bytes as text without a byte order mark. Fails if they are not UTF-8.
pub fn text(bytes: Vec<u8>) -> Result<String, JsonError> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(JsonError::Utf16);
    }
    let mut text = String::from_utf8(bytes)
        .map_err(|error| JsonError::NotText(error.utf8_error().valid_up_to()))?;
    if text.starts_with('\u{feff}') {
        text.drain(..'\u{feff}'.len_utf8());
    }
    Ok(text)
}

/// Counts any value.
#[derive(Clone, Copy)]
struct CheckedSeed<'a> {
    left: &'a Cell<usize>,
    ascending: &'a Cell<bool>,
    /// Set when a number may be an integer of more than 64 bits.
    large: &'a Cell<bool>,
}

impl CheckedSeed<'_> {
    fn count<E: serde::de::Error>(self) -> Result<(), E> {
        match self.left.get() {
            0 | 1 => {
                self.left.set(0);
                Err(E::custom("too many values"))
            }
            left => {
                self.left.set(left - 1);
                Ok(())
            }
        }
    }
}

impl<'de> DeserializeSeed<'de> for CheckedSeed<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, parser: D) -> Result<(), D::Error> {
        parser.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CheckedSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.count()
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.count()
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<(), E> {
        if i64::try_from(number).is_err() {
            self.large.set(true);
        }
        self.count()
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<(), E> {
        if number.abs() >= i64::MAX as f64 {
            self.large.set(true);
        }
        self.count()
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        self.count()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.count()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        self.count()?;
        while elements.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.count()?;
        let mut last: Option<Cow<'de, str>> = None;
        while let Some(Key(key)) = entries.next_key()? {
            self.count()?;
            if last.is_some_and(|last| last >= key) {
                self.ascending.set(false);
            }
            last = Some(key);
            entries.next_value_seed(self)?;
        }
        Ok(())
    }
}

/// A key. It is borrowed from the document unless it has escapes.
struct Key<'de>(Cow<'de, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, key: &'de str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Borrowed(key)))
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Owned(key.to_owned())))
    }
}

/// Visits the entries of an object in order, with each value as its text.
pub fn entries<'a, E>(
    object: &'a str,
    mut look: impl FnMut(&str, &'a str) -> Result<(), E>,
) -> Result<(), E>
where
    E: From<serde_json::Error>,
{
    struct Entries<'f, F>(&'f mut F);
    impl<'de, F, E> Visitor<'de> for Entries<'_, F>
    where
        F: FnMut(&str, &'de str) -> Result<(), E>,
    {
        type Value = Result<(), E>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            while let Some(key) = entries.next_key::<String>()? {
                let value: &serde_json::value::RawValue = entries.next_value()?;
                if let Err(error) = (self.0)(&key, value.get()) {
                    // Reads the rest of the entries, because otherwise the parser would miss the
                    // end of the object.
                    while entries
                        .next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?
                        .is_some()
                    {}
                    return Ok(Err(error));
                }
            }
            Ok(Ok(()))
        }

        fn visit_unit<X: serde::de::Error>(self) -> Result<Self::Value, X> {
            Err(X::custom("expected an object"))
        }
    }
    let mut parser = serde_json::Deserializer::from_str(object);
    parser.disable_recursion_limit();
    parser
        .deserialize_map(Entries(&mut look))
        .map_err(|error| E::from(serde_json::Error::custom(error)))?
}

/// Visits the elements of an array in order, each as its text.
pub fn elements<'a>(array: &'a str, look: impl FnMut(&'a str)) -> Result<(), serde_json::Error> {
    struct Elements<F>(F);
    impl<'de, F: FnMut(&'de str)> Visitor<'de> for Elements<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
            while let Some(element) = elements.next_element::<&serde_json::value::RawValue>()? {
                (self.0)(element.get());
            }
            Ok(())
        }
    }
    let mut parser = serde_json::Deserializer::from_str(array);
    parser.disable_recursion_limit();
    serde::Deserializer::deserialize_seq(&mut parser, Elements(look))
}

/// Whether a text nests too deep. Counts levels only if it has enough brackets.
fn nests_too_deep(text: &[u8]) -> bool {
    text.len() > MAX_DEPTH && brackets(text) > MAX_DEPTH && depth(text) > MAX_DEPTH
}

/// The number of opening brackets: at least the depth, and fast to count.
fn brackets(text: &[u8]) -> usize {
    text.iter()
        .filter(|byte| matches!(byte, b'[' | b'{'))
        .count()
}

/// The deepest nesting of brackets outside strings; exact for valid documents.
fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_strings() {
        assert_eq!(depth(br#"{"a[[[":["\"[",{}]}"#), 3);
        assert!(check(&format!("{}{}", "[".repeat(128), "]".repeat(128))).is_ok());
        assert!(matches!(check(&"[".repeat(129)), Err(JsonError::TooDeep)));
    }

    #[test]
    fn what_has_one_reading_is_canonical() {
        for (text, expected) in [
            ("{}", true),
            (
                r#"{"a":1,"b":[{"a":1.5,"é":null},{"a":true}],"c":{}}"#,
                true,
            ),
            (r#"{"\u0061":1,"b":2}"#, true),
            (r#"{"b":1,"a":2}"#, false),
            (r#"{"a":1,"a":2}"#, false),
            (r#"{"a":1,"\u0061":2}"#, false),
            (r#"{"a":[[{"x":1,"x":1}]]}"#, false),
        ] {
            let look = check(text).expect("valid");
            assert_eq!(look.canonical, expected, "{text}");
        }
        assert_eq!(check(r#"{"a":[1,{}]}"#).expect("valid").values, 5);
    }

    #[test]
    fn one_document_and_no_more() {
        assert!(check(" [1] ").is_ok());
        for bad in [
            "",
            "1 2",
            "\u{feff}1",
            "nul",
            "[1,]",
            "[1e999]",
            r#"["\ud800"]"#,
            r#"{"\udc00":1}"#,
            "-1e400",
        ] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
        assert!(matches!(
            text(b"\"\xff\"".to_vec()),
            Err(JsonError::NotText(1))
        ));
    }

    #[test]
    fn values_are_counted() {
        let list = |n: usize| format!("[{}0]", "0,".repeat(n - 2));
        assert!(check(&list(MAX_VALUES - 1)).is_ok());
        assert!(matches!(
            check(&list(MAX_VALUES + 1)),
            Err(JsonError::TooMany)
        ));
    }

    #[test]
    fn entries_come_in_order_as_text() {
        let mut seen = Vec::new();
        let looked = entries::<serde_json::Error>(
            r#"{"b":[1, 2],"a\n":{"x":1.50},"b":null}"#,
            |key, value| {
                seen.push(format!("{key}={value}"));
                Ok(())
            },
        );
        assert!(looked.is_ok());
        assert_eq!(seen, ["b=[1, 2]", "a\n={\"x\":1.50}", "b=null"]);
        assert!(entries::<serde_json::Error>("[1]", |_, _| Ok(())).is_err());
    }
}
