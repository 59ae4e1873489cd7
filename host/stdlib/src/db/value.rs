//! Values of a database as JSON, and back.

use rusqlite::types::{ToSqlOutput, Value as Sql, ValueRef};
use serde_json::{Value, json};

use crate::wire;

/// A parameter; an error for what no column can hold.
pub(super) fn parameter(value: &Value) -> Result<ToSqlOutput<'_>, String> {
    let owned = |value: Sql| Ok(ToSqlOutput::Owned(value));
    match value {
        Value::Null => owned(Sql::Null),
        Value::Bool(is) => owned(Sql::Integer((*is).into())),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => owned(Sql::Integer(whole)),
            (None, Some(number)) => owned(Sql::Real(number)),
            _ => Err("a number is too large".to_owned()),
        },
        Value::String(text) => Ok(ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes()))),
        Value::Object(_) => match raw(value) {
            Some(bytes) => owned(Sql::Blob(bytes)),
            None => Err("a table is no value of a column: encode it as JSON".to_owned()),
        },
        Value::Array(_) => Err("a list is no value of a column: encode it as JSON".to_owned()),
    }
}

/// The bytes of `{ bytes = … }`.
pub(super) fn raw(value: &Value) -> Option<Vec<u8>> {
    let table = value.as_object().filter(|table| table.len() == 1)?;
    wire::bytes(table.get("bytes")?.as_str()?)
}

/// The bytes of a value that count towards the bound of an answer: those in the database, not in JSON.
pub(super) fn size(value: &ValueRef<'_>) -> usize {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => 16 + bytes.len(),
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 16,
    }
}

/// A value as scripts get it: bytes that are no text as `{ bytes = … }`, and what JSON has no number
/// for as a text.
pub(super) fn json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) if number.is_finite() => json!(number),
        ValueRef::Real(number) => number.to_string().into(),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => json!({ "bytes": wire::chars(bytes) }),
        },
        ValueRef::Blob(bytes) => json!({ "bytes": wire::chars(bytes) }),
    }
}
