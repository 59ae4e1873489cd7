//! Counts calls over windows of time, for the budgets of a policy: what an embedder gives for it.

use std::pin::Pin;
use std::time::{Duration, SystemTime};

/// One call, to be counted in the window that the clock of the counter is in.
///
/// Windows have a fixed length and begin at multiples of it since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// What is counted together.
    pub key: [u8; 32],
    /// The length of a window.
    pub period: Duration,
    /// The most calls of a window.
    pub calls: u32,
}

/// What came of counting a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counted {
    /// It is counted everywhere.
    Taken,
    /// It is counted nowhere: a window is full.
    Full {
        /// The place of the first of them in the list.
        at: usize,
        /// When the next window of that one begins.
        until: SystemTime,
    },
}

/// A future of that, or of the reason why a call cannot be counted.
pub type Counting<'a> = Pin<Box<dyn Future<Output = Result<Counted, String>> + Send + 'a>>;

/// Counts calls for all runs that share it, in all processes.
pub trait CallCounter: Send + Sync {
    /// Counts a call in all of these, or in none. No window ever has more calls than it may, whoever
    /// counts at the same time.
    fn take(&self, counts: Vec<Count>) -> Counting<'_>;
}
