//! Where the lines of a text begin, found in one pass: each look-up reads a piece of the text and
//! not all that stands before it.

/// Bytes of a piece, whose line breaks are counted together.
const PIECE: usize = 16 << 10;

/// The lines of one text.
#[derive(Debug, Clone, Default)]
pub struct LineIndex {
    /// How many lines end before each piece.
    before: Vec<usize>,
}

impl LineIndex {
    /// Reads the text once.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut ended = 0;
        let count = |piece: &[u8]| {
            let before = ended;
            ended += breaks(piece);
            before
        };
        Self {
            before: text.as_bytes().chunks(PIECE).map(count).collect(),
        }
    }

    /// Where a line begins, counted from 0. None behind the last line.
    #[must_use]
    pub fn start(&self, text: &str, line: usize) -> Option<usize> {
        if line == 0 {
            return Some(0);
        }
        // The break that ends the line before stands in the last piece with fewer before it.
        let below = self.before.partition_point(|before| *before < line);
        let piece = below.checked_sub(1)?;
        let from = piece * PIECE;
        let left = line - self.before[piece];
        let bytes = text.as_bytes().get(from..)?;
        let breaks = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let (at, _) = breaks.take(left).nth(left - 1)?;
        Some(from + at + 1)
    }

    /// A line, counted from 0, and those below it.
    pub fn lines<'a>(&self, text: &'a str, line: usize) -> impl Iterator<Item = &'a str> + use<'a> {
        let below = self.start(text, line).and_then(|start| text.get(start..));
        below.unwrap_or_default().lines()
    }

    /// The line of a place in bytes, counted from 0, and where that line begins.
    #[must_use]
    pub fn line_of(&self, text: &str, at: usize) -> (usize, usize) {
        let bytes = &text.as_bytes()[..at.min(text.len())];
        let piece = (bytes.len() / PIECE).min(self.before.len().saturating_sub(1));
        let before = self.before.get(piece).copied().unwrap_or_default();
        let line = before + breaks(bytes.get(piece * PIECE..).unwrap_or_default());
        let start = bytes.iter().rposition(|byte| *byte == b'\n');
        (line, start.map_or(0, |end| end + 1))
    }
}

fn breaks(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_the_text() {
        let long = "x".repeat(PIECE - 1);
        for text in [
            String::new(),
            "a".to_owned(),
            "\n".to_owned(),
            "a\nb\r\nc".to_owned(),
            format!("{long}\nb\n\n{long}c\n"),
            "\n".repeat(3 * PIECE + 5),
            format!("é{long}é\n{long}\n"),
        ] {
            let index = LineIndex::new(&text);
            let lines: Vec<&str> = text.lines().collect();
            let few = (0..lines.len()).filter(|line| line % 997 == 0 || lines.len() < 100);
            for line in few.chain([lines.len().saturating_sub(1), lines.len(), usize::MAX]) {
                assert_eq!(
                    index.lines(&text, line).next(),
                    lines.get(line).copied(),
                    "{line}"
                );
            }
            for at in [0, 1, PIECE - 1, PIECE, PIECE + 1, text.len()] {
                let at = at.min(text.len());
                let before = &text.as_bytes()[..at];
                let line = before.iter().filter(|byte| **byte == b'\n').count();
                let start = before.iter().rposition(|byte| *byte == b'\n');
                let start = start.map_or(0, |end| end + 1);
                assert_eq!(index.line_of(&text, at), (line, start), "{at}");
            }
        }
    }

    #[test]
    fn many_look_ups_in_a_large_text_take_no_time() {
        let text = "\n".repeat(16 << 20);
        let begun = std::time::Instant::now();
        let index = LineIndex::new(&text);
        for line in (0..10_000).map(|n| (16 << 20) - 1 - n) {
            assert_eq!(index.start(&text, line), Some(line));
        }
        let took = begun.elapsed();
        assert!(took < std::time::Duration::from_secs(5), "{took:?}");
    }
}
