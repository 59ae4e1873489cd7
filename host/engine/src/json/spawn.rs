//! Work that takes as long as a document is large, beside the threads that others need.

use std::panic::resume_unwind;
use std::sync::LazyLock;

use tokio::sync::Semaphore;

use crate::permit;

/// Documents from this size on are worked on by a thread of their own: other runs go on meanwhile.
const LARGE: usize = 256 << 10;

/// As many as the machine can work on at the same time: what more of them would hold, they hold as text while they wait.
static TURNS: LazyLock<Semaphore> = LazyLock::new(|| {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Semaphore::new(processors)
});

/// Whether a document of so many bytes takes long enough for others to have the thread meanwhile.
pub fn is_large(size: usize) -> bool {
    size >= LARGE
}

/// Does the work; for a small document at once. None when the host is being ended. Work that panics does so here, as it
/// would have done at once.
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

/// The same whatever the size.
pub async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    // Never closed. Who gives up waiting leaves the work to its end, and its turn with it.
    let turn = TURNS.acquire().await.ok()?;
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
    async fn a_panic_is_one_whatever_the_size_of_the_document() {
        for size in [0, LARGE] {
            let work = tokio::spawn(aside(size, || panic!("a bug")));
            let error = work.await.expect_err("it panics");
            assert!(error.is_panic(), "{size}");
        }
    }
}
