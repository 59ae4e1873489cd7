//! The permit of a call: it counts as in flight until the last of what was started for it is gone.
//!
//! A call that is cancelled is over for the script at once. Its process has yet to die, its mounts
//! and its folder to be removed, and what does that holds a copy of the permit meanwhile. So no
//! script has more of them at the same time than it may have calls in flight, however fast it
//! cancels.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinError, spawn_blocking};

tokio::task_local! {
    static PERMIT: Permit;
}

/// A copy of a call's permit, which is given back with the last copy.
#[derive(Debug, Clone)]
pub struct Permit {
    _permit: Arc<OwnedSemaphorePermit>,
}

impl Permit {
    /// Holds a permit until its last clone is dropped.
    pub fn new(permit: OwnedSemaphorePermit) -> Self {
        let permit = Arc::new(permit);
        Self { _permit: permit }
    }

    /// Runs what answers the call: all of that can ask for a copy, when it is dropped, too.
    pub fn during<T>(self, work: impl Future<Output = T>) -> impl Future<Output = T> {
        PERMIT.scope(self, work)
    }

    /// A copy of the permit of the call that is being answered.
    pub fn current() -> Option<Self> {
        PERMIT.try_with(Clone::clone).ok()
    }
}

/// Does what takes long in a thread for that, which goes on when the call is cancelled; the permit
/// lasts as long.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    let permit = Permit::current();
    let work = move || {
        let _permit = permit;
        work()
    };
    spawn_blocking(work).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn a_permit_lasts_as_long_as_its_last_copy() {
        let permits = Arc::new(Semaphore::new(1));
        let permit = permits.clone().acquire_owned().await.expect("a permit");
        let copy = Permit::new(permit)
            .during(async { Permit::current() })
            .await;
        assert_eq!(permits.available_permits(), 0);
        drop(copy);
        assert_eq!(permits.available_permits(), 1);
        assert!(Permit::current().is_none());
    }
}
