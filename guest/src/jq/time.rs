//! Times of filters: seconds since 1970, calendar parts, and text. All times are in UTC.

use std::fmt::Write as _;

use jaq_core::native::{Filter, bome, unary, v};
use jaq_core::{Error, RunPtr, ValR};
use jaq_std::ValT as _;

use super::Data;
use super::number::Number;
use super::value::Val;

const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) fn functions() -> Box<[Filter<RunPtr<Data>>]> {
    Box::new([
        ("now", v(0), |_| {
            bome(Ok(Val::Float(crate::gate::clock().0)))
        }),
        ("todateiso8601", v(0), |cv| {
            bome(Parts::of(&cv.1).map(|parts| Val::from(parts.text("%Y-%m-%dT%H:%M:%SZ"))))
        }),
        ("fromdateiso8601", v(0), |cv| bome(from_iso(&cv.1))),
        ("gmtime", v(0), |cv| {
            bome(Parts::of(&cv.1).map(|parts| parts.list()))
        }),
        ("localtime", v(0), |cv| {
            bome(Parts::of(&cv.1).map(|parts| parts.list()))
        }),
        ("mktime", v(0), |cv| {
            bome(Parts::of(&cv.1).map(|parts| Val::Int(parts.seconds())))
        }),
        ("strftime", v(1), |cv| {
            unary(cv, |time, format| {
                Ok(Val::from(Parts::of(&time)?.text(as_text(&format)?)))
            })
        }),
        ("strflocaltime", v(1), |cv| {
            unary(cv, |time, format| {
                Ok(Val::from(Parts::of(&time)?.text(as_text(&format)?)))
            })
        }),
        ("strptime", v(1), |cv| {
            unary(cv, |text, format| {
                let parts = Parts::read(as_text(&text)?, as_text(&format)?);
                let refused =
                    || Error::str(format_args!("{text} is not a time as {format} has it"));
                parts.map(|parts| parts.list()).ok_or_else(refused)
            })
        }),
    ])
}

fn as_text(value: &Val) -> Result<&str, Error<Val>> {
    match value {
        Val::Text(text) => Ok(text),
        other => Err(Error::typ(other.clone(), "string")),
    }
}

/// A time as parts of the calendar.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Parts {
    year: i64,
    /// From 1 to 12.
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    /// The fraction of a second.
    fraction: f64,
}

/// Days from 1970 to a date. Month and day may be out of range.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Howard Hinnant's algorithm, with years that begin in March.
    let (year, month) = (
        year + (month - 1).div_euclid(12),
        (month - 1).rem_euclid(12) + 1,
    );
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year + day - 1 - 719_468
}

impl Parts {
    /// From seconds since 1970. None for years that do not have four digits.
    fn from_seconds(seconds: i64, fraction: f64) -> Option<Self> {
        if !(-62_167_219_200..253_402_300_800).contains(&seconds) {
            return None;
        }
        let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let day = day + 719_468;
        let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        Some(Self {
            year: era * 400 + year + i64::from(month <= 2),
            month,
            day,
            hour: second / 3600,
            minute: second % 3600 / 60,
            second: second % 60,
            fraction,
        })
    }

    /// From a number of seconds, or a list of parts.
    fn of(value: &Val) -> ValR<Self, Val> {
        let refused = || Error::str(format_args!("{value} is not a time"));
        let parts = match value {
            Val::List(list) => {
                let part = |at: usize| {
                    let part = list.items().get(at).and_then(Val::number);
                    let part = part.and_then(Number::whole);
                    part.filter(|part| part.abs() < 1_000_000)
                };
                let second = list.items().get(5).and_then(Val::as_f64);
                let read = || {
                    let day = days(part(0)?, part(1)? + 1, part(2)?);
                    let seconds = day * 86_400 + part(3)? * 3600 + part(4)? * 60 + part(5)?;
                    Self::from_seconds(seconds, second?.rem_euclid(1.0))
                };
                read()
            }
            value => value.number().and_then(|number| {
                let fraction = number.float().rem_euclid(1.0);
                Self::from_seconds(number.whole()?, fraction)
            }),
        };
        parts.ok_or_else(refused)
    }

    fn seconds(&self) -> i64 {
        let day = days(self.year, self.month, self.day);
        day * 86_400 + self.hour * 3600 + self.minute * 60 + self.second
    }

    fn weekday(&self) -> i64 {
        (days(self.year, self.month, self.day) + 4).rem_euclid(7)
    }

    /// Counted from 0.
    fn day_of_year(&self) -> i64 {
        days(self.year, self.month, self.day) - days(self.year, 1, 1)
    }

    /// The list of parts in jq's order.
    fn list(&self) -> Val {
        let second = if self.fraction > 0.0 {
            Val::Float(self.second as f64 + self.fraction)
        } else {
            Val::Int(self.second)
        };
        let int = Val::Int;
        [
            int(self.year),
            int(self.month - 1),
            int(self.day),
            int(self.hour),
            int(self.minute),
            second,
            int(self.weekday()),
            int(self.day_of_year()),
        ]
        .into_iter()
        .collect()
    }

    /// The text of `strftime` in the C locale.
    fn text(&self, format: &str) -> String {
        let mut out = String::new();
        let mut rest = format.chars();
        while let Some(c) = rest.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let name = |names: &[&str], at: i64| {
                let name = usize::try_from(at)
                    .ok()
                    .and_then(|at| names.get(at).copied());
                name.unwrap_or_default().to_owned()
            };
            let half = if self.hour % 12 == 0 {
                12
            } else {
                self.hour % 12
            };
            let part = match rest.next() {
                Some('Y') => self.year.to_string(),
                Some('y') => format!("{:02}", self.year.rem_euclid(100)),
                Some('C') => format!("{:02}", self.year.div_euclid(100)),
                Some('m') => format!("{:02}", self.month),
                Some('d') => format!("{:02}", self.day),
                Some('e') => format!("{:2}", self.day),
                Some('H') => format!("{:02}", self.hour),
                Some('I') => format!("{half:02}"),
                Some('M') => format!("{:02}", self.minute),
                Some('S') => format!("{:02}", self.second),
                Some('j') => format!("{:03}", self.day_of_year() + 1),
                Some('u') => ((self.weekday() + 6) % 7 + 1).to_string(),
                Some('w') => self.weekday().to_string(),
                Some('A') => name(&DAYS, self.weekday()),
                Some('a') => name(&DAYS, self.weekday()).chars().take(3).collect(),
                Some('B') => name(&MONTHS, self.month - 1),
                Some('b' | 'h') => name(&MONTHS, self.month - 1).chars().take(3).collect(),
                Some('p') => if self.hour < 12 { "AM" } else { "PM" }.to_owned(),
                Some('s') => self.seconds().to_string(),
                Some('Z') => "UTC".to_owned(),
                Some('z') => "+0000".to_owned(),
                Some('F') => self.text("%Y-%m-%d"),
                Some('T' | 'X') => self.text("%H:%M:%S"),
                Some('R') => self.text("%H:%M"),
                Some('D' | 'x') => self.text("%m/%d/%y"),
                Some('c') => self.text("%a %b %e %H:%M:%S %Y"),
                Some('n') => "\n".to_owned(),
                Some('t') => "\t".to_owned(),
                Some('%') => "%".to_owned(),
                // Keeps unknown conversions, like the C library.
                Some(other) => format!("%{other}"),
                None => "%".to_owned(),
            };
            _ = write!(out, "{part}");
        }
        out
    }

    /// Reads a time like `strptime`.
    fn read(text: &str, format: &str) -> Option<Self> {
        let mut reader = Reader {
            text,
            parts: Self {
                year: 1970,
                month: 1,
                day: 1,
                hour: 0,
                minute: 0,
                second: 0,
                fraction: 0.0,
            },
            offset: 0,
            afternoon: None,
        };
        reader.read(format)?;
        if !reader.text.is_empty() {
            return None;
        }
        let mut parts = reader.parts;
        if let Some(afternoon) = reader.afternoon {
            parts.hour = parts.hour % 12 + if afternoon { 12 } else { 0 };
        }
        let valid = (1..=12).contains(&parts.month)
            && (1..=31).contains(&parts.day)
            && parts.hour < 24
            && parts.minute < 60
            && parts.second <= 60;
        if !valid {
            return None;
        }
        Self::from_seconds(parts.seconds() - reader.offset, parts.fraction)
    }
}

struct Reader<'a> {
    /// The rest of the text.
    text: &'a str,
    parts: Parts,
    /// Seconds east of UTC.
    offset: i64,
    afternoon: Option<bool>,
}

impl Reader<'_> {
    fn read(&mut self, format: &str) -> Option<()> {
        let mut rest = format.chars();
        while let Some(c) = rest.next() {
            if c.is_whitespace() {
                self.text = self.text.trim_start();
                continue;
            }
            if c != '%' {
                self.text = self.text.strip_prefix(c)?;
                continue;
            }
            match rest.next()? {
                'Y' => self.parts.year = self.number(4)?,
                'm' => self.parts.month = self.number(2)?,
                'd' | 'e' => self.parts.day = self.number(2)?,
                'H' | 'I' => self.parts.hour = self.number(2)?,
                'M' => self.parts.minute = self.number(2)?,
                'S' => self.parts.second = self.number(2)?,
                'y' => {
                    let year = self.number(2)?;
                    self.parts.year = year + if year < 69 { 2000 } else { 1900 };
                }
                'j' => {
                    (self.parts.month, self.parts.day) = {
                        let at = days(self.parts.year, 1, self.number(3)?);
                        let parts = Parts::from_seconds(at * 86_400, 0.0)?;
                        (parts.month, parts.day)
                    }
                }
                'B' | 'b' | 'h' => self.parts.month = self.name(&MONTHS)? + 1,
                'A' | 'a' => _ = self.name(&DAYS)?,
                'p' => self.afternoon = Some(self.name(&["AM", "PM"])? == 1),
                's' => {
                    let seconds = self.number(12)?;
                    self.parts = Parts::from_seconds(seconds, 0.0)?;
                }
                'Z' => {
                    let zone = ["UTC", "GMT", "Z"].into_iter();
                    self.text = zone
                        .filter_map(|zone| self.text.strip_prefix(zone))
                        .next()?;
                }
                'z' => self.offset = self.zone()?,
                'F' => self.read("%Y-%m-%d")?,
                'T' => self.read("%H:%M:%S")?,
                'R' => self.read("%H:%M")?,
                'D' => self.read("%m/%d/%y")?,
                '%' => self.text = self.text.strip_prefix('%')?,
                _ => return None,
            }
        }
        Some(())
    }

    /// Reads a number of at most this many digits.
    fn number(&mut self, most: usize) -> Option<i64> {
        self.text = self.text.trim_start();
        let digits = self
            .text
            .bytes()
            .take(most)
            .take_while(u8::is_ascii_digit)
            .count();
        let (number, rest) = self.text.split_at(digits);
        self.text = rest;
        number.parse().ok()
    }

    /// Reads a full name, or its first three letters.
    fn name(&mut self, names: &[&str]) -> Option<i64> {
        for (at, name) in names.iter().enumerate() {
            for length in [name.len(), 3.min(name.len())] {
                let start = self.text.get(..length);
                if start.is_some_and(|start| start.eq_ignore_ascii_case(&name[..length])) {
                    self.text = &self.text[length..];
                    return i64::try_from(at).ok();
                }
            }
        }
        None
    }

    /// Reads `Z`, `+hh:mm` or `+hhmm`, in seconds.
    fn zone(&mut self) -> Option<i64> {
        if let Some(rest) = self.text.strip_prefix(['Z', 'z']) {
            self.text = rest;
            return Some(0);
        }
        let sign = if self.text.starts_with('-') { -1 } else { 1 };
        self.text = self.text.strip_prefix(['+', '-'])?;
        let hours = self.number(2)?;
        self.text = self.text.strip_prefix(':').unwrap_or(self.text);
        Some(sign * (hours * 3600 + self.number(2)? * 60))
    }
}

/// Reads RFC 3339, and the other forms that jq accepts.
fn from_iso(value: &Val) -> ValR<Val> {
    let read = |text: &str| {
        let mut text = text.to_owned();
        let mut fraction = 0.0;
        if let Some(dot) = text.find('.') {
            let digits = text[dot + 1..]
                .bytes()
                .take_while(u8::is_ascii_digit)
                .count();
            fraction = text[dot..=dot + digits].parse().ok()?;
            text.replace_range(dot..=dot + digits, "");
        }
        let parts = Parts::read(&text, "%Y-%m-%dT%H:%M:%S%z")?;
        Some(if fraction > 0.0 {
            Val::Float(parts.seconds() as f64 + fraction)
        } else {
            Val::Int(parts.seconds())
        })
    };
    let refused = || {
        Error::str(format_args!(
            "{value} is not a time such as \"2026-01-31T12:00:00Z\""
        ))
    };
    read(as_text(value)?).ok_or_else(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_is_that_of_everybody() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 Thu 001"),
            (951_782_400, "2000-02-29 00:00:00 Tue 060"),
            (-1, "1969-12-31 23:59:59 Wed 365"),
            (253_402_300_799, "9999-12-31 23:59:59 Fri 365"),
            (-62_167_219_200, "0-01-01 00:00:00 Sat 001"),
        ] {
            let parts = Parts::from_seconds(seconds, 0.0).expect("a time");
            assert_eq!(parts.text("%F %T %a %j"), text);
            assert_eq!(parts.seconds(), seconds);
        }
        assert_eq!(Parts::from_seconds(i64::MAX, 0.0), None);
    }

    #[test]
    fn what_is_written_can_be_read() {
        let parts = Parts::from_seconds(1_700_000_000, 0.0).expect("a time");
        for format in [
            "%Y-%m-%dT%H:%M:%SZ",
            "%A, %d %B %Y %I:%M:%S %p",
            "%s",
            "%D %T",
            "%a %b %e %T %Z %Y",
        ] {
            assert_eq!(
                Parts::read(&parts.text(format), format),
                Some(parts),
                "{format}"
            );
        }
        assert_eq!(Parts::read("2023-02-30x", "%F"), None);
        assert_eq!(Parts::read("2023-13-01", "%F"), None);
    }
}
