//! Prints to stdout: aligned, and coloured on a terminal.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write as _};
use std::os::fd::AsFd as _;

use super::exit;
use super::patience::Patient;
use super::sanitize::{EscapedJson, escape_control};
use kael_engine::environment::Environment;

/// A style of text on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Strong,
    Faint,
    Good,
    Bad,
}

/// Whether to use colour.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint(bool);

impl Paint {
    /// Uses colour on a terminal that supports it, unless `NO_COLOR` is set.
    pub(super) fn new(environment: &Environment) -> Self {
        let dumb = environment.get("TERM").is_none_or(|term| term == "dumb");
        Self(io::stdout().is_terminal() && !dumb && environment.get("NO_COLOR").is_none())
    }

    /// An untrusted text in a style, with its control characters made visible.
    pub(super) fn text(self, look: Look, text: &str) -> String {
        let (text, code) = (
            escape_control(text),
            match look {
                Look::Strong => 1,
                Look::Faint => 2,
                Look::Good => 32,
                Look::Bad => 31,
            },
        );
        if self.0 && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text
        }
    }
}

/// The characters of a line on the terminal. Without a terminal, no limit.
pub(super) fn width() -> usize {
    let out = io::stdout();
    if !out.is_terminal() {
        return usize::MAX / 2;
    }
    rustix::termios::tcgetwinsize(&out).map_or(80, |size| usize::from(size.ws_col).max(40))
}

/// Bytes that are written together.
const BUFFER: usize = 64 << 10;

/// Writes to stdout, and returns the exit code.
pub(super) fn say(text: &str, code: u8) -> u8 {
    written(code, |out| out.write_all(text.as_bytes()))
}

/// Writes something long to stdout, and returns the exit code.
#[cfg(feature = "store")]
pub(super) fn say_by(code: u8, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> u8 {
    written(code, write)
}

/// Writes piece by piece, for as long as the reader may take, and says with which exit code that
/// ends.
fn written(code: u8, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> u8 {
    let written = io::stdout()
        .as_fd()
        .try_clone_to_owned()
        .and_then(|stdout| {
            let mut out = BufWriter::with_capacity(BUFFER, Patient::new(File::from(stdout)));
            let written = write(&mut out).and_then(|()| out.flush());
            // What was not taken is not offered again.
            drop(out.into_parts());
            written
        });
    match written {
        Ok(()) => code,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => exit::OUTPUT_CLOSED,
        // The reader has had all the time of the run; what the run came to matters more.
        Err(error) if error.kind() == io::ErrorKind::TimedOut && code != exit::SUCCESS => code,
        Err(_) => exit::OUTPUT_FAILED,
    }
}

/// Writes one JSON document to stdout, without control characters.
pub(super) fn say_json(document: &impl serde::Serialize, code: u8) -> u8 {
    written(code, |out| {
        let mut out = EscapedJson(out);
        serde_json::to_writer_pretty(&mut out, document)?;
        out.write_all(b"\n")
    })
}

/// The same on one line.
pub(super) fn say_json_line(document: &impl serde::Serialize, code: u8) -> u8 {
    written(code, |out| {
        let mut out = EscapedJson(out);
        serde_json::to_writer(&mut out, document)?;
        out.write_all(b"\n")
    })
}
