//! Schedules: stored scripts that run at set times.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::conditions::{Expected, tagged};
use super::extract::{self, Body, Names, Params};
use super::schedule_view::{PageParams, Schedule, Schedules};
use super::submit::no_room;
use super::types::{Run, Submit};
use super::{nothing, submit};
use crate::app::App;
use crate::auth::Scope;
use crate::id::Id;
use crate::problem::Problem;
use crate::role::Role;
use crate::tables::runs::RunRow;
use crate::tables::schedules::{self, ScheduleRow};
use crate::tables::{audit, fires, retention};
use crate::triggers::plan::Plan;
use crate::triggers::stored::{self, Reference};
use crate::triggers::{check_name, fire};

/// Schedules of a tenant.
const MAX_SCHEDULES: i64 = 10_000;
/// Fires that are shown of the past.
const FIRES: i64 = 20;

/// List the schedules.
#[utoipa::path(
    get, path = "/v1/schedules", tag = "schedules", operation_id = "list_schedules", params(PageParams),
    responses((status = 200, body = Schedules), (status = 400, body = Problem)),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn list(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Params(params): Params<PageParams>,
) -> Result<Json<Schedules>, Problem> {
    scope.needs(Role::Viewer)?;
    Ok(Json(page(&app, &scope, &params).await?))
}

/// Some schedules of the tenant.
pub(crate) async fn page(
    app: &App,
    scope: &Scope,
    params: &PageParams,
) -> Result<Schedules, Problem> {
    let (scoped, limit) = (scope.scoped(), extract::limit(params.limit, 100)?);
    let cursor = params.cursor.clone().unwrap_or_default();
    let found = app.store.read(move |tx| {
        let mut rows = schedules::page(tx, scoped, &cursor, limit + 1)?;
        let more = rows.len() as i64 > limit;
        rows.truncate(usize::try_from(limit).unwrap_or(0));
        let next = rows.last().filter(|_| more).map(|row| row.name.clone());
        let shown = rows.iter().map(|row| Schedule::read(tx, row, 0));
        let shown = shown.collect::<Result<Vec<_>, _>>()?;
        Ok(Schedules {
            schedules: shown.into_iter().flatten().collect(),
            next,
        })
    });
    Ok(found.await?)
}

/// Read a schedule, with its next times and its newest fires.
#[utoipa::path(
    get, path = "/v1/schedules/{name}", tag = "schedules", operation_id = "get_schedule",
    params(("name" = String, Path, description = "The name of the schedule")),
    responses((status = 200, description = "Its version is in `ETag`", body = Schedule), (status = 404, body = Problem)),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn get(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(name): Names<String>,
) -> Result<Response, Problem> {
    scope.needs(Role::Viewer)?;
    let schedule = one(&app, &scope, &name).await?;
    Ok(tagged(schedule.version, Json(schedule).into_response()))
}

/// A schedule of the tenant, with its newest fires.
pub(crate) async fn one(app: &App, scope: &Scope, name: &str) -> Result<Schedule, Problem> {
    let (scoped, wanted) = (scope.scoped(), name.to_owned());
    let found = app
        .store
        .read(move |tx| match schedules::get(tx, scoped, &wanted)? {
            Some(row) => Schedule::read(tx, &row, FIRES),
            None => Ok(None),
        });
    found.await?.ok_or_else(|| missing(name))
}

fn missing(name: &str) -> Problem {
    let shown: String = name.chars().take(100).collect();
    Problem::not_found("schedule", shown.escape_debug())
}

/// Make a schedule, or change one.
///
/// Its runs are submitted in the name of the token that puts it, and go on when that token is taken away.
/// With other times it begins anew behind its last fire.
#[utoipa::path(
    put, path = "/v1/schedules/{name}", tag = "schedules", operation_id = "put_schedule", request_body = Plan,
    params(
        ("name" = String, Path, description = "The name of the schedule"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is changed"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only if there is none")
    ),
    responses(
        (status = 200, body = Schedule),
        (status = 404, description = "There is no stored script of that name", body = Problem),
        (status = 412, description = "The current version is another one", body = Problem),
        (status = 422, description = "A value is not allowed", body = Problem),
        (status = 429, description = "The storage is full", body = Problem)
    ),
    extensions(("x-kael-role" = json!("manager")))
)]
pub(crate) async fn put(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(name): Names<String>,
    headers: HeaderMap,
    Body(plan): Body<Plan>,
) -> Result<Response, Problem> {
    scope.needs(Role::Manager)?;
    let row = keep(&app, &scope, &name, Expected::of(&headers), plan).await?;
    shown(&app, row).await
}

/// Makes a schedule, or changes one.
pub(crate) async fn keep(
    app: &App,
    scope: &Scope,
    name: &str,
    expected: Expected,
    plan: Plan,
) -> Result<ScheduleRow, Problem> {
    check_name("schedule", name)?;
    plan.check(&scope.tenant)?;
    let (scoped, caller, wanted) = (scope.scoped(), scope.caller.clone(), name.to_owned());
    let tenant = scope.tenant.clone();
    let written = app.store.write(move |tx| {
        let now = schedules::get(tx, scoped, &wanted)?;
        if let Err(problem) = expected.holds(now.as_ref().map(|row| row.version)) {
            return Ok(Err(problem));
        }
        let script = match Reference::parse(&plan.script) {
            Some(script) => script.find(tx, scoped)?,
            None => None,
        };
        if script.is_none() {
            return Ok(Err(stored::missing(&plan.script)));
        }
        if now.is_none() && schedules::count(tx, scoped)? >= MAX_SCHEDULES {
            return Ok(Err(Problem::too_many("schedules", MAX_SCHEDULES)));
        }
        let settings = serde_json::to_string(&plan).unwrap_or_default();
        let is_larger = now.as_ref().is_none_or(|row| row.settings.len() < settings.len());
        if is_larger && let Some(used) = retention::used_up(tx, scoped, tenant.keep.storage)? {
            return Ok(Err(no_room(&tenant, used)));
        }
        let is_new = now.is_none();
        let row = ScheduleRow {
            settings,
            token: caller.token,
            submitter: caller.name.clone(),
            changed: tx.now(),
            version: now.as_ref().map_or(0, |row| row.version) + 1,
            ..now.clone().unwrap_or_else(|| fresh(scoped.0, wanted, tx.now()))
        };
        let before = now.as_ref().and_then(Plan::of);
        let row = match before.is_some_and(|before| before.same_times(&plan)) {
            true => with_due(row.clone(), &plan, row.due),
            false => {
                let from = plan.from().ok().flatten();
                let first = first_due(&row, &plan, from.map_or(tx.now(), |from| from - 1));
                with_due(row, &plan, first)
            }
        };
        match is_new {
            true => schedules::insert(tx, &row)?,
            false => schedules::update(tx, &row)?,
        }
        let detail = json!({ "version": row.version, "cron": plan.cron, "zone": plan.zone, "script": plan.script });
        audit::add(tx, Some(scoped.0), &caller.name, "schedule.put", &row.name, &detail)?;
        Ok(Ok(row))
    });
    let row = written.await??;
    app.schedules.notify_one();
    Ok(row)
}

async fn shown(app: &App, row: ScheduleRow) -> Result<Response, Problem> {
    let (version, name) = (row.version, row.name.clone());
    let found = app.store.read(move |tx| Schedule::read(tx, &row, 0));
    let schedule = found.await?.ok_or_else(|| missing(&name))?;
    Ok(tagged(version, Json(schedule).into_response()))
}

fn fresh(tenant: i64, name: String, now: i64) -> ScheduleRow {
    ScheduleRow {
        id: Id::new(),
        tenant,
        name,
        version: 0,
        settings: String::new(),
        token: Id::of([0; 16]),
        submitter: String::new(),
        paused: false,
        due: None,
        wake: None,
        last_fire: None,
        created: now,
        changed: now,
    }
}

/// The first time behind another that is behind the last fire, too: the clock may have gone back.
fn first_due(row: &ScheduleRow, plan: &Plan, behind: i64) -> Option<i64> {
    let behind = row.last_fire.map_or(behind, |last| last.max(behind));
    plan.calendar().ok()?.after(behind)
}

fn with_due(row: ScheduleRow, plan: &Plan, due: Option<i64>) -> ScheduleRow {
    let wake = due
        .filter(|_| !row.paused)
        .map(|due| due + plan.delay(&row.id));
    ScheduleRow { due, wake, ..row }
}

/// Delete a schedule. Its runs stay.
#[utoipa::path(
    delete, path = "/v1/schedules/{name}", tag = "schedules", operation_id = "delete_schedule",
    params(
        ("name" = String, Path, description = "The name of the schedule"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the version that is to be the last")
    ),
    responses((status = 204), (status = 404, body = Problem), (status = 412, body = Problem)),
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

/// Deletes a schedule.
pub(crate) async fn remove(
    app: &App,
    scope: &Scope,
    name: &str,
    expected: Expected,
) -> Result<(), Problem> {
    let (scoped, by, wanted) = (scope.scoped(), scope.caller.name.clone(), name.to_owned());
    let written = app.store.write(move |tx| {
        let Some(row) = schedules::get(tx, scoped, &wanted)? else {
            return Ok(Err(missing(&wanted)));
        };
        if let Err(problem) = expected.holds(Some(row.version)) {
            return Ok(Err(problem));
        }
        fires::delete(tx, &row.id)?;
        schedules::delete(tx, &row.id)?;
        audit::add(
            tx,
            Some(scoped.0),
            &by,
            "schedule.delete",
            &wanted,
            &json!({}),
        )?;
        Ok(Ok(()))
    });
    written.await?
}

/// Run what a schedule runs, now.
///
/// The run has the schedule's origin and is beside its fires: `overlap` does not hold for it.
#[utoipa::path(
    post, path = "/v1/schedules/{name}/run", tag = "schedules", operation_id = "run_schedule",
    params(("name" = String, Path, description = "The name of the schedule")),
    responses((status = 202, body = Run), (status = 404, body = Problem), (status = 429, body = Problem)),
    extensions(("x-kael-role" = json!("submitter")))
)]
pub(crate) async fn run(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(name): Names<String>,
) -> Result<Response, Problem> {
    scope.needs(Role::Submitter)?;
    let run = run_now(&app, &scope, &name).await?;
    let run = Run::of(&run, &scope.tenant.name);
    Ok((StatusCode::ACCEPTED, Json(run)).into_response())
}

/// Submits a run of what a schedule runs.
pub(crate) async fn run_now(app: &Arc<App>, scope: &Scope, name: &str) -> Result<RunRow, Problem> {
    let plan = one(app, scope, name).await?.plan;
    let body = Submit {
        name: Some(plan.script.clone()),
        ..plan.submit()
    };
    let new = submit::new_run(app, scope, body, &fire::origin(name)).await?;
    let (run, _) = submit::put(app, &scope.tenant, new, None).await?;
    Ok(run)
}

/// Pause a schedule: it does not fire until it is resumed.
#[utoipa::path(
    post, path = "/v1/schedules/{name}/pause", tag = "schedules", operation_id = "pause_schedule",
    params(("name" = String, Path, description = "The name of the schedule")),
    responses((status = 200, body = Schedule), (status = 404, body = Problem)),
    extensions(("x-kael-role" = json!("manager")))
)]
pub(crate) async fn pause(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(name): Names<String>,
) -> Result<Response, Problem> {
    scope.needs(Role::Manager)?;
    shown(&app, set_paused(&app, &scope, &name, true).await?).await
}

/// Resume a schedule. What was due while it was paused is not caught up.
#[utoipa::path(
    post, path = "/v1/schedules/{name}/resume", tag = "schedules", operation_id = "resume_schedule",
    params(("name" = String, Path, description = "The name of the schedule")),
    responses((status = 200, body = Schedule), (status = 404, body = Problem)),
    extensions(("x-kael-role" = json!("manager")))
)]
pub(crate) async fn resume(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names(name): Names<String>,
) -> Result<Response, Problem> {
    scope.needs(Role::Manager)?;
    shown(&app, set_paused(&app, &scope, &name, false).await?).await
}

/// Pauses or resumes a schedule.
pub(crate) async fn set_paused(
    app: &App,
    scope: &Scope,
    name: &str,
    paused: bool,
) -> Result<ScheduleRow, Problem> {
    let (scoped, by, wanted) = (scope.scoped(), scope.caller.name.clone(), name.to_owned());
    let written = app.store.write(move |tx| {
        let found = schedules::get(tx, scoped, &wanted)?;
        let Some((row, plan)) = found.and_then(|row| Plan::of(&row).map(|plan| (row, plan))) else {
            return Ok(Err(missing(&wanted)));
        };
        if row.paused == paused {
            return Ok(Ok(row));
        }
        let row = ScheduleRow {
            paused,
            version: row.version + 1,
            changed: tx.now(),
            ..row
        };
        let due = match paused {
            true => row.due,
            false => {
                let from = plan.from().ok().flatten().map_or(i64::MIN, |from| from - 1);
                first_due(&row, &plan, from.max(tx.now()))
            }
        };
        let row = with_due(row, &plan, due);
        schedules::update(tx, &row)?;
        let what = if paused {
            "schedule.pause"
        } else {
            "schedule.resume"
        };
        audit::add(tx, Some(scoped.0), &by, what, &wanted, &json!({}))?;
        Ok(Ok(row))
    });
    let row = written.await??;
    app.schedules.notify_one();
    Ok(row)
}
