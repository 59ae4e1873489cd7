//! Where the script's output goes: into a queue that the embedder drains, to a writer, or into
//! memory.
//!
//! A reader may take nothing for as long as it likes; a run must still end at its limits. So the
//! run waits for room in the queue, within its limits, and the host never waits. A writer that may
//! block drains the queue in a thread of its own.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use tokio::sync::{mpsc, oneshot};

use crate::journal::Release;
use crate::report_item::{ReportItem, ReportItems};

/// Pieces of output that may wait to be written.
const QUEUE: usize = 64;

/// Bytes of the output that a page shows.
const MAX_SHOWN: usize = 2 << 20;

/// A sink for what scripts print, and for what they show beside it.
#[derive(Clone)]
pub struct Output {
    kind: Kind,
    /// Kept for a page, when one is wanted.
    shown: Option<Arc<Mutex<Shown>>>,
}

/// What is kept of a run for its page.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// The start of what it printed.
    pub output: String,
    /// Bytes that it printed beyond that.
    pub more: u64,
    /// Its tables and charts.
    pub report_items: ReportItems,
}

#[derive(Clone)]
enum Kind {
    Writer(mpsc::Sender<Message>, Arc<OnceLock<io::Error>>),
    Memory(Arc<Mutex<String>>),
}

/// The other end of [`Output::channel`].
#[derive(Debug)]
pub struct OutputReader(mpsc::Receiver<Message>);

#[derive(Debug)]
enum Message {
    Text(Vec<u8>),
    /// Answered when everything before it was written.
    Flush(oneshot::Sender<()>),
}

/// The output takes no more: its reader is gone, or what the system said.
#[derive(Debug, Clone)]
pub(super) struct Closed(pub(super) Option<String>);

impl Closed {
    fn new(why: &OnceLock<io::Error>) -> Self {
        let error = why
            .get()
            .filter(|error| error.kind() != io::ErrorKind::BrokenPipe);
        Self(error.map(ToString::to_string))
    }
}

impl Output {
    fn new(kind: Kind) -> Self {
        Self { kind, shown: None }
    }

    /// The same, keeping what a page of the run shows.
    #[must_use]
    pub fn for_page(self) -> Self {
        Self {
            shown: Some(Arc::default()),
            ..self
        }
    }

    /// Takes what was kept for a page so far.
    #[must_use]
    pub fn take_shown(&self) -> Shown {
        let shown = self.shown.as_ref();
        shown.map_or_else(Shown::default, |shown| {
            std::mem::take(&mut *shown.lock().unwrap_or_else(PoisonError::into_inner))
        })
    }

    /// Keeps a table or a chart of so many bytes, if a page is wanted.
    pub(super) fn item(&self, item: ReportItem, bytes: usize) {
        if let Some(shown) = &self.shown {
            let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
            shown.report_items.add(item, bytes);
        }
    }

    /// A queue, and what takes the output out of it. The queue holds 64 prints; while it is full,
    /// the script waits within its limits. Dropping the reader ends the run, as a closed pipe does.
    #[must_use]
    pub fn channel() -> (Self, OutputReader) {
        let (sender, inbox) = mpsc::channel(QUEUE);
        (
            Self::new(Kind::Writer(sender, Arc::default())),
            OutputReader(inbox),
        )
    }

    /// Writes to `writer` in a thread of its own, flushed whenever nothing more waits to be
    /// written.
    pub fn to_writer(mut writer: impl Write + Send + 'static) -> Self {
        let (sender, mut inbox) = mpsc::channel(QUEUE);
        let why = Arc::new(OnceLock::new());
        let note = why.clone();
        let body = move || {
            while let Some(message) = inbox.blocking_recv() {
                let written = write(&mut writer, message);
                let idle = inbox.is_empty();
                if let Err(error) =
                    written.and_then(|()| if idle { writer.flush() } else { Ok(()) })
                {
                    note.set(error).ok();
                    return; // dropping the inbox tells the run
                }
            }
        };
        // Without a thread the inbox is gone and every print says that the output is closed.
        thread::Builder::new()
            .name("kael-output".to_owned())
            .spawn(body)
            .ok();
        Self::new(Kind::Writer(sender, why))
    }

    /// Keeps what is printed.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::new(Kind::Memory(Arc::default()))
    }

    /// What was kept so far.
    #[must_use]
    pub fn kept(&self) -> String {
        match &self.kind {
            Kind::Memory(text) => text.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Kind::Writer(..) => String::new(),
        }
    }

    /// What was kept since this was last asked.
    #[must_use]
    pub fn take(&self) -> String {
        match &self.kind {
            Kind::Memory(text) => {
                std::mem::take(&mut *text.lock().unwrap_or_else(PoisonError::into_inner))
            }
            Kind::Writer(..) => String::new(),
        }
    }

    /// Writes what another sink kept. A reader that is gone has no use for it.
    pub async fn forward(&self, kept: &Self) {
        self.print(kept.kept().into_bytes()).await.ok();
        self.flush().await.ok();
    }

    /// Bytes that are not UTF-8 reach a writer as they are; what is kept as text has U+FFFD in
    /// their place.
    pub(super) async fn print(&self, text: Vec<u8>) -> Result<(), Closed> {
        if let Some(shown) = &self.shown {
            let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
            let text = String::from_utf8_lossy(&text);
            let room = text.floor_char_boundary(MAX_SHOWN - shown.output.len());
            // What has once been cut goes on nowhere.
            let room = if shown.more > 0 { 0 } else { room };
            shown.output.push_str(&text[..room]);
            shown.more += (text.len() - room) as u64;
        }
        match &self.kind {
            Kind::Writer(writer, why) => writer
                .send(Message::Text(text))
                .await
                .map_err(|_| Closed::new(why)),
            Kind::Memory(kept) => {
                kept.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push_str(&String::from_utf8_lossy(&text));
                Ok(())
            }
        }
    }

    /// Waits until everything that was printed has been written.
    pub(super) async fn flush(&self) -> Result<(), Closed> {
        let Kind::Writer(writer, why) = &self.kind else {
            return Ok(());
        };
        let (reply, written) = oneshot::channel();
        writer
            .send(Message::Flush(reply))
            .await
            .map_err(|_| Closed::new(why))?;
        written.await.map_err(|_| Closed::new(why))
    }
}

impl Release for Output {
    fn release(
        &self,
        text: Vec<u8>,
    ) -> Pin<Box<dyn Future<Output = Result<(), Option<String>>> + Send + '_>> {
        Box::pin(async move { self.print(text).await.map_err(|closed| closed.0) })
    }
}

impl OutputReader {
    /// The bytes of the next print, which need not be UTF-8; none when no run has the output any
    /// more.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.0.recv().await? {
                Message::Text(text) => return Some(text),
                // What came before was taken.
                Message::Flush(reply) => _ = reply.send(()),
            }
        }
    }
}

impl Default for Output {
    /// In memory.
    fn default() -> Self {
        Self::in_memory()
    }
}

fn write(writer: &mut impl Write, message: Message) -> io::Result<()> {
    match message {
        Message::Text(text) => writer.write_all(&text),
        Message::Flush(reply) => {
            writer.flush()?;
            reply.send(()).ok();
            Ok(())
        }
    }
}
