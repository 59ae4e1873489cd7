//! Admission: a caller takes a place in the pool before its instance is made. Where there is none it waits in a queue, which
//! has a bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// Callers that may wait for a place unless an embedder says otherwise.
pub(crate) const MAX_WAITING: usize = 1024;

/// Every instance of the pool is in use, and as many callers wait as may. Nothing was run; a later attempt may succeed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "all instances of the sandbox are in use ({instances}), and as many runs wait for one as may ({waiting})"
)]
pub struct Busy {
    /// Instances that the pool has.
    pub instances: usize,
    /// Callers that may wait for one.
    pub waiting: usize,
}

/// The places of one pool of instances.
pub(super) struct Admission {
    places: Arc<Semaphore>,
    instances: usize,
    waiting: AtomicUsize,
    most_waiting: usize,
}

/// A place in the pool. To be dropped after the store that uses it.
pub(super) struct Place {
    _permit: Option<OwnedSemaphorePermit>,
}

/// A caller that waits, for as long as this lives.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Admission {
    pub(super) fn new(instances: u32, most_waiting: usize) -> Self {
        let instances = instances as usize;
        Self {
            places: Arc::new(Semaphore::new(instances)),
            instances,
            waiting: AtomicUsize::new(0),
            most_waiting,
        }
    }

    /// Takes a place, or waits for one behind those that came before.
    ///
    /// # Errors
    /// When as many wait as may.
    pub(super) async fn place(&self) -> Result<Place, Busy> {
        // The semaphore is never closed. It hands a place that is given back to the first caller in the queue, so that none
        // is overtaken here.
        match self.places.clone().try_acquire_owned() {
            Ok(permit) => Ok(Place {
                _permit: Some(permit),
            }),
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => self.wait().await,
        }
    }

    async fn wait(&self) -> Result<Place, Busy> {
        let one_more = |waiting| (waiting < self.most_waiting).then_some(waiting + 1);
        let counted = self
            .waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more);
        if counted.is_err() {
            return Err(Busy {
                instances: self.instances,
                waiting: self.most_waiting,
            });
        }
        let _waiting = Waiting(&self.waiting);
        let permit = self.places.clone().acquire_owned().await.ok();
        Ok(Place { _permit: permit })
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    fn poll<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
        let mut context = Context::from_waker(Waker::noop());
        match future.poll(&mut context) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        }
    }

    #[test]
    fn callers_are_admitted_in_their_order_and_refused_when_too_many_wait() {
        let admission = Admission::new(1, 2);
        let place = poll(pin!(admission.place())).expect("there is a place");
        let place = place.expect("it is free");
        let (mut first, mut second) = (pin!(admission.place()), pin!(admission.place()));
        assert!(poll(first.as_mut()).is_none() && poll(second.as_mut()).is_none());
        let refused = poll(pin!(admission.place())).expect("an answer at once");
        let expected = Busy {
            instances: 1,
            waiting: 2,
        };
        assert_eq!(refused.err(), Some(expected));
        drop(place);
        // The one that came first is next, also when another asks before it has looked.
        let mut third = pin!(admission.place());
        assert!(poll(second.as_mut()).is_none());
        let place = poll(first.as_mut()).expect("its turn").expect("a place");
        assert!(poll(third.as_mut()).is_none());
        drop(place);
        assert!(poll(second.as_mut()).expect("its turn").is_ok());
    }

    #[test]
    fn a_caller_that_gives_up_leaves_the_queue() {
        let admission = Admission::new(1, 1);
        let place = poll(pin!(admission.place())).expect("there is a place");
        {
            let mut waits = pin!(admission.place());
            assert!(poll(waits.as_mut()).is_none());
            assert!(poll(pin!(admission.place())).expect("an answer").is_err());
        }
        let mut waits = pin!(admission.place());
        assert!(poll(waits.as_mut()).is_none());
        drop(place);
        assert!(poll(waits.as_mut()).expect("its turn").is_ok());
    }

    #[test]
    fn without_a_queue_the_next_caller_is_refused() {
        let admission = Admission::new(1, 0);
        let _place = poll(pin!(admission.place())).expect("there is a place");
        let refused = poll(pin!(admission.place())).expect("an answer at once");
        let refused = refused.err().expect("a refusal").to_string();
        assert_eq!(
            refused,
            "all instances of the sandbox are in use (1), and as many runs wait for one as may (0)"
        );
    }
}
