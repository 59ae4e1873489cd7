//! What the end of an envyr process means for the action: its result, its own failure, or envyr's.

use super::detect_limit::crossed;
use crate::executor::failure_message::{last_words, said_on_stdout};
use crate::executor::process::{Ending, Finished};
use crate::failure::{ActionError, Detail, ErrorKind};
use crate::limits::ProcessLimits;
use crate::units::{ByteSize, TimeLimit};

/// How the action's process ended, from the last line that envyr writes to stderr.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Status {
    Exited(i32),
    Signaled(i32),
    TimedOut,
}

const LIMITS_HINT: &str = "`limits` of the definition says what the action may use";

/// The action's stdout, or why there is none.
pub(super) fn read(
    finished: Finished,
    timeout: TimeLimit,
    limits: Option<&ProcessLimits>,
    stdout_cap: usize,
) -> Result<Vec<u8>, ActionError> {
    let stderr = String::from_utf8_lossy(&finished.stderr).into_owned();
    let failed = |kind, message: String, detail: Detail| {
        Err(ActionError {
            kind,
            message,
            detail: Some(Box::new(detail)),
        })
    };
    let timed_out = |stderr| {
        let detail = Detail {
            stderr,
            ..Detail::default()
        };
        failed(
            ErrorKind::Timeout,
            format!("timed out after {timeout}"),
            detail,
        )
    };
    match finished.ending {
        Ending::Exited(0) => return Ok(finished.stdout),
        Ending::TimedOut => return timed_out(stderr),
        Ending::TooMuchOutput => {
            let message = format!("printed more than {}", ByteSize::new(stdout_cap as u64));
            return failed(
                ErrorKind::BadOutput,
                message,
                Detail {
                    stderr,
                    ..Detail::default()
                },
            );
        }
        Ending::Exited(_) | Ending::Signaled(_) => {}
    }
    let split = split_status(&stderr);
    let (own, status) = match &split {
        Some((own, status)) => (*own, Some(status)),
        None => (stderr.as_str(), None),
    };
    let reached = limits.and_then(|limits| crossed(limits, finished.usage, status, own));
    let hint = reached.is_some().then(|| LIMITS_HINT.to_owned());
    let reached = reached.map(|limit| format!("reached its limit on {limit}"));
    match split {
        Some((own, Status::TimedOut)) => timed_out(own.to_owned()),
        Some((own, status)) => {
            let said = said_on_stdout(&finished.stdout).or_else(|| last_words(own));
            let (exit_code, signal, ended) = match status {
                Status::Exited(code) => (Some(code), None, format!("exited with status {code}")),
                Status::Signaled(signal) => {
                    (None, Some(signal), format!("was ended by signal {signal}"))
                }
                Status::TimedOut => (None, None, String::new()),
            };
            let detail = Detail {
                exit_code,
                signal,
                stderr: own.to_owned(),
                hint,
                ..Detail::default()
            };
            let message = match (reached, said) {
                (Some(reached), Some(said)) => format!("{reached}: {said}"),
                (Some(message), None) | (None, Some(message)) => message,
                (None, None) => ended,
            };
            failed(ErrorKind::Failed, message, detail)
        }
        None if reached.is_some() => {
            let detail = Detail {
                stderr: own.to_owned(),
                hint,
                ..Detail::default()
            };
            failed(ErrorKind::Failed, reached.unwrap_or_default(), detail)
        }
        None => {
            let message = match (last_words(&stderr), finished.ending) {
                (Some(words), _) => format!(
                    "envyr could not run it: {}",
                    words.trim_start_matches("Error: ")
                ),
                (None, ending) => format!("envyr ended without a word ({ending:?})"),
            };
            failed(
                ErrorKind::Unavailable,
                message,
                Detail {
                    stderr,
                    ..Detail::default()
                },
            )
        }
    }
}

/// Tells the action's own stderr from the status that envyr writes behind it; the action need not have ended its last
/// line.
fn split_status(stderr: &str) -> Option<(&str, Status)> {
    let text = stderr.trim_end_matches('\n');
    let last_line = text.rfind('\n').map_or(0, |at| at + 1);
    if let Some(at) = text[last_line..].rfind("Error: Container execution timed out after ") {
        return Some((&stderr[..last_line + at], Status::TimedOut));
    }
    let (at, said) = ["Process", "Container"].iter().find_map(|who| {
        let words = format!("Error: {who} exited with non-zero status: ");
        let at = last_line + text[last_line..].rfind(&words)?;
        Some((at, &text[at + words.len()..]))
    })?;
    let number = |name: &str| {
        said.strip_prefix(name)?
            .strip_prefix('(')?
            .strip_suffix(')')?
            .parse()
            .ok()
    };
    let status = number("Exited")
        .map(Status::Exited)
        .or_else(|| number("Signaled").map(Status::Signaled))?;
    Some((&stderr[..at], status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::process::Usage;

    fn finished(ending: Ending, stdout: &str, stderr: &str) -> Finished {
        Finished {
            ending,
            usage: Usage::default(),
            stdout: stdout.into(),
            stderr: stderr.into(),
            leftover: crate::executor::process::DeferredCleanup::default(),
        }
    }

    fn problem(ending: Ending, stdout: &str, stderr: &str) -> (ErrorKind, String, Detail) {
        let error = read(
            finished(ending, stdout, stderr),
            TimeLimit::from_secs(60),
            Some(&ProcessLimits::default()),
            64 << 20,
        )
        .expect_err("it failed");
        (error.kind, error.message, *error.detail.expect("detail"))
    }

    #[test]
    fn the_message_is_the_best_there_is() {
        let exited = "Error: Process exited with non-zero status: Exited(42)\n";
        for (stdout, stderr, message) in [
            (
                "",
                format!("connection refused{exited}"),
                "connection refused",
            ),
            (
                r#"{"error":"no such metric"}"#,
                format!("noise\n{exited}"),
                "no such metric",
            ),
            (
                "junk",
                format!("Traceback:\n  x\nValueError: bad\n\n{exited}"),
                "ValueError: bad",
            ),
            ("", exited.to_owned(), "exited with status 42"),
        ] {
            let (kind, said, detail) = problem(Ending::Exited(1), stdout, &stderr);
            assert_eq!(
                (kind, said.as_str(), detail.exit_code),
                (ErrorKind::Failed, message, Some(42))
            );
            assert!(!detail.stderr.contains("non-zero"));
        }
        let (_, said, detail) = problem(
            Ending::Exited(1),
            "",
            "Error: Process exited with non-zero status: Signaled(9)\n",
        );
        assert_eq!(
            (said.as_str(), detail.signal),
            ("was ended by signal 9", Some(9))
        );
    }

    #[test]
    fn envyrs_own_failures_are_not_the_actions() {
        let (kind, said, _) = problem(
            Ending::Exited(1),
            "",
            "Error: No such file or directory (os error 2)\n",
        );
        assert_eq!(
            (kind, said.as_str()),
            (
                ErrorKind::Unavailable,
                "envyr could not run it: No such file or directory (os error 2)"
            )
        );
        let (kind, ..) = problem(Ending::Signaled(9), "", "");
        assert_eq!(kind, ErrorKind::Unavailable);
    }

    #[test]
    fn bounds_have_kinds_of_their_own() {
        let (kind, said, _) = problem(Ending::TimedOut, "", "");
        assert_eq!(
            (kind, said.as_str()),
            (ErrorKind::Timeout, "timed out after 1m")
        );
        let (kind, said, _) = problem(Ending::TooMuchOutput, "", "");
        assert_eq!(
            (kind, said.as_str()),
            (ErrorKind::BadOutput, "printed more than 64 MiB")
        );
        let (kind, ..) = problem(
            Ending::Exited(1),
            "",
            "Error: Container execution timed out after 60 seconds\n",
        );
        assert_eq!(kind, ErrorKind::Timeout);
    }
}
