//! `manifest.json`: what a package says of its rule.

use serde_json::Value;

use super::json::{self, Object};
use super::window::{Sequence, Threshold, Throttle};
use crate::problem::Problem;

/// How bad what a rule finds is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// For information.
    Informational,
    /// Little.
    Low,
    /// The default.
    #[default]
    Medium,
    /// Much.
    High,
    /// The most.
    Critical,
}

impl Severity {
    /// All, from the least.
    pub const ALL: [Self; 5] = [
        Self::Informational,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Critical,
    ];

    /// The name, as alerts have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Informational => "Informational",
            Self::Low => "Low",
            Self::Medium => "Medium",
            Self::High => "High",
            Self::Critical => "Critical",
        }
    }

    /// The severity of that name, in any case.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.name().eq_ignore_ascii_case(name))
    }
}

/// The language of a predicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `predicate.lua`
    Lua,
    /// `rule.wasm`, `predicate.wasm`
    Wasm,
}

impl Language {
    /// The name, as `runtime` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lua => "lua",
            Self::Wasm => "wasm",
        }
    }
}

/// What a package says of its rule.
#[derive(Debug, Clone, Default)]
pub struct Manifest {
    /// Unique among the rules of a run.
    pub rule_id: String,
    /// The title of its alerts.
    pub rule_name: String,
    /// Its version.
    pub rule_version: String,
    /// Who wrote it.
    pub author: Option<String>,
    /// What it finds.
    pub description: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// How bad what it finds is.
    pub severity: Severity,
    /// The version that the schema must have.
    pub schema_version: String,
    /// Where to read more.
    pub references: Vec<String>,
    /// Techniques of MITRE ATT&CK.
    pub mitre_attack: Vec<String>,
    /// Regular expressions and globs of the manifest.
    pub regexes: Vec<String>,
    /// As above.
    pub globs: Vec<String>,
    /// The types of events that are evaluated, by name or id; none for all.
    pub event_types: Option<Vec<String>>,
    /// What the author took the ids of fields for.
    pub fields: Vec<(u32, String)>,
    /// Which of two predicates is meant.
    pub language: Option<Language>,
    /// One alert of a key in a period.
    pub throttle: Option<Throttle>,
    /// Alerts from so many matches on.
    pub threshold: Option<Threshold>,
    /// Alerts for matches in an order.
    pub sequence: Option<Sequence>,
    /// Whether it has a section `patterns`.
    pub has_patterns: bool,
}

const KEYS: [&str; 11] = [
    "format_version",
    "metadata",
    "capabilities",
    "patterns",
    "event_types",
    "fields",
    "throttle",
    "threshold",
    "sequence",
    "runtime",
    "on_match",
];
const METADATA: [&str; 9] = [
    "rule_id",
    "rule_name",
    "rule_version",
    "author",
    "description",
    "tags",
    "severity",
    "schema_version",
    "references",
];
const CAPABILITIES: [&str; 5] = [
    "supports_inline",
    "requires_alert",
    "requires_block",
    "max_span_ms",
    "mitre_attack",
];

impl Manifest {
    /// Reads a manifest. Everything that is wrong is added to `out`.
    pub fn read(file: &str, text: &[u8], out: &mut Vec<Problem>) -> Option<Self> {
        let value = json::parse(file, text, out)?;
        let root = Object::root(file, &value, out)?;
        if root.get("on_match").is_some() {
            // Passing over it would let a rule seem to act.
            let message = "`on_match`: a package calls no actions";
            let hint = "leave it out; the person who runs the rules names actions with `rules run --on-match FILE`";
            out.push(Problem::error(file, message).hinted(hint));
        }
        root.only(&KEYS, out);
        let mut manifest = Self::default();
        match root.string("format_version", out).as_deref() {
            Some("1.0") => {}
            Some(other) => {
                let why = format!("is \"{other}\", and only \"1.0\" is known");
                root.refuse("format_version", &why, out);
            }
            None if root.get("format_version").is_none() => {
                root.wrong("format_version", "\"1.0\"", out);
            }
            None => {}
        }
        match root.object("metadata", out) {
            Some(metadata) => manifest.metadata(&metadata, out),
            None if root.get("metadata").is_none() => root.wrong("metadata", "an object", out),
            None => {}
        }
        let mut max_span = None;
        if let Some(capabilities) = root.object("capabilities", out) {
            capabilities.only(&CAPABILITIES, out);
            capabilities.boolean("supports_inline", out);
            capabilities.boolean("requires_alert", out);
            if capabilities.boolean("requires_block", out) == Some(true) {
                let message = "`capabilities.requires_block`: Kael alerts, and blocks nothing";
                out.push(Problem::warning(file, message));
            }
            max_span = capabilities.count("max_span_ms", out);
            manifest.mitre_attack = capabilities.strings("mitre_attack", out);
        }
        if let Some(patterns) = root.object("patterns", out) {
            patterns.only(&["regexes", "globs"], out);
            manifest.has_patterns = true;
            manifest.regexes = patterns.strings("regexes", out);
            manifest.globs = patterns.strings("globs", out);
        }
        manifest.event_types = event_types(&root, out);
        if let Some(fields) = root.object("fields", out) {
            manifest.fields = fields_of(&fields, out);
        }
        manifest.language = match root.string("runtime", out).as_deref() {
            None => None,
            Some("lua") => Some(Language::Lua),
            Some("wasm") => Some(Language::Wasm),
            Some(other) => {
                root.refuse(
                    "runtime",
                    &format!("is \"{other}\" (there are: lua, wasm)"),
                    out,
                );
                None
            }
        };
        let section = root.object("throttle", out);
        manifest.throttle = section.and_then(|section| Throttle::read(&section, max_span, out));
        let section = root.object("threshold", out);
        manifest.threshold = section.and_then(|section| Threshold::read(&section, max_span, out));
        let section = root.object("sequence", out);
        manifest.sequence = section.and_then(|section| Sequence::read(&section, max_span, out));
        if manifest.threshold.is_some() && manifest.sequence.is_some() {
            root.refuse("sequence", "cannot stand beside `threshold`", out);
        }
        Some(manifest)
    }

    fn metadata(&mut self, metadata: &Object<'_>, out: &mut Vec<Problem>) {
        metadata.only(&METADATA, out);
        self.rule_id = metadata.required("rule_id", out);
        let sound = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
        if !self.rule_id.is_empty()
            && (self.rule_id.len() > 128 || !self.rule_id.chars().all(sound))
        {
            let why = "must be 1 to 128 of the characters A-Z, a-z, 0-9, `.`, `_`, `:` and `-`";
            metadata.refuse("rule_id", why, out);
        }
        self.rule_name = metadata.required("rule_name", out);
        self.rule_version = metadata.required("rule_version", out);
        self.author = metadata.string("author", out);
        self.description = metadata.string("description", out);
        self.tags = metadata.strings("tags", out);
        self.references = metadata.strings("references", out);
        self.schema_version = metadata
            .string("schema_version", out)
            .unwrap_or_else(|| "1.0".to_owned());
        if let Some(name) = metadata.string("severity", out) {
            match Severity::of(&name) {
                Some(severity) => self.severity = severity,
                None => {
                    let all = Severity::ALL.map(Severity::name).join(", ");
                    let why = format!("is \"{name}\" (there are: {all})");
                    metadata.refuse("severity", &why, out);
                }
            }
        }
    }
}

/// Names, or ids as numbers.
fn event_types(root: &Object<'_>, out: &mut Vec<Problem>) -> Option<Vec<String>> {
    let value = root.get("event_types")?;
    let one = |value: &Value| match value {
        Value::String(name) => Some(name.clone()),
        Value::Number(id) if id.is_u64() => Some(id.to_string()),
        _ => None,
    };
    let all: Option<Option<Vec<String>>> =
        value.as_array().map(|all| all.iter().map(one).collect());
    match all {
        Some(Some(types)) => Some(types),
        _ => {
            root.wrong("event_types", "a list of names or ids", out);
            None
        }
    }
}

fn fields_of(fields: &Object<'_>, out: &mut Vec<Problem>) -> Vec<(u32, String)> {
    let mut all = Vec::new();
    for (key, value) in fields.keys() {
        match (key.parse(), value) {
            (Ok(id), Value::String(path)) => all.push((id, path.clone())),
            (Err(_), _) => fields.refuse(key, "is no field id (0 to 4294967295)", out),
            (Ok(_), _) => fields.wrong(key, "the path of a field", out),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<Manifest>, Vec<String>) {
        let mut out = Vec::new();
        let manifest = Manifest::read("r/manifest.json", text.as_bytes(), &mut out);
        let shown = |problem: &Problem| {
            let hint = problem.hint.as_ref().map(|hint| format!(" [{hint}]"));
            let kind = if problem.warning { "warning: " } else { "" };
            format!("{kind}{}{}", problem, hint.unwrap_or_default())
        };
        (manifest, out.iter().map(shown).collect())
    }

    #[test]
    fn a_full_manifest_is_read() {
        let (manifest, wrong) = read(
            r#"{"format_version":"1.0","metadata":{"rule_id":"a-1","rule_name":"A","rule_version":"1",
            "author":null,"severity":"critical","tags":["x"]},
            "capabilities":{"supports_inline":true,"max_span_ms":5000,"mitre_attack":["T1059"]},
            "event_types":["process_exec",4001],"fields":{"2":"process.pid"},
            "threshold":{"count":3,"by":["process.pid"]}}"#,
        );
        assert_eq!(wrong, Vec::<String>::new());
        let manifest = manifest.expect("it is sound");
        assert_eq!(manifest.severity, Severity::Critical);
        assert_eq!(
            manifest.event_types,
            Some(vec!["process_exec".into(), "4001".into()])
        );
        assert_eq!(manifest.threshold.expect("it has one").window_ms, 5000);
    }

    #[test]
    fn an_action_on_a_match_is_refused_and_not_passed_over() {
        let (_, wrong) = read(
            r#"{"format_version":"1.0","metadata":{"rule_id":"a-1","rule_name":"A","rule_version":"1"},
            "on_match":{"action":"tickets.open"}}"#,
        );
        assert_eq!(
            wrong,
            [
                "r/manifest.json: `on_match`: a package calls no actions [leave it out; the person who \
                 runs the rules names actions with `rules run --on-match FILE`]"
            ]
        );
    }

    #[test]
    fn everything_that_is_wrong_comes_out_at_once() {
        let (_, wrong) = read(
            r#"{"format_version":"2","metadata":{"rule_id":"../x","rule_name":3,"severity":"Bad","author":"a","tgas":[]},
            "capabilities":{"requires_block":true},"event_types":"x","fields":{"x":"y"},"runtime":"js"}"#,
        );
        assert_eq!(
            wrong,
            [
                "r/manifest.json: `format_version` is \"2\", and only \"1.0\" is known",
                "warning: r/manifest.json: the key `metadata.tgas` is not known, and ignored [did you mean `tags`?]",
                "r/manifest.json: `metadata.rule_id` must be 1 to 128 of the characters A-Z, a-z, 0-9, `.`, `_`, `:` and `-`",
                "r/manifest.json: `metadata.rule_name` must be a string, is a number",
                "r/manifest.json: `metadata.rule_version` is missing: it must be a string",
                "r/manifest.json: `metadata.severity` is \"Bad\" (there are: Informational, Low, Medium, High, Critical)",
                "warning: r/manifest.json: `capabilities.requires_block`: Kael alerts, and blocks nothing",
                "r/manifest.json: `event_types` must be a list of names or ids, is a string",
                "r/manifest.json: `fields.x` is no field id (0 to 4294967295)",
                "r/manifest.json: `runtime` is \"js\" (there are: lua, wasm)",
            ]
        );
        let (_, wrong) = read("{\n  \"a\": }");
        assert_eq!(wrong, ["r/manifest.json:2:8: not JSON: expected value"]);
    }
}
