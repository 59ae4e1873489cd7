//! Where input comes from: a thread that reads a line whenever it is asked to, and may ask of the session what it needs.

use std::io::{self, BufRead as _};
use std::sync::mpsc;
use std::thread;

use tokio::sync::mpsc as events;

/// A line may be this long.
const MAX_LINE: u64 = 16 << 20;

/// What the thread has to say.
pub(super) enum Event {
    Line(String),
    /// Whether this is all of a chunk.
    Check(String, mpsc::Sender<bool>),
    /// The names that could end this line.
    Complete(String, mpsc::Sender<Vec<String>>),
    /// What was typed is to be forgotten.
    Dropped,
    End,
    Failed(String),
}

/// What the next line is: its number, and whether it goes on with the one before.
pub(super) struct Prompt {
    pub(super) line: u32,
    pub(super) more: bool,
}

/// The thread, as the session sees it.
pub(super) struct Reader {
    prompts: mpsc::Sender<Prompt>,
    events: events::UnboundedReceiver<Event>,
}

/// The session, as the thread sees it.
pub(super) struct Session {
    pub(super) prompts: mpsc::Receiver<Prompt>,
    pub(super) events: events::UnboundedSender<Event>,
}

impl Reader {
    /// Starts the thread. It is never joined: it may be waiting for a line when the program ends.
    pub(super) fn spawn(body: impl FnOnce(Session) + Send + 'static) -> io::Result<Self> {
        let (prompts, prompted) = mpsc::channel();
        let (sender, events) = events::unbounded_channel();
        let session = Session {
            prompts: prompted,
            events: sender,
        };
        thread::Builder::new()
            .name("kael-input".to_owned())
            .spawn(move || body(session))?;
        Ok(Self { prompts, events })
    }

    /// Asks for a line.
    pub(super) fn ask(&self, line: u32, more: bool) {
        // A thread that is gone says so itself: there is no next event.
        self.prompts.send(Prompt { line, more }).ok();
    }

    pub(super) async fn next(&mut self) -> Event {
        self.events.recv().await.unwrap_or(Event::End)
    }
}

/// Reads stdin line by line, with no word about it.
pub(super) fn start() -> io::Result<Reader> {
    Reader::spawn(|session| {
        let mut number = 0;
        while session.prompts.recv().is_ok() {
            number += 1;
            if session.events.send(line(number)).is_err() {
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
