//! Reads sources in a thread of its own, and gives their lines in pieces.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::event::{Line, Lines, Source};

/// Bytes of lines in a batch.
const MAX_BYTES: usize = 128 << 10;
/// How long a batch that is not full waits for more.
const WAIT: Duration = Duration::from_millis(2);
/// Pieces that may wait.
const QUEUE: usize = 512;

/// Lines of one source.
#[derive(Debug)]
pub struct Piece {
    /// Which source, by its place.
    pub source: usize,
    /// The lines.
    pub lines: Vec<Line>,
}

/// What came of waiting for lines.
#[derive(Debug)]
pub enum Next {
    /// Lines of one source.
    Lines(Piece),
    /// Nothing came in time.
    Nothing,
    /// A source cannot be read.
    Failed(usize, io::Error),
    /// That was all.
    End,
}

/// Lines of sources, one after the other.
pub struct Stream {
    inbox: Receiver<Result<Piece, (usize, io::Error)>>,
    batch: usize,
    /// What came of another source than that of the batch before it.
    put_back: Option<Piece>,
    failed: Option<(usize, io::Error)>,
    live: bool,
}

impl Stream {
    /// Begins to read. Batches have at most `batch` lines. With `follow` the last source does not
    /// end.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(sources: Vec<Source>, follow: bool, batch: usize) -> io::Result<Self> {
        let live = follow || sources.contains(&Source::Stdin);
        let (sender, inbox) = sync_channel(QUEUE);
        let piece = if live { 1 } else { batch };
        thread::Builder::new()
            .name("kael-events".to_owned())
            .spawn(move || read(&sources, follow, piece, &sender))?;
        Ok(Self {
            inbox,
            batch,
            put_back: None,
            failed: None,
            live,
        })
    }

    /// Whether alerts should go out without waiting for more events.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.live
    }

    /// The next lines, waiting no longer than `patience`.
    pub fn next(&mut self, patience: Duration) -> Next {
        if let Some((source, error)) = self.failed.take() {
            return Next::Failed(source, error);
        }
        let first = match self.put_back.take() {
            Some(piece) => Ok(Ok(piece)),
            None => self.inbox.recv_timeout(patience),
        };
        let mut piece = match first {
            Ok(Ok(piece)) => piece,
            Ok(Err((source, error))) => return Next::Failed(source, error),
            Err(RecvTimeoutError::Timeout) => return Next::Nothing,
            Err(RecvTimeoutError::Disconnected) => return Next::End,
        };
        let until = Instant::now() + WAIT;
        let mut bytes: usize = piece.lines.iter().map(|line| line.bytes.len()).sum();
        while self.live && piece.lines.len() < self.batch && bytes < MAX_BYTES {
            let left = until.saturating_duration_since(Instant::now());
            match self.inbox.recv_timeout(left) {
                Ok(Ok(more)) if more.source == piece.source => {
                    bytes += more
                        .lines
                        .iter()
                        .map(|line| line.bytes.len())
                        .sum::<usize>();
                    piece.lines.extend(more.lines);
                }
                Ok(Ok(more)) => {
                    self.put_back = Some(more);
                    break;
                }
                Ok(Err(failed)) => {
                    self.failed = Some(failed);
                    break;
                }
                Err(_) => break,
            }
        }
        Next::Lines(piece)
    }
}

fn read(
    sources: &[Source],
    follow: bool,
    size: usize,
    sender: &SyncSender<Result<Piece, (usize, io::Error)>>,
) {
    let mut seq = 0;
    for (at, source) in sources.iter().enumerate() {
        let last = at + 1 == sources.len();
        if let Err(error) = read_one(at, source, follow && last, size, &mut seq, sender) {
            sender.send(Err((at, error))).ok();
            return;
        }
    }
}

fn read_one(
    at: usize,
    source: &Source,
    follow: bool,
    size: usize,
    seq: &mut u64,
    sender: &SyncSender<Result<Piece, (usize, io::Error)>>,
) -> io::Result<()> {
    let mut lines = Lines::open(source, follow)?;
    let mut piece = Vec::new();
    let mut bytes = 0;
    let send = |lines: Vec<Line>| sender.send(Ok(Piece { source: at, lines })).is_ok();
    loop {
        let line = match lines.next(seq) {
            Ok(Some(line)) => line,
            Ok(None) => {
                if !piece.is_empty() {
                    send(piece);
                }
                return Ok(());
            }
            Err(error) => {
                send(piece);
                return Err(error);
            }
        };
        bytes += line.bytes.len();
        piece.push(line);
        if piece.len() >= size || bytes >= MAX_BYTES {
            if !send(std::mem::take(&mut piece)) {
                return Ok(()); // the reader has ended
            }
            bytes = 0;
        }
    }
}
