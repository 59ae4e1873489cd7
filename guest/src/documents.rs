//! Reads YAML and TOML for the host's libraries: both become JSON text, which `convert` turns into
//! Lua values. So a document means the same in every format.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

use crate::convert::MAX_DEPTH;

/// Bytes of JSON that a document may become: an alias repeats what its anchor holds.
const MAX_JSON: usize = 32 << 20;

/// All documents of a YAML text, as a list in JSON.
///
/// # Errors
/// The first thing that is wrong, with its line.
pub(crate) fn yaml(text: &str) -> Result<String, String> {
    let mut reader = Yaml {
        parser: Parser::new_from_str(text),
        line: 1,
        json: String::with_capacity(text.len()),
        anchors: BTreeMap::new(),
    };
    reader.json.push('[');
    loop {
        match reader.next()? {
            Event::StreamEnd => break,
            Event::DocumentStart(_) => {
                if reader.json.len() > 1 {
                    reader.json.push(',');
                }
                // The anchors of one document are not those of the next.
                reader.anchors.clear();
            }
            Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
            event => reader.node(event, 0)?,
        }
    }
    reader.json.push(']');
    Ok(reader.json)
}

struct Yaml<'a> {
    parser: Parser<'a, StrInput<'a>>,
    line: usize,
    json: String,
    /// What each anchor holds, as JSON.
    anchors: BTreeMap<usize, String>,
}

impl<'a> Yaml<'a> {
    fn fail<T>(&self, error: &str) -> Result<T, String> {
        Err(format!("line {}: {error}", self.line))
    }

    fn next(&mut self) -> Result<Event<'a>, String> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                self.line = span.start.line();
                Ok(event)
            }
            Some(Err(error)) => {
                self.line = error.marker().line();
                self.fail(error.info())
            }
            None => Ok(Event::StreamEnd),
        }
    }

    fn node(&mut self, event: Event<'a>, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return self.fail(&format!("it nests deeper than {MAX_DEPTH}"));
        }
        if self.json.len() > MAX_JSON {
            return self.fail("the document becomes larger than 32 MiB");
        }
        let start = self.json.len();
        let anchor = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = tag.is_some_and(|tag| tag.suffix == "str");
                match style {
                    ScalarStyle::Plain if !is_text => scalar(&text, &mut self.json),
                    _ => quote(&text, &mut self.json),
                }
                anchor
            }
            Event::Alias(anchor) => {
                let Some(held) = self.anchors.get(&anchor) else {
                    return self.fail("an alias stands inside of what its anchor names");
                };
                if self.json.len() + held.len() > MAX_JSON {
                    return self.fail("the document becomes larger than 32 MiB");
                }
                self.json.push_str(held);
                0
            }
            Event::SequenceStart(anchor, _) => {
                self.json.push('[');
                loop {
                    match self.next()? {
                        Event::SequenceEnd => break,
                        event => {
                            if self.json.len() > start + 1 {
                                self.json.push(',');
                            }
                            self.node(event, depth + 1)?;
                        }
                    }
                }
                self.json.push(']');
                anchor
            }
            Event::MappingStart(anchor, _) => {
                self.mapping(start, depth)?;
                anchor
            }
            _ => return self.fail("expected a value"),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, self.json[start..].to_owned());
        }
        Ok(())
    }

    /// The entries of a mapping, between braces. What `<<` names stands first, for the last of
    /// equal keys wins.
    fn mapping(&mut self, start: usize, depth: usize) -> Result<(), String> {
        self.json.push('{');
        loop {
            let event = self.next()?;
            let (key, is_plain) = match event {
                Event::MappingEnd => break,
                Event::Scalar(key, style, ..) => (key, style == ScalarStyle::Plain),
                _ => return self.fail("a key must be a text"),
            };
            let before = self.json.len();
            if is_plain && key == "<<" {
                let event = self.next()?;
                self.node(event, depth + 1)?;
                let merged = self.json.split_off(before);
                self.merge(start + 1, &merged)?;
                continue;
            }
            if before > start + 1 {
                self.json.push(',');
            }
            quote(&key, &mut self.json);
            self.json.push(':');
            let event = self.next()?;
            self.node(event, depth + 1)?;
        }
        self.json.push('}');
        Ok(())
    }

    /// Puts the entries of a mapping, or of a list of mappings, at a place of the text.
    fn merge(&mut self, at: usize, merged: &str) -> Result<(), String> {
        let merged: serde_json::Value = serde_json::from_str(merged).unwrap_or_default();
        let maps = match merged {
            serde_json::Value::Array(maps) => maps,
            map => vec![map],
        };
        // Of several mappings the first wins.
        for map in maps {
            let serde_json::Value::Object(map) = map else {
                return self.fail("`<<` merges mappings");
            };
            if map.is_empty() {
                continue;
            }
            let text = serde_json::Value::Object(map).to_string();
            let inner = &text[1..text.len() - 1];
            let comma = if self.json.len() > at { "," } else { "" };
            self.json.insert_str(at, &format!("{inner}{comma}"));
        }
        Ok(())
    }
}

/// A scalar without quotes, by the core schema of YAML 1.2.
fn scalar(text: &str, json: &mut String) {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => json.push_str("null"),
        "true" | "True" | "TRUE" => json.push_str("true"),
        "false" | "False" | "FALSE" => json.push_str("false"),
        _ => match number(text) {
            Some(number) => json.push_str(&number),
            None => quote(text, json),
        },
    }
}

/// A number as JSON; none for any other text, infinity included.
fn number(text: &str) -> Option<String> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let first = *unsigned.as_bytes().first()?;
    if !first.is_ascii_digit() && first != b'.' {
        return None;
    }
    let prefixed = [("0x", 16), ("0o", 8)].into_iter();
    for (prefix, radix) in prefixed {
        if let Some(digits) = text.strip_prefix(prefix) {
            let digits = digits
                .bytes()
                .all(|b| b.is_ascii_alphanumeric())
                .then_some(digits)?;
            return i64::from_str_radix(digits, radix)
                .ok()
                .map(|n| n.to_string());
        }
    }
    if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        let whole = text.strip_prefix('+').unwrap_or(text).parse::<i64>();
        return whole
            .map(|number| number.to_string())
            .ok()
            .or_else(|| float(text));
    }
    let known =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'-' | b'+');
    if unsigned.bytes().all(known) && unsigned.bytes().any(|byte| byte.is_ascii_digit()) {
        return float(text);
    }
    None
}

fn float(text: &str) -> Option<String> {
    let number: f64 = text.parse().ok()?;
    number.is_finite().then(|| format!("{number:?}"))
}

fn quote(text: &str, json: &mut String) {
    // Never fails for a text.
    json.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// A TOML document as JSON; dates are texts.
///
/// # Errors
/// What is wrong with it, on one line.
pub(crate) fn toml(text: &str) -> Result<String, String> {
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let before = &text[..error.span().map_or(0, |span| span.start.min(text.len()))];
        let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
        format!("line {line}: {}", error.message())
    })?;
    let mut json = String::with_capacity(text.len());
    value(&toml::Value::Table(table), &mut json);
    Ok(json)
}

fn value(found: &toml::Value, json: &mut String) {
    match found {
        toml::Value::String(text) => quote(text, json),
        toml::Value::Integer(number) => json.push_str(&number.to_string()),
        toml::Value::Float(number) if number.is_finite() => json.push_str(&format!("{number:?}")),
        toml::Value::Float(number) => quote(&number.to_string(), json),
        toml::Value::Boolean(is) => json.push_str(if *is { "true" } else { "false" }),
        toml::Value::Datetime(date) => quote(&date.to_string(), json),
        toml::Value::Array(list) => {
            json.push('[');
            for (at, element) in list.iter().enumerate() {
                json.push_str(if at > 0 { "," } else { "" });
                value(element, json);
            }
            json.push(']');
        }
        toml::Value::Table(table) => {
            json.push('{');
            for (at, (key, element)) in table.iter().enumerate() {
                json.push_str(if at > 0 { "," } else { "" });
                quote(key, json);
                json.push(':');
                value(element, json);
            }
            json.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_becomes_json() {
        for (text, json) in [
            (
                "a: 1\nb: [x, 'y', 2.50, ~, true]\n",
                r#"[{"a":1,"b":["x","y",2.5,null,true]}]"#,
            ),
            ("---\n1\n---\n2\n", "[1,2]"),
            ("", "[]"),
            (
                "a: 0x1f\nb: 0o17\nc: 007\nd: +5\ne: 1e3\nf: .5\ng: 1.2.3\nh: -.inf",
                r#"[{"a":31,"b":15,"c":7,"d":5,"e":1000.0,"f":0.5,"g":"1.2.3","h":"-.inf"}]"#,
            ),
            (
                "a: !!str 5\nb: \"5\"\nc: 2026-01-02",
                r#"[{"a":"5","b":"5","c":"2026-01-02"}]"#,
            ),
            (
                "a: &x {k: 1, l: 2}\nb: *x\nc:\n  l: 3\n  <<: *x\n",
                r#"[{"a":{"k":1,"l":2},"b":{"k":1,"l":2},"c":{"k":1,"l":2,"l":3}}]"#,
            ),
            ("a: [[], [1], {}]", r#"[{"a":[[],[1],{}]}]"#),
            (
                "a: 123456789012345678901234567890",
                r#"[{"a":1.2345678901234568e29}]"#,
            ),
            ("1: x\ntrue: y", r#"[{"1":"x","true":"y"}]"#),
            ("t: |\n  one\n  two\n", "[{\"t\":\"one\\ntwo\\n\"}]"),
        ] {
            assert_eq!(yaml(text).as_deref(), Ok(json), "{text}");
            assert!(serde_json::from_str::<serde_json::Value>(json).is_ok());
        }
    }

    #[test]
    fn what_is_no_yaml_or_a_bomb_is_refused() {
        assert!(yaml("a: [1").is_err_and(|error| error.starts_with("line ")));
        assert!(yaml("? [a]\n: 1").is_err_and(|error| error.ends_with("a key must be a text")));
        assert!(yaml("a: &a [*a]").is_err());
        let mut bomb = "a0: &a0 [xxxxxxxxxx, xxxxxxxxxx]\n".to_owned();
        for at in 1..30 {
            let before = at - 1;
            bomb += &format!("a{at}: &a{at} [*a{before}, *a{before}, *a{before}]\n");
        }
        let error = yaml(&bomb).expect_err("a bomb");
        assert!(error.ends_with("becomes larger than 32 MiB"), "{error}");
        assert!(yaml(&"[".repeat(5000)).is_err());
    }

    #[test]
    fn toml_becomes_json() {
        let text = "a = 1\nwhen = 2026-01-02T03:04:05Z\n[t]\nx = [1.0, 'y']\n[[l]]\nn = true\n";
        assert_eq!(
            toml(text).as_deref(),
            Ok(r#"{"a":1,"l":[{"n":true}],"t":{"x":[1.0,"y"]},"when":"2026-01-02T03:04:05Z"}"#)
        );
        assert!(toml("a = 1\nb = \n").is_err_and(|error| error.starts_with("line 2: ")));
    }
}
