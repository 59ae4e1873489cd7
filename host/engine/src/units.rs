//! Amounts with units as people write them: `60`, `60s`, `5m` for times, `256MiB` for sizes.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnitError {
    /// It is not a number with a known unit.
    #[error("`{text}` is not a {what} (write it like {examples})")]
    Malformed {
        /// The text.
        text: String,
        /// `time` or `size`.
        what: &'static str,
        /// Examples of valid texts.
        examples: &'static str,
    },
    /// It is zero or negative, or too large.
    #[error("`{text}` is out of range: a {what} is {range}")]
    OutOfRange {
        /// The text.
        text: String,
        /// `time` or `size`.
        what: &'static str,
        /// The allowed range in words.
        range: &'static str,
    },
    /// It is not a whole number, or out of range.
    #[error("`{text}` is not a whole number from 1 to {max}")]
    NoCount {
        /// The text.
        text: String,
        /// The largest allowed number.
        max: u32,
    },
}

const TIME_EXAMPLES: &str = "`60`, `60s`, `5m`, `1.5h` or `250ms`";
const SIZE_EXAMPLES: &str = "`64KiB`, `256MiB` or `1GiB`";

/// A limit of time: more than zero, at most 366 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeLimit(Duration);

impl TimeLimit {
    /// The time as a standard duration.
    #[must_use]
    pub fn duration(self) -> Duration {
        self.0
    }

    /// A time limit of whole seconds, for defaults.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Reads a number of seconds.
    ///
    /// # Errors
    /// When it is not positive or more than 366 days.
    pub fn from_seconds(seconds: f64) -> Result<Self, UnitError> {
        if (0.001..=366.0 * 86_400.0).contains(&seconds) {
            return Ok(Self(Duration::from_secs_f64(seconds)));
        }
        Err(UnitError::OutOfRange {
            text: seconds.to_string(),
            what: "time",
            range: "from 1 millisecond to 366 days",
        })
    }
}

impl FromStr for TimeLimit {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let malformed = || UnitError::Malformed {
            text: text.to_owned(),
            what: "time",
            examples: TIME_EXAMPLES,
        };
        let (number, unit) = split(text).ok_or_else(malformed)?;
        let scale = match unit {
            "ms" => 0.001,
            "" | "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return Err(malformed()),
        };
        Self::from_seconds(number * scale).map_err(|error| match error {
            UnitError::OutOfRange { what, range, .. } => UnitError::OutOfRange {
                text: text.to_owned(),
                what,
                range,
            },
            other => other,
        })
    }
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        match seconds {
            s if s < 1.0 => write!(f, "{}ms", self.0.as_millis()),
            s if s >= 3600.0 && s % 3600.0 == 0.0 => write!(f, "{}h", s / 3600.0),
            s if s >= 60.0 && s % 60.0 == 0.0 => write!(f, "{}m", s / 60.0),
            s => write!(f, "{s}s"),
        }
    }
}

/// A number of bytes: at least 1, at most 1 TiB. Always written with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(u64);

impl ByteSize {
    /// A size in bytes, for defaults.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// A size in mebibytes, for defaults.
    #[must_use]
    pub const fn mib(mebibytes: u64) -> Self {
        Self(mebibytes << 20)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let malformed = || UnitError::Malformed {
            text: text.to_owned(),
            what: "size",
            examples: SIZE_EXAMPLES,
        };
        let (number, unit) = split(text).ok_or_else(malformed)?;
        let scale = match unit {
            "B" => 1.0,
            "KiB" | "K" | "k" => 1024.0,
            "MiB" | "M" => 1_048_576.0,
            "GiB" | "G" => 1_073_741_824.0,
            "TiB" | "T" => 1_099_511_627_776.0,
            "kB" | "KB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            _ => return Err(malformed()),
        };
        let bytes = number * scale;
        if (1.0..=1_099_511_627_776.0).contains(&bytes) {
            return Ok(Self(bytes as u64));
        }
        Err(UnitError::OutOfRange {
            text: text.to_owned(),
            what: "size",
            range: "from 1 byte to 1 TiB",
        })
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scale, unit) = match self.0 {
            0..1024 => return write!(f, "{} B", self.0),
            1024..1_048_576 => (1024.0, "KiB"),
            1_048_576..1_073_741_824 => (1_048_576.0, "MiB"),
            _ => (1_073_741_824.0, "GiB"),
        };
        let amount = self.0 as f64 / scale;
        if amount.fract() == 0.0 {
            write!(f, "{amount} {unit}")
        } else {
            write!(f, "{amount:.1} {unit}")
        }
    }
}

/// A whole number from 1 to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count<const MAX: u32>(u32);

impl<const MAX: u32> Count<MAX> {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl<const MAX: u32> FromStr for Count<MAX> {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let number = text.trim().parse().ok();
        number
            .filter(|number| (1..=MAX).contains(number))
            .map(Self)
            .ok_or_else(|| UnitError::NoCount {
                text: text.to_owned(),
                max: MAX,
            })
    }
}

/// The number at the start of a text, perhaps with a fraction, and the rest.
fn split(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    number
        .parse()
        .ok()
        .map(|number| (number, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> Result<Duration, String> {
        text.parse::<TimeLimit>()
            .map(TimeLimit::duration)
            .map_err(|error| error.to_string())
    }

    fn size(text: &str) -> Result<u64, String> {
        text.parse::<ByteSize>()
            .map(ByteSize::bytes)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn times_are_seconds_or_have_a_unit() {
        assert_eq!(time("60"), Ok(Duration::from_secs(60)));
        assert_eq!(time("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(time("1.5h"), Ok(Duration::from_secs(5400)));
        assert_eq!(time("250ms"), Ok(Duration::from_millis(250)));
    }

    #[test]
    fn sizes_have_a_unit() {
        assert_eq!(size("256MiB"), Ok(256 << 20));
        assert_eq!(size("1 GiB"), Ok(1 << 30));
        assert_eq!(
            size("256"),
            Err(format!(
                "`256` is not a size (write it like {SIZE_EXAMPLES})"
            ))
        );
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "",
            "x",
            "-5",
            "5 parsecs",
            "0",
            "0s",
            "1e400",
            "99999999999d",
            "1..2",
            "NaN",
            "inf",
        ] {
            assert!(time(text).is_err(), "{text}");
        }
        for text in ["", "MiB", "-1MiB", "0MiB", "9999999TiB", "0.1B"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_read_back() {
        assert_eq!(TimeLimit::from_secs(900).to_string(), "15m");
        assert_eq!(TimeLimit::from_secs(61).to_string(), "61s");
        assert_eq!(ByteSize::mib(256).to_string(), "256 MiB");
        assert_eq!(ByteSize::new(1536).to_string(), "1.5 KiB");
    }
}
