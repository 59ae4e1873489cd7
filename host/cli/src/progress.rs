//! The last line of a terminal: what has been going on for a second, with its seconds and the last
//! line that it wrote to stderr; gone when that is done.
//!
//! There is one terminal, which everything is written to through here while the line may be there.

use std::io::{self, IsTerminal as _, Write};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::args::Shared;
use super::sanitize::{Terminal, escape_control};
use super::stderr;
use kael_engine::activity::{ActivityLog, Span, SpanKind};
use kael_engine::environment::Environment;
use kael_engine::sandbox::Output;
use kael_engine::text::fit;

/// What takes less is not worth a word.
const WORTH: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(200);
/// How long a terminal may take to take the line away.
const SETTLE: Duration = Duration::from_millis(50);
/// Names on the line at most.
const NAMES: usize = 3;

/// The line, and whether it may be drawn.
struct Line {
    shown: String,
    /// Nothing stands on the cursor's line.
    free: bool,
}

/// Whether a question is open, during which a script writes nothing to the terminal.
static HELD: Mutex<bool> = Mutex::new(false);
static RELEASED: Condvar = Condvar::new();

/// Holds the output of scripts back until it is dropped.
pub(super) struct Held(());

/// Holds the terminal for a question.
pub(super) fn hold() -> Held {
    *HELD.lock().unwrap_or_else(PoisonError::into_inner) = true;
    Held(())
}

impl Drop for Held {
    fn drop(&mut self) {
        *HELD.lock().unwrap_or_else(PoisonError::into_inner) = false;
        RELEASED.notify_all();
    }
}

static LINE: Mutex<Line> = Mutex::new(Line {
    shown: String::new(),
    free: true,
});

fn line() -> MutexGuard<'static, Line> {
    LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Line {
    fn draw(&mut self, text: String) {
        if text == self.shown || !self.free {
            return;
        }
        let painted = if text.is_empty() {
            "\r\x1b[K".to_owned()
        } else {
            format!("\r\x1b[K\x1b[2m{text}\x1b[0m")
        };
        stderr::write(painted.as_bytes());
        self.shown = text;
    }
}

/// A writer to the terminal: the line makes room for what is written.
pub(super) struct ProgressWriter<W>(pub(super) W);

impl<W: Write> Write for ProgressWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        {
            let mut line = line();
            if !line.shown.is_empty() {
                line.draw(String::new());
                // Stdout may be the same terminal: the line is to be gone before.
                stderr::settle(SETTLE);
            }
            line.free = false;
        }
        // Without the lock: a terminal that is stopped holds up nothing else.
        self.0.write_all(bytes)?;
        if let Some(last) = bytes.last() {
            line().free = *last == b'\n';
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The same for a script's output, from a thread of its own: it waits while a question is open, so that nothing of it
/// passes for a part of the question.
struct ScriptWriter<W>(W);

impl<W: Write> Write for ScriptWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        while *held {
            held = RELEASED.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        drop(held);
        ProgressWriter(&mut self.0).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Where what a script prints goes: to stdout, or into memory for a document that is printed at the end.
pub(super) fn script_output(is_kept: bool) -> Output {
    match is_kept {
        true => Output::in_memory(),
        false if io::stdout().is_terminal() => {
            Output::to_writer(Terminal(ScriptWriter(io::stdout())))
        }
        false => Output::to_writer(io::stdout()),
    }
}

/// Shows progress as long as it lives.
pub(super) struct Progress(Option<(Sender<()>, JoinHandle<()>)>);

/// Whether progress is to be seen: by a person at a terminal who did not ask for silence.
pub(super) fn is_wanted(shared: &Shared, environment: &Environment) -> bool {
    let dumb = environment.get("TERM").is_none_or(|term| term == "dumb");
    io::stderr().is_terminal() && !dumb && !shared.quiet
}

/// Begins to show what is going on, if that is wanted.
pub(super) fn show(activity: &ActivityLog, wanted: bool) -> Progress {
    if !wanted {
        return Progress(None);
    }
    let (sender, stopped) = channel();
    let activity = activity.clone();
    let body = move || {
        while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            line().draw(text(&activity.now(), Instant::now(), room()));
        }
        line().draw(String::new());
    };
    let thread = std::thread::Builder::new()
        .name("kael-progress".to_owned())
        .spawn(body);
    Progress(thread.ok().map(|thread| (sender, thread)))
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.0.take() {
            drop(sender);
            thread.join().ok();
        }
    }
}

/// Characters that fit on a line, less one: a cursor behind the last would be on the next.
fn room() -> usize {
    rustix::termios::tcgetwinsize(io::stderr())
        .map_or(80, |size| usize::from(size.ws_col))
        .clamp(20, 200)
        - 1
}

fn text(spans: &[Span], now: Instant, room: usize) -> String {
    let worth = |span: &&Span| {
        span.kind != SpanKind::Script && now.saturating_duration_since(span.begin) >= WORTH
    };
    let long: Vec<&Span> = spans.iter().filter(worth).collect();
    let say = |span: &&Span| {
        let seconds = now.saturating_duration_since(span.begin).as_secs();
        let name = escape_control(&span.name).replace('\n', " ");
        match &span.said {
            // There is room for the words of one.
            Some(said) if long.len() == 1 => format!("{name} {seconds}s: {}", escape_control(said)),
            _ => format!("{name} {seconds}s"),
        }
    };
    let mut text = long
        .iter()
        .take(NAMES)
        .map(say)
        .collect::<Vec<_>>()
        .join(", ");
    if long.len() > NAMES {
        text += &format!(" and {} more", long.len() - NAMES);
    }
    fit(&text, room).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_is_named_and_fits() {
        let begin = Instant::now();
        let span = |kind, name: &str, after: u64| Span {
            kind,
            name: name.to_owned(),
            run: None,
            begin: begin + Duration::from_secs(after),
            end: None,
            outcome: None,
            decision: None,
            said: None,
        };
        let now = begin + Duration::from_millis(5900);
        let spans = [
            span(SpanKind::Script, "script.lua", 0),
            span(SpanKind::Action, "a.b", 0),
            span(SpanKind::Source, "fetching x\x1b[2J", 2),
            span(SpanKind::Action, "late", 5),
        ];
        assert_eq!(text(&spans, now, 79), "a.b 5s, fetching x\\u{1b}[2J 3s");
        assert_eq!(text(&spans, now, 12), "a.b 5s, f...");
        let many: Vec<Span> = (0..5).map(|_| span(SpanKind::Action, "n", 0)).collect();
        assert_eq!(text(&many, now, 79), "n 5s, n 5s, n 5s and 2 more");
        assert_eq!(text(&spans[3..], now, 79), "");
        let mut one = span(SpanKind::Action, "a.b", 0);
        one.said = Some("step 3\x1b".to_owned());
        assert_eq!(text(&[one], now, 79), "a.b 5s: step 3\\u{1b}");
    }
}
