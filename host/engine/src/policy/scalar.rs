//! Scalars of a policy and of parameters, compared by value.

use std::cmp::Ordering;
use std::fmt;

/// A number: an integer of 64 bits, or a float.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Integer(i64),
    Float(f64),
}

impl Number {
    /// A number as JSON writes it. A larger integer is a float, which is how every reader sees it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'-'));
        if plain && let Ok(integer) = text.parse() {
            return Some(Self::Integer(integer));
        }
        let float: f64 = text.parse().ok()?;
        float.is_finite().then_some(Self::Float(float))
    }

    /// By value: 1 is 1.0, and no integer is rounded to be compared.
    pub(super) fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Integer(one), Self::Integer(two)) => one.cmp(&two),
            (Self::Float(one), Self::Float(two)) => {
                one.partial_cmp(&two).unwrap_or(Ordering::Equal)
            }
            (Self::Integer(one), Self::Float(two)) => mixed(one, two),
            (Self::Float(one), Self::Integer(two)) => mixed(two, one).reverse(),
        }
    }
}

fn mixed(integer: i64, float: f64) -> Ordering {
    const PAST: f64 = 9_223_372_036_854_775_808.0; // 2^63
    if float >= PAST {
        return Ordering::Less;
    }
    if float < -PAST {
        return Ordering::Greater;
    }
    let whole = float.trunc() as i64;
    let rest = 0.0_f64.partial_cmp(&float.fract());
    integer.cmp(&whole).then(rest.unwrap_or(Ordering::Equal))
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(integer) => integer.fmt(f),
            Self::Float(float) => float.fmt(f),
        }
    }
}

/// A scalar that a rule names.
#[derive(Debug, Clone)]
pub(super) enum Scalar {
    Null,
    Boolean(bool),
    Number(Number),
    Text(String),
}

impl Scalar {
    /// A scalar without quotes. What YAML's versions read in different ways is an error.
    pub(super) fn of_word(word: &str) -> Result<Self, String> {
        match word {
            "null" | "~" => return Ok(Self::Null),
            "true" => return Ok(Self::Boolean(true)),
            "false" => return Ok(Self::Boolean(false)),
            _ => {}
        }
        let lower = word.to_ascii_lowercase();
        if ["true", "false", "yes", "no", "on", "off", "null", "y", "n"].contains(&lower.as_str()) {
            let shown = super::shown(word);
            return Err(format!(
                "`{shown}` is read differently by different programs: write true or false, or put a text in quotes"
            ));
        }
        if is_number(word) {
            return match Number::parse(word) {
                Some(Number::Float(_)) if word.bytes().all(|b| b.is_ascii_digit() || b == b'-') => {
                    Err(format!("`{}` has more than 64 bits", super::shown(word)))
                }
                Some(number) => Ok(Self::Number(number)),
                None => Err(format!("`{}` is out of range", super::shown(word))),
            };
        }
        if looks_like_number(&lower) {
            let shown = super::shown(word);
            return Err(format!(
                "`{shown}` is read differently by different programs: write numbers as JSON does, or put a text in quotes"
            ));
        }
        Ok(Self::Text(word.to_owned()))
    }
}

/// Whether JSON writes numbers so.
fn is_number(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let starts = digits.starts_with(|c: char| c.is_ascii_digit());
    starts && serde_json::from_str::<&serde_json::value::RawValue>(word).is_ok()
}

/// Whether some version of YAML takes it for a number: `010`, `0x1F`, `+1`, `.5`, `1_000`, `.inf`.
fn looks_like_number(lower: &str) -> bool {
    let rest = lower.strip_prefix(['+', '-']).unwrap_or(lower);
    if [".inf", ".nan"].contains(&rest) {
        return true;
    }
    let radix = ["0x", "0o", "0b"]
        .iter()
        .find_map(|prefix| rest.strip_prefix(prefix));
    if let Some(digits) = radix {
        return !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit() || b == b'_');
    }
    let float: String = rest.chars().filter(|c| *c != '_').collect();
    rest.starts_with(|c: char| c.is_ascii_digit() || c == '.') && float.parse::<f64>().is_ok()
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => value.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => write!(f, "\"{}\"", super::shown(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_by_value() {
        let compare = |one: &str, two: &str| {
            let number = |text| Number::parse(text).expect("a number");
            number(one).compare(number(two))
        };
        for (one, two, expected) in [
            ("1", "1.0", Ordering::Equal),
            ("1", "1e0", Ordering::Equal),
            ("-0", "0.0", Ordering::Equal),
            ("9007199254740993", "9007199254740992.0", Ordering::Greater),
            ("9223372036854775807", "9223372036854775808", Ordering::Less),
            (
                "-9223372036854775808",
                "-9223372036854775808.0",
                Ordering::Equal,
            ),
            ("-1", "-0.5", Ordering::Less),
            ("10", "10.5", Ordering::Less),
            ("11", "10.5", Ordering::Greater),
            ("5", "1e300", Ordering::Less),
            ("5", "-1e300", Ordering::Greater),
        ] {
            assert_eq!(compare(one, two), expected, "{one} {two}");
            assert_eq!(compare(two, one), expected.reverse(), "{two} {one}");
        }
        assert!(Number::parse("nan").is_none() && Number::parse("inf").is_none());
    }

    #[test]
    fn a_word_has_one_reading() {
        for word in [
            "1", "-1.5e3", "dev", "1.2.3", "24h", "v1", "1-2", "a.b", "e5",
        ] {
            assert!(Scalar::of_word(word).is_ok(), "{word}");
        }
        for word in [
            "yes",
            "No",
            "TRUE",
            "on",
            "NULL",
            "010",
            "0x1f",
            "0o7",
            "+1",
            ".5",
            "1.",
            "1_000",
            ".inf",
            "-.NaN",
            "99999999999999999999",
            "1e999",
        ] {
            assert!(Scalar::of_word(word).is_err(), "{word}");
        }
    }
}
