//! Finding mistakes in a script.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;

use super::extract::Body;
use super::submit::{MAX_SCRIPT, repo_broken, too_large};
use super::types::{CheckProblem, Checked, Submit};
use crate::app::App;
use crate::auth::Scope;
use crate::problem::{Kind, Problem};
use crate::tenant::Tenant;

/// Find mistakes in a script without running it.
#[utoipa::path(
    post, path = "/v1/runs/check", tag = "runs", operation_id = "check", request_body = Submit,
    responses((status = 200, description = "What was found", body = Checked)),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn check(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Body(body): Body<Submit>,
) -> Result<Json<Checked>, Problem> {
    let source = body.script.unwrap_or_default();
    if source.len() > MAX_SCRIPT {
        return Err(too_large(source.len()));
    }
    Ok(Json(checked(&app, &scope.tenant, &source).await?))
}

/// What is wrong with a script.
pub(crate) async fn checked(app: &App, tenant: &Tenant, source: &str) -> Result<Checked, Problem> {
    let checker = tenant
        .checker(&app.engine)
        .await
        .map_err(|error| repo_broken(&error))?;
    let found = checker.check("script", source).await.map_err(|error| {
        tracing::error!("a script was not checked: {error}");
        Problem::new(Kind::Unavailable, "the script cannot be checked now")
    })?;
    let problems = found.problems.into_iter().map(|problem| CheckProblem {
        line: problem.line,
        column: problem.column,
        message: problem.message,
        hint: problem.remedy,
    });
    Ok(Checked {
        problems: problems.collect(),
        note: found.unread.map(str::to_owned),
    })
}
