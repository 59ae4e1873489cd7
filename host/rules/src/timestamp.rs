//! Times of events: text or numbers to nanoseconds since 1970.

/// How the time of an event is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TimeFormat {
    /// By its looks: a text, or a number of seconds, milliseconds, microseconds or nanoseconds by
    /// its size.
    #[default]
    Auto,
    /// A number of this many nanoseconds each.
    Number(i64),
    /// RFC 3339, or `YYYY-MM-DD hh:mm:ss.fff` in UTC.
    Text,
}

impl TimeFormat {
    /// The format of that name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "auto" => Self::Auto,
            "s" => Self::Number(1_000_000_000),
            "ms" => Self::Number(1_000_000),
            "us" => Self::Number(1_000),
            "ns" => Self::Number(1),
            "rfc3339" => Self::Text,
            _ => return None,
        })
    }

    /// A time given as a whole number.
    #[must_use]
    pub fn of_integer(self, number: i64) -> Option<i64> {
        let each = match self {
            Self::Number(each) => each,
            Self::Auto => by_size(number.unsigned_abs()),
            Self::Text => return None,
        };
        number.checked_mul(each)
    }

    /// A time given as a number with a fraction.
    #[must_use]
    pub fn of_float(self, number: f64) -> Option<i64> {
        let each = match self {
            Self::Number(each) => each,
            Self::Auto => by_size(number.abs() as u64),
            Self::Text => return None,
        };
        let whole = number.trunc();
        if !number.is_finite() || whole.abs() > 9.2e18 {
            return None;
        }
        let fraction = ((number - whole) * each as f64).round() as i64;
        (whole as i64).checked_mul(each)?.checked_add(fraction)
    }

    /// A time given as text.
    #[must_use]
    pub fn of_text(self, text: &str) -> Option<i64> {
        match self {
            Self::Auto | Self::Text => {
                if let Some(time) = date_time(text) {
                    return Some(time);
                }
            }
            Self::Number(_) => {}
        }
        if self == Self::Text {
            return None;
        }
        match text.parse::<i64>() {
            Ok(number) => self.of_integer(number),
            Err(_) => self.of_decimal(text),
        }
    }

    /// Digits with a fraction, without the rounding of a float.
    fn of_decimal(self, text: &str) -> Option<i64> {
        let (whole, fraction) = text.split_once('.')?;
        let whole: i64 = whole.parse().ok()?;
        let each = match self {
            Self::Number(each) => each,
            _ => by_size(whole.unsigned_abs()),
        };
        let fraction = nanoseconds(fraction)? / (1_000_000_000 / each);
        whole.checked_mul(each)?.checked_add(fraction)
    }
}

/// The unit of a number: today's date decides among s, ms, µs and ns.
fn by_size(number: u64) -> i64 {
    match number {
        0..100_000_000_000 => 1_000_000_000,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    }
}

/// `2022-05-11T17:10:22.003Z`, `2022-05-11 17:10:22.003`, `2022-05-11T19:10:22+02:00`.
fn date_time(text: &str) -> Option<i64> {
    let text = text.trim();
    if !text.is_ascii() || text.len() < 19 {
        return None;
    }
    let (date, rest) = text.split_at(10);
    let (time, rest) = rest[1..].split_at(8);
    if !matches!(text.as_bytes()[10], b'T' | b't' | b' ') {
        return None;
    }
    let [year, month, day] = three(date, '-')?;
    let [hour, minute, second] = three(time, ':')?;
    let in_month = (1..=12).contains(&month) && (1..=days_of(year, month)).contains(&day);
    if date.as_bytes()[4] != b'-' || !in_month || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction, zone) = match rest.strip_prefix(['.', ',']) {
        Some(rest) => {
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            (nanoseconds(&rest[..end])?, &rest[end..])
        }
        None => (0, rest),
    };
    let offset = match zone.trim() {
        "" | "Z" | "z" | "UTC" => 0,
        zone => {
            let sign = match zone.as_bytes().first()? {
                b'+' => 1,
                b'-' => -1,
                _ => return None,
            };
            let digits: String = zone[1..].chars().filter(|c| *c != ':').collect();
            if digits.len() != 4 {
                return None;
            }
            let number: i64 = digits.parse().ok()?;
            sign * (number / 100 * 3600 + number % 100 * 60)
        }
    };
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    seconds.checked_mul(1_000_000_000)?.checked_add(fraction)
}

fn three(text: &str, by: char) -> Option<[i64; 3]> {
    let mut parts = text.split(by).map(|part| {
        let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten()
    });
    let three = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(three)
}

/// Nanoseconds of the digits behind a point; none without digits. Further digits are cut.
fn nanoseconds(digits: &str) -> Option<i64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nine: String = digits.chars().chain("000000000".chars()).take(9).collect();
    nine.parse().ok()
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01, after Howard Hinnant's `days_from_civil`.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_by_their_looks() {
        for (text, expected) in [
            ("2022-05-11T17:10:22.003Z", Some(1_652_289_022_003_000_000)),
            ("2022-05-11 17:10:22.003", Some(1_652_289_022_003_000_000)),
            (
                "2022-05-11T19:10:22.003+02:00",
                Some(1_652_289_022_003_000_000),
            ),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2024-02-29T00:00:00Z", Some(1_709_164_800_000_000_000)),
            ("2023-02-29T00:00:00Z", None),
            ("1652289022", Some(1_652_289_022_000_000_000)),
            ("1652289022.003", Some(1_652_289_022_003_000_000)),
            ("1652289022003", Some(1_652_289_022_003_000_000)),
            ("1652289022003000000", Some(1_652_289_022_003_000_000)),
            ("yesterday", None),
            ("2022-05-11", None),
        ] {
            assert_eq!(TimeFormat::Auto.of_text(text), expected, "{text}");
        }
        assert_eq!(TimeFormat::Auto.of_float(1.5), Some(1_500_000_000));
        assert_eq!(TimeFormat::Number(1).of_integer(5), Some(5));
        assert_eq!(TimeFormat::Number(1_000_000_000).of_integer(i64::MAX), None);
    }
}
