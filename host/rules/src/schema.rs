//! `schema.json`: which numbers are which fields, and where they stand in a line.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde_json::Value;

use crate::package::json::{self, Object};
use crate::package::{Package, read_plain};
use crate::problem::Problem;
use crate::timestamp::TimeFormat;

/// Bytes of a schema file, and fields that it may have.
const MAX_FILE: u64 = 1 << 20;
const MAX_FIELDS: usize = 4096;

/// The type of a field's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// A signed integer.
    I64,
    /// An unsigned integer.
    U64,
    /// A number with a fraction.
    F64,
    /// A truth value.
    Bool,
    /// A text.
    String,
    /// Bytes, as text.
    Bytes,
    /// A list.
    Array,
}

impl FieldType {
    const ALL: [(&'static str, Self); 7] = [
        ("i64", Self::I64),
        ("u64", Self::U64),
        ("f64", Self::F64),
        ("bool", Self::Bool),
        ("string", Self::String),
        ("bytes", Self::Bytes),
        ("array", Self::Array),
    ];
}

/// A field whose value is not looked for in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// The id of the event's type.
    Type,
    /// Its time in nanoseconds.
    Time,
    /// The number of its line.
    Seq,
}

/// A field. Its slot is its place in the list.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// How predicates ask for it.
    pub id: u32,
    /// How alerts name it.
    pub path: String,
    /// The type of its values.
    pub kind: FieldType,
    /// Further places where it may stand.
    pub from: Vec<String>,
    /// Whether values of other types are converted.
    pub coerce: bool,
    /// Whether its value comes from elsewhere.
    pub special: Option<Special>,
}

/// Which numbers are which fields.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// The file, as the user named it.
    pub file: String,
    /// Its version, which packages name.
    pub version: String,
    /// By slot; in the order of their ids.
    pub fields: Vec<Field>,
    /// Types of events, by id.
    pub types: BTreeMap<u32, String>,
    /// Where the type of an event stands.
    pub type_from: Vec<String>,
    /// What stands there, to the name of the type.
    pub type_map: BTreeMap<String, String>,
    /// The type of events that have no other.
    pub type_default: Option<u32>,
    /// Where the time of an event stands.
    pub time_from: Vec<String>,
    /// How it is written.
    pub time_format: TimeFormat,
}

impl Schema {
    /// Reads a schema file. Everything that is wrong is added to `out`.
    pub fn read_file(path: &Path, out: &mut Vec<Problem>) -> Option<Self> {
        let file = path.display().to_string();
        let bytes = std::fs::canonicalize(path)
            .map_err(|error| format!("cannot be read: {}", crate::package::brief(&error)))
            .and_then(|real| read_plain(&real, MAX_FILE));
        match bytes {
            Ok(bytes) => Self::read(&file, &bytes, out),
            Err(why) => {
                out.push(Problem::error(file, why));
                None
            }
        }
    }

    /// Reads the text of a schema.
    pub fn read(file: &str, text: &[u8], out: &mut Vec<Problem>) -> Option<Self> {
        let before = out.len();
        let value = json::parse(file, text, out)?;
        let root = Object::root(file, &value, out)?;
        root.only(
            &["schema_version", "type", "time", "event_types", "fields"],
            out,
        );
        let mut schema = Self {
            file: file.to_owned(),
            version: root.required("schema_version", out),
            ..Self::default()
        };
        if let Some(types) = root.object("event_types", out) {
            schema.event_types(&types, out);
        }
        if let Some(of) = root.object("type", out) {
            schema.types(&of, out);
        }
        if let Some(time) = root.object("time", out) {
            time.only(&["from", "format"], out);
            schema.time_from = time.strings("from", out);
            if let Some(name) = time.string("format", out) {
                match TimeFormat::of(&name) {
                    Some(format) => schema.time_format = format,
                    None => {
                        let why =
                            format!("is \"{name}\" (there are: auto, rfc3339, s, ms, us, ns)");
                        time.refuse("format", &why, out);
                    }
                }
            }
        }
        match root.object("fields", out) {
            Some(fields) => schema.fields(&fields, out),
            None if root.get("fields").is_none() => root.wrong("fields", "an object", out),
            None => {}
        }
        let wrong = out[before..].iter().any(|problem| !problem.warning);
        (!wrong).then_some(schema)
    }

    fn event_types(&mut self, types: &Object<'_>, out: &mut Vec<Problem>) {
        let mut seen = HashSet::new();
        for (key, value) in types.keys() {
            match (key.parse::<u32>(), value) {
                (Ok(0) | Err(_), _) => {
                    types.refuse(key, "is no event type id (1 to 4294967295)", out);
                }
                (Ok(id), Value::String(name)) => {
                    if !seen.insert(name) {
                        types.refuse(key, &format!("is \"{name}\", as another one is"), out);
                    }
                    self.types.insert(id, name.clone());
                }
                (Ok(_), _) => types.wrong(key, "a name", out),
            }
        }
    }

    fn types(&mut self, of: &Object<'_>, out: &mut Vec<Problem>) {
        of.only(&["from", "map", "default"], out);
        self.type_from = of.strings("from", out);
        if let Some(map) = of.object("map", out) {
            for (key, value) in map.keys() {
                match value.as_str() {
                    Some(name) if self.type_id(name).is_some() => {
                        self.type_map.insert(key.clone(), name.to_owned());
                    }
                    Some(name) => {
                        map.refuse(key, &format!("is \"{name}\", which is no event type"), out);
                    }
                    None => map.wrong(key, "the name of an event type", out),
                }
            }
        }
        if let Some(name) = of.string("default", out) {
            self.type_default = self.type_id(&name);
            if self.type_default.is_none() {
                of.refuse(
                    "default",
                    &format!("is \"{name}\", which is no event type"),
                    out,
                );
            }
        }
    }

    fn fields(&mut self, fields: &Object<'_>, out: &mut Vec<Problem>) {
        let mut paths = HashSet::new();
        for (key, _) in fields.keys() {
            let Some(section) = fields.object(key, out) else {
                continue;
            };
            let id = match key.parse::<u32>() {
                Ok(id) if id > 0 => id,
                _ => {
                    fields.refuse(key, "is no field id (1 to 4294967295)", out);
                    continue;
                }
            };
            section.only(
                &["path", "type", "from", "coerce", "special", "description"],
                out,
            );
            let path = section.required("path", out);
            if !path.is_empty() && !paths.insert(path.clone()) {
                section.refuse("path", &format!("is \"{path}\", as another one is"), out);
            }
            let name = section.required("type", out);
            let known = FieldType::ALL.iter().find(|(known, _)| *known == name);
            if known.is_none() && !name.is_empty() {
                let all = FieldType::ALL.map(|(name, _)| name).join(", ");
                section.refuse("type", &format!("is \"{name}\" (there are: {all})"), out);
            }
            let special = match section.string("special", out).as_deref() {
                None => None,
                Some("type") => Some(Special::Type),
                Some("time") => Some(Special::Time),
                Some("seq") => Some(Special::Seq),
                Some(other) => {
                    let why = format!("is \"{other}\" (there are: type, time, seq)");
                    section.refuse("special", &why, out);
                    None
                }
            };
            self.fields.push(Field {
                id,
                path,
                kind: known.map_or(FieldType::String, |(_, kind)| *kind),
                from: section.strings("from", out),
                coerce: section.boolean("coerce", out).unwrap_or(false),
                special,
            });
        }
        self.fields.sort_by_key(|field| field.id);
        for pair in self.fields.windows(2) {
            if pair[0].id == pair[1].id {
                let why = format!("stands there twice ({} and {})", pair[0].path, pair[1].path);
                fields.refuse(&pair[0].id.to_string(), &why, out);
            }
        }
        if self.fields.len() > MAX_FIELDS {
            let message = format!("{} fields (allowed: {MAX_FIELDS})", self.fields.len());
            out.push(Problem::error(&self.file, message));
        }
    }

    /// The id of an event type, by its name or by its number.
    #[must_use]
    pub fn type_id(&self, name: &str) -> Option<u32> {
        let by_name = self.types.iter().find(|(_, known)| *known == name);
        by_name.map(|(id, _)| *id).or_else(|| {
            let id = name.parse().ok()?;
            self.types.contains_key(&id).then_some(id)
        })
    }

    /// The slot of a path.
    #[must_use]
    pub fn slot(&self, path: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.path == path)
    }

    /// Says what a package expects of the schema that is not so.
    pub fn check(&self, package: &Package, out: &mut Vec<Problem>) {
        let manifest = &package.manifest;
        let file = package.file("manifest.json");
        let mut wrong = |message: String| out.push(Problem::error(&file, message));
        if manifest.schema_version != self.version {
            wrong(format!(
                "`metadata.schema_version` is \"{}\", and {} has \"{}\"",
                manifest.schema_version, self.file, self.version
            ));
        }
        for name in manifest.event_types.iter().flatten() {
            if self.type_id(name).is_none() {
                wrong(format!(
                    "`event_types`: {} has no type \"{name}\"",
                    self.file
                ));
            }
        }
        for (id, path) in &manifest.fields {
            match self.fields.iter().find(|field| field.id == *id) {
                Some(field) if field.path == *path => {}
                Some(field) => wrong(format!(
                    "`fields.{id}` is \"{path}\", and {} has \"{}\" there",
                    self.file, field.path
                )),
                None => wrong(format!(
                    "`fields.{id}` is \"{path}\", and {} has no field {id}",
                    self.file
                )),
            }
        }
        let throttle = manifest.throttle.iter().flat_map(|throttle| &throttle.by);
        let threshold = manifest.threshold.iter();
        let threshold =
            threshold.flat_map(|threshold| threshold.by.iter().chain(&threshold.distinct));
        let sequence = manifest.sequence.iter().flat_map(|sequence| &sequence.by);
        for path in throttle.chain(threshold).chain(sequence) {
            if self.slot(path).is_none() {
                wrong(format!("{} has no field \"{path}\"", self.file));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_schema_says_everything() {
        let mut out = Vec::new();
        let schema = Schema::read(
            "s.json",
            br#"{"schema_version":"1.0","type":{"from":["t"],"map":{"1":"x"},"default":"y"},
            "time":{"format":"days"},"event_types":{"0":"a","7":"b","8":"b"},
            "fields":{"0":{"path":"a","type":"i64"},"1":{"path":"p","type":"int"},
            "2":{"path":"p","type":"i64","special":"pid"}}}"#,
            &mut out,
        );
        assert!(schema.is_none());
        let messages: Vec<_> = out.iter().map(ToString::to_string).collect();
        assert_eq!(
            messages,
            [
                "s.json: `event_types.0` is no event type id (1 to 4294967295)",
                "s.json: `event_types.8` is \"b\", as another one is",
                "s.json: `type.map.1` is \"x\", which is no event type",
                "s.json: `type.default` is \"y\", which is no event type",
                "s.json: `time.format` is \"days\" (there are: auto, rfc3339, s, ms, us, ns)",
                "s.json: `fields.0` is no field id (1 to 4294967295)",
                "s.json: `fields.1.type` is \"int\" (there are: i64, u64, f64, bool, string, bytes, array)",
                "s.json: `fields.2.path` is \"p\", as another one is",
                "s.json: `fields.2.special` is \"pid\" (there are: type, time, seq)",
            ]
        );
    }
}
