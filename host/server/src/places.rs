//! Places for what takes time and memory for a request, and no slot: one for each tenant, and few for all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::problem::{Kind, Problem};

/// Places of all tenants together: fewer than the instances that a server has beside its slots.
const PLACES: usize = 2;

/// The places.
pub(crate) struct Places {
    all: Arc<Semaphore>,
    of_tenants: Mutex<HashMap<i64, Arc<Semaphore>>>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(PLACES)),
            of_tenants: Mutex::default(),
        }
    }
}

impl Places {
    /// Waits for the place of a tenant, and then for one of all.
    ///
    /// # Errors
    /// When they are taken for that long.
    pub(crate) async fn enter(
        &self,
        tenant: i64,
        patience: Duration,
    ) -> Result<(OwnedSemaphorePermit, OwnedSemaphorePermit), Problem> {
        let own = {
            let mut all = self
                .of_tenants
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let own = all.entry(tenant);
            own.or_insert_with(|| Arc::new(Semaphore::new(1))).clone()
        };
        let both = async {
            Ok::<_, AcquireError>((
                own.acquire_owned().await?,
                self.all.clone().acquire_owned().await?,
            ))
        };
        match timeout(patience, both).await {
            Ok(Ok(places)) => Ok(places),
            _ => {
                let detail = "the places for replays, dry runs and forks are taken";
                let busy = Problem::new(Kind::TooManyRequests, detail).quota(1, 1, 2);
                Err(busy.hint("one runs at a time for each tenant: send it again"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tenant_has_one_place_and_all_have_few() {
        let places = Places::default();
        let enter = |tenant| places.enter(tenant, Duration::ZERO);
        let first = enter(1).await.expect("a place");
        let busy = enter(1).await.expect_err("taken");
        assert_eq!((busy.status, busy.retry_after), (429, Some(2)));
        let second = enter(2).await.expect("another tenant's");
        assert!(enter(3).await.is_err());
        drop(second);
        assert!(enter(3).await.is_ok());
        drop(first);
        assert!(enter(1).await.is_ok());
    }
}
