//! The limits of one run, and the messages when a run crosses one.

use std::fmt;
use std::time::Duration;

use crate::units::{ByteSize, TimeLimit};

/// The limits of one run. Crossing one ends the run, and the script cannot catch that.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Memory of the script's instance: its linear memory, tables and exception heap together.
    pub memory: ByteSize,
    /// Computing time of the script; waiting for actions does not count.
    pub cpu: TimeLimit,
    /// Wall-clock time for the whole run, actions included.
    pub wall: TimeLimit,
    /// Bytes that the script may print.
    pub output: ByteSize,
    /// How many actions the script may call. `kael.*` does not count.
    pub calls: u32,
    /// How many actions may run at once. More calls wait.
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

impl Limits {
    /// The lower of each two limits.
    #[must_use]
    pub fn lower(&self, other: &Self) -> Self {
        Self {
            memory: self.memory.min(other.memory),
            cpu: self.cpu.min(other.cpu),
            wall: self.wall.min(other.wall),
            output: self.output.min(other.output),
            calls: self.calls.min(other.calls),
            parallel: self.parallel.min(other.parallel),
        }
    }
}

/// A limit that was crossed, with its value and the amount used.
#[derive(Debug, Clone, PartialEq)]
pub enum LimitHit {
    /// The script's memory.
    Memory {
        /// The limit.
        allowed: ByteSize,
        /// The memory that the script would have had.
        wanted: ByteSize,
    },
    /// The script's computing time.
    Cpu {
        /// The limit.
        allowed: TimeLimit,
        /// The time used.
        used: Duration,
    },
    /// The wall-clock time of the run.
    Wall {
        /// The limit.
        allowed: TimeLimit,
        /// The time when the run was ended.
        used: Duration,
    },
    /// The bytes printed.
    Output {
        /// The limit.
        allowed: ByteSize,
        /// The bytes printed, including the text that was too much.
        wanted: ByteSize,
    },
    /// The number of calls.
    Calls {
        /// The limit.
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

    /// The `kael-host` option that sets the limit.
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

/// What the processes of one action may use. Each limit except `processes` applies to each process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessLimits {
    /// Private memory that a process writes to.
    pub memory: ByteSize,
    /// Computing time of a process, rounded up to whole seconds.
    pub cpu: TimeLimit,
    /// The size of a file that it writes.
    pub file_size: ByteSize,
    /// Processes and threads of the action at once.
    pub processes: u32,
    /// Files, pipes and sockets that a process may have open.
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
