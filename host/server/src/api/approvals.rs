//! Calls that wait for a person, and what people decide of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use kael_engine::run_info::RunId;
use kael_runs::{Approval as Waiting, Decision, Refusal, RunsError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::extract::{Body, Names, Params};
use super::runs::find;
use crate::app::App;
use crate::auth::Scope;
use crate::event::Kind as EventKind;
use crate::id::Id;
use crate::problem::{Kind, Problem};
use crate::role::Role;
use crate::tables::runs::{self, RunRow, State};
use crate::tables::{audit, events, tokens};
use crate::time;

/// A call that waits for a person.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Approval {
    /// The run.
    pub run: String,
    /// The number of the call in its run.
    pub call: u64,
    /// The name of the script.
    pub script: String,
    /// The name of the token that submitted the run.
    pub submitter: String,
    /// What a decision is on: it changes with anything that matters.
    pub digest: String,
    /// The action.
    pub action: String,
    /// What the action would get.
    pub params: Value,
    /// What it got when it was last approved in this tenant; none if it never was.
    pub last_approved: Option<Value>,
    /// The rules that want a person, with their reasons.
    pub rules: Vec<String>,
    /// The roles that those who approve must have.
    pub roles: Vec<String>,
    /// How many people must approve it.
    pub count: u32,
    /// Whether the person who submitted the run may not approve it.
    pub not_submitter: bool,
    /// Who has approved it so far, where several people must.
    pub approved_by: Vec<String>,
    /// When it was asked.
    pub asked: String,
    /// When the time for an answer is over.
    pub until: Option<String>,
}

/// The calls that wait for a person.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Approvals {
    /// In the order in which they were asked.
    pub approvals: Vec<Approval>,
    /// What to send as `cursor` for the next ones; none at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Which calls are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Page {
    /// How many: 100 without it, at most 1000.
    limit: Option<u32>,
    /// `next` of an earlier answer.
    cursor: Option<String>,
}

/// What a person decides.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decide {
    /// The digest of what the person has seen, or its beginning: 8 characters or more.
    pub digest: String,
    /// Whether the call may go on.
    pub approve: bool,
    /// Why, for the script's author and the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// List the calls that wait for a person.
#[utoipa::path(
    get, path = "/v1/approvals", tag = "approvals", operation_id = "list_approvals", params(Page),
    responses((status = 200, body = Approvals)),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn list(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Params(page): Params<Page>,
) -> Result<Json<Approvals>, Problem> {
    let limit = page.limit.unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        let detail = "`limit` must be 1 to 1000";
        return Err(Problem::new(Kind::Invalid, detail));
    }
    let last = page.cursor.as_deref().map(|cursor| {
        let read = cursor_of(cursor);
        read.ok_or_else(|| Problem::new(Kind::Invalid, "`cursor` is none of an earlier answer"))
    });
    let wanted = Wanted::Behind(last.transpose()?, limit + 1);
    let mut found = look(&app, &scope, wanted).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let last = found.last().filter(|_| more);
    let next = last.map(|(one, ..)| {
        format!(
            "{}-{}-{}",
            one.asked,
            Id::of(*one.run.bytes()).to_string().replace('-', ""),
            one.call
        )
    });
    let approvals = found
        .into_iter()
        .map(|(one, run, last)| shown(one, &run, last));
    Ok(Json(Approvals {
        approvals: approvals.collect(),
        next,
    }))
}

/// The place in the list that a cursor names.
fn cursor_of(text: &str) -> Option<(i64, RunId, u64)> {
    let mut parts = text.split('-');
    let (asked, run, call) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = u128::from_str_radix(run, 16).ok()?.to_be_bytes();
    let place = (
        asked.parse().ok()?,
        RunId::from_bytes(bytes),
        call.parse().ok()?,
    );
    parts.next().is_none().then_some(place)
}

/// Which calls are looked for.
enum Wanted {
    /// All, or those of one run.
    Of(Option<Id>),
    /// As many, behind one of an earlier answer.
    Behind(Option<(i64, RunId, u64)>, u32),
}

/// The calls of a tenant that wait, or those of one run.
pub(crate) async fn open(
    app: &Arc<App>,
    scope: &Scope,
    of: Option<Id>,
) -> Result<Vec<Approval>, Problem> {
    let found = look(app, scope, Wanted::Of(of)).await?;
    let shown = found
        .into_iter()
        .map(|(one, run, last)| shown(one, &run, last));
    Ok(shown.collect())
}

/// The calls, each with its run, and what was last approved of the same action.
async fn look(
    app: &Arc<App>,
    scope: &Scope,
    wanted: Wanted,
) -> Result<Vec<(Waiting, RunRow, Option<String>)>, Problem> {
    let journals = app.runs_of(scope.tenant.id);
    let scoped = scope.scoped();
    let found = app
        .store
        .read(move |tx| {
            let mut found = Vec::new();
            let open = match wanted {
                Wanted::Of(None) => journals.approvals_in(tx)?,
                Wanted::Of(Some(run)) => {
                    journals.approvals_of(tx, RunId::from_bytes(*run.bytes()))?
                }
                Wanted::Behind(last, limit) => journals.approvals_behind(tx, last, limit)?,
            };
            for one in open {
                let id = Id::of(*one.run.bytes());
                if let Some(run) = runs::get(tx, scoped, &id)? {
                    let last = journals.last_approved(tx, &one)?;
                    found.push((one, run, last));
                }
            }
            Ok(found)
        })
        .await?;
    Ok(found)
}

fn shown(one: Waiting, run: &RunRow, last: Option<String>) -> Approval {
    let json = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    Approval {
        run: run.id.to_string(),
        call: one.call,
        script: run.name.clone(),
        submitter: run.submitter.clone(),
        digest: one.digest,
        action: one.action,
        params: json(&one.params),
        last_approved: last.as_deref().map(json),
        rules: one.rules,
        roles: one.needed.roles,
        count: one.needed.count,
        not_submitter: one.needed.not_submitter,
        approved_by: one.approved_by,
        asked: time::text(one.asked),
        until: one.until.map(time::text),
    }
}

/// Approve or deny a call.
///
/// The decision is on the digest: a call that has changed since it was looked at is not decided on.
#[utoipa::path(
    post, path = "/v1/runs/{id}/calls/{call}/decision", tag = "approvals", operation_id = "decide",
    request_body = Decide,
    params(
        ("id" = String, Path, description = "The id of the run"),
        ("call" = u64, Path, description = "The number of the call in its run")
    ),
    responses(
        (status = 200, description = "It is decided, or others must decide, too", body = Approvals),
        (status = 403, description = "The caller may not decide this", body = Problem),
        (status = 404, body = Problem),
        (status = 409, description = "It was decided before, or is not what the digest says", body = Problem),
        (status = 410, description = "The time for an answer is over", body = Problem)
    ),
    extensions(("x-kael-role" = json!("approver")))
)]
pub(crate) async fn decide(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    Names((id, call)): Names<(String, u64)>,
    Body(body): Body<Decide>,
) -> Result<Json<Approvals>, Problem> {
    decide_call(&app, &scope, &id, call, body).await?;
    let run = find(&app, &scope, &id).await?.id;
    let approvals = open(&app, &scope, Some(run)).await?;
    Ok(Json(Approvals {
        approvals,
        next: None,
    }))
}

/// Decides on a call, and writes down who did.
pub(crate) async fn decide_call(
    app: &Arc<App>,
    scope: &Scope,
    id: &str,
    call: u64,
    body: Decide,
) -> Result<(), Problem> {
    scope.needs(Role::Approver)?;
    let run = find(app, scope, id).await?;
    let caller = scope.caller.clone();
    let (person, submitter) = app
        .store
        .read(move |tx| {
            let person = tokens::root(tx, &caller.token)?;
            let submitter = match &run.token {
                Some(token) => Some(tokens::root(tx, token)?),
                None => None,
            };
            Ok((person, submitter))
        })
        .await?;
    let roles = Role::ALL
        .into_iter()
        .filter(|role| *role <= scope.caller.role);
    let decision = Decision {
        digest: body.digest,
        yes: body.approve,
        by: scope.caller.name.clone(),
        person: person.to_string(),
        roles: roles.map(|role| role.name().to_owned()).collect(),
        is_submitter: submitter == Some(person),
        note: body.note.clone(),
    };
    let run_id = RunId::from_bytes(*run.id.bytes());
    let (who, tenant, approve) = (scope.caller.name.clone(), scope.tenant.id, body.approve);
    let told = json!({ "call": call, "approve": approve, "by": who, "note": body.note });
    let written = app.store.write(move |tx| {
        if let Err(refused) = kael_runs::decide(tx, run_id, call, decision)? {
            return Ok(Err(refused));
        }
        let object = format!("{} call {call}", run.id);
        audit::add(tx, Some(tenant), &who, "call.decide", &object, &told)?;
        // A run that runs numbers its events itself.
        match runs::any(tx, &run.id)? {
            Some(row) if row.state == State::Waiting => {
                events::append(tx, &run.id, EventKind::Approval, &told).map(|event| Ok(Some(event)))
            }
            _ => Ok(Ok(None)),
        }
    });
    let decided = written.await?;
    if let Some(event) = decided.map_err(|error| of_runs_error(&error))? {
        app.runner.lives.publish(&run.id, event);
    }
    app.runner.wake.notify_one();
    Ok(())
}

/// Does something with the journals that waits for the store.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!("a request failed: {error}");
        Problem::new(Kind::Unavailable, "the server could not do this")
    })
}

/// What cannot be done with a run.
pub(crate) fn of_runs_error(error: &RunsError) -> Problem {
    let kind = match error {
        RunsError::Unknown(_) | RunsError::NoDoubt { .. } => Kind::NotFound,
        RunsError::Document(_) => Kind::Invalid,
        RunsError::State { .. }
        | RunsError::Busy(_)
        | RunsError::Fork { .. }
        | RunsError::Guest { .. } => Kind::WrongState,
        RunsError::Undecided { why, .. } => match why {
            Refusal::Over => Kind::WrongState,
            Refusal::NotAsked => Kind::NotFound,
            Refusal::Decided | Refusal::Twice(..) => Kind::AlreadyDecided,
            Refusal::Expired => Kind::Expired,
            Refusal::ShortDigest => Kind::Invalid,
            Refusal::OtherDigest => Kind::DigestChanged,
            Refusal::Role(_) | Refusal::Submitter => Kind::NotAllowed,
        },
        error => {
            tracing::error!("the journal of a run cannot be used: {error}");
            Kind::Unavailable
        }
    };
    Problem::new(kind, error.to_string())
}
