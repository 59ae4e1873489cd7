//! Webhooks that come in: made, listed, deleted. The secret of one is shown once.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::extract::{Body, Names};
use super::nothing;
use super::removal::Removal;
use crate::app::App;
use crate::auth::Scope;
use crate::id::Id;
use crate::problem::Problem;
use crate::role::Role;
use crate::tables::audit;
use crate::tables::hooks::{self, HookRow};
use crate::triggers::check_name;
use crate::triggers::stored::{self, Reference};
use crate::{secret, time};

/// Webhooks of a tenant.
const MAX_HOOKS: usize = 10_000;
/// What the secret of a webhook begins with.
const SECRET: &str = "kael_hook_";

/// A webhook to make.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHook {
    /// What it is for.
    pub name: String,
    /// The stored script: `NAME`, whose newest version runs, or `NAME@VERSION`.
    pub script: String,
}

/// A webhook, without its secret.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Hook {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// The stored script that it runs.
    pub script: String,
    /// Where to send.
    pub url: String,
    /// Who made it: the name of the token.
    pub by: String,
    /// When.
    pub created: String,
    /// When it was used last.
    pub last_used: Option<String>,
}

/// A webhook that was made.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct MadeHook {
    /// The key of signatures. It is not shown again.
    pub secret: String,
    /// The webhook.
    #[serde(flatten)]
    pub hook: Hook,
}

/// The webhooks of a tenant.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Hooks {
    /// By name.
    pub hooks: Vec<Hook>,
}

impl Hook {
    fn of(row: &HookRow, address: &str) -> Self {
        Self {
            id: row.id.to_string(),
            name: row.name.clone(),
            script: row.script.clone(),
            url: format!("{address}/v1/hooks/in/{}", row.id),
            by: row.submitter.clone(),
            created: time::text(row.created),
            last_used: row.last_used.map(time::text),
        }
    }
}

/// List the webhooks that come in.
#[utoipa::path(
    get, path = "/v1/hooks", tag = "hooks", operation_id = "list_hooks",
    responses((status = 200, body = Hooks)),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn list(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
) -> Result<Json<Hooks>, Problem> {
    scope.needs(Role::Viewer)?;
    Ok(Json(Hooks {
        hooks: all(&app, &scope).await?,
    }))
}

/// The webhooks of the tenant.
pub(crate) async fn all(app: &App, scope: &Scope) -> Result<Vec<Hook>, Problem> {
    let scoped = scope.scoped();
    let rows = app.store.read(move |tx| hooks::list(tx, scoped)).await?;
    Ok(rows
        .iter()
        .map(|row| Hook::of(row, app.address()))
        .collect())
}

/// Make a webhook over a stored script.
///
/// Its runs are submitted in the name of the token that makes it, and go on when that token is taken away.
#[utoipa::path(
    post, path = "/v1/hooks", tag = "hooks", operation_id = "create_hook", request_body = NewHook,
    responses(
        (status = 201, body = MadeHook),
        (status = 404, description = "There is no stored script of that name", body = Problem),
        (status = 409, description = "There is a webhook of that name", body = Problem),
        (status = 422, body = Problem)
    ),
    extensions(("x-kael-role" = json!("manager")))
)]
pub(crate) async fn create(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Body(new): Body<NewHook>,
) -> Result<Response, Problem> {
    let made = make(&app, &scope, new).await?;
    Ok((StatusCode::CREATED, Json(made)).into_response())
}

/// Makes a webhook.
pub(crate) async fn make(app: &App, scope: &Scope, new: NewHook) -> Result<MadeHook, Problem> {
    scope.needs(Role::Manager)?;
    check_name("webhook", &new.name)?;
    let script = Reference::parse(&new.script).ok_or_else(|| stored::missing(&new.script))?;
    let secret = secret::new(SECRET)?;
    let row = HookRow {
        id: Id::new(),
        tenant: scope.tenant.id,
        name: new.name,
        script: new.script,
        secret: secret.clone(),
        token: scope.caller.token,
        submitter: scope.caller.name.clone(),
        created: time::now(),
        last_used: None,
    };
    let hook = Hook::of(&row, app.address());
    let scoped = scope.scoped();
    let written = app.store.write(move |tx| {
        if script.find(tx, scoped)?.is_none() {
            return Ok(Err(stored::missing(&row.script)));
        }
        if hooks::list(tx, scoped)?.len() >= MAX_HOOKS {
            return Ok(Err(Problem::too_many("webhooks", MAX_HOOKS)));
        }
        if !hooks::insert(tx, &row)? {
            return Ok(Err(Problem::taken("webhook", &row.name)));
        }
        let detail = json!({ "name": row.name, "script": row.script });
        audit::add(
            tx,
            Some(scoped.0),
            &row.submitter,
            "hook.create",
            &row.id.to_string(),
            &detail,
        )?;
        Ok(Ok(()))
    });
    written.await??;
    Ok(MadeHook { secret, hook })
}

/// Delete a webhook. What is sent to it from now on is refused.
#[utoipa::path(
    delete, path = "/v1/hooks/{id}", tag = "hooks", operation_id = "delete_hook",
    params(("id" = String, Path, description = "The id of the webhook")),
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

/// Deletes a webhook.
pub(crate) async fn remove(app: &App, scope: &Scope, id: &str) -> Result<(), Problem> {
    let removal = Removal {
        noun: "webhook",
        event: "hook.delete",
        delete: hooks::delete,
    };
    removal.run(app, scope, id).await
}
