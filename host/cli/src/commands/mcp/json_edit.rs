//! Puts one entry into a JSON file of somebody else, and leaves every other byte as it is.

use std::ops::Range;

use serde_json::{Map, Value};

/// The file with `entry` at `section.name`: in place of the entry that was there, or as a new one.
///
/// # Errors
/// When the text is no JSON object, the section is none, or a name stands there twice.
pub(super) fn put(text: &str, section: &str, name: &str, entry: &Value) -> Result<String, String> {
    let text = match text.trim().is_empty() {
        true => "{}\n",
        false => text,
    };
    let mut wanted: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Some(members) = wanted.as_object_mut() else {
        return Err("it is not a JSON object".to_owned());
    };
    let entries = members
        .entry(section)
        .or_insert_with(|| Value::Object(Map::new()));
    let Some(entries) = entries.as_object_mut() else {
        return Err(format!("`{section}` is not an object"));
    };
    entries.insert(name.to_owned(), entry.clone());
    let after = edited(text, section, name, entry);
    // The last of two members with one name is the one that counts, and the edit found the first.
    match serde_json::from_str::<Value>(&after) {
        Ok(document) if document == wanted => Ok(after),
        _ => Err(format!("`{section}` or `{name}` stands there twice")),
    }
}

fn edited(text: &str, section: &str, name: &str, entry: &Value) -> String {
    let start = text.find('{').unwrap_or_default();
    let Some(inner) = value_of(text, start, section) else {
        let body = indented(entry, 2);
        let added = format!("\n  {section:?}: {{\n    {name:?}: {body}\n  }}");
        return insert(text, start, &added);
    };
    match value_of(text, inner.start, name) {
        Some(old) => {
            let (before, after) = (&text[..old.start], &text[old.end..]);
            format!("{before}{}{after}", indented(entry, 2))
        }
        None => {
            let added = format!("\n    {name:?}: {}", indented(entry, 2));
            insert(text, inner.start, &added)
        }
    }
}

/// A value over several lines, whose first line stands at a depth.
fn indented(value: &Value, depth: usize) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.replace('\n', &format!("\n{}", "  ".repeat(depth)))
}

/// The text with a member at the beginning of the object whose brace is at `open`.
fn insert(text: &str, open: usize, member: &str) -> String {
    let rest = &text[open + 1..];
    let is_empty = rest.trim_start().starts_with('}');
    let end = if is_empty {
        let indent = if open == 0 { "\n" } else { "\n  " };
        format!("{indent}{}", rest.trim_start())
    } else {
        format!(",{rest}")
    };
    format!("{}{member}{end}", &text[..=open])
}

/// Where the value of a member stands, of the object whose brace is at `open`. The text is JSON.
fn value_of(text: &str, open: usize, wanted: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let mut at = open + 1;
    loop {
        at = skip(bytes, at, |byte| byte.is_ascii_whitespace() || byte == b',');
        if bytes.get(at) != Some(&b'"') {
            return None;
        }
        let key = at..string_end(bytes, at);
        let value = skip(bytes, key.end, |byte| {
            byte.is_ascii_whitespace() || byte == b':'
        });
        let end = value_end(bytes, value);
        let name: String = serde_json::from_str(&text[key]).ok()?;
        if name == wanted {
            return Some(value..end);
        }
        at = end;
    }
}

fn skip(bytes: &[u8], mut at: usize, over: impl Fn(u8) -> bool) -> usize {
    while bytes.get(at).is_some_and(|byte| over(*byte)) {
        at += 1;
    }
    at
}

/// Behind the string that begins at `at`.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'\\' => end += 1,
            b'"' => return end + 1,
            _ => {}
        }
        end += 1;
    }
    bytes.len()
}

/// Behind the value that begins at `at`.
fn value_end(bytes: &[u8], at: usize) -> usize {
    let (mut end, mut depth) = (at, 0_usize);
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'"' => {
                end = string_end(bytes, end);
                if depth == 0 {
                    return end;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => return end + depth,
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => return end,
            byte if depth == 0 && byte.is_ascii_whitespace() => return end,
            _ => {}
        }
        end += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn put_kael(text: &str) -> String {
        put(text, "mcpServers", "kael", &json!({ "command": "k" })).expect("JSON")
    }

    #[test]
    fn a_new_file_is_plain_json() {
        let text = put_kael("");
        let expected =
            "{\n  \"mcpServers\": {\n    \"kael\": {\n      \"command\": \"k\"\n    }\n  }\n}\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn everything_else_stays_byte_for_byte() {
        let text = "{ \"z\": [1, {\"mcpServers\": 1}],\n\t\"mcpServers\" : {\"other\": {\"a\": \"}\\\"\"}} , \"a\": 2.50 }\n";
        let put = put_kael(text);
        let (before, after) = put
            .split_once("\n    \"kael\": {\n      \"command\": \"k\"\n    },")
            .expect("there");
        assert_eq!(format!("{before}{after}"), text);
        let document: Value = serde_json::from_str(&put).expect("JSON");
        assert_eq!(document["mcpServers"]["other"]["a"], "}\"");
    }

    #[test]
    fn an_old_entry_is_replaced() {
        for old in ["{\"command\": \"old\"}", "null", "\"x\"", "[1, [2]]"] {
            let text = format!("{{\"mcpServers\": {{\"kael\": {old}, \"b\": 1}}}}");
            let document: Value = serde_json::from_str(&put_kael(&text)).expect("JSON");
            assert_eq!(
                document["mcpServers"],
                json!({ "kael": { "command": "k" }, "b": 1 })
            );
        }
    }

    #[test]
    fn twice_is_the_same_as_once() {
        let once = put_kael("{\n  \"mcpServers\": {}\n}\n");
        assert_eq!(put_kael(&once), once);
    }

    #[test]
    fn what_is_no_object_or_there_twice_is_refused() {
        for text in [
            "[]",
            "{ // comment\n}",
            "{\"mcpServers\": []}",
            "{\"mcpServers\": {}, \"mcpServers\": {}}",
            "{\"mcpServers\": {\"kael\": 1, \"kael\": 2}}",
        ] {
            assert!(
                put(text, "mcpServers", "kael", &json!({})).is_err(),
                "{text}"
            );
        }
    }
}
