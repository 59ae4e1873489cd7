//! Switches a rule off that reaches its limits again and again, for longer each time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// So many strikes within so many evaluations switch a rule off.
const STRIKES: usize = 3;
const WITHIN: u64 = 1000;
/// How long at first, and at most.
const FIRST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Default)]
pub(super) struct BackOff {
    /// The numbers of the evaluations that were struck.
    strikes: VecDeque<u64>,
    until: Option<Instant>,
    times: u32,
}

impl BackOff {
    /// Notes that evaluation number `at` hit a limit. Returns for how long the rule is off now, if it
    /// is.
    pub(super) fn strike(&mut self, at: u64, now: Instant) -> Option<Duration> {
        self.strikes.push_back(at);
        while self
            .strikes
            .front()
            .is_some_and(|first| first + WITHIN <= at)
        {
            self.strikes.pop_front();
        }
        if self.strikes.len() < STRIKES {
            return None;
        }
        self.strikes.clear();
        let long = FIRST
            .saturating_mul(2_u32.saturating_pow(self.times))
            .min(LONGEST);
        self.times += 1;
        self.until = Some(now + long);
        Some(long)
    }

    pub(super) fn is_off(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_strikes_in_a_thousand_and_longer_each_time() {
        let now = Instant::now();
        let mut rule = BackOff::default();
        assert_eq!(rule.strike(1, now), None);
        assert_eq!(rule.strike(900, now), None);
        assert_eq!(rule.strike(1002, now), None); // the first is too long ago
        assert_eq!(rule.strike(1003, now), Some(Duration::from_secs(60)));
        assert!(rule.is_off(now) && !rule.is_off(now + Duration::from_secs(60)));
        for expected in [120, 240] {
            rule.strike(2000, now);
            rule.strike(2001, now);
            assert_eq!(rule.strike(2002, now), Some(Duration::from_secs(expected)));
        }
        for _ in 0..40 {
            rule.strike(5000, now);
        }
        rule.strike(5001, now);
        assert!(!rule.is_off(now + LONGEST));
    }
}
