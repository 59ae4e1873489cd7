//! What the store of a predicate holds: its event, and its bounds.

use std::time::Instant;

use kael_engine::bounds::Limiter;

/// Elements of all tables together, on the host's side: they count as memory, too.
const MAX_TABLES: usize = 100_000;

/// The data of a store.
pub(super) struct State<E> {
    pub(super) event: E,
    /// `alert_emit` was called.
    pub(super) emitted: bool,
    /// `pred_capture` runs.
    pub(super) capturing: bool,
    pub(super) limiter: Tables,
    /// When the call must be over.
    pub(super) until: Instant,
}

/// The bound on memory, and one on the length of tables.
pub(super) struct Tables(pub(super) Limiter);

impl wasmtime::ResourceLimiter for Tables {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.0.memory_growing(current, desired, maximum)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLES && self.0.table_growing(current, desired, maximum)?)
    }
}
