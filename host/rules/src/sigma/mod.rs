//! Translates Sigma rules into packages. What cannot be translated is an error with the line.

mod condition;
mod lua;
mod value;

use kael_engine::policy::{Kind, Mistake, Node, parse_yaml};

use crate::package::Severity;
use crate::schema::{FieldType, Schema};
use condition::Condition;
use value::{Place, Test};

/// A translated rule: the files of its package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translated {
    /// The rule's id.
    pub id: String,
    /// `manifest.json`
    pub manifest: String,
    /// `predicate.lua`
    pub predicate: String,
    /// `resources/regexes.txt`; none without patterns.
    pub regexes: Option<String>,
    /// What the translation leaves out.
    pub warnings: Vec<Mistake>,
}

/// The tests of one field, of which one or all must hold.
struct FieldTest {
    id: u32,
    kind: FieldType,
    all: bool,
    cased: bool,
    tests: Vec<Test>,
}

/// A search: alternatives, each with fields that must all fit.
struct Search(Vec<Vec<FieldTest>>);

/// Categories of Sigma's log sources whose events have a type of another name here.
const CATEGORIES: [(&str, &str); 17] = [
    ("process_creation", "process_exec"),
    ("process_termination", "process_exit"),
    ("network_connection", "network_connect"),
    ("file_event", "file_create"),
    ("registry_event", "registry_set"),
    ("registry_add", "registry_set"),
    ("registry_delete", "registry_set"),
    ("create_remote_thread", "remote_thread"),
    ("pipe_created", "pipe"),
    ("registry_rename", "registry_set"),
    ("file_block_executable", "file_block"),
    ("file_block_shredding", "file_block"),
    ("file_executable_detected", "file_executable"),
    ("create_stream_hash", "stream_hash"),
    ("raw_access_thread", "raw_access"),
    ("wmi_event", "wmi"),
    ("clipboard_capture", "clipboard"),
];

/// Translates one rule for events of a schema.
///
/// # Errors
/// The first thing that cannot be translated, with its line.
pub fn translate(text: &str, schema: &Schema) -> Result<Translated, Mistake> {
    let root = parse_yaml(text)?;
    let Kind::Table(keys) = &root.kind else {
        return Err(Mistake::new(root.line, "a Sigma rule is a table"));
    };
    let get = |key: &str| {
        keys.iter()
            .find(|(known, ..)| known == key)
            .map(|(.., node)| node)
    };
    let string = |key: &str| get(key).and_then(scalar).map(str::to_owned);
    if let Some(kind) = get("correlation").or(get("action")) {
        return Err(Mistake::new(
            kind.line,
            "correlations are not translated: use `threshold`",
        ));
    }
    let title = string("title").filter(|title| !title.is_empty());
    let title = title.ok_or_else(|| Mistake::new(root.line, "`title` is missing"))?;
    let id = string("id").unwrap_or_else(|| slug(&title));
    let sound = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
    if !id.starts_with(|c: char| c.is_ascii_alphanumeric())
        || id.len() > 128
        || !id.chars().all(sound)
    {
        let line = get("id").map_or(root.line, |node| node.line);
        return Err(Mistake::new(line, "`id` is no rule id"));
    }
    let detection = get("detection");
    let detection = detection.ok_or_else(|| Mistake::new(root.line, "`detection` is missing"))?;
    let Kind::Table(parts) = &detection.kind else {
        return Err(Mistake::new(detection.line, "`detection` must be a table"));
    };
    let (mut names, mut searches, mut conditions) = (Vec::new(), Vec::new(), Vec::new());
    for (name, line, node) in parts {
        match name.as_str() {
            "condition" => conditions = texts(node)?,
            "timeframe" => {
                let message = "`timeframe` is not translated: use `threshold`";
                return Err(Mistake::new(*line, message));
            }
            _ => {
                names.push(name.clone());
                searches.push(search(node, schema)?);
            }
        }
    }
    if conditions.is_empty() {
        return Err(Mistake::new(
            detection.line,
            "`detection.condition` is missing",
        ));
    }
    let mut all = Vec::new();
    for (text, line) in conditions {
        let parsed = condition::parse(&text, &names);
        all.push(parsed.map_err(|message| Mistake::new(line, message))?);
    }
    let (predicate, regexes) = lua::predicate(&title, &searches, &Condition::Or(all));
    let severity = match string("level").as_deref() {
        Some("informational") => Severity::Informational,
        Some("low") => Severity::Low,
        Some("high") => Severity::High,
        Some("critical") => Severity::Critical,
        _ => Severity::Medium,
    };
    let list = |key: &str| get(key).map_or_else(|| Ok(Vec::new()), texts);
    let tags: Vec<String> = list("tags")?.into_iter().map(|(text, _)| text).collect();
    let references: Vec<String> = list("references")?
        .into_iter()
        .map(|(text, _)| text)
        .collect();
    let technique = |tag: &String| {
        let name = tag.strip_prefix("attack.t")?;
        name.starts_with(|c: char| c.is_ascii_digit())
            .then(|| format!("T{name}"))
    };
    let mitre: Vec<String> = tags.iter().filter_map(technique).collect();
    let mut manifest = serde_json::json!({
        "format_version": "1.0",
        "metadata": {
            "rule_id": id,
            "rule_name": title,
            "rule_version": string("modified").or(string("date")).unwrap_or_else(|| "1.0.0".into()),
            "author": string("author"),
            "description": string("description"),
            "tags": tags,
            "severity": severity.name(),
            "schema_version": schema.version,
            "references": references,
        },
        "capabilities": { "mitre_attack": mitre },
    });
    let mut warnings = Vec::new();
    match event_type(get("logsource"), schema) {
        Ok(Some(kind)) => manifest["event_types"] = serde_json::json!([kind]),
        Ok(None) => {}
        Err(mistake) => warnings.push(mistake),
    }
    let manifest = serde_json::to_string_pretty(&manifest).unwrap_or_default() + "\n";
    Ok(Translated {
        id,
        manifest,
        predicate,
        regexes: (!regexes.is_empty()).then(|| regexes.join("\n") + "\n"),
        warnings,
    })
}

/// The type of events that a log source means; none without a category.
fn event_type<'a>(
    logsource: Option<&'a Node>,
    schema: &Schema,
) -> Result<Option<&'a str>, Mistake> {
    let keys = match logsource.map(|node| &node.kind) {
        Some(Kind::Table(keys)) => keys,
        _ => return Ok(None),
    };
    let category = keys.iter().find(|(key, ..)| key == "category");
    let Some((.., node)) = category else {
        return Ok(None);
    };
    let category = scalar(node).unwrap_or_default();
    let known = CATEGORIES.iter().find(|(known, _)| *known == category);
    let kind = known.map_or(category, |(_, kind)| kind);
    match schema.type_id(kind) {
        Some(_) => Ok(Some(kind)),
        None => Err(Mistake::new(
            node.line,
            format!(
                "the schema has no events of the category `{category}`: the rule looks at all events"
            ),
        )),
    }
}

fn slug(title: &str) -> String {
    let each = title.chars().map(|c| match c.is_ascii_alphanumeric() {
        true => c.to_ascii_lowercase(),
        false => '-',
    });
    each.collect::<String>().trim_matches('-').to_owned()
}

/// The text of a scalar.
fn scalar(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::Word(text) | Kind::Text(text) => Some(text),
        _ => None,
    }
}

/// A text, or a list of them, with their lines.
fn texts(node: &Node) -> Result<Vec<(String, u32)>, Mistake> {
    let one = |node: &Node| match scalar(node) {
        Some(text) => Ok((text.to_owned(), node.line)),
        None => Err(Mistake::new(node.line, "expected a text")),
    };
    match &node.kind {
        Kind::List(all) => all.iter().map(one).collect(),
        Kind::Nothing => Ok(Vec::new()),
        _ => Ok(vec![one(node)?]),
    }
}

fn search(node: &Node, schema: &Schema) -> Result<Search, Mistake> {
    match &node.kind {
        Kind::Table(_) => Ok(Search(vec![fields(node, schema)?])),
        Kind::List(all) => all
            .iter()
            .map(|node| fields(node, schema))
            .collect::<Result<_, _>>()
            .map(Search),
        _ => Err(Mistake::new(
            node.line,
            "a search is a table or a list of tables",
        )),
    }
}

fn fields(node: &Node, schema: &Schema) -> Result<Vec<FieldTest>, Mistake> {
    let Kind::Table(keys) = &node.kind else {
        let message = "keywords without a field are not translated: an event is no text";
        return Err(Mistake::new(node.line, message));
    };
    let one = |(key, line, node): &(String, u32, Node)| field(key, *line, node, schema);
    keys.iter().map(one).collect()
}

/// The field of a schema that Sigma calls by this name: its path, or one of its places.
fn slot<'a>(name: &str, schema: &'a Schema) -> Option<&'a crate::schema::Field> {
    let exact = schema
        .fields
        .iter()
        .find(|field| field.path == name || field.from.iter().any(|from| from == name));
    exact.or_else(|| {
        schema.fields.iter().find(|field| {
            let same = |place: &String| place.eq_ignore_ascii_case(name);
            same(&field.path) || field.from.iter().any(same)
        })
    })
}

fn field(key: &str, line: u32, node: &Node, schema: &Schema) -> Result<FieldTest, Mistake> {
    let wrong = |message: String| Mistake::new(line, message);
    let mut words = key.split('|');
    let name = words.next().unwrap_or_default();
    let Some(field) = slot(name, schema) else {
        return Err(wrong(format!("the schema has no field `{name}`")));
    };
    let (mut place, mut all, mut cased, mut dashes) = (Place::Whole, false, false, false);
    let (mut regex, mut cidr, mut exists) = (None, false, false);
    let (mut encode, mut wide, mut compare) = (None, false, None);
    for modifier in words {
        match modifier {
            "contains" => place = Place::Anywhere,
            "startswith" => place = Place::Start,
            "endswith" => place = Place::End,
            "all" => all = true,
            "cased" => cased = true,
            "windash" => dashes = true,
            "re" => regex = Some(String::new()),
            "i" | "m" | "s" if regex.is_some() => {
                regex = regex.map(|flags: String| flags + modifier);
            }
            "cidr" => cidr = true,
            "exists" => exists = true,
            "base64" => encode = Some(false),
            "base64offset" => encode = Some(true),
            "wide" | "utf16le" => wide = true,
            "gt" => compare = Some(">"),
            "gte" => compare = Some(">="),
            "lt" => compare = Some("<"),
            "lte" => compare = Some("<="),
            other => return Err(wrong(format!("the modifier `{other}` is not translated"))),
        }
    }
    let nodes: Vec<&Node> = match &node.kind {
        Kind::List(all) => all.iter().collect(),
        _ => vec![node],
    };
    let mut tests = Vec::new();
    for node in nodes {
        if node.kind == Kind::Nothing || node.kind == Kind::Word("null".into()) {
            tests.push(Test::Exists(false));
            continue;
        }
        let wrong = |message: &str| Mistake::new(node.line, message);
        let text = scalar(node).ok_or_else(|| wrong("expected a value or a list of them"))?;
        if exists {
            tests.push(Test::Exists(text == "true"));
        } else if let Some(sign) = compare {
            let number = number(text).map_err(|_| wrong("expected a whole number"))?;
            tests.push(Test::Compare(sign, number));
        } else if let Some(flags) = &regex {
            let pattern = match flags.is_empty() {
                true => text.to_owned(),
                false => format!("(?{flags}){text}"),
            };
            regex::bytes::Regex::new(&pattern)
                .map_err(|_| wrong("this regular expression is none of Rust's (no look-around)"))?;
            if pattern.is_empty() {
                return Err(wrong("this regular expression is empty"));
            }
            tests.push(Test::Matches(pattern));
        } else if cidr {
            let block = lua::block(text).ok_or_else(|| wrong("expected an address block"))?;
            tests.push(Test::Within(block));
        } else if let Some(offsets) = encode {
            let bytes: Vec<u8> = match wide {
                true => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
                false => text.as_bytes().to_vec(),
            };
            let encoded = match offsets {
                true => value::base64_offsets(&bytes),
                false => vec![value::base64(&bytes)],
            };
            cased = true;
            tests.push(Test::Any(encoded.into_iter().map(Test::Contains).collect()));
        } else if let (Ok(number), Place::Whole, false) = (number(text), place, is_text(field.kind))
        {
            tests.push(Test::Number(number));
        } else {
            tests.push(match dashes {
                true => value::windash(text, place, cased),
                false => value::text(text, place, cased),
            });
        }
    }
    Ok(FieldTest {
        id: field.id,
        kind: field.kind,
        all,
        cased,
        tests,
    })
}

/// A number, also in hexadecimal, as Sysmon writes rights.
fn number(text: &str) -> Result<i64, std::num::ParseIntError> {
    match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16),
        None => text.parse(),
    }
}

fn is_text(kind: FieldType) -> bool {
    !matches!(kind, FieldType::I64 | FieldType::U64)
}

#[cfg(test)]
mod tests;
