//! Times: microseconds since 1970 in the store, RFC 3339 in requests and answers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kael_engine::run_info::timestamp;

/// Microseconds of a second.
pub(crate) const SECOND: i64 = 1_000_000;

/// The time of day.
#[must_use]
pub(crate) fn now() -> i64 {
    of(SystemTime::now())
}

/// A time of day in microseconds.
#[must_use]
pub(crate) fn of(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// A length of time in microseconds.
#[must_use]
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// A time as text: `2026-01-31T09:30:00.250Z`.
#[must_use]
pub(crate) fn text(micros: i64) -> String {
    let since = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
    // What lies behind the year 9999 cannot be written.
    timestamp(UNIX_EPOCH + since.min(Duration::from_secs(253_402_300_799)))
}

/// The time that a text names, as RFC 3339 has it.
///
/// # Errors
/// What is expected.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let time: jiff::Timestamp = text.parse().map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        format!("`{shown}` is no time: write it like 2026-01-31T09:30:00Z")
    })?;
    Ok(time.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        let at = 1_709_210_096_007_000;
        assert_eq!(text(at), "2024-02-29T12:34:56.007Z");
        assert_eq!(parse("2024-02-29T12:34:56.007Z"), Ok(at));
        assert_eq!(parse("2024-02-29T13:34:56.007+01:00"), Ok(at));
        assert!(parse("yesterday").is_err());
        assert_eq!(text(i64::MAX).len(), "9999-12-31T23:59:59.000Z".len());
    }
}
