//! When a result may be reused, and when a failed call is tried again.

use std::time::Duration;

use serde_json::Value;

use super::error::DefinitionError;
use super::fields::{Fields, collect_error};
use crate::failure::ErrorKind;
use crate::names;
use crate::units::TimeLimit;

/// Kinds of failure that another attempt may cure.
const RETRYABLE: [ErrorKind; 4] = [
    ErrorKind::Timeout,
    ErrorKind::Failed,
    ErrorKind::BadOutput,
    ErrorKind::Unavailable,
];

/// The longest wait between two attempts.
const MAX_WAIT: Duration = Duration::from_secs(300);

/// The `cache` and `retry` fields of a definition.
#[derive(Debug, Clone, Default)]
pub struct ResultPolicy {
    /// How long a result may be reused.
    pub cache: Option<TimeLimit>,
    /// What to do when a call fails.
    pub retry: Option<Retry>,
}

/// How a failed call is tried again.
#[derive(Debug, Clone, PartialEq)]
pub struct Retry {
    /// The most attempts, including the first.
    pub attempts: u32,
    /// The wait before the second attempt. It doubles after each attempt.
    pub backoff: TimeLimit,
    /// The kinds of failure that are tried again.
    pub on: Vec<ErrorKind>,
    /// Whether the definition names them.
    pub on_is_given: bool,
}

impl Retry {
    /// How long to wait after so many failed attempts: between 0.5 and 1.5 times the backoff, by
    /// `chance` (from 0 to 1), so that many callers do not all return at once.
    #[must_use]
    pub fn wait(&self, failed: u32, chance: f64) -> Duration {
        let doubled = 2_f64.powi(failed.saturating_sub(1).min(30).cast_signed());
        let seconds =
            self.backoff.duration().as_secs_f64() * doubled * (0.5 + chance.clamp(0.0, 1.0));
        Duration::from_secs_f64(seconds.min(MAX_WAIT.as_secs_f64()))
    }
}

impl ResultPolicy {
    pub(super) fn parse(fields: &mut Fields<'_>, wrong: &mut Vec<DefinitionError>) -> Self {
        Self {
            cache: collect_error(wrong, fields.time("cache")).flatten(),
            retry: collect_error(wrong, retry(fields)).flatten(),
        }
    }
}

fn retry(fields: &mut Fields<'_>) -> Result<Option<Retry>, DefinitionError> {
    let Some(value) = fields.value("retry") else {
        return Ok(None);
    };
    let parsed = parse_retry(value);
    parsed
        .map(Some)
        .map_err(|error| fields.error("retry", &error))
}

fn parse_retry(value: Value) -> Result<Retry, String> {
    let Value::Object(fields) = value else {
        return Err(
            "must be a table such as { attempts = 3, backoff = \"1s\", on = { \"timeout\" } }"
                .to_owned(),
        );
    };
    let mut retry = Retry {
        attempts: 3,
        backoff: TimeLimit::from_secs(1),
        on: vec![ErrorKind::Timeout, ErrorKind::Failed],
        on_is_given: false,
    };
    for (name, value) in fields {
        match name.as_str() {
            "attempts" => {
                let number = value.as_u64().filter(|number| (1..=20).contains(number));
                let number = number.ok_or("`attempts` must be a whole number from 1 to 20")?;
                retry.attempts = u32::try_from(number).unwrap_or(1);
            }
            "backoff" => {
                let time = match &value {
                    Value::String(text) => text.parse().map_err(|e| format!("`backoff` {e}"))?,
                    other => TimeLimit::from_seconds(other.as_f64().unwrap_or(f64::NAN))
                        .map_err(|e| format!("`backoff` {e}"))?,
                };
                retry.backoff = time;
            }
            "on" => {
                retry.on = kinds(&value)?;
                retry.on_is_given = true;
            }
            other => {
                let near = names::nearest(other, ["attempts", "backoff", "on"].into_iter());
                let hint = names::did_you_mean(near, '`');
                let shown: String = other.chars().take(60).collect();
                return Err(format!("has no field `{shown}`{hint}"));
            }
        }
    }
    Ok(retry)
}

fn kinds(value: &Value) -> Result<Vec<ErrorKind>, String> {
    let all = || {
        RETRYABLE
            .map(|kind| format!("\"{}\"", kind.name()))
            .join(", ")
    };
    let wrong = || format!("`on` must be a list of some of {}", all());
    let elements = value
        .as_array()
        .filter(|list| !list.is_empty())
        .ok_or_else(wrong)?;
    let kind = |element: &Value| {
        let name = element.as_str().ok_or_else(wrong)?;
        let found = RETRYABLE.into_iter().find(|kind| kind.name() == name);
        let shown: String = name.chars().take(60).collect();
        found.ok_or_else(|| format!("`on`: \"{shown}\" is not one of {}", all()))
    };
    elements.iter().map(kind).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_retry_has_defaults_and_bounds() {
        let retry = parse_retry(json!({})).expect("valid");
        assert_eq!(
            (retry.attempts, retry.backoff),
            (3, TimeLimit::from_secs(1))
        );
        let retry = parse_retry(json!({ "attempts": 5, "backoff": 0.1, "on": ["unavailable"] }))
            .expect("valid");
        assert_eq!(retry.on, [ErrorKind::Unavailable]);
        for (value, error) in [
            (
                json!({ "attempts": 0 }),
                "`attempts` must be a whole number from 1 to 20",
            ),
            (
                json!({ "on": ["denied"] }),
                "`on`: \"denied\" is not one of \"timeout\", \"failed\", \"bad_output\", \"unavailable\"",
            ),
            (
                json!({ "on": {} }),
                "`on` must be a list of some of \"timeout\", \"failed\", \"bad_output\", \"unavailable\"",
            ),
            (
                json!({ "atempts": 3 }),
                "has no field `atempts` (did you mean `attempts`?)",
            ),
            (
                json!({ "backoff": "soon" }),
                "`backoff` `soon` is not a time (write it like `60`, `60s`, `5m`, `1.5h` or `250ms`)",
            ),
        ] {
            assert_eq!(parse_retry(value), Err(error.to_owned()));
        }
    }

    #[test]
    fn waits_double_around_the_backoff() {
        let retry = parse_retry(json!({ "backoff": 2 })).expect("valid");
        assert_eq!(retry.wait(1, 0.5), Duration::from_secs(2));
        assert_eq!(retry.wait(2, 0.0), Duration::from_secs(2));
        assert_eq!(retry.wait(2, 1.0), Duration::from_secs(6));
        assert_eq!(retry.wait(20, 1.0), MAX_WAIT);
    }
}
