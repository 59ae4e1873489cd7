//! The loop that makes deliveries: it sleeps until one is due.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use kael_net::Trust;
use kael_store::StoreError;
use serde_json::json;

use super::{address, pause, send};
use crate::app::App;
use crate::tables::audit;
use crate::tables::subscriptions::{self, DeliveryRow};
use crate::time;

/// Deliveries that are made at once, and those of one subscription among them.
const BATCH: i64 = 32;
const EACH: i64 = 4;
/// The longest sleep, and the shortest one between two looks: runs may end by the thousand.
const SLEEP: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);

/// Makes deliveries until the server ends.
pub(crate) async fn run(app: Arc<App>) {
    let trust = Trust::new(&app.environment);
    loop {
        // Registered before anything is looked at, so that nothing is missed.
        let ended = app.runner.ended.notified();
        let mut ended = std::pin::pin!(ended);
        ended.as_mut().enable();
        match round(&app, &trust).await {
            Ok(Some(next)) => {
                let until = u64::try_from(next - time::now()).unwrap_or(0);
                let until = Duration::from_micros(until).min(SLEEP);
                tokio::select! {
                    () = ended => {}
                    () = tokio::time::sleep(until) => {}
                }
                tokio::time::sleep(PAUSE).await;
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!("webhooks are not delivered: {error}");
                tokio::time::sleep(SLEEP).await;
            }
        }
    }
}

/// Makes what is due. When the next is due; none if there is more at once.
async fn round(app: &Arc<App>, trust: &Trust) -> Result<Option<i64>, StoreError> {
    let now = time::now();
    let found = app.store.read(move |tx| {
        let due = subscriptions::due(tx, now, EACH, BATCH)?;
        Ok((due, subscriptions::next(tx)?))
    });
    let (due, next) = found.await?;
    if due.is_empty() {
        return Ok(Some(next.unwrap_or(i64::MAX)));
    }
    let tries = due.iter().map(|delivery| try_once(app, trust, delivery));
    join_all(tries)
        .await
        .into_iter()
        .collect::<Result<(), _>>()?;
    Ok(None)
}

/// Tries one delivery, and writes down what became of it.
async fn try_once(app: &Arc<App>, trust: &Trust, delivery: &DeliveryRow) -> Result<(), StoreError> {
    let id = delivery.subscription;
    let found = app
        .store
        .read(move |tx| subscriptions::any(tx, &id))
        .await?;
    let Some(subscription) = found else {
        let id = delivery.id;
        return app
            .store
            .write(move |tx| subscriptions::made(tx, &id))
            .await;
    };
    let sent = match address::read(&subscription.url, &app.config.deliver_to) {
        Ok(place) => send::send(trust, &place, &subscription, delivery).await,
        Err(why) => Err(why),
    };
    let (row, name) = (delivery.clone(), subscription.name.clone());
    let outcome = if sent.is_ok() { "delivered" } else { "failed" };
    app.metrics.sent(outcome);
    let written = app.store.write(move |tx| {
        let tries = row.tries + 1;
        let Err(why) = sent else {
            subscriptions::tried(tx, &id, "delivered")?;
            return subscriptions::made(tx, &row.id);
        };
        subscriptions::tried(tx, &id, &why)?;
        match pause(tries) {
            Some(pause) => {
                tracing::warn!(
                    "the subscription `{name}`: try {tries} of {} failed: {why}",
                    row.id
                );
                subscriptions::later(tx, &row.id, tries, tx.now() + time::micros(pause))
            }
            None => {
                let why = format!("a delivery failed {tries} times: {why}");
                tracing::error!("the subscription `{name}` is stopped: {why}");
                let tenant = subscriptions::tenant_of(tx, &id)?;
                let detail = json!({ "name": name, "why": why });
                audit::add(
                    tx,
                    tenant,
                    "kael",
                    "subscription.stop",
                    &id.to_string(),
                    &detail,
                )?;
                subscriptions::stop(tx, &id, Some(&why))
            }
        }
    });
    written.await
}
