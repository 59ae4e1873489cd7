//! Values of a line as values of a field: what fits, and what `coerce` converts.

use kael_engine::sandbox::FieldValue;

use super::tree::Tree;
use crate::schema::FieldType;

/// The value for a field of that type; none where it has another type.
pub(super) fn typed(tree: &Tree<'_>, kind: FieldType, coerce: bool) -> Option<FieldValue> {
    let exact = match (kind, tree) {
        (FieldType::I64, Tree::I64(value)) => Some(FieldValue::I64(*value)),
        (FieldType::U64, Tree::I64(value)) => u64::try_from(*value).ok().map(FieldValue::U64),
        (FieldType::U64, Tree::U64(value)) => Some(FieldValue::U64(*value)),
        (FieldType::F64, Tree::F64(value)) => Some(FieldValue::F64(*value)),
        (FieldType::F64, Tree::I64(value)) => Some(FieldValue::F64(*value as f64)),
        (FieldType::F64, Tree::U64(value)) => Some(FieldValue::F64(*value as f64)),
        (FieldType::Bool, Tree::Bool(value)) => Some(FieldValue::Bool(*value)),
        (FieldType::String, Tree::Text(text)) => Some(FieldValue::String(text.to_string())),
        (FieldType::Bytes, Tree::Text(text)) => Some(FieldValue::Bytes(text.as_bytes().to_vec())),
        (FieldType::Array, Tree::List(_)) => Some(FieldValue::Array(tree.json().to_string())),
        _ => None,
    };
    if exact.is_some() || !coerce {
        return exact;
    }
    match (kind, tree) {
        (FieldType::I64, Tree::Text(text)) => integer(text).map(FieldValue::I64),
        (FieldType::U64, Tree::Text(text)) => unsigned(text).map(FieldValue::U64),
        (FieldType::I64, Tree::F64(value)) => whole(*value).map(FieldValue::I64),
        (FieldType::U64, Tree::F64(value)) => {
            let value = whole(*value)?;
            u64::try_from(value).ok().map(FieldValue::U64)
        }
        (FieldType::F64, Tree::Text(text)) => {
            let value: f64 = text.trim().parse().ok()?;
            value.is_finite().then_some(FieldValue::F64(value))
        }
        (FieldType::Bool, Tree::Text(text)) => match text.trim() {
            text if text.eq_ignore_ascii_case("true") => Some(FieldValue::Bool(true)),
            text if text.eq_ignore_ascii_case("false") => Some(FieldValue::Bool(false)),
            _ => None,
        },
        (FieldType::String, Tree::I64(value)) => Some(FieldValue::String(value.to_string())),
        (FieldType::String, Tree::U64(value)) => Some(FieldValue::String(value.to_string())),
        (FieldType::String, Tree::F64(_)) => Some(FieldValue::String(tree.json().to_string())),
        _ => None,
    }
}

fn hexadecimal(text: &str) -> Option<u64> {
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))?;
    u64::from_str_radix(digits, 16).ok()
}

fn integer(text: &str) -> Option<i64> {
    let text = text.trim();
    match hexadecimal(text) {
        Some(value) => i64::try_from(value).ok(),
        None => text.parse().ok(),
    }
}

fn unsigned(text: &str) -> Option<u64> {
    let text = text.trim();
    hexadecimal(text).or_else(|| text.parse().ok())
}

/// A float without a fraction that stands for exactly one integer.
fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0).then_some(value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str, kind: FieldType, coerce: bool) -> Option<FieldValue> {
        typed(&Tree::read(json).expect(json), kind, coerce)
    }

    #[test]
    fn only_coercion_changes_a_type() {
        use FieldType::{Array, Bool, F64, I64, String, U64};
        let text = |text: &str| Some(FieldValue::String(text.into()));
        for (json, kind, plain, coerced) in [
            ("5", I64, Some(FieldValue::I64(5)), Some(FieldValue::I64(5))),
            ("-5", U64, None, None),
            ("18446744073709551615", I64, None, None),
            (
                "18446744073709551615",
                U64,
                Some(FieldValue::U64(u64::MAX)),
                Some(FieldValue::U64(u64::MAX)),
            ),
            ("18446744073709551616", U64, None, None),
            ("1.0", I64, None, Some(FieldValue::I64(1))),
            ("1.5", I64, None, None),
            ("\"0x1f\"", I64, None, Some(FieldValue::I64(31))),
            ("\"12\"", U64, None, Some(FieldValue::U64(12))),
            ("\"True\"", Bool, None, Some(FieldValue::Bool(true))),
            ("\"yes\"", Bool, None, None),
            ("7", String, None, text("7")),
            (
                "2",
                F64,
                Some(FieldValue::F64(2.0)),
                Some(FieldValue::F64(2.0)),
            ),
            (
                "[1,\"a\"]",
                Array,
                Some(FieldValue::Array("[1,\"a\"]".into())),
                Some(FieldValue::Array("[1,\"a\"]".into())),
            ),
            ("{}", String, None, None),
        ] {
            assert_eq!(of(json, kind, false), plain, "{json} {kind:?}");
            assert_eq!(of(json, kind, true), coerced, "{json} {kind:?} coerced");
        }
    }

    #[test]
    fn a_key_with_dots_comes_before_a_nested_one() {
        let tree = Tree::read(r#"{"a":{"b":1,"c.d":2},"a.b":3,"x":1,"x":2}"#).expect("JSON");
        assert_eq!(tree.at("a.b"), Some(&Tree::I64(3)));
        assert_eq!(tree.at("a.c.d"), Some(&Tree::I64(2)));
        assert_eq!(tree.at("x"), Some(&Tree::I64(2)));
        assert_eq!(tree.at("a.z"), None);
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert!(Tree::read(&deep).is_err_and(|error| error.to_string().contains("nests deeper")));
    }
}
