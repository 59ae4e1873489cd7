//! Helpers of the `report` functions: the width of text, and the call to the host.

use std::borrow::Cow;
use std::ffi::c_int;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::convert;
use crate::convert::stack::{Native, Slot, Stack};
use crate::gate;

/// `cell(text, most)`: the text on one line of at most `most` characters, and its width in terminal
/// cells.
pub(crate) struct Cell;

impl Native for Cell {
    fn call(stack: &mut Stack<'_>) -> c_int {
        let most = match stack.slot(2) {
            Slot::Integer(most) => usize::try_from(most).unwrap_or(0),
            _ => usize::MAX,
        };
        let line = line(&visible(stack.bytes(1)), most);
        let width = line.width();
        stack.push_string(&line);
        stack.push_integer(i64::try_from(width).unwrap_or(i64::MAX));
        2
    }
}

/// The text, with bytes that are not UTF-8 as escapes.
fn visible(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            _ = write!(text, "\\x{byte:02x}");
        }
    }
    Cow::Owned(text)
}

/// Replaces line breaks and characters without width by one space.
fn line(text: &str, most: usize) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars().take(most) {
        if c.is_control() || c.width().is_none() {
            if !line.ends_with(' ') {
                line.push(' ');
            }
        } else {
            line.push(c);
        }
    }
    line
}

/// `report(item)`: passes a table or a chart to the host. Returns nil, or the error.
pub(crate) struct Report;

impl Native for Report {
    fn call(stack: &mut Stack<'_>) -> c_int {
        let submitted = convert::encode(stack, 1, false).and_then(|exhibit| {
            gate::call("kael.report".to_owned(), exhibit).map_err(|error| error.message)
        });
        match submitted {
            Ok(_) => stack.push_nil(),
            Err(error) => stack.push_string(error),
        }
        1
    }
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_cell_is_one_line() {
        assert_eq!(line("a\r\n\tb\u{1b}[31m", 99), "a b [31m");
        assert_eq!(line("世界", 1), "世");
    }
}
