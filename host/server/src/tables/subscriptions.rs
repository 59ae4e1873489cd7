//! Subscriptions to events, and the deliveries that are still to be made.
//!
//! A delivery is written in the transaction of what it tells: so none is lost, and none tells what did
//! not happen.

use kael_store::{Row, StoreError, Tx, Value};
use serde_json::json;

use super::{Scoped, statements};
use crate::id::Id;
use crate::time;

/// Deliveries of a subscription that wait; what comes then is not told.
const MAX_WAITING: i64 = 10_000;

/// A subscription as the store has it.
#[derive(Clone)]
pub(crate) struct SubscriptionRow {
    pub(crate) id: Id,
    pub(crate) name: String,
    pub(crate) url: String,
    /// JSON: a list of names of events.
    pub(crate) events: String,
    /// The key of signatures.
    pub(crate) secret: String,
    pub(crate) by: String,
    pub(crate) created: i64,
    /// Why nothing is sent any more.
    pub(crate) stopped: Option<String>,
    /// What became of the last try, and when.
    pub(crate) last: Option<String>,
    pub(crate) last_at: Option<i64>,
}

/// A delivery that is due, and where it goes.
#[derive(Debug, Clone)]
pub(crate) struct DueRow {
    pub(crate) id: Id,
    pub(crate) subscription: Id,
    pub(crate) tenant: i64,
    pub(crate) url: String,
}

/// What is still to be sent of a subscription.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    /// Deliveries that are made by themselves.
    pub(crate) waiting: i64,
    /// Deliveries of a backup, which a person lets go on.
    pub(crate) held: i64,
}

/// A delivery that is still to be made.
#[derive(Clone)]
pub(crate) struct DeliveryRow {
    pub(crate) id: Id,
    pub(crate) event: String,
    pub(crate) body: String,
    /// How often it was tried.
    pub(crate) tries: i64,
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, url, events, secret, by, created, stopped, last, last_at FROM srv_subscriptions ",
            $rest
        )
    };
}

statements! {
    INSERT = "INSERT INTO srv_subscriptions (id, tenant, name, url, events, secret, by, created) \
              VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";
    LIST = columns!("WHERE tenant = ?1 ORDER BY name");
    GET = columns!("WHERE tenant = ?1 AND id = ?2");
    ANY = columns!("WHERE id = ?1");
    DELETE = "DELETE FROM srv_subscriptions WHERE tenant = ?1 AND id = ?2";
    TRIED = "UPDATE srv_subscriptions SET last = ?2, last_at = ?3 WHERE id = ?1";
    STOP = "UPDATE srv_subscriptions SET stopped = ?2 WHERE id = ?1";
    WANTED = "SELECT id, events FROM srv_subscriptions WHERE tenant = ?1 AND stopped IS NULL";
    WANTED_OF_RUN = "SELECT subscribed.tenant FROM srv_subscriptions AS subscribed JOIN srv_runs AS run \
                     ON run.tenant = subscribed.tenant WHERE run.id = ?1 LIMIT 1";
    TENANT_OF = "SELECT tenant FROM srv_subscriptions WHERE id = ?1";
    COUNT = "SELECT count(*) FROM srv_deliveries WHERE subscription = ?1 AND held = ?2";
    ADD = "INSERT INTO srv_deliveries (id, subscription, event, body, tries, next) VALUES (?1, ?2, ?3, ?4, 0, ?5)";
    // The first few of each subscription, and those of all tenants in turn. CROSS JOIN, so that what waits of one subscription
    // costs the others nothing: deliveries are looked for by subscription.
    DUE = "SELECT id, subscription, tenant, url FROM (SELECT delivery.id, delivery.subscription, subscribed.tenant, subscribed.url, \
           delivery.next, row_number() OVER (PARTITION BY subscribed.tenant ORDER BY delivery.next, delivery.id) AS turn \
           FROM srv_subscriptions AS subscribed CROSS JOIN srv_deliveries AS delivery \
           WHERE subscribed.stopped IS NULL AND subscribed.tenant IN (SELECT id FROM srv_tenants WHERE disabled = 0) \
           AND delivery.id IN (SELECT id FROM srv_deliveries WHERE subscription = subscribed.id AND held = 0 AND next <= ?1 \
           ORDER BY next, id LIMIT ?2)) AS due ORDER BY turn, next, id LIMIT ?3";
    DELIVERY = "SELECT id, event, body, tries FROM srv_deliveries WHERE id = ?1 AND held = 0";
    NEXT = "SELECT min(next) FROM srv_deliveries WHERE next > ?1 AND held = 0";
    LATER = "UPDATE srv_deliveries SET tries = ?2, next = ?3 WHERE id = ?1";
    DROP_ONE = "DELETE FROM srv_deliveries WHERE id = ?1";
    DROP_OF = "DELETE FROM srv_deliveries WHERE subscription = ?1";
    DROP_WAITING = "DELETE FROM srv_deliveries WHERE subscription = ?1 AND held = 0";
    RELEASE = "UPDATE srv_deliveries SET held = 0, tries = 0, next = ?2 WHERE subscription = ?1 AND held = 1";
}

/// Adds a subscription. False if the tenant has one of that name.
pub(crate) fn insert(
    tx: &Tx<'_>,
    scoped: Scoped,
    row: &SubscriptionRow,
) -> Result<bool, StoreError> {
    let values: [Value<'_>; 8] = [
        (&row.id).into(),
        scoped.0.into(),
        (&row.name).into(),
        (&row.url).into(),
        (&row.events).into(),
        (&row.secret).into(),
        (&row.by).into(),
        row.created.into(),
    ];
    Ok(tx.execute(INSERT, &values)? == 1)
}

pub(crate) fn list(tx: &Tx<'_>, scoped: Scoped) -> Result<Vec<SubscriptionRow>, StoreError> {
    tx.query(LIST, &[scoped.0.into()], row)
}

pub(crate) fn get(
    tx: &Tx<'_>,
    scoped: Scoped,
    id: &Id,
) -> Result<Option<SubscriptionRow>, StoreError> {
    tx.first(GET, &[scoped.0.into(), id.into()], row)
}

/// A subscription of any tenant, for who delivers.
pub(crate) fn any(tx: &Tx<'_>, id: &Id) -> Result<Option<SubscriptionRow>, StoreError> {
    tx.first(ANY, &[id.into()], row)
}

/// The tenant of a subscription.
pub(crate) fn tenant_of(tx: &Tx<'_>, id: &Id) -> Result<Option<i64>, StoreError> {
    tx.first(TENANT_OF, &[id.into()], |row| row.get(0))
}

/// Deletes a subscription with its deliveries. False if the tenant has none of that id.
pub(crate) fn delete(tx: &Tx<'_>, scoped: Scoped, id: &Id) -> Result<bool, StoreError> {
    if get(tx, scoped, id)?.is_none() {
        return Ok(false);
    }
    // First: their bytes are those of the tenant of the subscription.
    tx.execute(DROP_OF, &[id.into()])?;
    Ok(tx.execute(DELETE, &[scoped.0.into(), id.into()])? == 1)
}

/// Writes what became of a try.
pub(crate) fn tried(tx: &Tx<'_>, id: &Id, last: &str) -> Result<(), StoreError> {
    let values = [id.into(), last.into(), tx.now().into()];
    tx.execute(TRIED, &values).map(|_| ())
}

/// Sends nothing any more, and forgets what was to be sent. What is held stays: a person has not decided yet.
pub(crate) fn stop(tx: &Tx<'_>, id: &Id, why: &str) -> Result<(), StoreError> {
    tx.execute(STOP, &[id.into(), Some(why).into()])?;
    tx.execute(DROP_WAITING, &[id.into()]).map(|_| ())
}

/// Sends again, and what is held, too.
pub(crate) fn resume(tx: &Tx<'_>, id: &Id) -> Result<(), StoreError> {
    tx.execute(STOP, &[id.into(), None::<&str>.into()])?;
    tx.execute(RELEASE, &[id.into(), tx.now().into()])
        .map(|_| ())
}

/// What is still to be sent of a subscription.
pub(crate) fn pending(tx: &Tx<'_>, id: &Id) -> Result<Pending, StoreError> {
    Ok(Pending {
        waiting: count(tx, id, false)?,
        held: count(tx, id, true)?,
    })
}

fn count(tx: &Tx<'_>, id: &Id, held: bool) -> Result<i64, StoreError> {
    let values = [id.into(), i64::from(held).into()];
    let count = tx.first(COUNT, &values, |row| row.get(0))?;
    Ok(count.unwrap_or(0))
}

/// The tenant of a run, if anybody there wants to hear of anything.
pub(crate) fn listeners_of(tx: &Tx<'_>, run: &Id) -> Result<Option<i64>, StoreError> {
    tx.first(WANTED_OF_RUN, &[run.into()], |row| row.get::<i64>(0))
}

/// Tells those who want to hear of an event. `data` is what an event of this kind says.
pub(crate) fn announce(
    tx: &Tx<'_>,
    tenant: i64,
    event: &str,
    data: impl FnOnce() -> serde_json::Value,
) -> Result<(), StoreError> {
    let all = tx.query(WANTED, &[tenant.into()], |row| {
        Ok((Id::of(row.get(0)?), row.get::<String>(1)?))
    })?;
    let wants = |events: &String| {
        let events: Vec<String> = serde_json::from_str(events).unwrap_or_default();
        events.iter().any(|name| name == event)
    };
    let wanted: Vec<Id> = all
        .into_iter()
        .filter_map(|(id, events)| wants(&events).then_some(id))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let data = data();
    for subscription in &wanted {
        if count(tx, subscription, false)? >= MAX_WAITING {
            tracing::warn!(
                "the subscription {subscription} has {MAX_WAITING} deliveries that wait: no more is told"
            );
            continue;
        }
        let id = Id::new();
        let body = json!({ "id": id, "event": event, "at": time::text(tx.now()), "data": data });
        let body = body.to_string();
        let values: [Value<'_>; 5] = [
            (&id).into(),
            subscription.into(),
            event.into(),
            (&body).into(),
            tx.now().into(),
        ];
        tx.execute(ADD, &values)?;
    }
    Ok(())
}

/// Deliveries that are due, of tenants that are not disabled: at most `each` of a subscription.
pub(crate) fn due(tx: &Tx<'_>, now: i64, each: i64, limit: i64) -> Result<Vec<DueRow>, StoreError> {
    tx.query(DUE, &[now.into(), each.into(), limit.into()], |row| {
        Ok(DueRow {
            id: Id::of(row.get(0)?),
            subscription: Id::of(row.get(1)?),
            tenant: row.get(2)?,
            url: row.get(3)?,
        })
    })
}

/// A delivery that is still to be made; none if it was made or given up, or is held.
pub(crate) fn delivery(tx: &Tx<'_>, id: &Id) -> Result<Option<DeliveryRow>, StoreError> {
    tx.first(DELIVERY, &[id.into()], |row| {
        Ok(DeliveryRow {
            id: Id::of(row.get(0)?),
            event: row.get(1)?,
            body: row.get(2)?,
            tries: row.get(3)?,
        })
    })
}

/// When the next delivery behind a time is due.
pub(crate) fn next(tx: &Tx<'_>, now: i64) -> Result<Option<i64>, StoreError> {
    let next = tx.first(NEXT, &[now.into()], |row| row.get::<Option<i64>>(0))?;
    Ok(next.flatten())
}

/// Tries a delivery again at a time.
pub(crate) fn later(tx: &Tx<'_>, id: &Id, tries: i64, next: i64) -> Result<(), StoreError> {
    tx.execute(LATER, &[id.into(), tries.into(), next.into()])
        .map(|_| ())
}

/// A delivery was made.
pub(crate) fn made(tx: &Tx<'_>, id: &Id) -> Result<(), StoreError> {
    tx.execute(DROP_ONE, &[id.into()]).map(|_| ())
}

fn row(row: &Row<'_, '_>) -> Result<SubscriptionRow, StoreError> {
    Ok(SubscriptionRow {
        id: Id::of(row.get(0)?),
        name: row.get(1)?,
        url: row.get(2)?,
        events: row.get(3)?,
        secret: row.get(4)?,
        by: row.get(5)?,
        created: row.get(6)?,
        stopped: row.get(7)?,
        last: row.get(8)?,
        last_at: row.get(9)?,
    })
}
