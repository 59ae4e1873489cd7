//! The loop that makes deliveries: it sleeps until one is due.

use std::sync::Arc;
use std::time::Duration;

use kael_net::Trust;
use kael_store::StoreError;
use serde_json::json;
use tokio::task::JoinSet;

use super::flights::{Flight, OF_RECEIVER};
use super::{address, pause, send};
use crate::app::App;
use crate::tables::subscriptions::{self, DueRow};
use crate::tables::{audit, tenants};
use crate::time;

/// Deliveries of one look, and those of one subscription among them.
const LOOKED_AT: i64 = 2000;
const EACH: i64 = OF_RECEIVER as i64;
/// The longest sleep, and the shortest one between two looks when runs end: they may by the thousand.
const SLEEP: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// Makes deliveries until the server ends.
pub(crate) async fn run(app: Arc<App>) {
    let trust = Arc::new(Trust::new(&app.environment));
    // Dropped with this, and all tries with it.
    let mut tries = JoinSet::new();
    loop {
        // Registered before anything is looked at, so that nothing is missed.
        let ended = app.runner.ended.notified();
        let mut ended = std::pin::pin!(ended);
        ended.as_mut().enable();
        let until = match round(&app, &trust, &mut tries).await {
            Ok(next) => {
                let until = next.map_or(i64::MAX, |next| next - time::now());
                Duration::from_micros(u64::try_from(until).unwrap_or(0)).min(SLEEP)
            }
            Err(error) => {
                tracing::error!("webhooks are not delivered: {error}");
                SLEEP
            }
        };
        tokio::select! {
            () = ended => tokio::time::sleep(PAUSE).await,
            () = app.deliveries.changed.notified() => {}
            // A place is free.
            Some(_) = tries.join_next(), if !tries.is_empty() => {}
            () = tokio::time::sleep(until) => {}
        }
        while tries.try_join_next().is_some() {}
    }
}

/// Begins what is due, as far as there are places. When the next is due that is not yet.
async fn round(
    app: &Arc<App>,
    trust: &Arc<Trust>,
    tries: &mut JoinSet<()>,
) -> Result<Option<i64>, StoreError> {
    let now = time::now();
    let found = app.store.read(move |tx| {
        let due = subscriptions::due(tx, now, EACH, LOOKED_AT)?;
        Ok((due, subscriptions::next(tx, now)?))
    });
    let (due, next) = found.await?;
    for (row, flight) in app.deliveries.take(due) {
        let (app, trust) = (app.clone(), trust.clone());
        tries.spawn(async move {
            if let Err(error) = try_once(&app, &trust, &row, &flight).await {
                tracing::error!("a webhook is not delivered: {error}");
                // It is due still: its place is taken meanwhile.
                tokio::select! {
                    () = flight.must_end() => {}
                    () = tokio::time::sleep(SLEEP) => {}
                }
            }
        });
    }
    Ok(next)
}

/// Tries one delivery, and writes down what became of it. One that must end leaves nothing behind: it was stopped with its
/// subscription, or is tried again.
async fn try_once(
    app: &Arc<App>,
    trust: &Trust,
    due: &DueRow,
    flight: &Flight,
) -> Result<(), StoreError> {
    let (id, of, tenant) = (due.id, due.subscription, due.tenant);
    // Behind the taking of the place: what is stopped from now on ends this try.
    let found = app.store.read(move |tx| {
        if !tenants::is_enabled(tx, tenant)? {
            return Ok(None);
        }
        let subscription = subscriptions::any(tx, &of)?.filter(|row| row.stopped.is_none());
        Ok(subscription.zip(subscriptions::delivery(tx, &id)?))
    });
    let Some((subscription, delivery)) = found.await? else {
        return Ok(());
    };
    let sent = match address::read(&subscription.url, &app.config.deliver_to) {
        Ok(place) => tokio::select! {
            biased;
            () = flight.must_end() => return Ok(()),
            sent = send::send(trust, &place, &subscription, &delivery) => sent,
        },
        Err(why) => Err(why),
    };
    let outcome = if sent.is_ok() { "delivered" } else { "failed" };
    app.metrics.sent(outcome);
    let name = subscription.name.clone();
    let written = app.store.write(move |tx| {
        // The subscription may have been stopped or deleted meanwhile, with what it had to send.
        let Some(row) = subscriptions::delivery(tx, &id)? else {
            return Ok(false);
        };
        let tries = row.tries + 1;
        let Err(why) = sent else {
            subscriptions::tried(tx, &of, "delivered")?;
            subscriptions::made(tx, &id)?;
            return Ok(false);
        };
        subscriptions::tried(tx, &of, &why)?;
        if let Some(pause) = pause(tries) {
            tracing::warn!("the subscription `{name}`: try {tries} of {id} failed: {why}");
            subscriptions::later(tx, &id, tries, tx.now() + time::micros(pause))?;
            return Ok(false);
        }
        let why = format!("a delivery failed {tries} times: {why}");
        tracing::error!("the subscription `{name}` is stopped: {why}");
        let tenant = subscriptions::tenant_of(tx, &of)?;
        let detail = json!({ "name": name, "why": why });
        audit::add(
            tx,
            tenant,
            "kael",
            "subscription.stop",
            &of.to_string(),
            &detail,
        )?;
        subscriptions::stop(tx, &of, &why)?;
        Ok(true)
    });
    if written.await? {
        app.deliveries.end_subscription(&of);
    }
    Ok(())
}
