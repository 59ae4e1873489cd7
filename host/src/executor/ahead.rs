//! One thing that the next call will need, made by a thread that has the time for it.

use std::sync::{Mutex, PoisonError};

/// Who has asked fewer times than this may not ask again.
const FEW: usize = 4;

/// What was made ahead, for a call that asks for `K`.
pub(super) struct Ahead<K, T>(Mutex<Inner<K, T>>);

struct Inner<K, T> {
    asked: usize,
    /// What was asked for last.
    last: Option<K>,
    made: Option<(K, T)>,
}

impl<K: Clone + PartialEq, T> Ahead<K, T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Inner {
            asked: 0,
            last: None,
            made: None,
        }))
    }

    fn with<R>(&self, change: impl FnOnce(&mut Inner<K, T>) -> R) -> R {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is there, if it is what is asked for.
    pub(super) fn take(&self, key: &K) -> Option<T> {
        self.with(|inner| {
            inner.asked = inner.asked.saturating_add(1);
            inner.last = Some(key.clone());
            inner.made.take_if(|(made, _)| made == key)
        })
        .map(|(_, made)| made)
    }

    /// Makes what was asked for last, unless it is there or was asked for a few times only.
    pub(super) fn make(&self, make: impl FnOnce(&K) -> Option<T>) {
        let wanted = self.with(|inner| {
            let there = inner.made.as_ref().map(|(key, _)| key) == inner.last.as_ref();
            let wanted = inner.asked >= FEW && !there;
            wanted.then(|| inner.last.clone()).flatten()
        });
        if let Some(key) = wanted
            && let Some(made) = make(&key)
        {
            // What is not kept goes when nobody waits for the lock. It may have been cleared meanwhile.
            drop(self.with(|inner| match inner.asked >= FEW {
                true => inner.made.replace((key, made)),
                false => Some((key, made)),
            }));
        }
    }

    /// Gives up what is there.
    pub(super) fn clear(&self) {
        drop(self.with(|inner| {
            inner.asked = 0;
            inner.made.take()
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_often_asked_for_is_there() {
        let ahead = Ahead::new();
        for _ in 1..FEW {
            assert_eq!(ahead.take(&'a'), None);
            ahead.make(|_| panic!("not yet"));
        }
        assert_eq!(ahead.take(&'a'), None);
        ahead.make(|key| Some(format!("{key}1")));
        ahead.make(|_| panic!("it is there"));
        assert_eq!(ahead.take(&'b'), None);
        ahead.make(|key| Some(format!("{key}2")));
        assert_eq!(ahead.take(&'b').as_deref(), Some("b2"));
        assert_eq!(ahead.take(&'b'), None);
        ahead.make(|_| None);
        assert_eq!(ahead.take(&'b'), None);
        ahead.make(|key| Some(format!("{key}3")));
        ahead.clear();
        ahead.make(|_| panic!("not yet again"));
        for _ in 0..FEW {
            assert_eq!(ahead.take(&'b'), None);
        }
        ahead.make(|_| {
            ahead.clear();
            Some("late".to_owned())
        });
        assert_eq!(ahead.take(&'b'), None);
    }
}
