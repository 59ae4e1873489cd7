//! Sees when the time of day steps: against the clock that only goes forward.

use std::time::{Duration, Instant};

use crate::time::{self, SECOND};

/// What differs by more is a step.
const STEP: i64 = 60 * SECOND;

/// Both clocks, as they were read last.
pub(crate) struct Clock {
    wall: i64,
    steady: Instant,
}

impl Clock {
    /// The clocks as they are now.
    pub(crate) fn new() -> Self {
        Self {
            wall: time::now(),
            steady: Instant::now(),
        }
    }

    /// Reads both clocks: the time of day, and by how much it stepped since they were read before.
    pub(crate) fn read(&mut self) -> (i64, Option<i64>) {
        let (wall, steady) = (time::now(), Instant::now());
        let step = step(self.wall, wall, steady.duration_since(self.steady));
        *self = Self { wall, steady };
        (wall, step)
    }
}

/// By how much the time of day stepped between two readings.
fn step(before: i64, after: i64, between: Duration) -> Option<i64> {
    let step = after - before - time::micros(between);
    (step.abs() > STEP).then_some(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_what_the_other_clock_did_not_see() {
        let between = Duration::from_secs(5);
        assert_eq!(step(0, 5 * SECOND, between), None);
        assert_eq!(step(0, 60 * SECOND, between), None);
        assert_eq!(step(0, 70 * SECOND, between), Some(65 * SECOND));
        assert_eq!(step(0, -60 * SECOND, between), Some(-65 * SECOND));
        assert_eq!(Clock::new().read().1, None);
    }
}
