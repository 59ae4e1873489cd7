//! Stored scripts: each version is kept, and a run may name one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::check::checked;
use super::conditions::{Expected, tagged};
use super::extract::{Body, Names, Params};
use super::nothing;
use super::submit::{MAX_SCRIPT, no_room, too_large};
use crate::app::App;
use crate::auth::Scope;
use crate::problem::{Kind, Problem};
use crate::role::Role;
use crate::tables::scripts::{self, VersionRow};
use crate::tables::{Scoped, audit, hooks, retention, schedules, sources};
use crate::time;
use crate::triggers::plan::Plan;
use crate::triggers::stored::{self, Reference};

/// Scripts of a tenant, and versions of one script.
const MAX_SCRIPTS: usize = 10_000;
const MAX_VERSIONS: i64 = 10_000;
/// Versions and problems that an answer lists.
const SHOWN: i64 = 100;
const SHOWN_PROBLEMS: usize = 20;

/// A script to store.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewScript {
    /// The text of the script.
    #[schema(example = "print('hello')")]
    pub script: String,
}

/// A version of a stored script.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ScriptVersion {
    /// The name of the script.
    pub name: String,
    /// From 1.
    pub version: i64,
    /// The SHA-256 of its text.
    pub digest: String,
    /// Who put it.
    pub by: String,
    /// When.
    pub at: String,
}

/// A stored script.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct StoredScript {
    /// The version that is shown.
    #[serde(flatten)]
    pub shown: ScriptVersion,
    /// Its text.
    pub script: String,
    /// The newest versions, the newest first.
    pub versions: Vec<ScriptVersion>,
}

/// The stored scripts of a tenant.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct StoredScripts {
    /// The newest version of each, by name.
    pub scripts: Vec<ScriptVersion>,
}

/// Which version.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct VersionParams {
    /// The newest one without.
    #[param(minimum = 1)]
    pub(crate) version: Option<u32>,
}

impl ScriptVersion {
    fn of(row: &VersionRow) -> Self {
        Self {
            name: row.name.clone(),
            version: row.version,
            digest: row
                .digest
                .as_ref()
                .map(|digest| kael_engine::text::hex(digest))
                .unwrap_or_default(),
            by: row.by.clone(),
            at: time::text(row.at),
        }
    }
}

/// List the stored scripts.
#[utoipa::path(
    get, path = "/v1/scripts", tag = "scripts", operation_id = "list_scripts",
    responses((status = 200, body = StoredScripts)),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn list(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
) -> Result<Json<StoredScripts>, Problem> {
    scope.needs(Role::Viewer)?;
    Ok(Json(StoredScripts {
        scripts: all(&app, &scope).await?,
    }))
}

/// The stored scripts of the tenant.
pub(crate) async fn all(app: &App, scope: &Scope) -> Result<Vec<ScriptVersion>, Problem> {
    let scoped = scope.scoped();
    let rows = app.store.read(move |tx| scripts::list(tx, scoped)).await?;
    Ok(rows.iter().map(ScriptVersion::of).collect())
}

/// Read a stored script: its text and its versions.
#[utoipa::path(
    get, path = "/v1/scripts/{name}", tag = "scripts", operation_id = "get_script",
    params(("name" = String, Path, description = "The name of the script"), VersionParams),
    responses((status = 200, description = "Its version is in `ETag`", body = StoredScript), (status = 404, body = Problem)),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn get(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(name): Names<String>,
    Params(params): Params<VersionParams>,
) -> Result<Response, Problem> {
    scope.needs(Role::Viewer)?;
    let script = one(&app, &scope, &name, params.version).await?;
    Ok(tagged(script.shown.version, Json(script).into_response()))
}

/// A stored script of the tenant.
pub(crate) async fn one(
    app: &App,
    scope: &Scope,
    name: &str,
    version: Option<u32>,
) -> Result<StoredScript, Problem> {
    let scoped = scope.scoped();
    let (wanted, version) = (name.to_owned(), version.map(i64::from));
    let found = app.store.read(move |tx| {
        let Some(row) = scripts::get(tx, scoped, &wanted, version)? else {
            return Ok(None);
        };
        let text = match &row.digest {
            Some(digest) => sources::get(tx, scoped, digest)?,
            None => None,
        };
        let versions = scripts::versions(tx, scoped, &wanted, SHOWN)?;
        Ok(Some((row, text.unwrap_or_default(), versions)))
    });
    let Some((row, text, versions)) = found.await? else {
        return Err(stored::missing(name));
    };
    Ok(StoredScript {
        shown: ScriptVersion::of(&row),
        script: String::from_utf8_lossy(&text).into_owned(),
        versions: versions.iter().map(ScriptVersion::of).collect(),
    })
}

/// Store a script, as a new version if there is one of the name.
///
/// The script is checked as `POST /v1/runs/check` does: one with a problem is not stored. The same text
/// again makes no new version.
#[utoipa::path(
    put, path = "/v1/scripts/{name}", tag = "scripts", operation_id = "put_script", request_body = NewScript,
    params(
        ("name" = String, Path, description = "The name of the script"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be followed"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only if there is none")
    ),
    responses(
        (status = 200, body = ScriptVersion),
        (status = 412, description = "The current version is another one", body = Problem),
        (status = 422, description = "The script has a problem", body = Problem),
        (status = 429, description = "The storage is full", body = Problem)
    ),
    extensions(("x-kael-role" = json!("manager")))
)]
pub(crate) async fn put(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(name): Names<String>,
    headers: HeaderMap,
    Body(body): Body<NewScript>,
) -> Result<Response, Problem> {
    scope.needs(Role::Manager)?;
    let version = store(&app, &scope, &name, Expected::of(&headers), body.script).await?;
    Ok(tagged(version.version, Json(version).into_response()))
}

/// Stores a script.
pub(crate) async fn store(
    app: &App,
    scope: &Scope,
    name: &str,
    expected: Expected,
    script: String,
) -> Result<ScriptVersion, Problem> {
    crate::triggers::check_name("script", name)?;
    if script.len() > MAX_SCRIPT {
        return Err(too_large(script.len()));
    }
    must_be_right(app, scope, name, &script).await?;
    let (scoped, name, by) = (scope.scoped(), name.to_owned(), scope.caller.name.clone());
    let tenant = scope.tenant.clone();
    let written = app.store.write(move |tx| {
        let newest = scripts::newest(tx, scoped, &name)?;
        let current = newest.as_ref().filter(|row| row.digest.is_some());
        if let Err(problem) = expected.holds(current.map(|row| row.version)) {
            return Ok(Err(problem));
        }
        let digest: [u8; 32] = Sha256::digest(script.as_bytes()).into();
        if let Some(same) = current.filter(|row| row.digest == Some(digest)) {
            return Ok(Ok(same.clone()));
        }
        if let Err(problem) = has_room(tx, scoped, &name, current.is_none())? {
            return Ok(Err(problem));
        }
        if let Some(used) = retention::used_up(tx, scoped, tenant.keep.storage)? {
            return Ok(Err(no_room(&tenant, used)));
        }
        let row = VersionRow {
            version: newest.map_or(0, |row| row.version) + 1,
            digest: Some(digest),
            at: tx.now(),
            name,
            by,
        };
        sources::put(tx, scoped, &digest, script.as_bytes())?;
        scripts::insert(tx, scoped, &row)?;
        let detail = json!({ "version": row.version });
        audit::add(
            tx,
            Some(scoped.0),
            &row.by,
            "script.put",
            &row.name,
            &detail,
        )?;
        Ok(Ok(row))
    });
    written.await?.map(|row| ScriptVersion::of(&row))
}

/// Refuses one script or one version too many.
fn has_room(
    tx: &kael_store::Tx<'_>,
    scoped: Scoped,
    name: &str,
    is_new: bool,
) -> Result<Result<(), Problem>, kael_store::StoreError> {
    if scripts::count(tx, scoped, name)? >= MAX_VERSIONS {
        let detail =
            format!("the script `{name}` has {MAX_VERSIONS} versions, and may have no more");
        let problem = Problem::new(Kind::Invalid, detail);
        return Ok(Err(problem.hint("delete what is not needed any more")));
    }
    if is_new && scripts::list(tx, scoped)?.len() >= MAX_SCRIPTS {
        return Ok(Err(Problem::too_many("scripts", MAX_SCRIPTS)));
    }
    Ok(Ok(()))
}

/// Refuses a script in which `check` finds a problem.
async fn must_be_right(app: &App, scope: &Scope, name: &str, script: &str) -> Result<(), Problem> {
    let found = checked(app, &scope.tenant, script).await?.problems;
    let Some(first) = found.first() else {
        return Ok(());
    };
    let place = |line: u32, column: u32| format!("{name}:{line}:{column}");
    let detail = format!("{}: {}", place(first.line, first.column), first.message);
    let frames = found.iter().take(SHOWN_PROBLEMS).map(|problem| {
        format!(
            "{}: {}",
            place(problem.line, problem.column),
            problem.message
        )
    });
    Err(Problem {
        frames: frames.collect(),
        ..Problem::new(Kind::ScriptError, detail).hint(first.hint.clone())
    })
}

/// Delete a stored script with all its versions. Runs keep their texts.
#[utoipa::path(
    delete, path = "/v1/scripts/{name}", tag = "scripts", operation_id = "delete_script",
    params(
        ("name" = String, Path, description = "The name of the script"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be the last")
    ),
    responses(
        (status = 204),
        (status = 404, body = Problem),
        (status = 409, description = "A schedule or a webhook runs it", body = Problem),
        (status = 412, description = "The current version is another one", body = Problem)
    ),
    extensions(("x-kael-role" = json!("manager")))
)]
pub(crate) async fn delete(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(name): Names<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    scope.needs(Role::Manager)?;
    remove(&app, &scope, &name, Expected::of(&headers)).await?;
    Ok(nothing())
}

/// Deletes a stored script.
pub(crate) async fn remove(
    app: &App,
    scope: &Scope,
    name: &str,
    expected: Expected,
) -> Result<(), Problem> {
    let (scoped, name, by) = (scope.scoped(), name.to_owned(), scope.caller.name.clone());
    let written = app.store.write(move |tx| {
        let Some(current) = scripts::get(tx, scoped, &name, None)? else {
            return Ok(Err(stored::missing(&name)));
        };
        if let Err(problem) = expected.holds(Some(current.version)) {
            return Ok(Err(problem));
        }
        if let Some(user) = user_of(tx, scoped, &name)? {
            let detail = format!("the script `{name}` is run by {user}");
            return Ok(Err(
                Problem::new(Kind::WrongState, detail).hint("delete that first")
            ));
        }
        scripts::delete(tx, scoped, &current, &by)?;
        let detail = json!({ "version": current.version });
        audit::add(tx, Some(scoped.0), &by, "script.delete", &name, &detail)?;
        Ok(Ok(()))
    });
    written.await?
}

/// A schedule or a webhook that runs a script.
fn user_of(
    tx: &kael_store::Tx<'_>,
    scoped: Scoped,
    name: &str,
) -> Result<Option<String>, kael_store::StoreError> {
    let runs = |text: &str| Reference::parse(text).is_some_and(|of| of.name == name);
    for row in schedules::list(tx, scoped)? {
        if Plan::of(&row).is_some_and(|plan| runs(&plan.script)) {
            return Ok(Some(format!("the schedule `{}`", row.name)));
        }
    }
    let hooks = hooks::list(tx, scoped)?;
    let hook = hooks.iter().find(|hook| runs(&hook.script));
    Ok(hook.map(|hook| format!("the webhook `{}`", hook.name)))
}
