//! Parameters with holes: `${title}` takes what the alert has at a path.

use kael_engine::names;
use serde_json::{Map, Value};

/// What an alert has at its top, and `fields`, those of its last event.
const TOP: [&str; 13] = [
    "id",
    "rule_id",
    "rule_name",
    "rule_version",
    "severity",
    "timestamp_ns",
    "title",
    "description",
    "tags",
    "references",
    "events",
    "context",
    "fields",
];

/// A JSON value in whose texts `${path}` is a hole. A text that is one hole takes the value as it is.
#[derive(Debug, Clone)]
pub(super) struct Template(Value);

impl Template {
    /// A value whose holes name what an alert can have.
    ///
    /// # Errors
    /// The first hole that does not.
    pub(super) fn new(value: Value) -> Result<Self, String> {
        check(&value)?;
        Ok(Self(value))
    }

    /// The value with what the alert has in its holes.
    ///
    /// # Errors
    /// The first path that the alert lacks.
    pub(super) fn fill(&self, alert: &Value) -> Result<Value, String> {
        filled(&self.0, alert)
    }
}

fn check(value: &Value) -> Result<(), String> {
    match value {
        Value::String(text) => pieces(text)?.into_iter().try_for_each(|piece| match piece {
            Piece::Text(_) => Ok(()),
            Piece::Hole(path) => {
                let first = path.split('.').next().unwrap_or_default();
                if TOP.contains(&first) {
                    return Ok(());
                }
                let hint = names::did_you_mean(names::nearest(first, TOP.into_iter()), '`');
                Err(format!("names `{first}`, which no alert has{hint}"))
            }
        }),
        Value::Array(list) => list.iter().try_for_each(check),
        Value::Object(map) => map.values().try_for_each(check),
        _ => Ok(()),
    }
}

fn filled(value: &Value, alert: &Value) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => match pieces(text)?.as_slice() {
            [Piece::Hole(path)] => found(alert, path)?.clone(),
            pieces => {
                let mut out = String::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => out += text,
                        Piece::Hole(path) => match found(alert, path)? {
                            Value::String(text) => out += text,
                            other => out += &other.to_string(),
                        },
                    }
                }
                Value::String(out)
            }
        },
        Value::Array(list) => {
            let all = list.iter().map(|one| filled(one, alert));
            Value::Array(all.collect::<Result<_, _>>()?)
        }
        Value::Object(map) => {
            let each = map
                .iter()
                .map(|(key, one)| Ok((key.clone(), filled(one, alert)?)));
            Value::Object(each.collect::<Result<Map<_, _>, String>>()?)
        }
        other => other.clone(),
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Hole(&'a str),
}

/// A text in pieces. `$${` stands for `${` itself.
fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            pieces.extend([Piece::Text(&rest[..at - 1]), Piece::Text("${")]);
            rest = &rest[at + 2..];
            continue;
        }
        let Some(end) = rest[at..].find('}') else {
            return Err(format!("has a `${{` without `}}` in \"{text}\""));
        };
        pieces.extend([
            Piece::Text(&rest[..at]),
            Piece::Hole(rest[at + 2..at + end].trim()),
        ]);
        rest = &rest[at + end + 1..];
    }
    pieces.push(Piece::Text(rest));
    pieces.retain(|piece| *piece != Piece::Text(""));
    Ok(pieces)
}

/// What an alert has at a path.
fn found<'a>(alert: &'a Value, path: &str) -> Result<&'a Value, String> {
    let missing = || path.to_owned();
    if let Some(field) = path.strip_prefix("fields.") {
        let events = alert["events"].as_array();
        let last = events
            .and_then(|events| events.last())
            .ok_or_else(missing)?;
        return at(&last["fields"], field).ok_or_else(missing);
    }
    at(alert, path).ok_or_else(missing)
}

/// Keys may have dots in them: the longest one that is there counts.
fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    if path.is_empty() {
        return Some(value);
    }
    let ends = path
        .match_indices('.')
        .map(|(at, _)| at)
        .chain([path.len()]);
    let ends: Vec<usize> = ends.collect();
    ends.into_iter().rev().find_map(|end| {
        let (key, rest) = (&path[..end], path[end..].trim_start_matches('.'));
        let inner = match value {
            Value::Object(map) => map.get(key)?,
            Value::Array(list) => list.get(key.parse::<usize>().ok()?)?,
            _ => return None,
        };
        at(inner, rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn holes_take_what_the_alert_has() {
        let alert = json!({
            "title": "A \"shell\"", "context": { "captures": { "ip": "10.0.0.1", "n": 3 } },
            "events": [{ "fields": { "process.pid": 1 } }, { "fields": { "process.pid": 2, "process": { "pid": 9 } } }],
        });
        let fill = |value: Value| Template::new(value)?.fill(&alert);
        assert_eq!(fill(json!("${fields.process.pid}")), Ok(json!(2)));
        assert_eq!(fill(json!("${events.0.fields.process.pid}")), Ok(json!(1)));
        assert_eq!(
            fill(
                json!({ "a": ["${ title }: ${context.captures.n} from ${context.captures.ip}", 1, null] })
            ),
            Ok(json!({ "a": ["A \"shell\": 3 from 10.0.0.1", 1, null] }))
        );
        assert_eq!(fill(json!("$${title}")), Ok(json!("${title}")));
        assert_eq!(
            fill(json!("${context.captures.x}")),
            Err("context.captures.x".to_owned())
        );
        assert!(fill(json!("${title")).is_err());
        assert!(fill(json!("${titl}")).is_err());
    }
}
