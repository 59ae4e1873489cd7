//! The actions repos of tenants: which commit is used, and looking for another.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State as AppState};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use super::extract::{self, Names};
use super::submit::repo_broken;
use crate::app::App;
use crate::auth::Caller;
use crate::problem::{Kind, Problem};
use crate::refreshes;
use crate::role::Role;
use crate::tenant::Tenant;
use crate::triggers::signature::Sent;
use crate::{secret, sender, time};

/// Bodies of pushes to no repo that takes them, which are read at the same time.
static NOBODYS: Semaphore = Semaphore::const_new(32);

/// An actions repo.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RepoState {
    /// The tenant.
    pub tenant: String,
    /// Its address; none for a folder of the server's machine.
    pub url: Option<String>,
    /// The branch, tag or commit that is asked for.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// The commit that new runs use.
    pub commit: Option<String>,
    /// Since when.
    pub since: Option<String>,
    /// When it was last looked for another.
    pub looked: Option<String>,
    /// Why the last look has brought nothing: the commit before is used.
    pub error: Option<String>,
}

impl RepoState {
    fn of(tenant: &Tenant) -> Self {
        let (git, status) = (tenant.settings.git.as_ref(), tenant.status());
        Self {
            tenant: tenant.name.clone(),
            url: git.map(|git| git.url.clone()),
            reference: git.and_then(|git| git.reference.clone()),
            commit: status.commit,
            since: status.since.map(time::text),
            looked: status.looked.map(time::text),
            error: status.error,
        }
    }
}

/// Say which commit of its actions repo a tenant uses.
#[utoipa::path(
    get, path = "/v1/repos/{name}", tag = "actions", operation_id = "get_repo",
    params(("name" = String, Path, description = "The name of the tenant")),
    responses((status = 200, body = RepoState), (status = 404, body = Problem)),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn get(
    AppState(app): AppState<Arc<App>>,
    caller: Caller,
    Names(name): Names<String>,
) -> Result<Json<RepoState>, Problem> {
    let scope = sender::scope(&app, caller, Some(&name))?;
    Ok(Json(RepoState::of(&scope.tenant)))
}

/// Look for another commit, and use it if it loads.
///
/// Runs that have begun go on with what they began with.
#[utoipa::path(
    post, path = "/v1/repos/{name}/refresh", tag = "actions", operation_id = "refresh_repo",
    params(("name" = String, Path, description = "The name of the tenant")),
    responses((status = 200, body = RepoState), (status = 404, body = Problem), (status = 503, body = Problem)),
    extensions(("x-kael-role" = json!("manager")))
)]
pub(crate) async fn refresh(
    AppState(app): AppState<Arc<App>>,
    caller: Caller,
    Names(name): Names<String>,
) -> Result<Json<RepoState>, Problem> {
    caller.needs(Role::Manager)?;
    let who = caller.name.clone();
    let scope = sender::scope(&app, caller, Some(&name))?;
    let done = refreshes::refresh(&app, &scope.tenant, Some(who)).await;
    done.map_err(|error| repo_broken(&error))?;
    Ok(Json(RepoState::of(&scope.tenant)))
}

/// Say that somebody has pushed.
///
/// GitHub signs the body (`X-Hub-Signature-256`), GitLab sends the secret itself (`X-Gitlab-Token`): that which `git.secret` of
/// the tenant names. What was pushed is not read: the repo is looked at as for a refresh.
#[utoipa::path(
    post, path = "/v1/repos/{name}/push", tag = "actions", operation_id = "push_repo",
    request_body(content = String, description = "At most 1 MiB"),
    params(("name" = String, Path, description = "The name of the tenant")),
    responses(
        (status = 202, description = "The repo is looked at"),
        (status = 401, description = "The signature is not right, or there is no such repo", body = Problem),
        (status = 413, body = Problem)
    ),
    security(())
)]
pub(crate) async fn push(
    AppState(app): AppState<Arc<App>>,
    Names(name): Names<String>,
    request: Request,
) -> Result<StatusCode, Problem> {
    // Who cannot sign does not learn which tenants there are.
    let refused = || {
        let detail = "the signature is not right, or no repo of that name takes pushes";
        Problem::new(Kind::Unauthenticated, detail)
            .hint("`git.secret` of the tenant names the secret")
    };
    let found = app.tenants.named(&name);
    let found = found.filter(|tenant| !tenant.is_disabled());
    let found = found.and_then(|tenant| {
        let named = tenant.settings.git.as_ref()?.secret.clone()?;
        Some((tenant, named))
    });
    let (parts, body) = request.into_parts();
    let own = found.as_ref();
    let own = own.map_or(&NOBODYS, |(tenant, _)| &tenant.reading);
    let body = extract::unsigned(own, body).await?;
    let (tenant, named) = found.ok_or_else(refused)?;
    let store = tenant.secret_store();
    let value = tokio::task::spawn_blocking(move || store.get(&named)).await;
    let value = value
        .ok()
        .and_then(Result::ok)
        .flatten()
        .ok_or_else(refused)?;
    let sent = Sent {
        kael: None,
        github: extract::header(&parts.headers, "x-hub-signature-256"),
        delivery: "",
        body: &body,
    };
    let token = extract::header(&parts.headers, "x-gitlab-token");
    let is_known = sent.is_of(value.expose(), time::now())
        || token.is_some_and(|token| secret::same(token, value.expose()));
    if !is_known {
        return Err(refused());
    }
    if tenant.awaits_refresh() {
        tokio::spawn(async move {
            let who = Some("a push".to_owned());
            refreshes::refresh(&app, &tenant, who).await
        });
    }
    Ok(StatusCode::ACCEPTED)
}
