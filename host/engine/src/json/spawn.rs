//! Moves JSON work over 256 KiB to the blocking pool, so that other runs keep their thread.

use std::panic::resume_unwind;
use std::sync::LazyLock;

use super::turns::Turns;
use crate::permit::{self, Permit};

/// From this size on, a document is handled on a thread of its own.
const LARGE: usize = 256 << 10;

/// One turn per core. A document that waits for one is still text, which takes less memory than its
/// values.
static TURNS: LazyLock<Turns> = LazyLock::new(|| {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Turns::new(processors)
});

/// Whether a document of this size is handled on a thread of its own.
pub fn is_large(size: usize) -> bool {
    size >= LARGE
}

/// Runs the work, at once for a small document. Returns none while the host shuts down. A panic in
/// the work continues here.
pub async fn aside<T: Send + 'static>(
    size: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    if is_large(size) {
        beside(work).await
    } else {
        Some(work())
    }
}

/// The same for documents of any size.
pub async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    // A caller that stops waiting does not stop the work, which keeps its turn until it ends.
    let turn = TURNS.take(Permit::current_run()).await;
    let working = permit::blocking(move || {
        let done = work();
        drop(turn);
        done
    });
    match working.await {
        Ok(done) => Some(done),
        Err(error) if error.is_panic() => resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_one_for_every_size_of_the_document() {
        for size in [0, LARGE] {
            let work = tokio::spawn(aside(size, || panic!("a bug")));
            let error = work.await.expect_err("it panics");
            assert!(error.is_panic(), "{size}");
        }
    }
}
