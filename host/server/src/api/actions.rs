//! What scripts of the tenant can call.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use kael_engine::catalog::Definition;
use kael_engine::names::ActionName;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::extract::Names;
use super::submit::repo_broken;
use crate::app::App;
use crate::auth::Scope;
use crate::problem::Problem;
use crate::refreshes;
use crate::role::Role;

/// The actions of a tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Actions {
    /// By name.
    pub(crate) actions: Vec<Action>,
}

/// An action.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Action {
    /// The name by which scripts call it.
    pub(crate) name: String,
    /// What it does, in one line.
    pub(crate) summary: Option<String>,
    /// `none`, `idempotent` or `once`.
    pub(crate) effects: String,
    /// The JSON Schema of its parameters.
    pub(crate) params: Option<Value>,
    /// The JSON Schema of its result.
    pub(crate) returns: Option<Value>,
}

impl Action {
    fn of(name: &ActionName, definition: &Definition) -> Self {
        Self {
            name: name.to_string(),
            summary: definition.contract.description.clone(),
            effects: definition.effects.kind.name().to_owned(),
            params: definition
                .contract
                .params
                .as_ref()
                .map(|schema| schema.document().clone()),
            returns: definition
                .contract
                .returns
                .as_ref()
                .map(|schema| schema.document().clone()),
        }
    }
}

/// List the actions that scripts can call.
#[utoipa::path(
    get, path = "/v1/actions", tag = "actions", operation_id = "list_actions",
    responses((status = 200, body = Actions)),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn list(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
) -> Result<Json<Actions>, Problem> {
    let repo = scope
        .tenant
        .repo(&app.engine)
        .await
        .map_err(|error| repo_broken(&error))?;
    let catalog = repo.as_ref().map(|repo| repo.catalog.iter());
    let actions = catalog.into_iter().flatten();
    let actions = actions
        .map(|(name, definition)| Action::of(name, definition))
        .collect();
    Ok(Json(Actions { actions }))
}

/// Look at an action.
#[utoipa::path(
    get, path = "/v1/actions/{name}", tag = "actions", operation_id = "get_action",
    params(("name" = String, Path, description = "The name of the action")),
    responses((status = 200, body = Action), (status = 404, body = Problem)),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn get(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(name): Names<String>,
) -> Result<Json<Action>, Problem> {
    let repo = scope
        .tenant
        .repo(&app.engine)
        .await
        .map_err(|error| repo_broken(&error))?;
    let found = repo.as_ref().and_then(|repo| {
        let definition = repo.catalog.get(&name)?;
        let name = definition.names.first()?;
        Some(Action::of(name, definition))
    });
    found.map(Json).ok_or_else(|| match &repo {
        Some(repo) => Problem::new(
            crate::problem::Kind::NotFound,
            repo.catalog.unknown_action(&name),
        ),
        None => Problem::not_found("action", &name),
    })
}

/// Load the actions repo anew.
///
/// Runs that run go on with the actions that they began with. A repo that is wrong replaces none.
#[utoipa::path(
    post, path = "/v1/actions/refresh", tag = "actions", operation_id = "refresh_actions",
    responses((status = 200, body = Actions), (status = 503, body = Problem)),
    extensions(("x-kael-role" = json!("manager")))
)]
pub(crate) async fn refresh(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
) -> Result<Json<Actions>, Problem> {
    scope.needs(Role::Manager)?;
    let who = scope.caller.name.clone();
    let done = refreshes::refresh(&app, &scope.tenant, Some(who)).await;
    done.map_err(|error| repo_broken(&error))?;
    list(AppState(app), scope).await
}
