//! Webhooks that go out: what happened is sent to those who have subscribed to it.
//!
//! A delivery is in the store before anybody hears of what it tells, and stays there until the receiver has
//! answered with a status of 200 to 299: so it arrives at least once, and its id says that it is the same.
//! `address` decides where to, `send` makes one try, `flights` bounds how many are made at once, and `sender` is the
//! loop.

pub(crate) mod address;
pub(crate) mod flights;
mod send;
pub(crate) mod sender;

use std::time::Duration;

/// What can be subscribed to.
pub(crate) const EVENTS: [&str; 4] = [RUN_FINISHED, RUN_PARKED, RUN_WAITING, SCHEDULE_MISSED];
/// A run has ended, however.
pub(crate) const RUN_FINISHED: &str = "run.finished";
/// A run cannot go on without a person.
pub(crate) const RUN_PARKED: &str = "run.parked";
/// A run waits, for a person or something else.
pub(crate) const RUN_WAITING: &str = "run.waiting";
/// Fires of a schedule were missed.
pub(crate) const SCHEDULE_MISSED: &str = "schedule.missed";

/// Seconds between the tries of a delivery: ten tries in 24 hours.
const PAUSES: [u64; 9] = [5, 60, 300, 900, 3600, 7200, 14_400, 21_600, 38_000];

/// How long to wait behind so many tries; none when the delivery is given up.
fn pause(tries: i64) -> Option<Duration> {
    let place = usize::try_from(tries).ok()?.checked_sub(1)?;
    PAUSES.get(place).copied().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_tried_ten_times_in_a_day() {
        let pauses: Vec<Duration> = (1..).map_while(pause).collect();
        assert_eq!(pauses.len(), 9);
        let hours = pauses.iter().sum::<Duration>().as_secs() / 3600;
        assert_eq!(hours, 23);
        assert!(pauses.is_sorted());
        assert_eq!(pause(0), None);
    }
}
