//! What a script finds beside its actions, for editors that complete names.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use kael_authoring::context::globals;
use serde::Serialize;
use utoipa::ToSchema;

use super::submit::repo_broken;
use crate::app::App;
use crate::auth::Scope;
use crate::problem::Problem;

/// The globals of a script.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Globals {
    /// By name.
    pub(crate) globals: Vec<GlobalName>,
}

/// A global, or a field of one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GlobalName {
    /// As a script writes it, such as `json.encode`.
    pub(crate) name: String,
    /// With its parameters, such as `json.encode(value)`; none for those of Lua's own library.
    pub(crate) signature: Option<String>,
    /// What it is, in a sentence or more.
    pub(crate) summary: Option<String>,
}

/// List the globals that scripts find.
#[utoipa::path(
    get, path = "/v1/globals", tag = "actions", operation_id = "list_globals",
    responses((status = 200, body = Globals)),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn list(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
) -> Result<Json<Globals>, Problem> {
    let checker = scope.tenant.checker(&app.engine).await;
    let checker = checker.map_err(|error| repo_broken(&error))?;
    let told: HashMap<String, _> = globals()
        .into_iter()
        .map(|global| {
            let name = global.signature.split('(').next().unwrap_or_default();
            (name.to_owned(), global)
        })
        .collect();
    let names = checker.globals().iter().flat_map(|(name, fields)| {
        let fields = fields.iter().map(move |field| format!("{name}.{field}"));
        std::iter::once(name.clone()).chain(fields)
    });
    let names = names.map(|name| {
        let told = told.get(&name);
        GlobalName {
            signature: told.map(|global| global.signature.clone()),
            summary: told.map(|global| global.description.clone()),
            name,
        }
    });
    Ok(Json(Globals {
        globals: names.collect(),
    }))
}
