//! A run that is this server's to run.

use crate::event::Event;
use crate::tables::runs::RunRow;

/// A run that was claimed: its row says that it runs.
pub(super) struct Claimed {
    pub(super) run: RunRow,
    /// The text of its script; none for a run that goes on, which has it in its journal.
    pub(super) source: Option<Vec<u8>>,
    /// The event that says that it began, or goes on.
    pub(super) event: Event,
    /// Set for a run that goes on: how many tables and charts it has shown.
    pub(super) kept: Option<usize>,
    /// The seconds that its tenant was charged.
    pub(super) charged: f64,
}
