//! What is wrong with a value or a schema, in words.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{JsonType, ValidationError};
use serde_json::Value;

use crate::catalog::fields::describe;
use crate::text;

/// Characters of what one mistake says.
const MAX_TEXT: usize = 200;

pub(super) fn expected(kind: &Kind, got: &Value, error: &ValidationError<'_>) -> String {
    match kind {
        Kind::Type { kind } => format!("must be {}, got {}", types(kind), describe(got)),
        Kind::Enum { options } => format!("must be one of {}, got {}", brief(options), brief(got)),
        Kind::Constant { expected_value } => {
            format!("must be {}, got {}", brief(expected_value), brief(got))
        }
        Kind::Minimum { limit } => format!("must be at least {limit}, got {}", brief(got)),
        Kind::Maximum { limit } => format!("must be at most {limit}, got {}", brief(got)),
        Kind::ExclusiveMinimum { limit } => {
            format!("must be more than {limit}, got {}", brief(got))
        }
        Kind::ExclusiveMaximum { limit } => {
            format!("must be less than {limit}, got {}", brief(got))
        }
        Kind::MultipleOf { multiple_of } => {
            format!("must be a multiple of {multiple_of}, got {}", brief(got))
        }
        Kind::MinLength { limit } => format!("must have at least {limit} characters"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::MinItems { limit } => format!("must have at least {limit} elements"),
        Kind::MaxItems { limit } => format!("must have at most {limit} elements"),
        Kind::MinProperties { limit } => format!("must have at least {limit} fields"),
        Kind::MaxProperties { limit } => format!("must have at most {limit} fields"),
        Kind::UniqueItems => "must not hold an element twice".to_owned(),
        Kind::Pattern { pattern } => format!("must match {pattern}, got {}", brief(got)),
        Kind::Format { format } => format!("must be a {format}, got {}", brief(got)),
        Kind::FalseSchema => "must not be there".to_owned(),
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => {
            format!("fits none of its alternatives, got {}", brief(got))
        }
        Kind::OneOfMultipleValid { .. } => "fits more than one of its alternatives".to_owned(),
        Kind::Not { schema } => format!("must not be {}", brief(schema)),
        // The value itself may be large; what it is said of stands in front.
        _ => error.masked_with("it").to_string(),
    }
}

/// What is wrong with the schema itself.
pub(super) fn in_schema(error: &ValidationError<'_>) -> String {
    let place = dotted(error.instance_path().as_str());
    let at = if place.is_empty() {
        String::new()
    } else {
        format!("`{}` ", cut(&place))
    };
    let text = match error.kind() {
        Kind::Referencing(_) | Kind::Custom { .. } => error.to_string(),
        Kind::AnyOf { .. } if place.ends_with("type") || place == "type" => format!(
            "{} is not a type of JSON Schema: \"string\", \"integer\", \"number\", \"boolean\", \"object\", \"array\", \"null\"",
            brief(error.instance())
        ),
        Kind::Format { format } if format == "regex" => format!(
            "{} is not a pattern that Kael takes (no look-around, no back-references)",
            brief(error.instance())
        ),
        kind => expected(kind, error.instance(), error),
    };
    format!("is not a valid schema: {at}{}", cut(&text))
}

pub(super) fn accepts(kind: &TypeKind, wanted: JsonType) -> bool {
    match kind {
        TypeKind::Single(one) => *one == wanted,
        TypeKind::Multiple(set) => set.iter().any(|one| one == wanted),
    }
}

fn types(kind: &TypeKind) -> String {
    let names: Vec<&str> = match kind {
        TypeKind::Single(one) => vec![type_name(*one)],
        TypeKind::Multiple(set) => set.iter().map(type_name).collect(),
    };
    names.join(" or ")
}

fn type_name(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Array => "a list",
        JsonType::Boolean => "a boolean",
        JsonType::Integer => "an integer",
        JsonType::Null => "null",
        JsonType::Number => "a number",
        JsonType::Object => "a table with names",
        JsonType::String => "a string",
    }
}

/// A value in few characters.
fn brief(value: &Value) -> String {
    match value {
        Value::Array(elements) if elements.len() <= 20 => {
            let parts: Vec<String> = elements.iter().map(brief).collect();
            parts.join(", ")
        }
        Value::Array(_) | Value::Object(_) => describe(value).to_owned(),
        Value::String(text) if text.chars().nth(60).is_some() => text::quote(text, 60),
        other => other.to_string(),
    }
}

/// `a.b[0]` for `/a/b/0`.
pub(super) fn dotted(pointer: &str) -> String {
    let mut out = String::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) {
            // Lua counts from 1.
            let index = part.parse::<u64>().map_or(part, |n| (n + 1).to_string());
            out.push_str(&format!("[{index}]"));
        } else {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(&part);
        }
        if out.len() > 4 * MAX_TEXT {
            break;
        }
    }
    out
}

pub(super) fn cut(text: &str) -> String {
    text::shorten(text, MAX_TEXT).into_owned()
}
