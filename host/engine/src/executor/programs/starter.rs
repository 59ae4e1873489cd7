//! The built-in runner: the program that is pid 1 of a call, and starts the action.
//!
//! A program of an action cannot be pid 1 itself: the kernel keeps signals off pid 1, so that
//! neither `abort` nor a limit on computing time would end it, and orphans would stay as zombies.
//! So a small pid 1 starts the program, reaps what is left to it, and ends with the program. The
//! kernel then ends all that the program has started. It is a `kael-host` that the host starts as
//! `kael-host __start PROGRAM ARGUMENT…`, under all of the confinement and limits of the action.
//!
//! It says how the program ended in the words of envyr, on the last line of stderr, so that both
//! runners have one reader.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::Command;

use rustix::process::{Pid, WaitOptions, WaitStatus, wait};

use crate::executor::adapters::ProgramInput;
use crate::executor::source::{Entry, brief};

/// The hidden command of a program that is pid 1 of a call.
pub const WORD: &str = "__start";

/// The exit status of pid 1 where the program did not end with 0.
const FAILED: u8 = 1;

/// The command line of an entry point, without pid 1.
pub(super) fn command_line(entry: &Entry, given: &ProgramInput) -> Vec<OsString> {
    let interpreter = entry.interpreter.split_whitespace();
    let words = interpreter.chain([entry.file.as_str()]);
    words
        .chain(given.args.iter().map(String::as_str))
        .map(OsString::from)
        .collect()
}

/// The arguments of pid 1 for an entry point.
pub(super) fn arguments(entry: &Entry, given: &ProgramInput) -> Vec<OsString> {
    let words = command_line(entry, given);
    [WORD.into()].into_iter().chain(words).collect()
}

/// Runs the program that the words name to its end, as pid 1 of a call. Gives the exit code.
pub fn start(mut words: impl Iterator<Item = OsString>) -> u8 {
    let program = words.next().unwrap_or_default();
    let error = match Command::new(&program).args(words).spawn() {
        // The process is reaped below, by its number.
        Ok(child) => match end_of(child.id()) {
            Ok(status) => return told(status),
            Err(error) => error,
        },
        Err(error) => error,
    };
    let error = brief(&error);
    say(&format!("Error: {}: {error}", program.display()));
    FAILED
}

/// Waits for the end of a process, and reaps others that end meanwhile.
fn end_of(pid: u32) -> io::Result<WaitStatus> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((ended, status))) if Some(ended) == pid => return Ok(status),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn told(status: WaitStatus) -> u8 {
    let ended = match (status.exit_status(), status.terminating_signal()) {
        (Some(0), _) => return 0,
        (Some(code), _) => format!("Exited({code})"),
        (None, signal) => format!("Signaled({})", signal.unwrap_or_default()),
    };
    say(&format!(
        "Error: Process exited with non-zero status: {ended}"
    ));
    FAILED
}

fn say(line: &str) {
    // Where stderr is closed, the host sees that pid 1 failed.
    writeln!(io::stderr(), "{line}").ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Language;

    #[test]
    fn an_interpreters_words_come_before_the_file_and_its_arguments() {
        let entry = Entry {
            folder: "/x".into(),
            file: "run.py".to_owned(),
            language: Language::Python,
            interpreter: "/usr/bin/env  python3 -u".to_owned(),
        };
        let given = ProgramInput {
            args: vec!["--name".to_owned(), "a b".to_owned()],
            ..ProgramInput::default()
        };
        let words = ["/usr/bin/env", "python3", "-u", "run.py", "--name", "a b"];
        assert_eq!(command_line(&entry, &given), words.map(OsString::from));
        assert_eq!(arguments(&entry, &given)[0], OsString::from(WORD));
    }
}
