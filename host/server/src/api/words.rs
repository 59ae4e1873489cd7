//! Says in the words of the API what a request has that cannot be read. The parsers of JSON and of
//! queries speak of their own types; what they say of a field is taken apart here.

use kael_engine::names::nearest;

/// Fields that a hint lists.
const MAX_FIELDS: usize = 20;

/// What is wrong, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) detail: String,
    pub(super) hint: Option<String>,
}

/// What is wrong with a value. `text` is what a parser says: `PATH: MESSAGE at line L column C` behind
/// words of its own.
pub(super) fn of_value(text: &str) -> Words {
    let text = without_place(behind_intro(text));
    let (path, message) = split(text);
    if let Some(rest) = message.strip_prefix("unknown field ") {
        return unknown(rest);
    }
    if let Some(field) = message.strip_prefix("missing field ") {
        let name = match path {
            Some(path) => format!("`{path}.{}`", field.trim_matches('`')),
            None => field.to_owned(),
        };
        return plain(format!("{name} is missing"));
    }
    let name = path.map_or_else(|| "the value".to_owned(), |path| format!("`{path}`"));
    if let Some(rest) = message.strip_prefix("unknown variant ") {
        let (got, expected) = rest.split_once(", expected ").unwrap_or((rest, "another"));
        return plain(format!("{name} must be {expected}, got {got}"));
    }
    for start in ["invalid type: ", "invalid value: ", "invalid length "] {
        if let Some((got, expected)) = message
            .strip_prefix(start)
            .and_then(|rest| rest.split_once(", expected "))
        {
            return plain(format!(
                "{name} must be {}, got {}",
                kind(expected),
                found(got)
            ));
        }
    }
    match message {
        "invalid digit found in string"
        | "cannot parse integer from empty string"
        | "number too large to fit in target type"
        | "number too small to fit in target type" => plain(format!(
            "{name} must be a whole number that is not too large"
        )),
        "provided string was not `true` or `false`" => {
            plain(format!("{name} must be true or false"))
        }
        _ => plain(format!("{name}: {message}")),
    }
}

/// What is wrong with a body that is no JSON.
pub(super) fn of_syntax(text: &str) -> Words {
    let place = match text.rsplit_once(" at line ") {
        Some((_, place)) => format!(": look at line {}", place.replace(" column ", ", column ")),
        None => String::new(),
    };
    Words {
        detail: format!("the body is no JSON{place}"),
        hint: Some("send one JSON document, with texts in double quotes".to_owned()),
    }
}

fn plain(detail: String) -> Words {
    Words { detail, hint: None }
}

/// What stands behind the words with which the web framework begins.
fn behind_intro(text: &str) -> &str {
    for intro in [
        "Failed to deserialize the JSON body into the target type: ",
        "Failed to deserialize query string: ",
    ] {
        if let Some(rest) = text.strip_prefix(intro) {
            return rest;
        }
    }
    text
}

fn without_place(text: &str) -> &str {
    match text.rsplit_once(" at line ") {
        Some((text, place)) if place.starts_with(|first: char| first.is_ascii_digit()) => text,
        _ => text,
    }
}

/// The path of a field and what is said of it. Messages have colons, too, but paths have no blanks.
fn split(text: &str) -> (Option<&str>, &str) {
    match text.split_once(": ") {
        Some((path, message)) if !path.contains(' ') && path != "." => (Some(path), message),
        Some((".", message)) => (None, message),
        _ => (None, text),
    }
}

fn unknown(rest: &str) -> Words {
    let (name, known) = rest.split_once(", ").unwrap_or((rest, ""));
    let name = name.trim_matches('`');
    let known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
    let shown: String = name.chars().take(60).collect();
    let near = nearest(name, known.iter().copied());
    let guess = near.map_or_else(String::new, |near| format!(" (did you mean `{near}`?)"));
    let listed = known.iter().take(MAX_FIELDS).copied();
    let hint = format!("it takes {}", listed.collect::<Vec<_>>().join(", "));
    Words {
        detail: format!("unknown field `{shown}`{guess}"),
        hint: (!known.is_empty()).then_some(hint),
    }
}

/// What was expected, in the words of JSON.
fn kind(expected: &str) -> &str {
    match expected {
        "a string" | "a borrowed string" => "a text",
        "a map" => "an object",
        "a sequence" => "a list",
        "a boolean" => "true or false",
        "f32" | "f64" => "a number",
        "u8" | "u16" | "u32" | "u64" | "usize" => {
            "a whole number that is not negative nor too large"
        }
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number that is not too large",
        expected if expected.starts_with("struct ") => "an object",
        expected => expected,
    }
}

/// What was there instead.
fn found(got: &str) -> String {
    let got: String = got.chars().take(80).collect();
    for (start, name) in [
        ("string ", "the text "),
        ("integer ", ""),
        ("floating point ", ""),
        ("boolean ", ""),
    ] {
        if let Some(rest) = got.strip_prefix(start) {
            return format!("{name}{}", rest.trim_matches('`'));
        }
    }
    match got.as_str() {
        "map" => "an object".to_owned(),
        "sequence" => "a list".to_owned(),
        _ => got,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "Failed to deserialize the JSON body into the target type: ";

    #[test]
    fn what_parsers_say_is_said_of_fields() {
        for (text, detail) in [
            (
                "labels: invalid type: string \"x: y\", expected a map at line 1 column 20",
                "`labels` must be an object, got the text \"x: y\"",
            ),
            (
                "limits.calls: invalid type: floating point `1.5`, expected u32 at line 1 column 9",
                "`limits.calls` must be a whole number that is not negative nor too large, got 1.5",
            ),
            (
                "args[1]: invalid type: null, expected a string at line 3 column 1",
                "`args[1]` must be a text, got null",
            ),
            (
                "invalid type: sequence, expected struct Submit at line 1 column 0",
                "the value must be an object, got a list",
            ),
            (
                "scirpt: unknown field `scirpt`, expected one of `script`, `name` at line 1 column 9",
                "unknown field `scirpt` (did you mean `script`?)",
            ),
            (
                "limits.cup: unknown field `cup`, expected `cpu` or `calls` at line 1 column 9",
                "unknown field `cup` (did you mean `cpu`?)",
            ),
            (
                "missing field `role` at line 1 column 2",
                "`role` is missing",
            ),
            (
                "role: unknown variant `king`, expected one of `viewer`, `operator` at line 1 column 2",
                "`role` must be one of `viewer`, `operator`, got `king`",
            ),
            (
                "priority: invalid value: integer `3000000000`, expected i32 at line 1 column 2",
                "`priority` must be a whole number that is not too large, got 3000000000",
            ),
        ] {
            let words = of_value(&format!("{BODY}{text}"));
            assert_eq!(words.detail, detail, "{text}");
        }
        let words = of_value(&format!(
            "{BODY}unknown field `x`, expected `cpu` or `calls`"
        ));
        assert_eq!(words.hint.as_deref(), Some("it takes cpu, calls"));
    }

    #[test]
    fn queries_and_bodies_that_are_no_json() {
        let query = "Failed to deserialize query string: limit: invalid digit found in string";
        assert_eq!(
            of_value(query).detail,
            "`limit` must be a whole number that is not too large"
        );
        let syntax =
            "Failed to parse the request body as JSON: key must be a string at line 1 column 3";
        assert_eq!(
            of_syntax(syntax).detail,
            "the body is no JSON: look at line 1, column 3"
        );
    }
}
