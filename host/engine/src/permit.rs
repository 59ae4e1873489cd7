//! The permit of a call. The call counts as in flight until everything started for it is gone.
//!
//! When a script cancels a call, the call ends at once for the script. Its process must still die,
//! and its mounts and folder must be removed; the code that does this holds a copy of the permit.
//! So a script never has more of these at once than calls in flight, however fast it cancels.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, spawn_blocking};

use crate::run_info::RunInfo;

tokio::task_local! {
    static PERMIT: Permit;
}

/// A copy of a call's permit. The last copy gives it back.
#[derive(Debug, Clone)]
pub struct Permit(Arc<Held>);

#[derive(Debug)]
struct Held {
    _own: OwnedSemaphorePermit,
    /// Of the calls of all runs together, where that is bounded.
    _shared: Option<OwnedSemaphorePermit>,
    /// The run that makes the call.
    run: Arc<RunInfo>,
}

impl Permit {
    /// Waits for a permit of a run's own, and then for one of those that all runs share. None when
    /// one of the semaphores is closed.
    pub async fn take(
        own: Arc<Semaphore>,
        shared: Option<Arc<Semaphore>>,
        run: Arc<RunInfo>,
    ) -> Option<Self> {
        let own = own.acquire_owned().await.ok()?;
        let shared = match shared {
            Some(shared) => Some(shared.acquire_owned().await.ok()?),
            None => None,
        };
        Some(Self(Arc::new(Held {
            _own: own,
            _shared: shared,
            run,
        })))
    }

    /// Runs the work of a call. All code in it, destructors included, can get a copy of the permit.
    pub fn during<T>(self, work: impl Future<Output = T>) -> impl Future<Output = T> {
        PERMIT.scope(self, work)
    }

    /// A copy of the permit of the call whose work this is.
    pub fn current() -> Option<Self> {
        PERMIT.try_with(Clone::clone).ok()
    }

    /// The run whose call is being answered.
    pub fn current_run() -> Option<Arc<RunInfo>> {
        PERMIT.try_with(|permit| permit.0.run.clone()).ok()
    }
}

/// Runs slow work on a blocking thread. The work continues when the call is cancelled, and holds
/// the permit until it ends.
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
    use super::*;
    use crate::run_info::Tenant;

    #[tokio::test]
    async fn a_permit_lasts_as_long_as_its_last_copy() {
        let (permits, shared) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(2)));
        let run = RunInfo::new(Tenant::default());
        let permit = Permit::take(permits.clone(), Some(shared.clone()), run.clone()).await;
        let copy = permit
            .expect("a permit")
            .during(async { (Permit::current(), Permit::current_run()) })
            .await;
        assert_eq!(copy.1.map(|of| of.id), Some(run.id));
        assert_eq!(
            (permits.available_permits(), shared.available_permits()),
            (0, 1)
        );
        drop(copy.0);
        assert_eq!(
            (permits.available_permits(), shared.available_permits()),
            (1, 2)
        );
        assert!(Permit::current().is_none());
    }
}
