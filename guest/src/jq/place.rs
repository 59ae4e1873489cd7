//! Shows the position of an error in a filter: line, column, and the line with a caret.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Characters of the line to show before and after the position.
const BEFORE: usize = 60;
const BEHIND: usize = 30;

/// `expected a term (line 1, column 6)`, followed by the line with a caret.
pub(super) fn told(message: &str, code: &str, at: usize) -> String {
    let mut before = (0..=at.min(code.len())).rev();
    let at = before.find(|at| code.is_char_boundary(*at)).unwrap_or(0);
    let start = code[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = code[at..]
        .find('\n')
        .map_or(code.len(), |newline| at + newline);
    let (line, column) = (
        1 + code[..start].matches('\n').count(),
        1 + code[start..at].chars().count(),
    );
    let before: String = code[start..at].chars().map(plain).collect();
    let behind: String = code[at..end].chars().map(plain).take(BEHIND).collect();
    let skipped = before.chars().count().saturating_sub(BEFORE);
    let before: String = before.chars().skip(skipped).collect();
    let dots = if skipped > 0 { "..." } else { "" };
    let indent = " ".repeat(dots.len() + before.width());
    format!("{message} (line {line}, column {column})\n  {dots}{before}{behind}\n  {indent}^")
}

/// Replaces characters that would move the caret by a space.
fn plain(c: char) -> char {
    if c.width().is_none() { ' ' } else { c }
}

/// The filter on one short line, for errors without a position.
pub(super) fn excerpt(code: &str) -> String {
    let line = code.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(80) {
        Some((cut, _)) => format!("{}...", &line[..cut]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_place() {
        assert_eq!(
            told("no", ".a\n| .世界 | x", 15),
            "no (line 2, column 9)\n  | .世界 | x\n            ^"
        );
        let long = format!("{}!", "x".repeat(100));
        assert_eq!(
            told("no", &long, 100),
            format!(
                "no (line 1, column 101)\n  ...{}!\n  {}^",
                "x".repeat(60),
                " ".repeat(63)
            )
        );
        assert_eq!(told("no", "", 0), "no (line 1, column 1)\n  \n  ^");
        assert_eq!(told("no", "a\tb", 2), "no (line 1, column 3)\n  a b\n    ^");
    }
}
