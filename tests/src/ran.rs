//! What came of a command, and what a test says of it.

use std::path::Path;
use std::process::Output;

use tempfile::TempDir;

/// A command that has ended.
pub struct Ran {
    /// The exit code, 128+n after a signal.
    pub code: i32,
    /// All of stdout.
    pub stdout: String,
    /// All of stderr, with the session's folder written as `DIR`.
    pub stderr: String,
    folder: TempDir,
}

/// Whether it is a line of a file below a message, or the mark below that.
fn is_quoted(line: &str) -> bool {
    let number = line
        .strip_prefix("    ")
        .and_then(|rest| rest.split_once(" | "));
    number.is_some_and(|(number, _)| number.chars().all(|c| c == ' ' || c.is_ascii_digit()))
}

impl Ran {
    /// What a command left, which ran in a folder.
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

    /// Where the session took place.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The exit code is this one.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Self {
        assert_eq!(
            self.code, code,
            "stdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        self
    }

    /// It succeeded, said nothing on stderr, and printed exactly this.
    #[track_caller]
    pub fn prints(&self, stdout: &str) -> &Self {
        self.exits(0);
        assert_eq!((self.stdout.as_str(), self.stderr.as_str()), (stdout, ""));
        self
    }

    /// It failed with this code, and stderr is exactly this: with the lines of files that it quotes if there are any in
    /// the expectation, else without them.
    #[track_caller]
    pub fn fails(&self, code: i32, stderr: &str) -> &Self {
        self.exits(code);
        let quotes = stderr.split('\n').any(is_quoted);
        let lines = self.stderr.split('\n');
        let said: Vec<&str> = lines.filter(|line| quotes || !is_quoted(line)).collect();
        assert_eq!(said.join("\n"), stderr);
        self
    }

    /// Stderr without the lines of files that it quotes.
    #[must_use]
    pub fn unquoted(&self) -> String {
        let lines = self.stderr.split('\n').filter(|line| !is_quoted(line));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// It failed with this code, and this is the first line of stderr.
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

    /// Stderr contains this.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(
            self.stderr.contains(text),
            "{text:?} is not in: {}",
            self.stderr
        );
        self
    }

    /// Nothing of Rust's own shows.
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
