//! What goes to stderr while a command runs. A reader that does not read holds nothing up: what
//! waits for it has a bound, and what comes beyond is left out and counted.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::patience::{self, PIECE, Patient, TICK};
use super::runtime::SignalGuard;

/// Bytes that may wait for the reader.
const ROOM: usize = 1 << 20;
/// A reader that has taken nothing for so long, when the command should be over, takes only the last
/// report.
const STUCK: Duration = Duration::from_millis(20);

struct Queue {
    waiting: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Whether the thread is writing what it has taken.
    is_writing: bool,
    has_thread: bool,
    /// Lines that found no room since the last that did.
    left_out: u64,
    /// How many pieces the reader has taken.
    taken: u64,
    /// How many it had taken when it was last given up.
    given_up: Option<u64>,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue {
    waiting: VecDeque::new(),
    bytes: 0,
    is_writing: false,
    has_thread: false,
    left_out: 0,
    taken: 0,
    given_up: None,
});
static CHANGED: Condvar = Condvar::new();

fn queue() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.is_writing
    }

    fn add(&mut self, bytes: &[u8]) {
        if self.bytes + bytes.len() > ROOM || !self.start() {
            self.left_out += lines(bytes);
            return;
        }
        self.note();
        self.bytes += bytes.len();
        self.waiting.push_back(bytes.to_vec());
        CHANGED.notify_all();
    }

    /// Tells how many lines are missing, where some are.
    fn note(&mut self) {
        if self.left_out > 0 {
            let note = format!(
                "({} lines left out here: they came faster than they were read)\n",
                self.left_out
            );
            self.left_out = 0;
            self.bytes += note.len();
            self.waiting.push_back(note.into_bytes());
        }
    }

    /// Leaves out what waits, and gives a pipe more room: for the last report.
    fn make_way(&mut self) {
        for bytes in self.waiting.drain(..) {
            self.left_out += lines(&bytes);
            self.bytes -= bytes.len();
        }
        patience::enlarge(&io::stderr());
    }

    /// Whether the thread is there that waits for the reader.
    fn start(&mut self) -> bool {
        if !self.has_thread {
            let thread = std::thread::Builder::new().name("kael-stderr".to_owned());
            self.has_thread = thread.spawn(write_queued).is_ok();
        }
        self.has_thread
    }
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

fn write_queued() {
    let mut now = queue();
    loop {
        let Some(next) = now.waiting.pop_front() else {
            now = CHANGED.wait(now).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        now.is_writing = true;
        drop(now);
        for piece in next.chunks(PIECE) {
            // Where the reader of stderr has left, its messages are dropped.
            io::stderr().write_all(piece).ok();
            queue().taken += 1;
        }
        now = queue();
        now.is_writing = false;
        now.bytes -= next.len();
        if now.waiting.is_empty() {
            now.note();
        }
        CHANGED.notify_all();
    }
}

/// Whether stderr is a pipe or a socket: another that writes to it, such as the script's output
/// with `2>&1`, can take the room that a look at it has found.
fn is_shared() -> bool {
    static SHARED: OnceLock<bool> = OnceLock::new();
    *SHARED.get_or_init(|| {
        rustix::fs::fstat(io::stderr()).is_ok_and(|stat| {
            let kind = rustix::fs::FileType::from_raw_mode(stat.st_mode);
            kind.is_fifo() || kind.is_socket()
        })
    })
}

/// Writes at once where that does not wait; otherwise what is written waits for the reader, or is
/// left out.
pub(super) fn write(bytes: &[u8]) {
    let mut queue = queue();
    let at_once = queue.is_idle() && queue.left_out == 0 && bytes.len() <= PIECE && !is_shared();
    if at_once && patience::is_ready(&io::stderr(), Duration::ZERO) {
        io::stderr().write_all(bytes).ok();
    } else {
        queue.add(bytes);
    }
}

/// Waits until all is written, or until `gives_up` says so of a reader that has taken nothing since
/// a moment and the pieces before. Whether all is written.
fn wait_until_idle(tick: Duration, gives_up: impl Fn(&mut Queue, Instant) -> bool) -> bool {
    let mut now = queue();
    let (mut since, mut taken) = (Instant::now(), now.taken);
    while !now.is_idle() {
        if now.taken != taken {
            (since, taken) = (Instant::now(), now.taken);
        }
        if gives_up(&mut now, since) {
            return false;
        }
        let waited = CHANGED.wait_timeout(now, tick);
        now = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
    true
}

/// Waits until all is written, but not for a reader that takes nothing for so long.
pub(super) fn settle(most: Duration) {
    wait_until_idle(most.min(TICK), |_, since| since.elapsed() >= most);
}

/// Writes what a command says last, behind all that waits. It waits for its reader as long as the
/// command may last; meanwhile a signal ends the command.
pub(super) fn last(text: &str) {
    let is_idle = queue().is_idle();
    let signals = (!is_idle).then(SignalGuard::new);
    let made_way = Cell::new(false);
    let is_written = wait_until_idle(TICK, |now, since| {
        let is_stuck = since.elapsed() >= STUCK && patience::is_over_for(Duration::ZERO);
        if is_stuck && !made_way.replace(true) {
            now.make_way();
        }
        let is_over = now.given_up == Some(now.taken) || !patience::is_left(since);
        if is_over {
            now.given_up = Some(now.taken);
        }
        is_over
    });
    drop(signals);
    if !is_written {
        return;
    }
    Patient::new(io::stderr()).write_all(text.as_bytes()).ok();
}

/// A writer for the lines of the log, each in one write.
pub(super) struct Stderr;

impl io::Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
