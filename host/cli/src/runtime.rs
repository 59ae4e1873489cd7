//! Runs what waits to its end, or to the signal that asks the program to end.

use std::fs;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use super::exit;
use kael_engine::runtime::finish_at_once;
use kael_engine::sandbox::Cancel;

/// How long the end of a runtime waits for its threads. Those that wait end at once; one that
/// computes or waits for a file goes on until the process ends.
const SHUTDOWN: Duration = Duration::from_millis(50);

/// Threads that every command starts, those that end on a signal and move the limits on time on, and
/// some more, because what is loaded meanwhile takes addresses, too.
const THREADS: usize = 6;
const MORE_THREADS: usize = 8;
/// A user who may have more of them than this has enough, unless something else is wrong.
const MIN_USES: u64 = 4096;
/// With as many addresses no thread fails for want of them. The sandbox itself reserves more.
const MIN_ADDRESSES: u64 = 4 << 30;

/// How it ended.
pub(super) enum Driven<T> {
    Done(T),
    /// The number of the signal.
    Signal(u8),
}

/// Drives a future; what it had in flight when a signal came is ended with all that it started.
pub(super) fn block_with_signals<T>(future: impl Future<Output = T>) -> io::Result<Driven<T>> {
    let runtime = runtime()?;
    let driven = runtime.block_on(async {
        tokio::select! {
            // Listening first: a signal may come as soon as the script has printed something.
            biased;
            number = interrupted() => Driven::Signal(number),
            done = future => Driven::Done(done),
        }
    });
    shut_down(runtime);
    Ok(driven)
}

/// How a run ended.
pub(super) enum Ended<T> {
    Done(T),
    /// The number of the signal, and what the run came to when it was cancelled in time.
    Signal(u8, Option<T>),
}

/// How long a run that was cancelled may take to report.
const REPORT: Duration = Duration::from_millis(500);

/// Drives a run. A signal cancels it, once it has set `cancel`, and it still reports what it had
/// done; a run that does not report in time is ended with all that it started.
pub(super) fn block_run<T>(
    cancel: &OnceLock<Cancel>,
    run: impl Future<Output = T>,
) -> io::Result<Ended<T>> {
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        let mut run = pin!(run);
        let number = tokio::select! {
            // As above.
            biased;
            number = interrupted() => number,
            done = &mut run => return Ended::Done(done),
        };
        let Some(cancel) = cancel.get() else {
            return Ended::Signal(number, None);
        };
        cancel.cancel();
        Ended::Signal(number, tokio::time::timeout(REPORT, run).await.ok())
    });
    shut_down(runtime);
    Ok(ended)
}

/// What waits and computes for one command.
pub(super) fn runtime() -> io::Result<Runtime> {
    enough_descriptors()?;
    enough_threads()?;
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}

/// Descriptors that a command needs, as the sandbox does. With fewer of them the runtime panics when
/// it begins to listen for signals.
const DESCRIPTORS: u64 = 32;

fn enough_descriptors() -> io::Result<()> {
    match getrlimit(Resource::Nofile).current {
        Some(allowed) if allowed < DESCRIPTORS => {
            let error = io::Error::from(Errno::MFILE);
            let needed = format!("{allowed} open files are allowed, and it needs {DESCRIPTORS}");
            Err(io::Error::new(error.kind(), format!("{needed}: {error}")))
        }
        _ => Ok(()),
    }
}

/// Where a thread cannot be started, the runtime panics; so this is tried before where the user may
/// have few of them, or the process few addresses for their stacks.
fn enough_threads() -> io::Result<()> {
    let few =
        |resource, least| matches!(getrlimit(resource).current, Some(allowed) if allowed < least);
    if !few(Resource::Nproc, MIN_USES) && !few(Resource::As, MIN_ADDRESSES) {
        return Ok(());
    }
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock();
    let start = |_| {
        let gate = gate.clone();
        thread::Builder::new().spawn(move || drop(gate.lock()))
    };
    let count = match few(Resource::As, MIN_ADDRESSES) {
        true => THREADS + MORE_THREADS,
        false => THREADS,
    };
    let started: io::Result<Vec<_>> = (0..count).map(start).collect();
    drop(closed);
    for thread in started? {
        thread.join().ok();
    }
    // A thread that was joined counts for another moment.
    for _ in 0..1000 {
        if fs::read_dir("/proc/self/task")?.count() <= 1 {
            break;
        }
        thread::yield_now();
    }
    Ok(())
}

/// Ends what is still going on, with all that it started. What that leaves to be cleaned up is
/// waited for when the program ends, behind its last report.
pub(super) fn shut_down(runtime: Runtime) {
    runtime.shutdown_timeout(SHUTDOWN);
}

/// Does what may wait for a reader for ever. Meanwhile a signal that asks the program to end ends it at once: what was
/// driven before has ended, and nobody listens any more, or cannot while this waits.
pub(super) fn until_a_signal<T>(work: impl FnOnce() -> T) -> T {
    let _signals = SignalGuard::new();
    work()
}

/// While this lives, a signal that asks the program to end ends it at once.
pub(super) struct SignalGuard {
    /// Its receiver notices that this is dropped.
    _over: oneshot::Sender<()>,
}

impl SignalGuard {
    pub(super) fn new() -> Self {
        let (over, waiting) = oneshot::channel::<()>();
        let listen = move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
            else {
                return;
            };
            let number = runtime.block_on(async {
                tokio::select! {
                    biased;
                    _ = waiting => None,
                    number = interrupted() => Some(number),
                }
            });
            if let Some(number) = number {
                finish_at_once(Duration::from_millis(100));
                std::process::exit(i32::from(exit::SIGNAL + number));
            }
        };
        thread::Builder::new().spawn(listen).ok();
        Self { _over: over }
    }
}

/// The number of the signal that asks the program to end.
pub(super) async fn interrupted() -> u8 {
    Interrupts::listen().next().await
}

/// The signals that ask the program to end, from when they are listened for on: one that comes while nothing waits is there
/// for the next that does.
pub(super) struct Interrupts(Vec<(Signal, u8)>);

impl Interrupts {
    pub(super) fn listen() -> Self {
        let kinds = [
            (SignalKind::interrupt(), 2),
            (SignalKind::terminate(), 15),
            (SignalKind::hangup(), 1),
        ];
        // Where a signal cannot be listened for, it does what it always does.
        let listeners = kinds
            .into_iter()
            .filter_map(|(kind, number)| Some((signal(kind).ok()?, number)));
        Self(listeners.collect())
    }

    /// The number of the next one.
    pub(super) async fn next(&mut self) -> u8 {
        let waits: Vec<_> = self
            .0
            .iter_mut()
            .map(|(listener, number)| {
                Box::pin(async move {
                    listener.recv().await;
                    *number
                })
            })
            .collect();
        if waits.is_empty() {
            return std::future::pending().await;
        }
        futures_util::future::select_all(waits).await.0
    }
}
