//! Which of the times that have passed fire: those that are on time, and of the late ones those that the
//! schedule wants to have caught up. No clock, no I/O.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::calendar::Calendar;
use crate::time::SECOND;

/// How late a fire is on time.
const ON_TIME: i64 = 60 * SECOND;
/// How late the last fire is still worth its run.
const LAST: i64 = 3600 * SECOND;
/// Late fires that are caught up at most, and missed ones that are counted.
const MOST: usize = 100;
const COUNTED: usize = 1000;
/// How far back the newest late fires are looked for: a pattern has a hundred of them in one of these, or
/// few altogether.
const WINDOWS: [i64; 5] = [2, 24 * 5, 24 * 120, 24 * 366 * 3, 24 * 366 * 100];

/// What happens to fires that were due while the server could not begin them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CatchUp {
    /// The last of them happens, if it is not older than an hour.
    #[default]
    Last,
    /// None of them happens.
    None,
    /// The newest hundred of them happen.
    All,
}

/// What is due.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Due {
    /// The times that fire, the oldest first.
    pub(crate) fires: Vec<i64>,
    /// The first time that is missed, and how many are: counted up to a thousand.
    pub(crate) missed: Option<(i64, usize)>,
    /// The next time.
    pub(crate) next: Option<i64>,
}

/// What is due at `now`, where `due` is the first time that has not been looked at.
pub(crate) fn due(calendar: &Calendar, due: i64, now: i64, catch_up: CatchUp) -> Due {
    if due > now {
        return Due {
            next: Some(due),
            ..Due::default()
        };
    }
    let mut fires = match catch_up {
        CatchUp::None => from(calendar, due, now - ON_TIME, now),
        CatchUp::Last => {
            let mut late = from(calendar, due, now - LAST, now);
            let on_time = late.partition_point(|at| *at < now - ON_TIME);
            // All that are on time, else the last one.
            late.split_off(on_time.min(late.len().saturating_sub(1)))
        }
        CatchUp::All => {
            let windows = WINDOWS.into_iter().map(|hours| now - hours * 3600 * SECOND);
            let mut newest = Vec::new();
            for start in windows {
                newest = from(calendar, due, start, now);
                if newest.len() >= MOST || start <= due {
                    break;
                }
            }
            newest.split_off(newest.len().saturating_sub(MOST))
        }
    };
    fires.dedup();
    let first = fires.first().copied().unwrap_or(now + 1);
    Due {
        missed: missed(calendar, due, first),
        next: calendar.after(now),
        fires,
    }
}

/// What is due at `now`, of which nothing fires.
pub(crate) fn passed_over(calendar: &Calendar, due: i64, now: i64) -> Due {
    let next = if due > now {
        Some(due)
    } else {
        calendar.after(now)
    };
    Due {
        fires: Vec::new(),
        missed: missed(calendar, due, now + 1),
        next,
    }
}

/// The first of the times from `due` until another one, and how many there are.
fn missed(calendar: &Calendar, due: i64, until: i64) -> Option<(i64, usize)> {
    let count = std::iter::successors(Some(due), |last| calendar.after(*last))
        .take_while(|at| *at < until)
        .take(COUNTED)
        .count();
    (count > 0).then_some((due, count))
}

/// The times from the later of two to `now`. `due` itself is one.
fn from(calendar: &Calendar, due: i64, start: i64, now: i64) -> Vec<i64> {
    let first = match due >= start {
        true => Some(due),
        // Whole minutes: none lies in between.
        false => calendar.after(start - 1),
    };
    std::iter::successors(first, |last| calendar.after(*last))
        .take_while(|at| *at <= now)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60 * SECOND;
    /// 2026-06-01T00:00:00Z.
    const DAY: i64 = 1_780_272_000 * SECOND;

    fn calendar(cron: &str) -> Calendar {
        Calendar::new(cron, "UTC").expect("a calendar")
    }

    #[test]
    fn nothing_is_due_before_its_time() {
        let hourly = calendar("0 * * * *");
        let early = due(&hourly, DAY, DAY - 1, CatchUp::All);
        assert_eq!((early.fires.len(), early.next), (0, Some(DAY)));
        for catch_up in [CatchUp::Last, CatchUp::None, CatchUp::All] {
            let at = due(&hourly, DAY, DAY + 20, catch_up);
            assert_eq!((at.fires, at.missed), (vec![DAY], None), "{catch_up:?}");
            assert_eq!(at.next, Some(DAY + 60 * MINUTE));
        }
    }

    #[test]
    fn late_fires_are_caught_up_as_the_schedule_wants() {
        let quarter = calendar("*/15 * * * *");
        // Ten hours without a server.
        let now = DAY + 600 * MINUTE + 5 * MINUTE;
        let at = |minutes: i64| DAY + minutes * MINUTE;
        let last = due(&quarter, DAY, now, CatchUp::Last);
        assert_eq!((last.fires, last.missed), (vec![at(600)], Some((DAY, 40))));
        let none = due(&quarter, DAY, now, CatchUp::None);
        assert_eq!((none.fires, none.missed), (vec![], Some((DAY, 41))));
        let all = due(&quarter, DAY, now, CatchUp::All);
        assert_eq!((all.fires.len(), all.missed), (41, None));
        assert_eq!(all.next, Some(at(615)));
        // What was due more than an hour ago is not worth a run any more.
        let daily = calendar("0 0 * * *");
        let late = due(&daily, DAY, DAY + 61 * MINUTE, CatchUp::Last);
        assert_eq!((late.fires, late.missed), (vec![], Some((DAY, 1))));
        let late = due(&daily, DAY, DAY + 59 * MINUTE, CatchUp::Last);
        assert_eq!((late.fires, late.missed), (vec![DAY], None));
    }

    #[test]
    fn what_is_on_time_fires_whatever_was_missed() {
        let minutely = calendar("* * * * *");
        // A server that was held up for a moment, around a minute.
        let both = due(&minutely, DAY, DAY + MINUTE + 10, CatchUp::None);
        assert_eq!(both.fires, [DAY + MINUTE]);
        let both = due(&minutely, DAY, DAY + MINUTE, CatchUp::Last);
        assert_eq!(both.fires, [DAY, DAY + MINUTE]);
    }

    #[test]
    fn what_is_passed_over_is_counted_and_does_not_fire() {
        let hourly = calendar("0 * * * *");
        let over = passed_over(&hourly, DAY, DAY + 150 * MINUTE);
        assert_eq!((over.fires, over.missed), (vec![], Some((DAY, 3))));
        assert_eq!(over.next, Some(DAY + 180 * MINUTE));
        let early = passed_over(&hourly, DAY, DAY - 1);
        assert_eq!((early.missed, early.next), (None, Some(DAY)));
    }

    #[test]
    fn no_more_than_a_hundred_are_caught_up_and_those_are_the_newest() {
        for (cron, back) in [
            ("* * * * *", 60 * 24 * 3),
            ("0 * * * *", 60 * 24 * 30),
            ("0 0 * * *", 60 * 24 * 400),
        ] {
            let calendar = calendar(cron);
            let start = DAY - back * MINUTE;
            let all = due(&calendar, start, DAY + 10, CatchUp::All);
            assert_eq!(all.fires.len(), 100, "{cron}");
            assert_eq!(all.fires.last(), Some(&DAY), "{cron}");
            let (first, missed) = all.missed.expect("some are missed");
            assert_eq!(first, start);
            assert!(missed > 0 && missed <= COUNTED, "{missed}");
        }
        let yearly = calendar("@yearly");
        let start = yearly.after(0).expect("a time");
        let all = due(&yearly, start, DAY, CatchUp::All);
        assert_eq!((all.fires.len(), all.missed), (56, None));
    }

    #[test]
    fn each_time_of_a_year_fires_once_however_irregular_the_clock_is() {
        let calendar = Calendar::new("*/5 * * * *", "Europe/Berlin").expect("a calendar");
        let end = DAY + 365 * 24 * 60 * MINUTE;
        let expected: Vec<i64> =
            std::iter::successors(calendar.after(DAY), |last| calendar.after(*last))
                .take_while(|at| *at <= end)
                .collect();
        let (mut next, mut now, mut seed) = (calendar.after(DAY), DAY, 7_u64);
        let mut fired = Vec::new();
        while now < end {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // From nothing to forty minutes; now and then the clock goes back.
            let step = i64::try_from(seed >> 33).unwrap_or(0) % (40 * MINUTE);
            now = (if seed.is_multiple_of(11) {
                now - step / 2
            } else {
                now + step
            })
            .min(end);
            let found = due(&calendar, next.expect("a time"), now, CatchUp::All);
            assert_eq!(found.missed, None);
            fired.extend(found.fires);
            next = found.next;
        }
        assert!(fired == expected, "{} of {}", fired.len(), expected.len());
    }
}
