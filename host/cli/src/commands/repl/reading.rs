//! Reads input on a thread of its own, line by line on request. The thread can ask the session
//! questions.

use std::io::{self, BufRead as _};
use std::sync::mpsc;
use std::thread;

use tokio::sync::mpsc as events;

/// Bytes that a line may have.
const MAX_LINE: u64 = 16 << 20;

/// A message of the thread.
pub(super) enum Event {
    Line(String),
    /// Asks whether this is a complete chunk.
    Check(String, mpsc::Sender<bool>),
    /// Asks for the names that could complete this line.
    Complete(String, mpsc::Sender<Vec<String>>),
    /// The user dropped the input.
    Dropped,
    End,
    Failed(String),
}

/// The next line to read: its number, and whether it continues the previous one.
pub(super) struct Prompt {
    pub(super) line: u32,
    pub(super) more: bool,
}

/// The session's side of the thread.
pub(super) struct Reader {
    prompts: mpsc::Sender<Prompt>,
    events: events::UnboundedReceiver<Event>,
}

/// The thread's side of the channels.
pub(super) struct ReaderChannels {
    pub(super) prompts: mpsc::Receiver<Prompt>,
    pub(super) events: events::UnboundedSender<Event>,
}

impl Reader {
    /// Starts the thread. It is never joined, because it may be waiting for a line when the program
    /// ends.
    pub(super) fn spawn(body: impl FnOnce(ReaderChannels) + Send + 'static) -> io::Result<Self> {
        let (prompts, prompted) = mpsc::channel();
        let (sender, events) = events::unbounded_channel();
        let channels = ReaderChannels {
            prompts: prompted,
            events: sender,
        };
        thread::Builder::new()
            .name("kael-input".to_owned())
            .spawn(move || body(channels))?;
        Ok(Self { prompts, events })
    }

    /// Requests a line.
    pub(super) fn ask(&self, line: u32, more: bool) {
        // If the thread has ended, `next` reports the end.
        self.prompts.send(Prompt { line, more }).ok();
    }

    pub(super) async fn next(&mut self) -> Event {
        self.events.recv().await.unwrap_or(Event::End)
    }
}

/// Reads stdin line by line without a prompt.
pub(super) fn start() -> io::Result<Reader> {
    Reader::spawn(|channels| {
        let mut number = 0;
        while channels.prompts.recv().is_ok() {
            number += 1;
            if channels.events.send(line(number)).is_err() {
                return;
            }
        }
    })
}

fn line(number: u32) -> Event {
    let mut bytes = Vec::new();
    let mut stdin = io::Read::take(io::stdin().lock(), MAX_LINE + 1);
    match stdin.read_until(b'\n', &mut bytes) {
        Ok(0) => return Event::End,
        Ok(_) if bytes.len() as u64 > MAX_LINE => {
            return Event::Failed(format!("line {number} of stdin has more than 16 MiB"));
        }
        Ok(_) => {}
        Err(error) => return Event::Failed(format!("cannot read stdin: {error}")),
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    match String::from_utf8(bytes) {
        Ok(text) => Event::Line(text),
        Err(_) => Event::Failed(format!("line {number} of stdin is not UTF-8 text")),
    }
}
