//! Finds ids in the text of a predicate that the schema or the package has not.

use std::sync::LazyLock;

use regex::Regex;

use crate::package::{Language, Package};
use crate::problem::Problem;
use crate::schema::{FieldType, Schema};

static GETTER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"\bevent_(get_i64|get_u64|get_str|get_bool|get|has)\s*\(\s*[^,()]*,\s*(\d+)\s*\)")
        .ok()
});
static PATTERN: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\b(re|glob)_match\s*\(\s*(\d+)\s*,").ok());

/// What is wrong with the literal ids of a predicate in Lua.
pub fn check(package: &Package, schema: &Schema, out: &mut Vec<Problem>) {
    if package.language != Language::Lua {
        return;
    }
    let (Some(getter), Some(pattern)) = (GETTER.as_ref(), PATTERN.as_ref()) else {
        return;
    };
    let text = String::from_utf8_lossy(&package.predicate.1);
    let file = package.file(&package.predicate.0);
    for (number, line) in text.lines().enumerate() {
        let code = line.split("--").next().unwrap_or_default();
        let mut add = |message: String, warning: bool| {
            let place = format!("{file}:{}", number + 1);
            out.push(match warning {
                true => Problem::warning(place, message),
                false => Problem::error(place, message),
            });
        };
        for found in getter.captures_iter(code) {
            let name = &found[1];
            let field = found[2].parse::<u32>().ok();
            let field = field.and_then(|id| schema.fields.iter().find(|field| field.id == id));
            let id = &found[2];
            match field {
                None => add(format!("{} has no field {id}", schema.file), false),
                Some(field) if !gives(name, field.kind) => add(
                    format!(
                        "event_{name} never has a value of {id}: {} is {}",
                        field.path,
                        kind_name(field.kind)
                    ),
                    true,
                ),
                Some(_) => {}
            }
        }
        for found in pattern.captures_iter(code) {
            let count = match &found[1] {
                "re" => package.regexes.len(),
                _ => package.globs.len(),
            };
            let number: Option<usize> = found[2].parse().ok();
            if !number.is_some_and(|number| (1..=count).contains(&number)) {
                let kind = if &found[1] == "re" { "regex" } else { "glob" };
                add(
                    format!("there is no {kind} {} (the rule has {count})", &found[2]),
                    false,
                );
            }
        }
    }
}

fn gives(getter: &str, kind: FieldType) -> bool {
    match getter {
        "get_i64" | "get_u64" | "get_bool" => {
            matches!(kind, FieldType::I64 | FieldType::U64 | FieldType::Bool)
        }
        "get_str" => kind == FieldType::String,
        _ => true,
    }
}

fn kind_name(kind: FieldType) -> &'static str {
    match kind {
        FieldType::I64 => "an i64",
        FieldType::U64 => "a u64",
        FieldType::F64 => "an f64",
        FieldType::Bool => "a bool",
        FieldType::String => "a string",
        FieldType::Bytes => "bytes",
        FieldType::Array => "an array",
    }
}
