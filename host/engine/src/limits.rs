//! What one run may use, and what it says when it used that up.

use std::fmt;
use std::time::Duration;

use crate::units::{ByteSize, TimeLimit};

/// The limits of one run. Each ends the run when it is crossed, and nothing in the script can catch that.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Memory of the script's instance: its linear memory, tables and exception heap together.
    pub memory: ByteSize,
    /// Time that the script itself computes; waiting for actions is not counted.
    pub cpu: TimeLimit,
    /// Wall-clock time for the whole run, actions included.
    pub wall: TimeLimit,
    /// Bytes that the script prints.
    pub output: ByteSize,
    /// Actions that the script calls, one after the other or side by side. `kael.*` is not counted.
    pub calls: u32,
    /// Actions in flight at the same time. More of them wait their turn; that is no error.
    pub parallel: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: ByteSize::mib(256),
            cpu: TimeLimit::from_secs(60),
            wall: TimeLimit::from_secs(15 * 60),
            output: ByteSize::mib(16),
            calls: 100_000,
            parallel: 32,
        }
    }
}

/// A limit that was crossed: which one, what was allowed, and what was used.
#[derive(Debug, Clone, PartialEq)]
pub enum LimitHit {
    /// The script's memory; the size it asked for in all.
    Memory {
        /// What was allowed.
        allowed: ByteSize,
        /// What the script would have had with what it asked for.
        wanted: ByteSize,
    },
    /// The script's computing time.
    Cpu {
        /// What was allowed.
        allowed: TimeLimit,
        /// What was used.
        used: Duration,
    },
    /// The run's time.
    Wall {
        /// What was allowed.
        allowed: TimeLimit,
        /// What it had taken when it was ended.
        used: Duration,
    },
    /// What the script printed.
    Output {
        /// What was allowed.
        allowed: ByteSize,
        /// What it would have printed with the text that was too much.
        wanted: ByteSize,
    },
    /// The number of actions called.
    Calls {
        /// What was allowed.
        allowed: u32,
    },
}

impl LimitHit {
    /// The limit's name: `memory`, `cpu`, `timeout`, `output`, `calls`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Memory { .. } => "memory",
            Self::Cpu { .. } => "cpu",
            Self::Wall { .. } => "timeout",
            Self::Output { .. } => "output",
            Self::Calls { .. } => "calls",
        }
    }

    /// The option of `kael-host` that sets the limit.
    #[must_use]
    pub fn option(&self) -> &'static str {
        match self {
            Self::Memory { .. } => "--max-memory",
            Self::Cpu { .. } => "--max-cpu",
            Self::Wall { .. } => "--timeout",
            Self::Output { .. } => "--max-output",
            Self::Calls { .. } => "--max-calls",
        }
    }
}

impl fmt::Display for LimitHit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory { allowed, wanted } => {
                write!(
                    f,
                    "the script needs more memory than the {allowed} it may use (it asked for {wanted})"
                )
            }
            Self::Cpu { allowed, used } => {
                write!(
                    f,
                    "the script computed for {:.1}s, and may for {allowed}",
                    used.as_secs_f64()
                )
            }
            Self::Wall { allowed, used } => {
                let used = used.as_secs_f64();
                write!(
                    f,
                    "the run took longer than the {allowed} it may take (it was ended after {used:.1}s)"
                )
            }
            Self::Output { allowed, wanted } => {
                write!(
                    f,
                    "the script printed more than the {allowed} it may print (it was about to have printed {wanted})"
                )
            }
            Self::Calls { allowed } => write!(
                f,
                "the script called more than the {allowed} actions it may call"
            ),
        }
    }
}

/// What the processes of one action may use. Each limit but `processes` is of every process by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessLimits {
    /// Memory that a process writes to and shares with no other.
    pub memory: ByteSize,
    /// Computing time of a process, in whole seconds: what is begun counts.
    pub cpu: TimeLimit,
    /// The size of a file that is written.
    pub file_size: ByteSize,
    /// Processes and threads at the same time.
    pub processes: u32,
    /// Files, pipes and sockets that a process has open.
    pub open_files: u32,
}

impl Default for ProcessLimits {
    fn default() -> Self {
        Self {
            memory: ByteSize::mib(2048),
            cpu: TimeLimit::from_secs(300),
            file_size: ByteSize::mib(1024),
            processes: 256,
            open_files: 1024,
        }
    }
}
