//! One thing that the next call will need, made by a thread that has the time for it.

use std::sync::{Mutex, PoisonError};

/// Who has asked fewer times than this may not ask again.
const MIN_USES: usize = 4;

/// What was made ahead.
pub(super) struct Prewarmed<T>(Mutex<Inner<T>>);

struct Inner<T> {
    asked: usize,
    made: Option<T>,
}

impl<T> Prewarmed<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Inner {
            asked: 0,
            made: None,
        }))
    }

    fn with<R>(&self, change: impl FnOnce(&mut Inner<T>) -> R) -> R {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is there.
    pub(super) fn take(&self) -> Option<T> {
        self.with(|inner| {
            inner.asked = inner.asked.saturating_add(1);
            inner.made.take()
        })
    }

    /// Makes one, unless it is there or was asked for a few times only. Gives back what is not kept: it may have been cleared
    /// meanwhile.
    pub(super) fn make(&self, make: impl FnOnce() -> Option<T>) -> Option<T> {
        if !self.with(|inner| inner.asked >= MIN_USES && inner.made.is_none()) {
            return None;
        }
        let made = make()?;
        self.with(|inner| match inner.asked >= MIN_USES {
            true => inner.made.replace(made),
            false => Some(made),
        })
    }

    /// Gives up what is there, and gives it back.
    pub(super) fn clear(&self) -> Option<T> {
        self.with(|inner| {
            inner.asked = 0;
            inner.made.take()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked_often() -> Prewarmed<u8> {
        let ahead = Prewarmed::new();
        for _ in 0..MIN_USES {
            ahead.make(|| panic!("not yet"));
            assert_eq!(ahead.take(), None);
        }
        ahead
    }

    #[test]
    fn what_is_often_asked_for_is_there_once() {
        let ahead = asked_often();
        ahead.make(|| Some(1));
        ahead.make(|| panic!("it is there"));
        assert_eq!((ahead.take(), ahead.take()), (Some(1), None));
        ahead.make(|| None);
        assert_eq!(ahead.take(), None);
    }

    #[test]
    fn nothing_is_there_once_it_was_cleared() {
        let ahead = asked_often();
        ahead.make(|| Some(1));
        ahead.clear();
        ahead.make(|| panic!("not yet again"));
        assert_eq!(ahead.take(), None);
        let ahead = asked_often();
        ahead.make(|| {
            ahead.clear();
            Some(1)
        });
        assert_eq!(ahead.take(), None);
    }
}
