//! Which call of which run something is done for, and the key under which its effect happens once.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::run_info::RunInfo;
use crate::text::hex;

/// Variables that tell an action which call it answers. A script cannot set them.
pub const CALL_VARIABLES: [&str; 4] = [
    "KAEL_IDEMPOTENCY_KEY",
    "KAEL_RUN",
    "KAEL_CALL",
    "KAEL_ATTEMPT",
];

/// What programs go on with a distributed trace by.
const TRACE_VARIABLE: &str = "TRACEPARENT";

/// One attempt of one call.
#[derive(Debug, Clone, Copy)]
pub struct CallIdentity<'a> {
    /// The run. It is over once the last clone of this is dropped.
    pub run: &'a Arc<RunInfo>,
    /// The number of the call in its run, from 1.
    pub call: u64,
    /// The number of the attempt, from 1.
    pub attempt: u32,
}

impl CallIdentity<'_> {
    /// The same for every attempt of a call, and for no other call. An action that hands it on to a
    /// system that takes such keys has its effect once, however often it is started.
    #[must_use]
    pub fn key(&self) -> String {
        let (run, mut hash) = (self.run.id.to_string(), Sha256::new());
        hash.update(run.len().to_le_bytes());
        hash.update(run);
        hash.update(self.call.to_le_bytes());
        hex(&hash.finalize()[..16])
    }

    /// The variable by which programs go on with a distributed trace, if the run is a part of one.
    #[must_use]
    pub fn trace_variable(&self) -> Option<(String, String)> {
        let trace = self.run.trace.as_ref()?;
        let span = trace.attempt_span(self.run.id, self.call, self.attempt);
        Some((TRACE_VARIABLE.to_owned(), trace.header(span)))
    }

    /// What the action's process sees of it.
    #[must_use]
    pub fn variables(&self) -> [(String, String); 4] {
        let values = [
            self.key(),
            self.run.id.to_string(),
            self.call.to_string(),
            self.attempt.to_string(),
        ];
        let mut values = values.into_iter();
        CALL_VARIABLES.map(|name| (name.to_owned(), values.next().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_info::Tenant;

    #[test]
    fn a_key_is_of_a_call_and_not_of_an_attempt() {
        let (a, b) = (
            RunInfo::new(Tenant::default()),
            RunInfo::new(Tenant::default()),
        );
        let key = |run, call, attempt| CallIdentity { run, call, attempt }.key();
        assert_eq!(key(&a, 1, 1), key(&a, 1, 2));
        assert_ne!(key(&a, 1, 1), key(&a, 2, 1));
        assert_ne!(key(&a, 1, 1), key(&b, 1, 1));
        assert_eq!(key(&a, 1, 1).len(), 32);
    }
}
