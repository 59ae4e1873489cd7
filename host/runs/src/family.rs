//! What becomes of the runs that a run has started.

use kael_engine::run_info::RunId;

/// The runs that a run which is over had started, and that do not go on without it.
#[derive(Debug, Default)]
pub struct Family {
    /// Those that had no process, and are cancelled.
    pub cancelled: Vec<RunId>,
    /// Those that run.
    pub running: Vec<RunId>,
}
