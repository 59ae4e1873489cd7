//! What the end of a runner means for the action: its result, its own failure, or the runner's.

use super::limit_reached::limit_reached;
use super::status::{self, Status};
use crate::catalog::Language;
use crate::executor::Printed;
use crate::executor::failure_message::{reason, refusal, said_on_stdout};
use crate::executor::process::{Ending, Finished};
use crate::failure::{ActionError, Detail, ErrorKind};
use crate::limits::ProcessLimits;
use crate::units::{ByteSize, TimeLimit};

const LIMITS_HINT: &str = "`limits` of the definition says what the action may use";

/// What is expected of the process.
pub(super) struct Terms<'a> {
    pub(super) timeout: TimeLimit,
    /// What its processes may use.
    pub(super) limits: Option<&'a ProcessLimits>,
    pub(super) stdout_cap: usize,
    /// By its rules the reason is found.
    pub(super) language: Language,
    /// Statuses that are an answer, beside 0.
    pub(super) ok_exit: &'a [i32],
    /// It writes only what its definition names.
    pub(super) confined: bool,
    /// Whether reading is confined, too.
    pub(super) reads_confined: bool,
}

/// What the action printed, or why that is no result.
pub(super) fn read(finished: Finished, terms: &Terms<'_>) -> Result<Printed, ActionError> {
    let stderr = String::from_utf8_lossy(&finished.stderr).into_owned();
    let detail = Detail {
        stdout: Detail::end(&finished.stdout),
        ..Detail::default()
    };
    match finished.ending {
        Ending::Exited(0) => {
            return Ok(Printed {
                stdout: finished.stdout,
                stderr,
                exit_code: 0,
            });
        }
        Ending::TimedOut => return Err(timed_out(terms, stderr, detail)),
        Ending::TooMuchOutput => {
            let message = format!(
                "printed more than {}",
                ByteSize::new(terms.stdout_cap as u64)
            );
            let stdout = Detail::beginning(&finished.stdout);
            let detail = Detail {
                stderr,
                stdout,
                ..detail
            };
            return Err(failed(ErrorKind::BadOutput, message, detail));
        }
        Ending::Exited(_) | Ending::Signaled(_) => {}
    }
    let Some((own, status)) = status::split(&stderr) else {
        return Err(without_status(&finished, stderr, terms, detail));
    };
    let (exit_code, signal) = match status {
        Status::Exited(code) => (Some(code), None),
        Status::Signaled(signal) => (None, Some(signal)),
        Status::TimedOut => return Err(timed_out(terms, own.to_owned(), detail)),
    };
    if let Some(code) = exit_code.filter(|code| terms.ok_exit.contains(code)) {
        let stderr = own.to_owned();
        return Ok(Printed {
            stdout: finished.stdout,
            stderr,
            exit_code: code,
        });
    }
    let reached = terms
        .limits
        .and_then(|limits| limit_reached(limits, finished.usage, Some(&status), own));
    let hint = match &reached {
        Some(_) => Some(LIMITS_HINT.to_owned()),
        None => terms.confined.then(|| advice(own, terms)).flatten(),
    };
    let detail = Detail {
        exit_code,
        signal,
        stderr: own.to_owned(),
        hint,
        ..detail
    };
    let said = said_on_stdout(&finished.stdout).or_else(|| reason(own, terms.language));
    let ended = detail.ended().unwrap_or_default();
    let message = match (reached, said) {
        (Some(limit), Some(said)) => format!("reached its limit on {limit}: {said}"),
        (Some(limit), None) => format!("reached its limit on {limit}"),
        // What it said last is not why a signal ended it.
        (None, Some(said)) if detail.signaled() => format!("{ended}; it said last: {said}"),
        (None, Some(said)) => said,
        (None, None) => ended,
    };
    Err(failed(ErrorKind::Failed, message, detail))
}

fn failed(kind: ErrorKind, message: String, detail: Detail) -> ActionError {
    ActionError {
        kind,
        message,
        detail: Some(Box::new(detail)),
    }
}

fn timed_out(terms: &Terms<'_>, stderr: String, detail: Detail) -> ActionError {
    let message = format!("timed out after {}", terms.timeout);
    failed(ErrorKind::Timeout, message, Detail { stderr, ..detail })
}

/// The runner did not say how the action ended: it may have been ended itself, or never have
/// started one.
fn without_status(
    finished: &Finished,
    stderr: String,
    terms: &Terms<'_>,
    detail: Detail,
) -> ActionError {
    let reached = terms
        .limits
        .and_then(|limits| limit_reached(limits, finished.usage, None, &stderr));
    if let Some(limit) = reached {
        let hint = Some(LIMITS_HINT.to_owned());
        let detail = Detail {
            stderr,
            hint,
            ..detail
        };
        return failed(
            ErrorKind::Failed,
            format!("reached its limit on {limit}"),
            detail,
        );
    }
    let message = match (reason(&stderr, Language::Other), finished.ending) {
        (Some(words), _) => format!(
            "could not be started: {}",
            words.trim_start_matches("Error: ")
        ),
        (None, ending) => format!("its runner ended without a word ({ending:?})"),
    };
    failed(ErrorKind::Unavailable, message, Detail { stderr, ..detail })
}

/// What would let an action do what it was refused.
fn advice(stderr: &str, terms: &Terms<'_>) -> Option<String> {
    let end = refusal(stderr);
    let denied = ["permission denied", "eacces", "errno 13"];
    if terms.reads_confined && denied.iter().any(|words| end.contains(words)) {
        let advice = "an action with `reads` may read only what it needs to run and what `reads` and \
                      `writable` name in its definition";
        return Some(advice.to_owned());
    }
    let read_only = [
        "read-only file system",
        "erofs",
        "errno 30",
        "readonly database",
    ];
    read_only.iter().any(|words| end.contains(words)).then(|| {
        "an action may write only its TMPDIR and what `writable` names in its definition".to_owned()
    })
}

/// For the fuzz targets: what the end of a process means, with the seconds that it computed and the
/// processes that it was refused.
#[cfg(fuzzing)]
pub fn read_for_fuzzing(
    code: i32,
    (cpu, refused): (u64, u64),
    stdout: Vec<u8>,
    stderr: Vec<u8>,
) -> Result<Vec<u8>, ActionError> {
    use crate::executor::process::{DeferredCleanup, Usage};
    let finished = Finished {
        ending: Ending::Exited(code),
        usage: Usage {
            cpu: std::time::Duration::from_secs(cpu),
            refused,
        },
        stdout,
        stderr,
        leftover: DeferredCleanup::default(),
    };
    let limits = ProcessLimits::default();
    let terms = Terms {
        timeout: TimeLimit::from_secs(60),
        limits: Some(&limits),
        stdout_cap: crate::executor::STDOUT_CAP,
        language: Language::Python,
        ok_exit: &[],
        confined: true,
        reads_confined: false,
    };
    read(finished, &terms).map(|printed| printed.stdout)
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

    fn terms(ok_exit: &[i32]) -> Terms<'_> {
        static LIMITS: std::sync::LazyLock<ProcessLimits> =
            std::sync::LazyLock::new(ProcessLimits::default);
        Terms {
            timeout: TimeLimit::from_secs(60),
            limits: Some(&LIMITS),
            stdout_cap: 64 << 20,
            language: Language::Shell,
            ok_exit,
            confined: true,
            reads_confined: true,
        }
    }

    fn problem(ending: Ending, stdout: &str, stderr: &str) -> (ErrorKind, String, Detail) {
        let error = read(finished(ending, stdout, stderr), &terms(&[])).expect_err("it failed");
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
            ("was ended by signal 9 (SIGKILL)", Some(9))
        );
        for (status, message) in [
            (
                "Signaled(9)",
                "was ended by signal 9 (SIGKILL); it said last: step 3",
            ),
            (
                "Exited(139)",
                "exited with status 139 (128 + 11: SIGSEGV); it said last: step 3",
            ),
            (
                "Exited(130)",
                "exited with status 130 (128 + 2: SIGINT); it said last: step 3",
            ),
            ("Exited(200)", "step 3"),
        ] {
            let stderr = format!("step 3\nError: Process exited with non-zero status: {status}\n");
            let (_, said, _) = problem(Ending::Exited(1), "", &stderr);
            assert_eq!(said, message);
        }
    }

    #[test]
    fn what_was_refused_has_advice() {
        let status = "Error: Process exited with non-zero status: Exited(1)\n";
        for (words, expected) in [
            (
                "mkdir: cannot create directory 'x': Read-only file system\n",
                true,
            ),
            ("Error: EROFS: read-only file system, mkdir 'x'\n", true),
            (
                "sqlite3.OperationalError: attempt to write a readonly database\n",
                true,
            ),
            ("no such metric\n", false),
        ] {
            let (.., detail) = problem(Ending::Exited(1), "", &format!("{words}{status}"));
            let advice =
                "an action may write only its TMPDIR and what `writable` names in its definition";
            assert_eq!(detail.hint.as_deref(), expected.then_some(advice));
        }
        let words = format!("cat: /srv/key: Permission denied\n{status}");
        let (.., detail) = problem(Ending::Exited(1), "", &words);
        let hint = detail.hint.expect("advice");
        assert!(
            hint.starts_with("an action with `reads` may read only"),
            "{hint}"
        );
    }

    #[test]
    fn a_status_that_is_an_answer_has_its_output() {
        let stderr = "words\nError: Process exited with non-zero status: Exited(2)\n";
        let read = |ok_exit| read(finished(Ending::Exited(1), "out", stderr), &terms(ok_exit));
        let printed = read(&[1, 2]).expect("an answer");
        assert_eq!((printed.exit_code, printed.stderr.as_str()), (2, "words\n"));
        assert_eq!(printed.stdout, b"out");
        let error = read(&[1]).expect_err("none");
        assert_eq!(error.detail.expect("detail").stdout, "out");
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
                "could not be started: No such file or directory (os error 2)"
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
