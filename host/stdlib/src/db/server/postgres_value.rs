//! Values of PostgreSQL, which cross as the texts that the server writes and reads.

use kael_engine::text::hex;
use serde_json::Value;

use super::answer::{bytes, document, real, text, text_of};
use crate::db::value::raw;

const BOOL: u32 = 16;
const BYTEA: u32 = 17;
const JSON: u32 = 114;
const JSONB: u32 = 3802;
const WHOLE: [u32; 5] = [20, 21, 23, 26, 28];
const REAL: [u32; 2] = [700, 701];
const TIMESTAMP: u32 = 1114;
const TIMESTAMPTZ: u32 = 1184;

/// The type of the elements of a list, for the types that come with the server.
fn element(list: u32) -> Option<u32> {
    const LISTS: [(u32, u32); 26] = [
        (1000, BOOL),
        (1001, BYTEA),
        (1002, 18),
        (1003, 19),
        (1005, 21),
        (1007, 23),
        (1009, 25),
        (1014, 1042),
        (1015, 1043),
        (1016, 20),
        (1021, 700),
        (1022, 701),
        (1028, 26),
        (1040, 829),
        (1041, 869),
        (1115, TIMESTAMP),
        (1182, 1082),
        (1183, 1083),
        (1185, TIMESTAMPTZ),
        (1187, 1186),
        (1231, 1700),
        (1270, 1266),
        (199, JSON),
        (3807, JSONB),
        (2951, 2950),
        (651, 650),
    ];
    LISTS
        .iter()
        .find(|(own, _)| *own == list)
        .map(|(_, element)| *element)
}

/// A value of a type as JSON.
pub(super) fn json(oid: u32, value: &[u8]) -> String {
    let shown = std::str::from_utf8(value);
    match (oid, shown) {
        (BOOL, Ok("t")) => "true".to_owned(),
        (BOOL, Ok("f")) => "false".to_owned(),
        (JSON | JSONB, _) => document(value),
        (BYTEA, Ok(shown)) => match unhex(shown) {
            Some(plain) => bytes(&plain),
            None => text(shown),
        },
        (oid, Ok(shown)) if WHOLE.contains(&oid) && shown.parse::<i64>().is_ok() => {
            shown.to_owned()
        }
        (oid, Ok(shown)) if REAL.contains(&oid) => shown.parse().map_or_else(|_| text(shown), real),
        (TIMESTAMP | TIMESTAMPTZ, Ok(shown)) => text(&iso(shown)),
        (oid, Ok(shown)) => match element(oid).and_then(|of| list(shown, of)) {
            Some(list) => list,
            None => text(shown),
        },
        (_, Err(_)) => text_of(value),
    }
}

/// `2026-11-29 19:30:00+00` as other programs write it.
fn iso(shown: &str) -> String {
    let Some((day, time)) = shown.split_once(' ') else {
        return shown.to_owned();
    };
    if shown.ends_with("BC") {
        return shown.to_owned();
    }
    match time.strip_suffix("+00") {
        Some(time) => format!("{day}T{time}Z"),
        None => format!("{day}T{time}"),
    }
}

fn unhex(shown: &str) -> Option<Vec<u8>> {
    let digits = shown.strip_prefix("\\x")?.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = digits.chunks(2).map(|pair| {
        let [high, low] = pair else { return None };
        u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
    });
    pairs.collect()
}

/// Dimensions that a list may have: those of the server.
const MAX_DEPTH: usize = 6;

/// A list such as `{1,NULL,"a b"}`, or none where it is written otherwise.
fn list(shown: &str, of: u32) -> Option<String> {
    // `[0:1]={…}` has bounds of its own.
    let shown = match shown.starts_with('[') {
        true => shown.split_once('=')?.1,
        false => shown,
    };
    let mut rest = shown;
    let made = elements(&mut rest, of, 0)?;
    rest.is_empty().then_some(made)
}

fn elements(rest: &mut &str, of: u32, depth: usize) -> Option<String> {
    if depth == MAX_DEPTH {
        return None;
    }
    *rest = rest.strip_prefix('{')?;
    let mut made = String::from("{\"list\":[");
    if let Some(after) = rest.strip_prefix('}') {
        *rest = after;
        return Some(made + "]}");
    }
    loop {
        match rest.chars().next()? {
            '{' => made.push_str(&elements(rest, of, depth + 1)?),
            '"' => made.push_str(&json(of, quoted(rest)?.as_bytes())),
            _ => {
                let end = rest.find([',', '}'])?;
                match &rest[..end] {
                    "NULL" => made.push_str("null"),
                    word => made.push_str(&json(of, word.as_bytes())),
                }
                *rest = &rest[end..];
            }
        }
        let (next, after) = rest.split_at_checked(1)?;
        *rest = after;
        match next {
            "," => made.push(','),
            "}" => return Some(made + "]}"),
            _ => return None,
        }
    }
}

fn quoted(rest: &mut &str) -> Option<String> {
    let mut made = String::new();
    let mut chars = rest.char_indices().skip(1);
    loop {
        match chars.next()? {
            (at, '"') => {
                *rest = &rest[at + 1..];
                return Some(made);
            }
            (_, '\\') => made.push(chars.next()?.1),
            (_, c) => made.push(c),
        }
    }
}

/// A parameter as the server reads a value of the type that it wants there; none for NULL.
///
/// # Errors
/// What is no value of that type.
pub(super) fn parameter(oid: u32, value: &Value) -> Result<Option<Vec<u8>>, String> {
    let made = match (oid, value) {
        (_, Value::Null) => return Ok(None),
        (BYTEA, Value::String(text)) => shown_bytes(text.as_bytes()),
        (BYTEA, value) => shown_bytes(&raw(value).ok_or("a column of bytes takes a text")?),
        (JSON | JSONB, Value::Object(_) | Value::Array(_)) => value.to_string(),
        (_, Value::String(text)) => text.clone(),
        (_, Value::Bool(is)) => is.to_string(),
        (oid, Value::Number(number)) => match number.as_f64() {
            // 2.0 is a whole number to Lua, and none to a column of whole numbers.
            Some(whole) if WHOLE.contains(&oid) && number.is_f64() && whole.fract() == 0.0 => {
                format!("{whole:.0}")
            }
            _ => number.to_string(),
        },
        (oid, Value::Array(values)) => match element(oid) {
            Some(of) => array(of, values, 0)?,
            None => return Err("a list is for a column of lists or of JSON".to_owned()),
        },
        (_, Value::Object(_)) if raw(value).is_some() => {
            return Err("a text that is no UTF-8 is for a column of bytes (bytea)".to_owned());
        }
        (_, Value::Object(_)) => return Err("a table is for a column of JSON".to_owned()),
    };
    match made.contains('\0') {
        true => Err("a text of PostgreSQL has no zero byte".to_owned()),
        false => Ok(Some(made.into_bytes())),
    }
}

fn array(of: u32, values: &[Value], depth: usize) -> Result<String, String> {
    if depth == MAX_DEPTH {
        return Err("a list has at most 6 dimensions".to_owned());
    }
    let mut made = String::from("{");
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            made.push(',');
        }
        match value {
            Value::Array(inner) if !matches!(of, JSON | JSONB) => {
                made.push_str(&array(of, inner, depth + 1)?);
            }
            value => match parameter(of, value)? {
                None => made.push_str("NULL"),
                Some(text) => {
                    made.push('"');
                    for c in String::from_utf8_lossy(&text).chars() {
                        if matches!(c, '"' | '\\') {
                            made.push('\\');
                        }
                        made.push(c);
                    }
                    made.push('"');
                }
            },
        }
    }
    Ok(made + "}")
}

/// Bytes as PostgreSQL reads them.
fn shown_bytes(bytes: &[u8]) -> String {
    format!("\\x{}", hex(bytes))
}

#[cfg(test)]
mod tests {
    use serde_json::json as value;

    use super::*;

    #[test]
    fn values_keep_what_they_are() {
        for (oid, shown, expected) in [
            (BOOL, "t", "true"),
            (20, "-9223372036854775808", "-9223372036854775808"),
            (701, "1e+20", "1e+20"),
            (701, "NaN", "\"NaN\""),
            (1700, "1.10", "\"1.10\""),
            (BYTEA, "\\x00ff", "{\"bytes\":\"\\u0000\u{ff}\"}"),
            (BYTEA, "\\x0", "\"\\\\x0\""),
            (JSONB, "{\"a\": null}", "{\"json\":{\"a\": null}}"),
            (
                TIMESTAMPTZ,
                "2026-11-29 19:30:00.5+00",
                "\"2026-11-29T19:30:00.5Z\"",
            ),
            (TIMESTAMP, "infinity", "\"infinity\""),
            (1007, "{1,NULL,3}", "{\"list\":[1,null,3]}"),
            (
                1009,
                "{\"a \\\"b\\\\\",NULL,\"NULL\"}",
                "{\"list\":[\"a \\\"b\\\\\",null,\"NULL\"]}",
            ),
            (
                1007,
                "[0:1]={{1,2},{3,4}}",
                "{\"list\":[{\"list\":[1,2]},{\"list\":[3,4]}]}",
            ),
            (1007, "{1", "\"{1\""),
            (1007, "{{{{{{{1}}}}}}}", "\"{{{{{{{1}}}}}}}\""),
            (1007, "{}", "{\"list\":[]}"),
        ] {
            assert_eq!(json(oid, shown.as_bytes()), expected, "{oid} {shown}");
        }
    }

    #[test]
    fn parameters_are_what_the_server_reads() {
        let made = |oid, value: &Value| {
            parameter(oid, value)
                .map(|made| made.map(|made| String::from_utf8(made).expect("text")))
        };
        let some = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(made(23, &value!(null)), Ok(None));
        assert_eq!(made(23, &value!(2.0)), some("2"));
        assert_eq!(made(701, &value!(2.5)), some("2.5"));
        assert_eq!(made(BYTEA, &value!({ "bytes": "\u{ff}" })), some("\\xff"));
        assert_eq!(made(BYTEA, &value!("a\\")), some("\\x615c"));
        assert_eq!(made(JSONB, &value!({ "a": [1] })), some("{\"a\":[1]}"));
        assert_eq!(
            made(1009, &value!(["a\"b", null, "NULL"])),
            some("{\"a\\\"b\",NULL,\"NULL\"}")
        );
        assert_eq!(made(1007, &value!([[1], [2]])), some("{{\"1\"},{\"2\"}}"));
        for (oid, wrong) in [
            (25, value!({ "bytes": "\u{ff}" })),
            (25, value!({ "a": 1 })),
            (25, value!([1])),
            (25, value!("a\0")),
            (BYTEA, value!(5)),
        ] {
            assert!(parameter(oid, &wrong).is_err(), "{oid} {wrong}");
        }
    }
}
