//! Which of its limits an action reached, as far as its end tells.
//!
//! The kernel says it for computing time, file sizes and processes. Memory and open files it refuses to a program that may go on;
//! what such a program says when it gives up is all there is.

use super::status::Status;
use crate::executor::failure_message::refusal;
use crate::executor::process::Usage;
use crate::limits::ProcessLimits;

/// What programs say, in lower case, when they are refused something.
const WORDS: [(&str, Limit); 13] = [
    ("memoryerror", Limit::Memory),
    ("out of memory", Limit::Memory),
    ("cannot allocate memory", Limit::Memory),
    ("memory exhausted", Limit::Memory),
    ("bad_alloc", Limit::Memory),
    ("allocation failed", Limit::Memory),
    ("file too large", Limit::FileSize),
    ("file size limit exceeded", Limit::FileSize),
    ("too many open files", Limit::OpenFiles),
    ("cpu time limit exceeded", Limit::Cpu),
    ("cannot fork", Limit::Processes),
    ("can't start new thread", Limit::Processes),
    ("fork: resource temporarily unavailable", Limit::Processes),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    Memory,
    Cpu,
    FileSize,
    Processes,
    OpenFiles,
}

/// The limit that was reached, with what was allowed: `cpu (1s)`.
pub(super) fn limit_reached(
    limits: &ProcessLimits,
    usage: Usage,
    status: Option<&Status>,
    stderr: &str,
) -> Option<String> {
    let limit = by_kernel(limits, usage, status).or_else(|| by_words(stderr))?;
    Some(match limit {
        Limit::Memory => format!("memory ({})", limits.memory),
        Limit::Cpu => format!("cpu ({})", limits.cpu),
        Limit::FileSize => format!("file_size ({})", limits.file_size),
        Limit::Processes => format!("processes ({})", limits.processes),
        Limit::OpenFiles => format!("open_files ({})", limits.open_files),
    })
}

fn by_kernel(limits: &ProcessLimits, usage: Usage, status: Option<&Status>) -> Option<Limit> {
    // A shell ends with 128 + n when signal n ended its child.
    let signal = match status {
        Some(Status::Signaled(signal)) => *signal,
        // What is read here may be the action's own words, and so any number.
        Some(Status::Exited(code)) => code.saturating_sub(128),
        _ => 0,
    };
    match signal {
        libc::SIGXCPU => Some(Limit::Cpu),
        libc::SIGXFSZ => Some(Limit::FileSize),
        libc::SIGKILL if usage.cpu >= limits.cpu.duration() => Some(Limit::Cpu),
        _ if usage.refused > 0 => Some(Limit::Processes),
        _ => None,
    }
}

fn by_words(stderr: &str) -> Option<Limit> {
    let end = refusal(stderr);
    // What was said last counts.
    let said = |(words, limit): &(&str, Limit)| Some((end.rfind(words)?, *limit));
    WORDS
        .iter()
        .filter_map(said)
        .max_by_key(|(at, _)| *at)
        .map(|(_, limit)| limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(usage: Usage, status: Status, stderr: &str) -> Option<String> {
        limit_reached(&ProcessLimits::default(), usage, Some(&status), stderr)
    }

    #[test]
    fn the_kernels_word_comes_first_and_then_the_programs() {
        let none = Usage::default();
        let refused = Usage { refused: 3, ..none };
        let spent = Usage {
            cpu: std::time::Duration::from_secs(301),
            ..none
        };
        for (usage, status, stderr, expected) in [
            (none, Status::Signaled(24), "", Some("cpu (5m)")),
            (none, Status::Exited(152), "", Some("cpu (5m)")),
            (spent, Status::Signaled(9), "", Some("cpu (5m)")),
            (none, Status::Signaled(9), "", None),
            (none, Status::Signaled(25), "", Some("file_size (1 GiB)")),
            (refused, Status::Exited(2), "", Some("processes (256)")),
            (none, Status::Exited(i32::MIN), "", None),
            (
                none,
                Status::Exited(1),
                "x\nMemoryError\n",
                Some("memory (2 GiB)"),
            ),
            (
                none,
                Status::Exited(1),
                "OSError: [Errno 24] Too many open files: 'x'",
                Some("open_files (1024)"),
            ),
            (none, Status::Exited(1), "no such metric", None),
        ] {
            let found = reached(usage, status, stderr);
            assert_eq!(found.as_deref(), expected, "{stderr}");
        }
    }
}
