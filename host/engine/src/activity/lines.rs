//! What an action writes to stderr, line by line while it runs: for `-v`, and for the line that
//! shows progress.
//!
//! The gate begins it for a call, in the task that answers the call; whoever reads the stream there
//! finds it.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{Board, open};

/// Bytes of a line that are shown.
const MAX_LINE: usize = 500;
/// Lines of one call that are logged; it may write without end.
const MAX_LOGGED: u32 = 10_000;
/// How envyr says how a process ended, behind what that wrote last.
const STATUS: [&str; 2] = [
    "Error: Process exited with non-zero status: ",
    "Error: Container exited with non-zero status: ",
];

tokio::task_local! {
    static CURRENT: Lines;
}

/// The lines of one call; by default they have no reader.
#[derive(Debug, Clone, Default)]
pub struct Lines(Option<Arc<Mutex<Reader>>>);

#[derive(Debug)]
struct Reader {
    /// The action and the number of its call.
    prefix: String,
    is_logged: bool,
    logged: u32,
    board: Weak<Mutex<Board>>,
    span: u64,
    begun: Vec<u8>,
    /// Each changes a line before it is shown.
    hide: Vec<Hide>,
}

struct Hide(Box<dyn Fn(&mut String) + Send>);

impl std::fmt::Debug for Hide {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hide")
    }
}

impl Lines {
    /// Lines for a call: logged where that is wanted, and shown on a board where there is one.
    pub(super) fn new(
        name: &str,
        call: u64,
        is_logged: bool,
        board: Option<&Arc<Mutex<Board>>>,
        span: u64,
    ) -> Self {
        if !is_logged && board.is_none() {
            return Self::default();
        }
        Self(Some(Arc::new(Mutex::new(Reader {
            prefix: format!("{name}#{call}"),
            is_logged,
            logged: 0,
            board: board.map(Arc::downgrade).unwrap_or_default(),
            span,
            begun: Vec::new(),
            hide: Vec::new(),
        }))))
    }

    /// Whether anybody reads them.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Those of the call that this task answers.
    pub fn current() -> Self {
        CURRENT.try_with(Clone::clone).unwrap_or_default()
    }

    /// Does work whose lines these are.
    pub(crate) async fn of<T>(self, work: impl Future<Output = T>) -> T {
        CURRENT.scope(self, work).await
    }

    /// From here on, lines are shown without what this takes out of them.
    pub(crate) fn without(&self, hide: impl Fn(&mut String) + Send + 'static) {
        if let Some(reader) = &self.0 {
            let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
            reader.hide.push(Hide(Box::new(hide)));
        }
    }

    /// Takes what was written.
    pub fn take(&self, bytes: &[u8]) {
        let Some(reader) = &self.0 else { return };
        let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
        // A bar of progress goes back to the beginning of its line.
        for part in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let room = MAX_LINE.saturating_sub(reader.begun.len());
            let text = part.trim_ascii_end();
            reader
                .begun
                .extend_from_slice(&text[..text.len().min(room)]);
            if part.ends_with(b"\n") || part.ends_with(b"\r") {
                reader.line();
            } else if text.len() < part.len() && room > text.len() {
                reader.begun.extend_from_slice(&part[text.len()..]);
            }
        }
    }
}

impl Reader {
    fn line(&mut self) {
        let bytes = std::mem::take(&mut self.begun);
        let text = String::from_utf8_lossy(&bytes);
        let end = STATUS.iter().find_map(|status| text.find(status));
        let text = text[..end.unwrap_or(text.len())].trim_end();
        if text.trim().is_empty() {
            return;
        }
        let mut text = text.to_owned();
        for hide in &self.hide {
            (hide.0)(&mut text);
        }
        let mut shown = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '\t' => shown.push(c),
                c if c.is_control() || reorders(c) => shown.extend(c.escape_unicode()),
                c => shown.push(c),
            }
        }
        if self.is_logged && self.logged <= MAX_LOGGED {
            match self.logged {
                MAX_LOGGED => tracing::info!("{}: … (more lines are not shown)", self.prefix),
                _ => tracing::info!("{}: {shown}", self.prefix),
            }
            self.logged += 1;
        }
        if let Some(board) = self.board.upgrade()
            && let Some(span) = open(&board).going_on.get_mut(&self.span)
        {
            span.said = Some(shown);
        }
    }
}

/// Characters that change the order in which a terminal shows others.
fn reorders(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.line();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::{ActivityLog, Retention, SpanKind};

    #[test]
    fn the_last_whole_line_is_on_the_board() {
        let activity = ActivityLog::new(Retention::Running);
        let doing = activity.begin(SpanKind::Action, "a");
        let lines = doing.lines("a", 1, false);
        let said = || activity.now()[0].said.clone();
        for (bytes, expected) in [
            (&b"one\ntw"[..], Some("one")),
            (b"o\n\n  \n", Some("two")),
            (b"10%\r20%\r", Some("20%")),
            (b"a b ", Some("20%")),
            (b"c\n", Some("a b c")),
            (b"\x1b[2J\xff\n", Some("\\u{1b}[2J\u{fffd}")),
            (b"done", Some("\\u{1b}[2J\u{fffd}")),
        ] {
            lines.take(bytes);
            assert_eq!(said().as_deref(), expected);
        }
        lines.take(b"Error: Process exited with non-zero status: Exited(1)\n");
        assert_eq!(said().as_deref(), Some("done"));
        lines.take(&[b'x'; 5000]);
        lines.take(b"\n");
        assert_eq!(said().map(|line| line.len()), Some(MAX_LINE));
        assert!(
            !ActivityLog::default()
                .begin(SpanKind::Action, "a")
                .lines("a", 1, false)
                .is_on()
        );
    }
}
