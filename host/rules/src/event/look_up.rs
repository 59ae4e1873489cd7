//! Finds the fields of the schema in a line.

use std::collections::{BTreeMap, HashMap};

use kael_engine::sandbox::{EncodedEvent, FieldValue};

use super::tree::{MAX_DEPTH, TOO_DEEP, Tree};
use super::value::typed;
use super::{BadLine, Event, Reason};
use crate::schema::{Schema, Special};

/// Bytes that a line may have.
pub(super) const MAX_LINE: usize = 1 << 20;
/// Names of unknown keys that are counted.
const MAX_UNKNOWN: usize = 10_000;

/// A place where a field may stand: its slot, its rank among the field's places, and what of its
/// path is left below the key.
struct Place {
    slot: usize,
    rank: usize,
    rest: Option<String>,
}

/// Turns lines into events.
pub struct Reader<'a> {
    schema: &'a Schema,
    /// By the first key of a place.
    places: HashMap<String, Vec<Place>>,
    last_time: i64,
    greatest_time: i64,
    /// Events whose time is before that of an earlier one.
    pub backwards: u64,
    /// Values of another type than the field's, by path.
    pub wrong_types: BTreeMap<String, u64>,
    /// Keys that the schema lacks, if they are to be counted.
    pub unknown_keys: Option<BTreeMap<String, u64>>,
    ranks: Vec<usize>,
}

impl<'a> Reader<'a> {
    /// A reader for one stream. With `unknown` it counts keys that the schema lacks.
    #[must_use]
    pub fn new(schema: &'a Schema, unknown: bool) -> Self {
        let mut places: HashMap<String, Vec<Place>> = HashMap::new();
        for (slot, field) in schema.fields.iter().enumerate() {
            if field.special.is_some() {
                continue;
            }
            let mut rank = 0;
            for path in std::iter::once(&field.path).chain(&field.from) {
                let mut add = |key: &str, rest: Option<&str>| {
                    places.entry(key.to_owned()).or_default().push(Place {
                        slot,
                        rank,
                        rest: rest.map(str::to_owned),
                    });
                    rank += 1;
                };
                add(path, None);
                for (dot, _) in path.match_indices('.') {
                    add(&path[..dot], Some(&path[dot + 1..]));
                }
            }
        }
        Self {
            schema,
            places,
            last_time: 0,
            greatest_time: i64::MIN,
            backwards: 0,
            wrong_types: BTreeMap::new(),
            unknown_keys: unknown.then(BTreeMap::new),
            ranks: vec![usize::MAX; schema.fields.len()],
        }
    }

    /// The event of a line.
    ///
    /// # Errors
    /// Why it is none.
    pub fn event(&mut self, seq: u64, line: &[u8]) -> Result<Event, BadLine> {
        let bad = |reason, column, message: String| BadLine {
            reason,
            column,
            message,
        };
        if line.len() > MAX_LINE {
            let message = format!("more than {} KiB", MAX_LINE >> 10);
            return Err(bad(Reason::TooLong, None, message));
        }
        let text = std::str::from_utf8(line).map_err(|error| {
            let column = Some(error.valid_up_to() + 1);
            bad(Reason::NotUtf8, column, "not UTF-8".to_owned())
        })?;
        let tree = Tree::read(text).map_err(|error| {
            let whole = error.to_string();
            if whole.starts_with(TOO_DEEP) {
                let message = format!("more than {MAX_DEPTH} levels");
                return bad(Reason::TooDeep, Some(error.column()), message);
            }
            let message = whole.split(" at line ").next().unwrap_or(&whole);
            let message = format!("not JSON: {message}");
            bad(Reason::NotJson, Some(error.column()), message)
        })?;
        let Tree::Object(keys) = &tree else {
            let message = "JSON, and no object".to_owned();
            return Err(bad(Reason::NotAnObject, Some(1), message));
        };
        let kind = match self.kind(&tree) {
            Ok(kind) => kind,
            Err(message) => return Err(bad(Reason::NoType, None, message)),
        };
        let time = self.time(&tree);
        let mut fields: Vec<Option<FieldValue>> = vec![None; self.schema.fields.len()];
        self.ranks.fill(usize::MAX);
        for (key, value) in keys {
            let Some(places) = self.places.get(key.as_ref()) else {
                self.note_unknown(key);
                continue;
            };
            for place in places {
                if place.rank > self.ranks[place.slot] {
                    continue;
                }
                let value = match &place.rest {
                    None => Some(value),
                    Some(rest) => value.at(rest),
                };
                let Some(value) = value.filter(|value| **value != Tree::Null) else {
                    continue;
                };
                let field = &self.schema.fields[place.slot];
                self.ranks[place.slot] = place.rank;
                fields[place.slot] = typed(value, field.kind, field.coerce);
            }
        }
        for (slot, field) in self.schema.fields.iter().enumerate() {
            match field.special {
                None if self.ranks[slot] != usize::MAX && fields[slot].is_none() => {
                    *self.wrong_types.entry(field.path.clone()).or_default() += 1;
                }
                None => {}
                Some(Special::Type) => fields[slot] = Some(FieldValue::I64(kind.into())),
                Some(Special::Time) => fields[slot] = Some(FieldValue::I64(time)),
                Some(Special::Seq) => fields[slot] = Some(FieldValue::I64(seq.cast_signed())),
            }
        }
        let expect = tree.at("_expect").map(Tree::json);
        Ok(Event {
            seq,
            kind,
            time,
            encoded: EncodedEvent::new(seq, kind, time, &fields),
            fields,
            expect,
        })
    }

    /// The id of the type of an event; else why it has none.
    fn kind(&self, tree: &Tree<'_>) -> Result<u32, String> {
        let schema = self.schema;
        let mut said = None;
        for path in &schema.type_from {
            let name = match tree.at(path) {
                Some(Tree::Text(text)) => text.to_string(),
                Some(Tree::I64(number)) => number.to_string(),
                _ => continue,
            };
            let name = schema.type_map.get(&name).unwrap_or(&name);
            if let Some(id) = schema.type_id(name) {
                return Ok(id);
            }
            said.get_or_insert_with(|| name.clone());
        }
        if let Some(id) = schema.type_default {
            return Ok(id);
        }
        Err(match said {
            Some(name) => format!("the schema has no type \"{name}\", and no default"),
            None if schema.type_from.is_empty() => return Ok(0),
            None => format!("no type (looked for {})", schema.type_from.join(", ")),
        })
    }

    /// The time of an event; without one, that of the line before.
    fn time(&mut self, tree: &Tree<'_>) -> i64 {
        let format = self.schema.time_format;
        let found = self
            .schema
            .time_from
            .iter()
            .find_map(|path| match tree.at(path)? {
                Tree::Text(text) => format.of_text(text),
                Tree::I64(number) => format.of_integer(*number),
                Tree::F64(number) => format.of_float(*number),
                _ => None,
            });
        let time = found.unwrap_or(self.last_time);
        self.last_time = time;
        self.backwards += u64::from(time < self.greatest_time);
        self.greatest_time = self.greatest_time.max(time);
        time
    }

    fn note_unknown(&mut self, key: &str) {
        let from = |paths: &[String]| {
            paths.iter().any(|path| {
                path == key
                    || path
                        .strip_prefix(key)
                        .is_some_and(|rest| rest.starts_with('.'))
            })
        };
        let schema = self.schema;
        if let Some(unknown) = &mut self.unknown_keys
            && !from(&schema.type_from)
            && !from(&schema.time_from)
            && (unknown.len() < MAX_UNKNOWN || unknown.contains_key(key))
        {
            *unknown.entry(key.to_owned()).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &[u8] = br#"{"schema_version":"1.0",
        "type":{"from":["type","EventID"],"map":{"1":"exec"},"default":"other"},
        "time":{"from":["ts"]},"event_types":{"1001":"exec","9":"other"},
        "fields":{"1":{"path":"event_type_id","type":"i64","special":"type"},
        "2":{"path":"process.pid","type":"i64","from":["ProcessId","ev.pid"],"coerce":true},
        "3":{"path":"name","type":"string"},"4":{"path":"line","type":"i64","special":"seq"}}}"#;

    fn schema() -> Schema {
        Schema::read("s", SCHEMA, &mut Vec::new()).expect("it is sound")
    }

    #[test]
    fn fields_are_found_flat_nested_and_elsewhere() {
        let schema = schema();
        let mut reader = Reader::new(&schema, true);
        for (line, pid) in [
            (r#"{"process.pid":5}"#, Some(5)),
            (r#"{"process":{"pid":6}}"#, Some(6)),
            (r#"{"process":{"pid":6},"process.pid":7}"#, Some(7)),
            (r#"{"process.pid":7,"process":{"pid":6}}"#, Some(7)),
            (r#"{"ProcessId":"0x10"}"#, Some(16)),
            (r#"{"ev":{"pid":8},"process":{}}"#, Some(8)),
            (r#"{"process.pid":null,"ProcessId":9}"#, Some(9)),
            (r#"{"process.pid":[]}"#, None),
            (r#"{"other":1}"#, None),
        ] {
            let event = reader.event(1, line.as_bytes()).expect(line);
            assert_eq!(event.fields[1], pid.map(FieldValue::I64), "{line}");
        }
        assert_eq!(reader.wrong_types["process.pid"], 1);
        assert_eq!(reader.unknown_keys.expect("counted")["other"], 1);
    }

    #[test]
    fn type_time_and_line_are_fields_too() {
        let schema = schema();
        let mut reader = Reader::new(&schema, false);
        let event = reader
            .event(7, br#"{"EventID":1,"ts":1652289022}"#)
            .expect("an event");
        assert_eq!((event.kind, event.time), (1001, 1_652_289_022_000_000_000));
        assert_eq!(event.fields[0], Some(FieldValue::I64(1001)));
        assert_eq!(event.fields[3], Some(FieldValue::I64(7)));
        let later = reader.event(8, br#"{"EventID":"77"}"#).expect("an event");
        assert_eq!((later.kind, later.time), (9, event.time));
        reader.event(9, br#"{"ts":1}"#).expect("an event");
        assert_eq!(reader.backwards, 1);
    }

    #[test]
    fn bad_lines_say_why() {
        let mut schema = schema();
        schema.type_default = None;
        let mut reader = Reader::new(&schema, false);
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(70), "]".repeat(70));
        let long = format!("\"{}\"", "a".repeat(MAX_LINE));
        let lines: [(&[u8], Reason); 7] = [
            (b"{", Reason::NotJson),
            (b"[1]", Reason::NotAnObject),
            (b"{\"a\":\"\xff\"}", Reason::NotUtf8),
            (deep.as_bytes(), Reason::TooDeep),
            (long.as_bytes(), Reason::TooLong),
            (b"{\"type\":\"new\"}", Reason::NoType),
            (b"{} {}", Reason::NotJson),
        ];
        for (line, reason) in lines {
            assert_eq!(
                reader.event(1, line).map(|_| ()).expect_err("bad").reason,
                reason
            );
        }
    }
}
