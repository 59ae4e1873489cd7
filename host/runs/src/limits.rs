//! The limits of a run as they are stored.

use kael_engine::limits::Limits;
use kael_engine::units::{ByteSize, TimeLimit};
use serde::{Deserialize, Serialize};

/// The limits of a run as they are stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StoredLimits {
    memory: u64,
    cpu: f64,
    wall: f64,
    output: u64,
    calls: u32,
    parallel: u32,
}

impl From<&Limits> for StoredLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            memory: limits.memory.bytes(),
            cpu: limits.cpu.duration().as_secs_f64(),
            wall: limits.wall.duration().as_secs_f64(),
            output: limits.output.bytes(),
            calls: limits.calls,
            parallel: limits.parallel,
        }
    }
}

impl From<StoredLimits> for Limits {
    fn from(stored: StoredLimits) -> Self {
        let defaults = Self::default();
        Self {
            memory: ByteSize::new(stored.memory),
            cpu: TimeLimit::from_seconds(stored.cpu).unwrap_or(defaults.cpu),
            wall: TimeLimit::from_seconds(stored.wall).unwrap_or(defaults.wall),
            output: ByteSize::new(stored.output),
            calls: stored.calls,
            parallel: stored.parallel,
        }
    }
}
