//! JSON that came from elsewhere: parsed once, with a bound on its depth.

mod canonical;

use serde_json::Value;
use thiserror::Error;

use canonical::Canonical;

/// Levels of arrays and objects that a document may nest; the guest's own bound is the same.
pub(crate) const MAX_DEPTH: usize = 128;

/// Why a text is not a document that Kael takes.
#[derive(Debug, Error)]
pub(crate) enum JsonError {
    #[error("{0}")]
    Syntax(#[from] serde_json::Error),
    #[error("it nests deeper than {MAX_DEPTH}")]
    TooDeep,
    #[error("it is not UTF-8 (byte {0})")]
    NotText(usize),
}

/// Parses one document.
pub(crate) fn parse(text: &[u8]) -> Result<Value, JsonError> {
    deserialize(text)
}

/// Checks that some bytes are one document, without building it.
pub(crate) fn check(text: Vec<u8>) -> Result<String, JsonError> {
    // What is skipped over is not looked at byte by byte.
    let text = String::from_utf8(text)
        .map_err(|problem| JsonError::NotText(problem.utf8_error().valid_up_to()))?;
    deserialize::<serde::de::IgnoredAny>(text.as_bytes())?;
    Ok(text)
}

/// Whether a document is an object whose keys ascend at every level, and so has no key twice: nobody can read it in
/// another way than Kael does. Its numbers are in range.
pub(crate) fn is_canonical_object(text: &[u8]) -> Result<bool, JsonError> {
    Ok(matches!(deserialize(text)?, Canonical::Object))
}

fn deserialize<'a, T: serde::Deserialize<'a>>(text: &'a [u8]) -> Result<T, JsonError> {
    if brackets(text) > MAX_DEPTH && depth(text) > MAX_DEPTH {
        return Err(JsonError::TooDeep);
    }
    let mut parser = serde_json::Deserializer::from_slice(text);
    // serde_json's own limit is one level lower; the depth is known by now.
    parser.disable_recursion_limit();
    let value = T::deserialize(&mut parser)?;
    parser.end()?;
    Ok(value)
}

/// At least as many as the levels of a document, and quickly counted.
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
        assert!(check(format!("{}{}", "[".repeat(128), "]".repeat(128)).into()).is_ok());
        assert!(matches!(
            check("[".repeat(129).into()),
            Err(JsonError::TooDeep)
        ));
    }

    #[test]
    fn what_has_one_reading_is_canonical() {
        for text in [
            "{}",
            r#"{"a":1,"b":[{"a":1.5,"é":null},{"a":true}],"c":{}}"#,
            r#"{"\u0061":1,"b":2}"#,
        ] {
            assert!(
                is_canonical_object(text.as_bytes()).expect("valid"),
                "{text}"
            );
        }
        for text in [
            "[]",
            "1",
            r#"{"b":1,"a":2}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":[[{"x":1,"x":1}]]}"#,
        ] {
            assert!(
                !is_canonical_object(text.as_bytes()).expect("valid"),
                "{text}"
            );
        }
        assert!(is_canonical_object(br#"{"a":1e999}"#).is_err());
    }

    #[test]
    fn one_document_and_no_more() {
        assert!(check(b" [1] ".to_vec()).is_ok());
        for bad in [
            &b""[..],
            b"1 2",
            b"\xef\xbb\xbf1",
            b"nul",
            b"\"\xff\"",
            b"[1,]",
        ] {
            assert!(check(bad.to_vec()).is_err(), "{bad:?}");
        }
    }
}
