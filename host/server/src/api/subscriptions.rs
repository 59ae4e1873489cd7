//! Subscriptions: webhooks that go out when something has happened.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use kael_store::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::extract::{self, Body, Names};
use super::nothing;
use super::removal::Removal;
use crate::app::App;
use crate::auth::Scope;
use crate::deliveries::{EVENTS, address};
use crate::id::Id;
use crate::problem::{Kind, Problem};
use crate::role::Role;
use crate::tables::audit;
use crate::tables::subscriptions::{self, Pending, SubscriptionRow};
use crate::triggers::check_name;
use crate::{secret, time};

/// Subscriptions of a tenant.
const MAX_SUBSCRIPTIONS: usize = 100;
/// What the secret of a subscription begins with.
const SECRET: &str = "kael_sign_";

/// A subscription to make.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSubscription {
    /// What it is for.
    pub(crate) name: String,
    /// Where to send.
    #[schema(example = "https://example.org/hook")]
    pub(crate) url: String,
    /// What to send: `run.finished`, `run.parked`, `run.waiting`, `schedule.missed`.
    pub(crate) events: Vec<String>,
}

/// A subscription, without its secret.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Subscription {
    /// Its id.
    pub(crate) id: String,
    /// What it is for.
    pub(crate) name: String,
    /// Where it sends.
    pub(crate) url: String,
    /// What it sends.
    pub(crate) events: Vec<String>,
    /// Who made it: the name of the token.
    pub(crate) by: String,
    /// When.
    pub(crate) created: String,
    /// Why it sends nothing any more.
    pub(crate) stopped: Option<String>,
    /// What became of the last try: `delivered`, or why not.
    pub(crate) last: Option<String>,
    /// When that was.
    pub(crate) last_at: Option<String>,
    /// Deliveries that are still to be made.
    pub(crate) waiting: i64,
    /// Deliveries of a backup from which the server was restored: they may have arrived, and are made when the subscription is
    /// resumed.
    pub(crate) held: i64,
}

/// A subscription that was made.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct MadeSubscription {
    /// The key of its signatures. It is not shown again.
    pub(crate) secret: String,
    /// The subscription.
    #[serde(flatten)]
    pub(crate) subscription: Subscription,
}

/// The subscriptions of a tenant.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Subscriptions {
    /// By name.
    pub(crate) subscriptions: Vec<Subscription>,
}

impl Subscription {
    fn of(row: &SubscriptionRow, pending: Pending) -> Self {
        Self {
            id: row.id.to_string(),
            name: row.name.clone(),
            url: row.url.clone(),
            events: serde_json::from_str(&row.events).unwrap_or_default(),
            by: row.by.clone(),
            created: time::text(row.created),
            stopped: row.stopped.clone(),
            last: row.last.clone(),
            last_at: row.last_at.map(time::text),
            waiting: pending.waiting,
            held: pending.held,
        }
    }
}

/// List the subscriptions.
#[utoipa::path(
    get, path = "/v1/subscriptions", tag = "subscriptions", operation_id = "list_subscriptions",
    responses((status = 200, body = Subscriptions)),
    extensions(("x-kael-role" = json!("manager")))
)]
pub(crate) async fn list(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
) -> Result<Json<Subscriptions>, Problem> {
    scope.needs(Role::Manager)?;
    Ok(Json(Subscriptions {
        subscriptions: all(&app, &scope).await?,
    }))
}

/// The subscriptions of the tenant.
pub(crate) async fn all(app: &App, scope: &Scope) -> Result<Vec<Subscription>, Problem> {
    let scoped = scope.scoped();
    let found = app.store.read(move |tx| {
        let rows = subscriptions::list(tx, scoped)?.into_iter();
        let shown = rows.map(|row| {
            let pending = subscriptions::pending(tx, &row.id)?;
            Ok(Subscription::of(&row, pending))
        });
        shown.collect::<Result<Vec<_>, StoreError>>()
    });
    Ok(found.await?)
}

/// Subscribe to events: each is sent to an address, signed, at least once.
///
/// Only names of the internet are taken, and what the operator names in `deliver_to`.
#[utoipa::path(
    post, path = "/v1/subscriptions", tag = "subscriptions", operation_id = "create_subscription", request_body = NewSubscription,
    responses(
        (status = 201, body = MadeSubscription),
        (status = 409, description = "There is a subscription of that name", body = Problem),
        (status = 422, description = "The address or an event is not allowed", body = Problem)
    ),
    extensions(("x-kael-role" = json!("manager")))
)]
pub(crate) async fn create(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Body(new): Body<NewSubscription>,
) -> Result<Response, Problem> {
    let made = make(&app, &scope, new).await?;
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

/// Makes a subscription.
pub(crate) async fn make(
    app: &App,
    scope: &Scope,
    new: NewSubscription,
) -> Result<MadeSubscription, Problem> {
    scope.needs(Role::Manager)?;
    let invalid = |detail: String| Problem::new(Kind::Invalid, detail);
    check_name("subscription", &new.name)?;
    address::read(&new.url, &app.config.deliver_to).map_err(invalid)?;
    let unknown = new
        .events
        .iter()
        .find(|event| !EVENTS.contains(&event.as_str()));
    if new.events.is_empty() || new.events.len() > EVENTS.len() || unknown.is_some() {
        return Err(invalid(format!(
            "`events` must be some of {}",
            EVENTS.join(", ")
        )));
    }
    let secret = secret::new(SECRET)?;
    let row = SubscriptionRow {
        id: Id::new(),
        name: new.name,
        url: new.url,
        events: json!(new.events).to_string(),
        secret: secret.clone(),
        by: scope.caller.name.clone(),
        created: time::now(),
        stopped: None,
        last: None,
        last_at: None,
    };
    let subscription = Subscription::of(&row, Pending::default());
    let scoped = scope.scoped();
    let written = app.store.write(move |tx| {
        if subscriptions::list(tx, scoped)?.len() >= MAX_SUBSCRIPTIONS {
            return Ok(Err(Problem::too_many("subscriptions", MAX_SUBSCRIPTIONS)));
        }
        if !subscriptions::insert(tx, scoped, &row)? {
            return Ok(Err(Problem::taken("subscription", &row.name)));
        }
        let detail = json!({ "name": row.name, "url": row.url });
        audit::add(
            tx,
            Some(scoped.0),
            &row.by,
            "subscription.create",
            &row.id.to_string(),
            &detail,
        )?;
        Ok(Ok(()))
    });
    written.await??;
    Ok(MadeSubscription {
        secret,
        subscription,
    })
}

/// Send again what a subscription wants, after it was stopped or the server was restored from a backup.
///
/// What is held is sent, too, each delivery with its id: a receiver that has taken it before knows it by that.
#[utoipa::path(
    post, path = "/v1/subscriptions/{id}/resume", tag = "subscriptions", operation_id = "resume_subscription",
    params(("id" = String, Path, description = "The id of the subscription")),
    responses((status = 200, body = Subscription), (status = 404, body = Problem)),
    extensions(("x-kael-role" = json!("manager")))
)]
pub(crate) async fn resume(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(id): Names<String>,
) -> Result<Json<Subscription>, Problem> {
    Ok(Json(send_again(&app, &scope, &id).await?))
}

/// Lets a subscription send again.
pub(crate) async fn send_again(
    app: &App,
    scope: &Scope,
    id: &str,
) -> Result<Subscription, Problem> {
    scope.needs(Role::Manager)?;
    let id = extract::id("subscription", id)?;
    let (scoped, by) = (scope.scoped(), scope.caller.name.clone());
    let written = app.store.write(move |tx| {
        if subscriptions::get(tx, scoped, &id)?.is_none() {
            return Ok(None);
        }
        subscriptions::resume(tx, &id)?;
        audit::add(
            tx,
            Some(scoped.0),
            &by,
            "subscription.resume",
            &id.to_string(),
            &json!({}),
        )?;
        let row = subscriptions::get(tx, scoped, &id)?;
        row.map(|row| Ok(Subscription::of(&row, subscriptions::pending(tx, &id)?)))
            .transpose()
    });
    let resumed = written
        .await?
        .ok_or_else(|| Problem::not_found("subscription", id))?;
    app.deliveries.wake();
    Ok(resumed)
}

/// Delete a subscription, with what it has not sent yet. Behind the answer nothing of it is sent.
#[utoipa::path(
    delete, path = "/v1/subscriptions/{id}", tag = "subscriptions", operation_id = "delete_subscription",
    params(("id" = String, Path, description = "The id of the subscription")),
    responses((status = 204), (status = 404, body = Problem)),
    extensions(("x-kael-role" = json!("manager")))
)]
pub(crate) async fn delete(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(id): Names<String>,
) -> Result<Response, Problem> {
    remove(&app, &scope, &id).await?;
    Ok(nothing())
}

/// Deletes a subscription, and waits until nothing of it is being sent.
pub(crate) async fn remove(app: &App, scope: &Scope, id: &str) -> Result<(), Problem> {
    let removal = Removal {
        noun: "subscription",
        event: "subscription.delete",
        delete: subscriptions::delete,
    };
    removal.run(app, scope, id).await?;
    app.deliveries
        .ended(&extract::id("subscription", id)?)
        .await;
    Ok(())
}
