//! Counts in windows of time: of a fixed length, beginning at multiples of it since 1970.
//!
//! A row is one window of one key, so that a clock that is set back finds what was counted before.

use std::time::Duration;

use crate::{StoreError, Tx};

/// How long a window is kept after its end, in microseconds: a clock may be set back so far.
const KEPT: i64 = 24 * 3600 * 1_000_000;

const FIND: &str = "SELECT n FROM counts WHERE key = ?1 AND began = ?2 AND ends = ?3";
const ADD: &str = "INSERT INTO counts (key, began, ends, n) VALUES (?1, ?2, ?3, 1) \
                   ON CONFLICT (key, began, ends) DO UPDATE SET n = n + 1";
const FORGET: &str = "DELETE FROM counts WHERE ends < ?1";

#[cfg(test)]
pub(crate) const ALL: [&str; 3] = [FIND, ADD, FORGET];

/// What is counted, and how far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counter {
    /// What is counted together.
    pub key: [u8; 32],
    /// The length of a window.
    pub period: Duration,
    /// The most of one window.
    pub most: u32,
}

/// A window that is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FullWindow {
    /// The place of its counter in the list.
    pub at: usize,
    /// When it ends, in microseconds since 1970.
    pub ends: i64,
}

/// Counts one in the present window of each counter; in none, if one of these is full.
///
/// # Errors
/// What the database says.
pub fn take(tx: &Tx<'_>, counters: &[Counter]) -> Result<Option<FullWindow>, StoreError> {
    let mut new = false;
    for (at, counter) in counters.iter().enumerate() {
        let (began, ends) = window(tx.now(), counter.period);
        let values = [(&counter.key).into(), began.into(), ends.into()];
        let found = tx.first(FIND, &values, |row| row.get::<i64>(0))?;
        if found.unwrap_or(0) >= i64::from(counter.most) {
            return Ok(Some(FullWindow { at, ends }));
        }
        new |= found.is_none();
    }
    if new {
        tx.execute(FORGET, &[tx.now().saturating_sub(KEPT).into()])?;
    }
    for counter in counters {
        let (began, ends) = window(tx.now(), counter.period);
        tx.execute(ADD, &[(&counter.key).into(), began.into(), ends.into()])?;
    }
    Ok(None)
}

/// The window of a length that a time is in: its beginning, and the end, which is not in it.
fn window(now: i64, period: Duration) -> (i64, i64) {
    let period = i64::try_from(period.as_micros()).unwrap_or(i64::MAX).max(1);
    let began = now - now.rem_euclid(period);
    (began, began.saturating_add(period))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mode, Store, Value};

    /// A window that no test is at the end of.
    const EVER: Duration = Duration::MAX;

    fn store(folder: &tempfile::TempDir) -> Store {
        Store::open(&folder.path().join("data/kael.db"), Mode::Shared).expect("a store")
    }

    fn counter(key: u8, most: u32) -> Counter {
        Counter {
            key: [key; 32],
            period: EVER,
            most,
        }
    }

    fn taken(store: &Store, counters: &[Counter]) -> Option<usize> {
        let counters = counters.to_vec();
        let took = store.write(move |tx| take(tx, &counters)).wait();
        took.expect("written").map(|full| full.at)
    }

    #[test]
    fn windows_are_aligned_to_1970_and_follow_each_other() {
        let period = Duration::from_secs(60);
        for (now, expected) in [
            (0, (0, 60_000_000)),
            (59_999_999, (0, 60_000_000)),
            (60_000_000, (60_000_000, 120_000_000)),
            (-1, (-60_000_000, 0)),
        ] {
            assert_eq!(window(now, period), expected, "{now}");
        }
        assert_eq!(window(5, Duration::MAX), (0, i64::MAX));
    }

    #[test]
    fn a_call_is_counted_everywhere_or_nowhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder);
        let (one, two) = (counter(1, 2), counter(2, 1));
        assert_eq!(taken(&store, &[one.clone(), two.clone()]), None);
        // The second is full, so the first has room still.
        assert_eq!(taken(&store, &[one.clone(), two]), Some(1));
        assert_eq!(taken(&store, std::slice::from_ref(&one)), None);
        assert_eq!(taken(&store, &[one]), Some(0));
    }

    #[test]
    fn windows_that_are_long_over_are_forgotten() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder);
        let old = "INSERT INTO counts (key, began, ends, n) VALUES (?1, 0, 60, 3)";
        let put = store.write(|tx| tx.execute(old, &[Value::Blob(&[9; 32])]));
        put.wait().expect("written");
        assert_eq!(taken(&store, &[counter(1, 5)]), None);
        let count = store.read_blocking(|tx| tx.query("SELECT n FROM counts", &[], |_| Ok(())));
        assert_eq!(count.expect("read").len(), 1);
    }

    #[test]
    fn threads_and_handles_together_never_take_more_than_there_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("kael.db");
        let counted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..6)
                .map(|_| {
                    let store = Store::open(&file, Mode::Shared).expect("a store");
                    scope.spawn(move || {
                        let one = counter(1, 20);
                        (0..10)
                            .filter(|_| taken(&store, std::slice::from_ref(&one)).is_none())
                            .count()
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("it ends"))
                .sum()
        });
        assert_eq!(counted, 20);
    }

    #[test]
    fn every_statement_fits_the_tables() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = store(&folder);
        for sql in ALL {
            let is_used = |number: &usize| sql.contains(&format!("?{number}"));
            let parameters = vec![Value::Null; (1..).take_while(is_used).count()];
            let explained = format!("EXPLAIN {sql}");
            let prepared = store.read_blocking(|tx| tx.query(&explained, &parameters, |_| Ok(())));
            prepared.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        }
    }
}
