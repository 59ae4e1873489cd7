//! Calls that wait for a person, and what people decide of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as AppState;
use kael_engine::run_info::RunId;
use kael_runs::{Approval as Waiting, Decision, Refusal, RunsError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::extract::{Body, Names};
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
    get, path = "/v1/approvals", tag = "approvals", operation_id = "list_approvals",
    responses((status = 200, body = Approvals)),
    extensions(("x-kael-role" = json!("viewer")))
)]
pub(crate) async fn list(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
) -> Result<Json<Approvals>, Problem> {
    let approvals = open(&app, &scope, None).await?;
    Ok(Json(Approvals { approvals }))
}

/// The calls of a tenant that wait, or those of one run.
pub(crate) async fn open(
    app: &Arc<App>,
    scope: &Scope,
    of: Option<Id>,
) -> Result<Vec<Approval>, Problem> {
    let journals = app.runs_of(scope.tenant.id);
    let scoped = scope.scoped();
    let found = app
        .store
        .read(move |tx| {
            let mut found = Vec::new();
            let open = match of {
                None => journals.approvals_in(tx)?,
                Some(run) => journals.approvals_of(tx, RunId::from_bytes(*run.bytes()))?,
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
    let shown = found
        .into_iter()
        .map(|(one, run, last)| shown(one, &run, last));
    Ok(shown.collect())
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
    Ok(Json(Approvals { approvals }))
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
