//! Limits how many calls have processes at once, so that the host does not run out of descriptors.
//!
//! A call needs pipes, a pidfd, a ruleset, a control group, mounts and a temporary folder. If
//! `ulimit -n` is small, calls wait for each other. Otherwise some of them would fail, and other
//! parts of the host too.

use std::io;
use std::sync::{Arc, LazyLock};

use rustix::process::{Resource, getrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// The most descriptors that one call needs.
const EACH: u64 = 20;
/// Descriptors for everything else.
const OTHERS: u64 = 64;
/// Beyond this number, other limits apply.
const MOST: u64 = 1 << 16;

/// The descriptors of one call.
pub(super) type Share = OwnedSemaphorePermit;

static SHARES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let allowed = getrlimit(Resource::Nofile).current;
    let shares = allowed.map_or(MOST, shares);
    Arc::new(Semaphore::new(shares as usize))
});

fn shares(allowed: u64) -> u64 {
    (allowed.saturating_sub(OTHERS) / EACH).clamp(1, MOST)
}

/// Waits for the descriptors of one call.
pub(super) async fn share(deadline: Instant) -> io::Result<Share> {
    let late = |_| {
        let message = "other calls had all descriptors that Kael may have (ulimit -n)";
        io::Error::new(io::ErrorKind::TimedOut, message)
    };
    let share = timeout_at(deadline, SHARES.clone().acquire_owned()).await;
    share.map_err(late)?.map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_always_one_share() {
        for (allowed, expected) in [(0, 1), (64, 1), (256, 9), (1024, 48), (u64::MAX, MOST)] {
            assert_eq!(shares(allowed), expected, "{allowed}");
        }
    }
}
