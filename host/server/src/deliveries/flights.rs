//! The deliveries that are being made: how many may be at once, and how those of a subscription end.
//!
//! A receiver that answers slowly takes few places: none of another tenant's, and not all of its own tenant's.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::Uri;
use kael_net::Target;
use tokio::sync::{Notify, watch};

use crate::id::Id;
use crate::tables::subscriptions::DueRow;

/// Deliveries that are made at once: in all, of a tenant, and of a tenant to one receiver.
const ALL: usize = 256;
const OF_TENANT: usize = 8;
pub(super) const OF_RECEIVER: usize = 4;

/// The deliveries that are being made.
#[derive(Default)]
pub(crate) struct Flights {
    all: Mutex<BTreeMap<Id, Entry>>,
    /// One of them is over.
    left: Notify,
    /// Something may be sent that could not be before.
    pub(super) changed: Notify,
}

struct Entry {
    subscription: Id,
    tenant: i64,
    receiver: String,
    ends: watch::Sender<bool>,
}

/// One delivery that is being made; its place is free when this is dropped.
pub(super) struct Flight {
    id: Id,
    of: Arc<Flights>,
    ends: watch::Receiver<bool>,
}

impl Flights {
    /// Those of the deliveries that may be made now: those of all tenants in turn, those with the fewest first.
    pub(super) fn take(self: &Arc<Self>, due: Vec<DueRow>) -> Vec<(DueRow, Flight)> {
        let mut all = self.lock();
        let mut waiting = BTreeMap::<i64, VecDeque<DueRow>>::new();
        for row in due {
            waiting.entry(row.tenant).or_default().push_back(row);
        }
        let mut tenants: Vec<_> = waiting.into_iter().collect();
        tenants.sort_by_key(|(tenant, _)| count(&all, |entry| entry.tenant == *tenant));
        let mut taken = Vec::new();
        loop {
            let before = taken.len();
            for (_, rows) in &mut tenants {
                if all.len() >= ALL {
                    return taken;
                }
                let place = rows.iter().position(|row| has_room(&all, row));
                let Some(row) = place.and_then(|place| rows.remove(place)) else {
                    continue;
                };
                let (ends, ended) = watch::channel(false);
                let entry = Entry {
                    subscription: row.subscription,
                    tenant: row.tenant,
                    receiver: receiver(&row.url),
                    ends,
                };
                all.insert(row.id, entry);
                let flight = Flight {
                    id: row.id,
                    of: self.clone(),
                    ends: ended,
                };
                taken.push((row, flight));
            }
            if taken.len() == before {
                return taken;
            }
        }
    }

    /// Tells the sender that something may be sent that could not be before.
    pub(crate) fn wake(&self) {
        self.changed.notify_one();
    }

    /// Ends what is being sent for a tenant.
    pub(crate) fn end_tenant(&self, tenant: i64) {
        self.end(|entry| entry.tenant == tenant);
    }

    /// Ends what is being sent of a subscription.
    pub(super) fn end_subscription(&self, subscription: &Id) {
        self.end(|entry| entry.subscription == *subscription);
    }

    /// Ends what is being sent of a subscription that is gone, and waits until nothing of it is.
    pub(crate) async fn ended(&self, subscription: &Id) {
        loop {
            // Registered before the look, so that no end is missed.
            let mut left = std::pin::pin!(self.left.notified());
            left.as_mut().enable();
            self.end_subscription(subscription);
            if count(&self.lock(), |entry| entry.subscription == *subscription) == 0 {
                return;
            }
            left.await;
        }
    }

    fn end(&self, which: impl Fn(&Entry) -> bool) {
        for entry in self.lock().values().filter(|entry| which(entry)) {
            entry.ends.send_replace(true);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Id, Entry>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flight {
    /// Waits until the delivery must not be made any more.
    pub(super) async fn must_end(&self) {
        let mut ends = self.ends.clone();
        // The other half is in the map until this is dropped.
        ends.wait_for(|ends| *ends).await.ok();
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.of.lock().remove(&self.id);
        self.of.left.notify_waiters();
    }
}

fn has_room(all: &BTreeMap<Id, Entry>, row: &DueRow) -> bool {
    if all.contains_key(&row.id) {
        return false;
    }
    let to = receiver(&row.url);
    let of_tenant = |entry: &Entry| entry.tenant == row.tenant;
    count(all, of_tenant) < OF_TENANT
        && count(all, |entry| of_tenant(entry) && entry.receiver == to) < OF_RECEIVER
}

fn count(all: &BTreeMap<Id, Entry>, which: impl Fn(&Entry) -> bool) -> usize {
    all.values().filter(|entry| which(entry)).count()
}

/// The server of an address.
fn receiver(url: &str) -> String {
    let uri = url.parse::<Uri>().ok();
    let target = uri.and_then(|uri| Target::of(&uri).ok());
    match target {
        Some(target) => format!("{}:{}", target.host.to_ascii_lowercase(), target.port),
        None => url.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(tenant: i64, host: &str, count: usize) -> Vec<DueRow> {
        let row = || DueRow {
            id: Id::new(),
            subscription: Id::of([u8::try_from(tenant).expect("a byte"); 16]),
            tenant,
            url: format!("https://{host}/{}", Id::new()),
        };
        std::iter::repeat_with(row).take(count).collect()
    }

    fn tenants(taken: &[(DueRow, Flight)]) -> Vec<i64> {
        taken.iter().map(|(row, _)| row.tenant).collect()
    }

    #[test]
    fn a_slow_receiver_takes_few_places() {
        let flights = Arc::new(Flights::default());
        let slow = due(1, "slow.example", 100);
        let first = flights.take(slow.clone());
        assert_eq!(first.len(), OF_RECEIVER);
        // The same look again, with others behind it: what is being sent is not sent twice.
        let mut all = slow;
        all.extend(due(1, "quick.example", 10));
        all.extend(due(2, "SLOW.example", 1));
        let second = flights.take(all.clone());
        assert_eq!(tenants(&second), [2, 1, 1, 1, 1]);
        assert!(flights.take(all.clone()).is_empty());
        drop(first);
        assert_eq!(tenants(&flights.take(all)), [1; OF_RECEIVER]);
    }

    #[test]
    fn the_places_of_the_server_go_round() {
        let flights = Arc::new(Flights::default());
        let all: Vec<DueRow> = (0..100)
            .flat_map(|tenant| due(tenant, "example.org", 8))
            .collect();
        let taken = flights.take(all);
        assert_eq!(taken.len(), ALL);
        for tenant in 0..100 {
            let own = tenants(&taken).iter().filter(|of| **of == tenant).count();
            assert!((2..=3).contains(&own), "{tenant}: {own}");
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_is_sent_of_a_subscription_ends_with_it() {
        let flights = Arc::new(Flights::default());
        let taken = flights.take([due(1, "a.example", 2), due(2, "a.example", 1)].concat());
        let (gone, stays) = (Id::of([1; 16]), Id::of([2; 16]));
        let sending = taken.into_iter().map(|(row, flight)| {
            tokio::spawn(async move {
                flight.must_end().await;
                row.subscription
            })
        });
        let sending: Vec<_> = sending.collect();
        flights.ended(&gone).await;
        let mut running = 0;
        for task in sending {
            match task.is_finished() {
                true => assert_eq!(task.await.expect("ended"), gone),
                false => running += 1,
            }
        }
        assert_eq!(running, 1);
        assert_eq!(
            count(&flights.lock(), |entry| entry.subscription == stays),
            1
        );
    }
}
