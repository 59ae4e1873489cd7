//! Secrets that a tenant keeps: they are set and removed; a value cannot be read back.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use axum::response::Response;
use kael_engine::secrets::{KEPT, SecretValue, check_name};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::approvals::blocking;
use super::extract::{Body, Names};
use super::nothing;
use crate::app::App;
use crate::auth::Scope;
use crate::problem::{Kind, Problem};
use crate::role::Role;
use crate::tables::audit;
use crate::time;

/// Secrets that a tenant may keep.
const MAX_SECRETS: usize = 1000;

/// A secret, without its value.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Secret {
    /// Its name, as definitions have it.
    pub name: String,
    /// When it was set.
    pub set: String,
}

/// The secrets of a tenant.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct SecretList {
    /// By name.
    pub secrets: Vec<Secret>,
}

/// The value of a secret.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    /// 8 bytes to 64 KiB of text.
    pub value: String,
}

/// List the names of the secrets that the tenant keeps.
#[utoipa::path(
    get, path = "/v1/secrets", tag = "secrets", operation_id = "list_secrets",
    responses((status = 200, body = SecretList)),
    extensions(("x-kael-role" = json!("manager")))
)]
pub(crate) async fn list(scope: Scope) -> Result<Json<SecretList>, Problem> {
    scope.needs(Role::Manager)?;
    let secrets = all(&scope).await?;
    Ok(Json(SecretList { secrets }))
}

/// The secrets that a tenant keeps.
pub(crate) async fn all(scope: &Scope) -> Result<Vec<Secret>, Problem> {
    let store = scope.tenant.secret_store();
    let listed = blocking(move || store.list()).await?.map_err(failed)?;
    let set = |seconds: u64| i64::try_from(seconds).unwrap_or(0) * time::SECOND;
    let secrets = listed.into_iter().map(|one| Secret {
        name: one.name,
        set: time::text(set(one.set)),
    });
    Ok(secrets.collect())
}

/// Keep a secret, or change its value. The value cannot be read back: only the actions that name it get it.
#[utoipa::path(
    put, path = "/v1/secrets/{name}", tag = "secrets", operation_id = "put_secret", request_body = NewSecret,
    params(("name" = String, Path, description = "The name; a slash in it is written %2F")),
    responses(
        (status = 204, description = "It is kept"),
        (status = 422, description = "The name or the value cannot be used", body = Problem)
    ),
    extensions(("x-kael-role" = json!("manager")))
)]
pub(crate) async fn put(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(name): Names<String>,
    Body(body): Body<NewSecret>,
) -> Result<Response, Problem> {
    scope.needs(Role::Manager)?;
    set(&app, &scope, name, body.value).await?;
    Ok(nothing())
}

/// Keeps a secret, and writes down who did.
pub(crate) async fn set(
    app: &App,
    scope: &Scope,
    name: String,
    value: String,
) -> Result<(), Problem> {
    named(&name)?;
    let value = SecretValue::new(value).map_err(|error| {
        let detail = format!("`value` cannot be used: {error}");
        Problem::new(Kind::Invalid, detail)
    })?;
    let (store, of) = (scope.tenant.secret_store(), name.clone());
    let kept = blocking(move || {
        let listed = store.list()?;
        let is_new = listed.iter().all(|one| one.name != of);
        if is_new && listed.len() >= MAX_SECRETS {
            return Ok(false);
        }
        store.set(&of, &value).map(|()| true)
    });
    if !kept.await?.map_err(failed)? {
        let limit = MAX_SECRETS as u64;
        let detail = format!("the tenant keeps {MAX_SECRETS} secrets, and may keep no more");
        return Err(Problem {
            limit: Some(limit),
            used: Some(limit),
            ..Problem::new(Kind::Invalid, detail)
        });
    }
    record(app, scope, "secret.set", name).await
}

/// Remove a secret.
#[utoipa::path(
    delete, path = "/v1/secrets/{name}", tag = "secrets", operation_id = "delete_secret",
    params(("name" = String, Path, description = "The name; a slash in it is written %2F")),
    responses((status = 204), (status = 404, body = Problem)),
    extensions(("x-kael-role" = json!("manager")))
)]
pub(crate) async fn delete(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(name): Names<String>,
) -> Result<Response, Problem> {
    scope.needs(Role::Manager)?;
    remove(&app, &scope, name).await?;
    Ok(nothing())
}

/// Removes a secret, and writes down who did.
pub(crate) async fn remove(app: &App, scope: &Scope, name: String) -> Result<(), Problem> {
    let (store, of) = (scope.tenant.secret_store(), name.clone());
    let removed = blocking(move || store.remove(&of)).await?.map_err(failed)?;
    if !removed {
        let shown: String = name.chars().take(100).collect();
        return Err(Problem::not_found("secret", shown));
    }
    record(app, scope, "secret.remove", name).await
}

fn named(name: &str) -> Result<(), Problem> {
    let checked = match name.starts_with(KEPT) {
        true => Err("is a name that Kael keeps for results of actions".to_owned()),
        false => check_name(name).map_err(|why| why.to_string()),
    };
    checked.map_err(|why| {
        let shown: String = name.chars().take(60).collect();
        Problem::new(Kind::Invalid, format!("`{shown}` {why}"))
    })
}

async fn record(app: &App, scope: &Scope, what: &'static str, name: String) -> Result<(), Problem> {
    let (who, tenant) = (scope.caller.name.clone(), scope.tenant.id);
    let written = app
        .store
        .write(move |tx| audit::add(tx, Some(tenant), &who, what, &name, &json!({})));
    Ok(written.await?)
}

fn failed(error: kael_secrets::Error) -> Problem {
    tracing::error!("the secrets of a tenant cannot be used: {error}");
    Problem::new(
        Kind::Unavailable,
        "the secrets of the tenant cannot be used",
    )
    .hint("the log of the server says why")
}
