//! Asks on the terminal before a call for which a rule says `approve`.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{QueueSelector, tcflush};

use super::progress::{self, ProgressWriter};
use super::sanitize::escape_control;
use kael_engine::gate::approval::{Answer, Approver, Asking, Question};

/// Bytes of parameters that a person can be shown: what cannot be read is not approved.
const MAX_SHOWN: usize = 16 << 10;
/// Up to so many they stand on one line; of more, each has a line of its own.
const ONE_LINE: usize = 1 << 10;
/// Bytes of one of them that are shown.
const MAX_VALUE: usize = 400;
/// How long a question waits after another, so that a key that was meant for the first does not answer it.
const BETWEEN: Duration = Duration::from_secs(1);
/// How often a question looks whether it was taken back.
const TICK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

/// The person at the terminal, if there is one.
pub(super) fn at_terminal() -> Option<Arc<dyn Approver>> {
    let person = io::stdin().is_terminal() && io::stderr().is_terminal();
    person.then(|| Arc::new(Terminal::default()) as Arc<dyn Approver>)
}

/// One question at a time.
#[derive(Default)]
struct Terminal {
    /// Held from before a question until its line is done: whether there was one before.
    turn: Arc<tokio::sync::Mutex<bool>>,
}

/// Takes the question back when the call is abandoned.
struct TakenBack(Arc<AtomicBool>);

impl Drop for TakenBack {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Approver for Terminal {
    fn ask(&self, question: Question) -> Asking<'_> {
        let until = question.within.map(|within| Instant::now() + within);
        Box::pin(async move {
            if question.params.len() > MAX_SHOWN {
                let why = "its parameters are too large to be shown".to_owned();
                return Answer::Unasked(why);
            }
            let mut turn = self.turn.clone().lock_owned().await;
            let over = Arc::new(AtomicBool::new(false));
            let _taken_back = TakenBack(over.clone());
            // The next question begins when this one has left the terminal, taken back or not.
            let asking = tokio::task::spawn_blocking(move || {
                if std::mem::replace(&mut *turn, true) {
                    std::thread::sleep(BETWEEN);
                }
                let answer = ask(&question, &over, until);
                drop(turn);
                answer
            });
            match asking.await {
                Ok(Ok(answer)) => answer,
                Ok(Err(error)) => Answer::Unasked(format!("the terminal cannot be used: {error}")),
                Err(_) => Answer::Unasked("the host was interrupted".to_owned()),
            }
        })
    }
}

fn ask(question: &Question, over: &AtomicBool, until: Option<Instant>) -> io::Result<Answer> {
    let is_late = || until.is_some_and(|until| Instant::now() >= until);
    if over.load(Ordering::Relaxed) || is_late() {
        return Ok(Answer::Expired);
    }
    let tty = File::options()
        .read(true)
        .custom_flags(libc::O_NOCTTY)
        .open("/dev/tty")?;
    // What the script prints meanwhile could pass for a part of the question.
    let _held = progress::hold();
    let mut out = ProgressWriter(io::stderr());
    out.write_all(text(question).as_bytes())?;
    out.flush()?;
    // What was typed before it was shown is no answer to it, and all that is typed behind the prompt is.
    tcflush(&tty, QueueSelector::IFlush)?;
    out.write_all(prompt(question).as_bytes())?;
    out.flush()?;
    let line = line(&tty, over, until)?;
    Ok(match line.as_deref().map(str::trim) {
        Some("y" | "Y" | "yes") => Answer::Yes,
        Some(_) => Answer::No,
        None => {
            let taken_back = over.load(Ordering::Relaxed);
            let end: &[u8] = if taken_back { b"(taken back)\n" } else { b"\n" };
            out.write_all(end)?;
            Answer::Expired
        }
    })
}

/// What is typed up to the end of a line; none when the time is over.
fn line(mut tty: &File, over: &AtomicBool, until: Option<Instant>) -> io::Result<Option<String>> {
    let mut typed = Vec::new();
    let is_late = || until.is_some_and(|until| Instant::now() >= until);
    while !over.load(Ordering::Relaxed) && !is_late() && typed.len() < 1024 {
        let mut ready = [PollFd::from_borrowed_fd(tty.as_fd(), PollFlags::IN)];
        if poll(&mut ready, Some(&TICK))? == 0 {
            continue;
        }
        let mut bytes = [0; 64];
        let count = tty.read(&mut bytes)?;
        typed.extend_from_slice(&bytes[..count]);
        if count == 0 || typed.contains(&b'\n') {
            return Ok(Some(String::from_utf8_lossy(&typed).into_owned()));
        }
    }
    Ok(None)
}

fn text(question: &Question) -> String {
    let mut rows = params(&question.params);
    for rule in &question.rules {
        rows.push(("rule", rule.to_string()));
        if let Some(reason) = &rule.reason {
            rows.push(("reason", reason.clone()));
        }
    }
    if let Some(within) = question.within {
        let time = format!(
            "{} s for an answer, from the call on",
            Duration::as_secs(&within).max(1)
        );
        rows.push(("time", time));
    }
    let mut out = format!("approval wanted: {}\n", escape_control(&question.action));
    for (label, value) in rows {
        out += &format!("  {label:<8} {}\n", escape_control(&value));
    }
    out
}

/// The end of the question, with the action: its beginning may have left the screen.
fn prompt(question: &Question) -> String {
    format!("run {}? [y/N] ", escape_control(&question.action))
}

/// The parameters: on one line, or each of them, cut.
fn params(params: &str) -> Vec<(&'static str, String)> {
    if params.len() <= ONE_LINE {
        return vec![("params", params.to_owned())];
    }
    let fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(params).unwrap_or_default();
    let shown = |(key, value): (&String, &serde_json::Value)| {
        let text = format!("{key} = {value}");
        let end = text.floor_char_boundary(MAX_VALUE);
        match text.len() > end {
            true => format!("{}... ({} bytes more)", &text[..end], text.len() - end),
            false => text,
        }
    };
    let fields = fields.iter().map(shown);
    fields.map(|text| ("param", text)).collect()
}
