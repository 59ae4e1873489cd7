//! Ticks: what runs in an engine is interrupted at each, to look at its limits and let others run.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::Engine;

/// How often.
const TICK: Duration = Duration::from_millis(5);

/// Moves the engine's epoch on while something runs, and sleeps while nothing does.
pub struct Ticker {
    running: Arc<AtomicUsize>,
    thread: Thread,
}

/// Something runs as long as this lives.
pub struct Running(Arc<AtomicUsize>);

impl Ticker {
    /// Starts the thread; it ends a while after the engine.
    ///
    /// # Errors
    /// When no thread can be started: then nothing would end what computes without end.
    pub fn start(engine: &Engine) -> io::Result<Self> {
        let running = Arc::new(AtomicUsize::new(0));
        let (engine, count) = (engine.weak(), running.clone());
        let tick = move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                if count.load(Ordering::Acquire) == 0 {
                    // Looks again now and then, so that the thread ends when the engine has.
                    thread::park_timeout(Duration::from_secs(5));
                } else {
                    thread::sleep(TICK);
                }
            }
        };
        let thread = thread::Builder::new()
            .name("kael-ticker".to_owned())
            .spawn(tick)?;
        Ok(Self {
            running,
            thread: thread.thread().clone(),
        })
    }

    /// Keeps it moving for as long as what is returned lives.
    pub fn run(&self) -> Running {
        if self.running.fetch_add(1, Ordering::AcqRel) == 0 {
            self.thread.unpark();
        }
        Running(self.running.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
