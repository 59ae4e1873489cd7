//! How things look on stdout: aligned, and coloured where a person reads it.

use std::io::{self, IsTerminal as _, Write as _};

use super::exit;
use super::runtime::until_a_signal;
use super::sanitize::{escape_control, escape_control_json};
use kael_engine::environment::Environment;

/// A look that a text can have on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Strong,
    Faint,
    Good,
    Bad,
}

/// Whether colour is wanted, decided once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint(bool);

impl Paint {
    /// Colour on a terminal that can show it, unless `NO_COLOR` says otherwise.
    pub(super) fn new(environment: &Environment) -> Self {
        let dumb = environment.get("TERM").is_none_or(|term| term == "dumb");
        Self(io::stdout().is_terminal() && !dumb && environment.get("NO_COLOR").is_none())
    }

    /// A text of whoever's making, made harmless, in a look.
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

/// Characters that fit on a line: those of the terminal, or as many as there are.
pub(super) fn width() -> usize {
    let out = io::stdout();
    if !out.is_terminal() {
        return usize::MAX / 2;
    }
    rustix::termios::tcgetwinsize(&out).map_or(80, |size| usize::from(size.ws_col).max(40))
}

/// What a pipe takes before somebody reads from it, in bytes: pipe(7).
const PIPE: usize = 64 << 10;

/// Writes to stdout and says with which exit code that ends.
pub(super) fn say(text: &str, code: u8) -> u8 {
    let mut out = io::stdout();
    let mut write = || out.write_all(text.as_bytes()).and_then(|()| out.flush());
    let written = if text.len() > PIPE {
        until_a_signal(write)
    } else {
        write()
    };
    match written {
        Ok(()) => code,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => exit::OUTPUT_CLOSED,
        Err(_) => exit::OUTPUT_FAILED,
    }
}

/// Writes one JSON document to stdout. Nothing in it drives a terminal.
pub(super) fn say_json(document: &impl serde::Serialize, code: u8) -> u8 {
    // What Kael itself puts together cannot fail to be JSON.
    let text = serde_json::to_string_pretty(document).unwrap_or_default();
    say(&format!("{}\n", escape_control_json(&text)), code)
}

/// The same on one line.
pub(super) fn say_json_line(document: &impl serde::Serialize, code: u8) -> u8 {
    let text = serde_json::to_string(document).unwrap_or_default();
    say(&format!("{}\n", escape_control_json(&text)), code)
}
