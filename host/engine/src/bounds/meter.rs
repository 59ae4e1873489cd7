//! Measures the computing time of a run: the time in which its future is polled.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// The run and the code that checks its limits share it.
#[derive(Debug, Clone)]
pub struct Meter {
    origin: Instant,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Nanoseconds of all finished polls.
    spent: AtomicU64,
    /// When the current poll began, in nanoseconds after the origin plus one; zero between polls.
    since: AtomicU64,
}

impl Default for Meter {
    fn default() -> Self {
        Self::new()
    }
}

impl Meter {
    /// A meter at zero.
    #[must_use]
    pub fn new() -> Self {
        Self {
            origin: Instant::now(),
            shared: Arc::default(),
        }
    }

    fn now(&self) -> u64 {
        self.origin.elapsed().as_nanos() as u64
    }

    /// The computing time so far.
    pub fn spent(&self) -> Duration {
        let going_on = match self.shared.since.load(Relaxed) {
            0 => 0,
            since => self.now().saturating_sub(since - 1),
        };
        Duration::from_nanos(self.shared.spent.load(Relaxed) + going_on)
    }

    /// Counts from that time on: for a run that goes on where another process left it.
    pub fn restore(&self, spent: Duration) {
        let now = self.now();
        self.shared
            .spent
            .store(u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX), Relaxed);
        if self.shared.since.load(Relaxed) != 0 {
            self.shared.since.store(now + 1, Relaxed);
        }
    }

    /// Wraps a future so that its polls are measured.
    pub fn measure<F>(&self, future: F) -> Measured<F> {
        Measured {
            meter: self.clone(),
            future: Box::pin(future),
        }
    }
}

pub struct Measured<F> {
    meter: Meter,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Measured<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.meter.shared.since.store(self.meter.now() + 1, Relaxed);
        let poll = self.future.as_mut().poll(context);
        // Another one than above where the meter was restored meanwhile.
        let began = self.meter.shared.since.swap(0, Relaxed).saturating_sub(1);
        self.meter
            .shared
            .spent
            .fetch_add(self.meter.now() - began, Relaxed);
        poll
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiting_is_not_counted() {
        let meter = Meter::new();
        meter
            .measure(async {
                tokio::time::sleep(Duration::from_millis(300)).await;
                let start = Instant::now();
                while start.elapsed() < Duration::from_millis(20) {}
                assert!(meter.spent() >= Duration::from_millis(20));
            })
            .await;
        assert!(
            meter.spent() >= Duration::from_millis(20)
                && meter.spent() < Duration::from_millis(250)
        );
    }
}
