//! Bounds what one decision costs, however many rules and elements it looks at.

use std::cell::Cell;

use serde_json::Value;

use crate::catalog::Schema;

/// Steps of one decision. Each takes some ten nanoseconds.
const MAX: u64 = 20_000_000;

/// The steps that a decision has left. Once they are used up, every further test is in doubt.
#[derive(Debug)]
pub(super) struct Steps(Cell<u64>);

impl Steps {
    /// Those of one decision.
    pub(super) fn of_decision() -> Self {
        Self(Cell::new(MAX))
    }

    /// Takes steps; false where there are not enough of them, and from then on.
    pub(super) fn take(&self, steps: usize) -> bool {
        let rest = self.0.get().checked_sub(steps as u64);
        self.0.set(rest.unwrap_or(0));
        rest.is_some()
    }

    /// Whether a value fits a schema; none where that takes too many steps to know.
    pub(super) fn fits(&self, schema: &Schema, value: &Value) -> Option<bool> {
        schema.fits_within(value, &self.0)
    }
}
