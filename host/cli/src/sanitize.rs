//! Makes untrusted text safe for a terminal.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::io;

pub(super) use kael_engine::text::is_unsafe_char;

/// Makes control characters visible, so that no text can move the cursor, colour the screen or
/// rewrite a line. Keeps line breaks, and indents the lines after them, so that they cannot pass
/// for Kael's own messages.
pub(super) fn escape_control(text: &str) -> String {
    escaped(text, "\n  ")
}

fn escaped(text: &str, line_break: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str(line_break),
            '\t' => out.push(c),
            c if is_unsafe_char(c) => _ = write!(out, "{}", c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// A document of several lines with its control characters made visible: its line breaks stay as
/// they are.
pub(super) struct EscapedLines<'a>(pub(super) &'a str);

impl fmt::Display for EscapedLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", escaped(self.0, "\n"))
    }
}

/// A writer of JSON in which such characters are escapes too: as they are, a terminal would obey
/// them. It is given whole characters.
pub(super) struct EscapedJson<W>(pub(super) W);

impl<W: io::Write> io::Write for EscapedJson<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n')) {
            self.0.write_all(bytes)?;
        } else {
            let text = String::from_utf8_lossy(bytes);
            self.0.write_all(escape_control_json(&text).as_bytes())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

pub(super) fn escape_control_json(document: &str) -> String {
    let mut out = String::with_capacity(document.len());
    for c in document.chars() {
        match c {
            // All of them are below U+10000. Outside of strings a document has none but line
            // breaks.
            c if is_unsafe_char(c) && c != '\n' => _ = write!(out, "\\u{:04x}", c as u32),
            c => out.push(c),
        }
    }
    out
}

/// A terminal for the script's output: passes lines and tabs, and makes other control characters
/// visible.
pub(super) struct Terminal<W>(pub(super) W);

impl<W: io::Write> io::Write for Terminal<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Each write has whole characters, because a print arrives at once. Other bytes are shown
        // as escapes.
        let mut text = String::new();
        for chunk in bytes.utf8_chunks() {
            text += &escaped(chunk.valid(), "\n");
            for byte in chunk.invalid() {
                _ = write!(text, "\\x{byte:02x}");
            }
        }
        self.0.write_all(text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// An error and its causes on one line.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_drives_the_terminal() {
        assert_eq!(
            escape_control("a\x1b[31mb\r\u{9b}c\u{202e}"),
            "a\\u{1b}[31mb\\u{d}\\u{9b}c\\u{202e}"
        );
        assert_eq!(
            escape_control("x\nError: fake\ty é"),
            "x\n  Error: fake\ty é"
        );
        assert_eq!(
            escape_control_json("{\n \"a\u{9b}\": \"é\u{202e}\u{7f}\"}"),
            "{\n \"a\\u009b\": \"é\\u202e\\u007f\"}"
        );
        let mut terminal = Terminal(Vec::new());
        io::Write::write_all(&mut terminal, "a\tb\x1b[2J\nc\r".as_bytes()).expect("written");
        assert_eq!(terminal.0, b"a\tb\\u{1b}[2J\nc\\u{d}");
        io::Write::write_all(&mut terminal, b"caf\xe9").expect("written");
        assert!(terminal.0.ends_with(b"caf\\xe9"));
    }
}
