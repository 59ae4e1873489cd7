//! Text that others made, on its way to a terminal.

use std::error::Error;
use std::fmt::Write as _;

/// Makes control characters visible, so that nothing can move the cursor, colour the screen or rewrite a line.
/// Line breaks stay, with what follows them indented: it cannot pass for a message of Kael's own.
pub(super) fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\n  "),
            '\t' => out.push(c),
            c if c.is_control() || is_bidi(c) => _ = write!(out, "{}", c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// Characters that reorder what stands around them.
fn is_bidi(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// An error and its causes in one line.
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
            visible("a\x1b[31mb\r\u{9b}c\u{202e}"),
            "a\\u{1b}[31mb\\u{d}\\u{9b}c\\u{202e}"
        );
        assert_eq!(visible("x\nError: fake\ty é"), "x\n  Error: fake\ty é");
    }
}
