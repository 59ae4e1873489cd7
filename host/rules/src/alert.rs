//! Alerts: one line of JSON each.

use std::sync::Arc;

use kael_engine::sandbox::FieldValue;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::value::RawValue;

use crate::after::Found;
use crate::event::Event;
use crate::package::{Manifest, Severity};
use crate::schema::Schema;

/// Bytes of a text that an alert shows.
const MAX_TEXT: usize = 4 << 10;
/// Bytes of captures, and how deep they may nest.
const MAX_CAPTURES: usize = 64 << 10;
const MAX_DEPTH: usize = 32;

/// An alert.
#[derive(Debug, Clone)]
pub struct Alert {
    /// The rule that it is of.
    pub rule_id: String,
    /// How bad it is.
    pub severity: Severity,
    /// The number of the line that gave rise to it.
    pub seq: u64,
    /// Its captures as JSON text, if it has any.
    pub captures: Option<String>,
    /// Why it has none, if `pred_capture` failed.
    pub capture_error: Option<String>,
    /// The alert as one line of JSON.
    pub line: String,
}

#[derive(serde::Serialize)]
struct Written<'a> {
    id: String,
    rule_id: &'a str,
    rule_name: &'a str,
    rule_version: &'a str,
    severity: &'static str,
    timestamp_ns: i64,
    title: &'a str,
    description: &'a str,
    tags: &'a [String],
    references: &'a [String],
    events: Vec<WrittenEvent<'a>>,
    context: Context<'a>,
}

#[derive(serde::Serialize)]
struct WrittenEvent<'a> {
    seq: u64,
    event_type_id: u32,
    event_type: &'a str,
    timestamp_ns: i64,
    fields: Fields<'a>,
}

#[derive(serde::Serialize)]
struct Context<'a> {
    rule_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    captures: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capture_error: Option<String>,
    emitted: bool,
    count: u64,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    mitre_attack: &'a [String],
}

/// The fields of an event by path, in the order of their ids.
struct Fields<'a> {
    schema: &'a Schema,
    event: &'a Event,
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (field, value) in self.schema.fields.iter().zip(&self.event.fields) {
            let path = &field.path;
            match value {
                None => {}
                Some(FieldValue::I64(value)) => map.serialize_entry(path, value)?,
                Some(FieldValue::U64(value)) => map.serialize_entry(path, value)?,
                Some(FieldValue::Bool(value)) => map.serialize_entry(path, value)?,
                Some(FieldValue::F64(value)) => map.serialize_entry(path, value)?,
                Some(FieldValue::String(text)) => map.serialize_entry(path, cut(text))?,
                Some(FieldValue::Bytes(bytes)) => {
                    map.serialize_entry(path, cut(&String::from_utf8_lossy(bytes)))?;
                }
                Some(FieldValue::Array(text)) => match serde_json::from_str::<&RawValue>(text) {
                    Ok(list) if text.len() <= MAX_TEXT => map.serialize_entry(path, list)?,
                    _ => map.serialize_entry(path, cut(text))?,
                },
            }
        }
        map.end()
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_TEXT)]
}

impl Alert {
    /// Writes an alert of a rule.
    #[must_use]
    pub fn write(manifest: &Manifest, schema: &Schema, found: Found) -> Self {
        let last = found.events.last();
        let (time, seq) = last.map_or((0, 0), |event| (event.time, event.seq));
        let (captures, capture_error) = match found.captures.map(|text| text.and_then(checked)) {
            None => (None, None),
            Some(Ok(captures)) => (Some(captures), None),
            Some(Err(why)) => (None, Some(why)),
        };
        let written = |event: &Arc<Event>| -> (Arc<Event>, String) {
            let unknown = || event.kind.to_string();
            let name = schema
                .types
                .get(&event.kind)
                .cloned()
                .unwrap_or_else(unknown);
            (event.clone(), name)
        };
        let events: Vec<_> = found.events.iter().map(written).collect();
        let captured = captures.as_ref().map(|captures| captures.get().to_owned());
        let alert = Written {
            id: format!("{}-{time}-{seq}", manifest.rule_id),
            rule_id: &manifest.rule_id,
            rule_name: &manifest.rule_name,
            rule_version: &manifest.rule_version,
            severity: manifest.severity.name(),
            timestamp_ns: time,
            title: &manifest.rule_name,
            description: manifest.description.as_deref().unwrap_or_default(),
            tags: &manifest.tags,
            references: &manifest.references,
            events: events
                .iter()
                .map(|(event, name)| WrittenEvent {
                    seq: event.seq,
                    event_type_id: event.kind,
                    event_type: name,
                    timestamp_ns: event.time,
                    fields: Fields { schema, event },
                })
                .collect(),
            context: Context {
                rule_type: found.rule_type,
                captures,
                capture_error: capture_error.clone(),
                emitted: found.emitted,
                count: found.count,
                mitre_attack: &manifest.mitre_attack,
            },
        };
        Self {
            rule_id: manifest.rule_id.clone(),
            severity: manifest.severity,
            seq,
            captures: captured,
            capture_error,
            line: serde_json::to_string(&alert).unwrap_or_default(),
        }
    }
}

/// The captures that a rule gave, which it is not trusted with: they are a JSON object, within the
/// bounds.
fn checked(text: String) -> Result<Box<RawValue>, String> {
    if text.len() > MAX_CAPTURES {
        let length = text.len();
        return Err(format!(
            "the captures are {length} bytes of JSON (allowed: {MAX_CAPTURES})"
        ));
    }
    if depth(&text) > MAX_DEPTH {
        return Err(format!("the captures nest deeper than {MAX_DEPTH} levels"));
    }
    match RawValue::from_string(text) {
        Ok(value) if value.get().starts_with('{') => Ok(value),
        Ok(_) => Err("the captures are no JSON object".to_owned()),
        Err(error) => Err(format!("the captures are not JSON: {error}")),
    }
}

/// How deep a JSON text nests.
fn depth(text: &str) -> usize {
    let (mut depth, mut most, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                depth += 1;
                most = most.max(depth);
            }
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_are_held_to_their_bounds() {
        let checked = |text: &str| checked(text.to_owned()).map(|value| value.get().to_owned());
        assert_eq!(
            checked(r#"{"a":"[[\"{"}"#),
            Ok(r#"{"a":"[[\"{"}"#.to_owned())
        );
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(40), "]".repeat(40));
        assert!(checked(&deep).is_err_and(|why| why.contains("32 levels")));
        assert!(checked("[1]").is_err());
        assert!(checked("{\"a\":1} x").is_err());
        assert!(checked(&format!("{{\"a\":\"{}\"}}", "x".repeat(70_000))).is_err());
    }
}
