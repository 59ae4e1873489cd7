//! Writes the values of filters as JSON text.

use super::Val;

/// Compact text. Numbers that JSON does not have are written as jq writes them.
pub(in crate::jq) fn write_json(value: &Val) -> Vec<u8> {
    let mut out = Vec::new();
    put(value, &mut out);
    out
}

fn put(value: &Val, out: &mut Vec<u8>) {
    match value {
        Val::Null => out.extend_from_slice(b"null"),
        Val::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Val::Int(int) => put_json(int, out),
        Val::Float(float) if float.is_nan() => out.extend_from_slice(b"null"),
        Val::Float(float) => put_json(&float.clamp(f64::MIN, f64::MAX), out),
        Val::Text(text) => put_json(text.as_str(), out),
        Val::List(list) => {
            out.push(b'[');
            for (index, element) in list.items().iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                put(element, out);
            }
            out.push(b']');
        }
        Val::Object(object) => {
            out.push(b'{');
            for (index, (key, value)) in object.entries().iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                put_json(key.as_str(), out);
                out.push(b':');
                put(value, out);
            }
            out.push(b'}');
        }
    }
}

fn put_json<T: serde::Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    // Writing to memory cannot fail.
    serde_json::to_writer(out, value).ok();
}
