//! The latest failed calls of an instance.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::failure::{ActionError, Detail, ErrorKind};

/// Failures whose details are kept, for a report of one that nothing caught: the latest.
const MAX_FAILURES: usize = 8;

/// The latest failed calls of an instance.
#[derive(Clone, Default)]
pub(in crate::sandbox) struct Failures(Arc<Mutex<VecDeque<(String, ActionError)>>>);

impl Failures {
    pub(super) fn note(&self, name: &str, error: &ActionError) {
        if error.detail.is_none() {
            return;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == MAX_FAILURES {
            all.pop_front();
        }
        all.push_back((name.to_owned(), error.clone()));
    }

    /// What is known of the latest failure that a script reports in these words.
    pub(in crate::sandbox) fn detail(
        &self,
        name: &str,
        kind: ErrorKind,
        text: &str,
    ) -> Option<Box<Detail>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.iter().rev().find(|(called, error)| {
            called == name && error.kind == kind && text.ends_with(&error.message)
        });
        found.and_then(|(_, error)| error.detail.clone())
    }
}
