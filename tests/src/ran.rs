//! The outcome of a command, and assertions about it.

use std::path::Path;
use std::process::Output;

use tempfile::TempDir;

/// A command that has ended.
pub struct Ran {
    /// The exit code, 128+n after a signal.
    pub code: i32,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr, with the session's folder replaced by `DIR`.
    pub stderr: String,
    folder: TempDir,
}

/// Whether a line quotes a file below a message, or marks a place in that quote.
fn is_quoted(line: &str) -> bool {
    let number = line
        .strip_prefix("    ")
        .and_then(|rest| rest.split_once(" | "));
    number.is_some_and(|(number, _)| number.chars().all(|c| c == ' ' || c.is_ascii_digit()))
}

impl Ran {
    /// The outcome of a command that ran in a folder.
    #[must_use]
    pub fn new(output: Output, folder: TempDir) -> Self {
        use std::os::unix::process::ExitStatusExt as _;
        let code = output
            .status
            .code()
            .or_else(|| output.status.signal().map(|n| 128 + n))
            .unwrap_or(-1);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let path = folder.path().display().to_string();
        let stderr = text(output.stderr).replace(&path, "DIR");
        Self {
            code,
            stdout: text(output.stdout),
            stderr,
            folder,
        }
    }

    /// The session's folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Asserts this exit code.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Self {
        assert_eq!(
            self.code, code,
            "stdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        self
    }

    /// Asserts success, an empty stderr, and exactly this stdout.
    #[track_caller]
    pub fn prints(&self, stdout: &str) -> &Self {
        self.exits(0);
        assert_eq!((self.stdout.as_str(), self.stderr.as_str()), (stdout, ""));
        self
    }

    /// Asserts this exit code and exactly this stderr. Quoted lines of files count only if the
    /// expectation has some.
    #[track_caller]
    pub fn fails(&self, code: i32, stderr: &str) -> &Self {
        self.exits(code);
        let quotes = stderr.split('\n').any(is_quoted);
        let lines = self.stderr.split('\n');
        let said: Vec<&str> = lines.filter(|line| quotes || !is_quoted(line)).collect();
        assert_eq!(said.join("\n"), stderr);
        self
    }

    /// Stderr without quoted lines of files.
    #[must_use]
    pub fn unquoted(&self) -> String {
        let lines = self.stderr.split('\n').filter(|line| !is_quoted(line));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Asserts this exit code, and the first line of stderr.
    #[track_caller]
    pub fn fails_with(&self, code: i32, first_line: &str) -> &Self {
        self.exits(code);
        assert_eq!(
            self.stderr.lines().next(),
            Some(first_line),
            "{}",
            self.stderr
        );
        self.no_panic()
    }

    /// Asserts that stderr contains this.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(
            self.stderr.contains(text),
            "{text:?} is not in: {}",
            self.stderr
        );
        self
    }

    /// Asserts that no message of Rust's own is shown.
    #[track_caller]
    pub fn no_panic(&self) -> &Self {
        assert!(
            !self.stderr.contains("panicked") && !self.stderr.contains("RUST_BACKTRACE"),
            "{}",
            self.stderr
        );
        self
    }
}
