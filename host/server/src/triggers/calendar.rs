//! When a schedule is due: a cron pattern in a time zone. No clock, no I/O.
//!
//! The pattern is `croner`'s, with five fields or a nickname such as `@daily`, and zones are `jiff`'s: the
//! machine's own, else those in the program. A fixed local time that does not exist is due at the end of
//! the gap, and one that is twice at the first of them. What is due each hour or minute goes on through both.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// Bytes of a pattern, and of the name of a zone.
const MAX_PATTERN: usize = 256;
const MAX_ZONE: usize = 64;
/// Hours behind a time at which a search begins, until one finds something.
const PATIENCE: [i64; 4] = [0, 13, 26, 39];

/// The times of a schedule.
#[derive(Debug, Clone)]
pub(crate) struct Calendar {
    cron: Cron,
    zone: TimeZone,
}

impl Calendar {
    /// The times of a pattern in a zone.
    ///
    /// # Errors
    /// What is wrong with either.
    pub(crate) fn new(cron: &str, zone: &str) -> Result<Self, String> {
        let shown = |text: &str| {
            text.chars()
                .take(60)
                .collect::<String>()
                .escape_debug()
                .to_string()
        };
        let wrong = |why: &str| {
            format!(
                "`cron`: `{}` is no pattern: {why}; write minute, hour, day, month and weekday like `30 4 * * 1-5`, or @hourly, @daily, @weekly, @monthly or @yearly",
                shown(cron)
            )
        };
        if cron.len() > MAX_PATTERN || !cron.is_ascii() {
            return Err(wrong("it is too long or no ASCII"));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let parsed = parser.parse(cron.trim());
        let parsed = parsed.map_err(|error| wrong(error.to_string().trim_end_matches('.')))?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte);
        let named = zone.len() <= MAX_ZONE && zone.bytes().all(is_name);
        let found = named.then(|| TimeZone::get(zone).ok()).flatten();
        let Some(found) = found else {
            let shown = shown(zone);
            return Err(format!(
                "`zone`: `{shown}` is no time zone: write UTC, or one like Europe/Berlin"
            ));
        };
        Ok(Self {
            cron: parsed,
            zone: found,
        })
    }

    /// The first time behind another, in microseconds; none if there is none before the year 5000.
    pub(crate) fn after(&self, at: i64) -> Option<i64> {
        // A pattern has whole minutes.
        let second = at.div_euclid(1_000_000);
        // The search gives up at a day that a country left out: it goes on behind that.
        PATIENCE
            .into_iter()
            .find_map(|hours| self.find(second + hours * 3600))
    }

    fn find(&self, second: i64) -> Option<i64> {
        let from = Timestamp::from_second(second).ok()?;
        let from = Zoned::new(from, self.zone.clone());
        let next = self.cron.find_next_occurrence(&from, false).ok()?;
        Some(next.timestamp().as_microsecond())
    }

    /// The first times behind another.
    pub(crate) fn upcoming(&self, at: i64, count: usize) -> Vec<i64> {
        std::iter::successors(self.after(at), |last| self.after(*last))
            .take(count)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(text: &str) -> i64 {
        text.parse::<Timestamp>().expect("a time").as_microsecond()
    }

    /// The first times of a pattern behind another, as UTC.
    fn times(cron: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let calendar = Calendar::new(cron, zone).expect("a calendar");
        let all = calendar.upcoming(micros(after), count);
        let text = |at: &i64| {
            Timestamp::from_microsecond(*at)
                .expect("a time")
                .to_string()
        };
        all.iter().map(text).collect()
    }

    #[test]
    fn a_time_in_a_gap_is_due_at_its_end() {
        for (cron, zone, after, expected) in [
            // 02:00 to 03:00 is missing.
            (
                "30 2 * * *",
                "Europe/Berlin",
                "2026-03-28T12:00:00Z",
                ["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
            ),
            (
                "30 2 * * *",
                "America/New_York",
                "2026-03-07T12:00:00Z",
                ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"],
            ),
            // 02:00 to 02:30 is missing.
            (
                "15 2 * * *",
                "Australia/Lord_Howe",
                "2026-10-03T12:00:00Z",
                ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"],
            ),
            // Midnight itself is missing.
            (
                "0 0 * * *",
                "Africa/Cairo",
                "2026-04-23T12:00:00Z",
                ["2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"],
            ),
            (
                "@daily",
                "America/Santiago",
                "2026-09-05T12:00:00Z",
                ["2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"],
            ),
        ] {
            assert_eq!(times(cron, zone, after, 2), expected, "{zone}");
        }
    }

    #[test]
    fn a_time_that_is_twice_is_due_at_the_first() {
        for (cron, zone, after, expected) in [
            (
                "30 2 * * *",
                "Europe/Berlin",
                "2026-10-24T12:00:00Z",
                ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
            ),
            (
                "30 1 * * *",
                "America/New_York",
                "2026-10-31T12:00:00Z",
                ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"],
            ),
            (
                "45 1 * * *",
                "Australia/Lord_Howe",
                "2026-04-04T12:00:00Z",
                ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"],
            ),
            (
                "30 23 * * *",
                "Africa/Cairo",
                "2026-10-29T12:00:00Z",
                ["2026-10-29T20:30:00Z", "2026-10-30T21:30:00Z"],
            ),
            (
                "30 23 * * *",
                "America/Santiago",
                "2026-04-04T12:00:00Z",
                ["2026-04-05T02:30:00Z", "2026-04-06T03:30:00Z"],
            ),
        ] {
            assert_eq!(times(cron, zone, after, 2), expected, "{zone}");
        }
    }

    #[test]
    fn what_is_due_each_hour_goes_on_through_both() {
        // Each hour of the clock on the wall, which steps twice a year.
        let hours = times("0 * * * *", "Europe/Berlin", "2026-03-28T23:30:00Z", 4);
        let expected = ["00", "01", "02", "03"].map(|hour| format!("2026-03-29T{hour}:00:00Z"));
        assert_eq!(hours, expected);
        let halves = times("*/30 * * * *", "Europe/Berlin", "2026-10-24T23:45:00Z", 5);
        let expected = ["00:00", "00:30", "01:00", "01:30", "02:00"];
        assert_eq!(
            halves,
            expected.map(|time| format!("2026-10-25T{time}:00Z"))
        );
    }

    #[test]
    fn odd_days_are_those_of_the_calendar() {
        assert_eq!(
            times("0 12 29 2 *", "UTC", "2026-01-01T00:00:00Z", 3),
            [
                "2028-02-29T12:00:00Z",
                "2032-02-29T12:00:00Z",
                "2036-02-29T12:00:00Z"
            ]
        );
        assert_eq!(
            times("0 0 L * *", "UTC", "2028-01-31T12:00:00Z", 2),
            ["2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z"]
        );
        // A day that a country skipped.
        assert_eq!(
            times("0 12 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z", 2),
            ["2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z"]
        );
        assert_eq!(
            times("@yearly", "Asia/Kathmandu", "2026-06-01T00:00:00Z", 1),
            ["2026-12-31T18:15:00Z"]
        );
    }

    #[test]
    fn a_year_has_each_of_its_times_once() {
        // What a person would count: 365 days, less or more an hour at each edge.
        let count = |cron: &str, zone: &str| {
            let calendar = Calendar::new(cron, zone).expect("a calendar");
            let (start, end) = (
                micros("2026-01-01T00:00:00Z"),
                micros("2027-01-01T00:00:00Z"),
            );
            let all = std::iter::successors(calendar.after(start - 1_000_000), |last| {
                calendar.after(*last)
            });
            let all: Vec<i64> = all.take_while(|at| *at < end).collect();
            assert!(all.is_sorted_by(|one, next| one < next), "{cron} {zone}");
            all.len()
        };
        for zone in [
            "UTC",
            "Europe/Berlin",
            "America/New_York",
            "Australia/Lord_Howe",
            "Africa/Cairo",
            "America/Santiago",
        ] {
            assert_eq!(count("0 12 * * *", zone), 365, "{zone}");
            assert_eq!(count("30 2 * * *", zone), 365, "{zone}");
            assert_eq!(count("*/10 * * * *", zone), 365 * 144, "{zone}");
        }
        assert_eq!(count("0 0 * * *", "Africa/Cairo"), 365);
        assert_eq!(count("0 9 * * 1-5", "Europe/Berlin"), 261);
    }

    #[test]
    fn what_is_no_pattern_or_no_zone_is_refused() {
        for cron in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "@reboot",
            "@often",
            "x",
            "*/0 * * * *",
            "5-1 * * * *",
            "ä * * * *",
            &"1,".repeat(200),
        ] {
            let refused = Calendar::new(cron, "UTC").expect_err(cron);
            assert!(refused.starts_with("`cron`: `"), "{refused}");
        }
        for zone in [
            "",
            "Mars/Olympus",
            "../../etc/passwd",
            "Europe/Berlin\0",
            "+01:00x",
        ] {
            let refused = Calendar::new("* * * * *", zone).expect_err(zone);
            assert!(refused.starts_with("`zone`: `"), "{refused}");
        }
        // A day that never comes.
        let never = Calendar::new("0 0 30 2 *", "UTC").expect("a pattern");
        assert_eq!(never.after(0), None);
    }
}
