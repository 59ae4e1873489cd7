//! The digests of scripts that are known to be Lua, so that a script is compiled once and not at
//! every submit.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Digests that are kept; then it begins anew.
const MAX: usize = 100_000;

/// The scripts that compiled.
#[derive(Default)]
pub(crate) struct Compiled(Mutex<HashSet<[u8; 32]>>);

impl Compiled {
    pub(crate) fn knows(&self, digest: &[u8; 32]) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(digest)
    }

    pub(crate) fn add(&self, digest: [u8; 32]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX {
            known.clear();
        }
        known.insert(digest);
    }
}
