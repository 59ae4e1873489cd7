//! Interrupts the code of an engine at regular ticks, to check its limits and to let other runs
//! continue.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::Engine;

/// The time between two ticks.
const TICK: Duration = Duration::from_millis(5);

/// Advances the engine's epoch while code runs, and sleeps otherwise.
pub struct Ticker {
    running: Arc<AtomicUsize>,
    thread: Thread,
}

/// The ticker runs while this lives.
pub struct Running(Arc<AtomicUsize>);

impl Ticker {
    /// Starts the thread. It ends a few seconds after the engine.
    ///
    /// # Errors
    /// When no thread can be started. Without ticks nothing would end an endless computation.
    pub fn start(engine: &Engine) -> io::Result<Self> {
        let running = Arc::new(AtomicUsize::new(0));
        let (engine, count) = (engine.weak(), running.clone());
        let tick = move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                if count.load(Ordering::Acquire) == 0 {
                    // Wakes up now and then, so that the thread ends after the engine.
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

    /// Keeps the ticker running until the returned value is dropped.
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
