//! Schedules: stored scripts that run at set times.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::conditions::{Expected, tagged};
use super::extract::{Body, Names};
use super::types::{Run, Submit};
use super::{nothing, submit};
use crate::app::App;
use crate::auth::Scope;
use crate::id::Id;
use crate::problem::{Kind, Problem};
use crate::role::Role;
use crate::tables::fires::FireRow;
use crate::tables::runs::RunRow;
use crate::tables::schedules::{self, ScheduleRow};
use crate::tables::{audit, fires};
use crate::time;
use crate::triggers::plan::Plan;
use crate::triggers::stored::{self, Reference};
use crate::triggers::{check_name, fire};

/// Schedules of a tenant.
const MAX_SCHEDULES: usize = 10_000;
/// Times that are shown of the future, and fires of the past.
const NEXT: usize = 10;
const FIRES: i64 = 20;

/// A schedule, and when it fires.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// From 1; each change counts.
    pub version: i64,
    /// What it runs, and when: what a `PUT` takes.
    pub plan: Plan,
    /// Whether it fires.
    pub paused: bool,
    /// The next ten times, with its part of the jitter; none while it is paused.
    pub next: Vec<String>,
    /// When it last fired.
    pub last_fire: Option<String>,
    /// The newest fires; none in a list of schedules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fires: Vec<Fire>,
    /// Who put it: the name of the token.
    pub by: String,
    /// When it was made.
    pub created: String,
    /// When it was changed.
    pub changed: String,
}

/// A fire of a schedule.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Fire {
    /// When it was due.
    pub at: String,
    /// `started`, `waiting`, `skipped`, `missed` or `refused`.
    pub outcome: String,
    /// Its run.
    pub run: Option<String>,
    /// Why it has none.
    pub why: Option<String>,
}

/// The schedules of a tenant.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Schedules {
    /// By name.
    pub schedules: Vec<Schedule>,
}

impl Schedule {
    /// What is shown of a row; none of one that a newer Kael wrote.
    fn of(row: &ScheduleRow, newest: Vec<FireRow>) -> Option<Self> {
        let plan = Plan::of(row)?;
        let next = match (row.due.filter(|_| !row.paused), plan.calendar()) {
            (Some(due), Ok(calendar)) => {
                let mut times = vec![due];
                times.extend(calendar.upcoming(due, NEXT - 1));
                times
            }
            _ => Vec::new(),
        };
        let delay = plan.delay(&row.id);
        Some(Self {
            name: row.name.clone(),
            version: row.version,
            paused: row.paused,
            next: next.iter().map(|at| time::text(at + delay)).collect(),
            last_fire: row.last_fire.map(time::text),
            fires: newest.into_iter().map(Fire::of).collect(),
            by: row.submitter.clone(),
            created: time::text(row.created),
            changed: time::text(row.changed),
            plan,
        })
    }
}

impl Fire {
    fn of(row: FireRow) -> Self {
        Self {
            at: time::text(row.at),
            outcome: row.outcome.name().to_owned(),
            run: row.run.map(|run| run.to_string()),
            why: row.why,
        }
    }
}

/// List the schedules.
#[utoipa::path(
    get, path = "/v1/schedules", tag = "schedules", operation_id = "list_schedules",
    responses((status = 200, body = Schedules)),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn list(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
) -> Result<Json<Schedules>, Problem> {
    scope.needs(Role::Viewer)?;
    Ok(Json(Schedules {
        schedules: all(&app, &scope).await?,
    }))
}

/// The schedules of the tenant.
pub(crate) async fn all(app: &App, scope: &Scope) -> Result<Vec<Schedule>, Problem> {
    let scoped = scope.scoped();
    let rows = app
        .store
        .read(move |tx| schedules::list(tx, scoped))
        .await?;
    let shown = rows.iter().filter_map(|row| Schedule::of(row, Vec::new()));
    Ok(shown.collect())
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
    let found = app.store.read(move |tx| {
        let Some(row) = schedules::get(tx, scoped, &wanted)? else {
            return Ok(None);
        };
        let newest = fires::list(tx, &row.id, FIRES)?;
        Ok(Schedule::of(&row, newest))
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
        (status = 422, description = "A value is not allowed", body = Problem)
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
    shown(&keep(&app, &scope, &name, Expected::of(&headers), plan).await?)
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
        if now.is_none() && schedules::list(tx, scoped)?.len() >= MAX_SCHEDULES {
            let detail = format!("the tenant has {MAX_SCHEDULES} schedules, and may have no more");
            return Ok(Err(Problem::new(Kind::Invalid, detail)));
        }
        let is_new = now.is_none();
        let row = ScheduleRow {
            settings: serde_json::to_string(&plan).unwrap_or_default(),
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

fn shown(row: &ScheduleRow) -> Result<Response, Problem> {
    let schedule = Schedule::of(row, Vec::new()).ok_or_else(|| missing(&row.name))?;
    Ok(tagged(row.version, Json(schedule).into_response()))
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
    shown(&set_paused(&app, &scope, &name, true).await?)
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
    shown(&set_paused(&app, &scope, &name, false).await?)
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
