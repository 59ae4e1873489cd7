//! `POST /mcp`: a client of the Model Context Protocol works with the tenant of its token.
//!
//! A script becomes a run like any other: in the queue, with the tenant's actions, policy and limits.
//! Nothing is kept between requests but the runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State as AppState};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use kael_authoring::lint::Checker;
use kael_mcp::http::{Actions, Approval, Outcome, Patience, Run, Runs, Standing, respond};
use serde_json::{Value, json};

use super::calls::calls_of;
use super::submit::{self, repo_broken};
use super::types::Submit;
use super::{approvals, method, runs};
use crate::app::App;
use crate::auth::{Scope, unauthenticated};
use crate::origin;
use crate::problem::{Kind, Problem};
use crate::role::Role;
use crate::tables::runs::{RunRow, State, result};
use crate::tenant_settings::RunLimits;

/// How errors name the script of a model.
const NAME: &str = "script.lua";
/// Calls that an answer lists, and bytes of the output that it is made of.
const MAX_CALLS: usize = 200;
const MAX_OUTPUT: usize = 64 << 20;

/// Takes one message of a client.
pub(crate) async fn serve(
    AppState(app): AppState<Arc<App>>,
    scope: Scope,
    request: Request,
) -> Response {
    if request.method() != axum::http::Method::POST {
        return method(request).await;
    }
    // A browser sends a cookie by itself, and the origin even beside a token.
    if !request.headers().contains_key(header::AUTHORIZATION) {
        return unauthenticated("a client of MCP sends a token").into_response();
    }
    if origin::is_elsewhere(&request, app.address()) {
        let detail = "the request comes from a page of another site";
        return Problem::new(Kind::Forbidden, detail).into_response();
    }
    let seal = app.mcp.clone();
    let sender = Sender { app, scope };
    respond(sender, seal, request).await.map(Body::new)
}

/// Who sends a request, and for which tenant.
#[derive(Clone)]
struct Sender {
    app: Arc<App>,
    scope: Scope,
}

fn left(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
}

fn told(problem: Problem) -> String {
    match problem.hint {
        Some(hint) => format!("{} ({hint})", problem.detail),
        None => problem.detail,
    }
}

impl Runs for Sender {
    async fn actions(&self) -> Result<Actions, String> {
        let tenant = &self.scope.tenant;
        let repo = tenant.repo(&self.app.engine).await;
        let repo = repo.map_err(|error| told(repo_broken(&error)))?;
        Actions::new(repo, &tenant.policy(false)).map_err(|error| error.to_string())
    }

    async fn checker(&self) -> Result<Arc<Checker>, String> {
        let checker = self.scope.tenant.checker(&self.app.engine).await;
        checker.map_err(|error| told(repo_broken(&error)))
    }

    async fn submit(&self, asked: Run) -> Result<String, String> {
        self.scope.needs(Role::Submitter).map_err(told)?;
        let mut limits = RunLimits::default();
        if let Some(seconds) = asked.timeout {
            let most = self.scope.tenant.limits().wall.duration().as_secs_f64();
            // Never more than the tenant has.
            if seconds.is_finite() && seconds < most {
                limits.timeout = Some(format!("{}ms", (seconds * 1000.0).ceil().max(1.0)));
            }
        }
        let body = Submit {
            script: Some(asked.code),
            name: Some(NAME.to_owned()),
            args: asked.args,
            limits,
            read_only: asked.read_only,
            ..Submit::default()
        };
        let new = submit::new_run(&self.app, &self.scope, body, "mcp").await;
        let new = new.map_err(told)?;
        let put = submit::put(&self.app, &self.scope.tenant, new, None).await;
        let (run, _) = put.map_err(told)?;
        Ok(run.id.to_string())
    }

    async fn find(&self, run: &str, patience: Patience) -> Result<Standing, String> {
        self.found(run, patience).await.map_err(told)
    }

    fn principal(&self) -> String {
        format!("{} {}", self.scope.caller.token, self.scope.tenant.id)
    }

    fn page(&self) -> String {
        format!("{}/approvals", self.app.address())
    }
}

impl Sender {
    async fn found(&self, id: &str, patience: Patience) -> Result<Standing, Problem> {
        let (app, scope) = (&self.app, &self.scope);
        let end = Instant::now() + patience.time;
        let mut run = runs::find(app, scope, id).await?;
        loop {
            let stops = |state: State| {
                let waits = state == State::Waiting && !patience.for_people;
                state.is_over() || state == State::Parked || waits
            };
            run = runs::until(app, scope, run, left(end), stops).await?;
            match run.state {
                State::Queued | State::Running => return Ok(Standing::GoesOn(run.state.name())),
                State::Waiting => {
                    let asked = self.asked(&run).await?;
                    if !asked.is_empty() {
                        return Ok(Standing::Asks(asked));
                    }
                    // It waits for a time or a signal.
                    let goes_on = |state: State| state != State::Waiting;
                    run = runs::until(app, scope, run, left(end), goes_on).await?;
                    if run.state == State::Waiting {
                        return Ok(Standing::GoesOn(run.state.name()));
                    }
                }
                _ => return Ok(Standing::Ended(Box::new(self.outcome(run).await?))),
            }
        }
    }

    /// The calls of a run that wait for people.
    async fn asked(&self, run: &RunRow) -> Result<Vec<Approval>, Problem> {
        let open = approvals::open(&self.app, &self.scope, Some(run.id)).await?;
        let asked = open.into_iter().map(|one| Approval {
            call: one.call,
            action: one.action,
            params: one.params.to_string(),
            rules: one.rules,
        });
        Ok(asked.collect())
    }

    async fn outcome(&self, run: RunRow) -> Result<Outcome, Problem> {
        if !runs::is_whole(&self.app, &run).await? {
            return Err(runs::gone(&self.scope));
        }
        let status = match run.state {
            State::Succeeded => "done",
            state => state.name(),
        };
        let json = |text: &Option<String>| -> Option<Value> {
            serde_json::from_str(text.as_deref()?).ok()
        };
        let all = calls_of(&self.app, run.id).await?;
        let calls: Vec<Value> = all
            .iter()
            .take(MAX_CALLS)
            .filter_map(|call| short(call))
            .collect();
        let mut document = json!({ "status": status, "calls": calls });
        if all.len() > MAX_CALLS {
            document["calls_in_all"] = all.len().into();
        }
        if let Some(usage) = json(&run.usage) {
            for field in ["cpu_ms", "wall_ms"] {
                document[field] = usage[field].clone();
            }
        }
        let error = json(&run.error);
        let is_error = run.state != State::Succeeded;
        if let Some(error) = error {
            document["error"] = error;
        } else if let Some(reason) = run.reason.filter(|_| is_error) {
            document["error"] = json!({ "kind": reason });
        }
        let mut output = Vec::new();
        let mut from = 0;
        while output.len() < MAX_OUTPUT {
            let (to, mut piece) = runs::printed(&self.app, &run.id, from).await?;
            if to == from {
                break;
            }
            from = to;
            output.append(&mut piece);
        }
        let id = run.id;
        let result = self.app.store.read(move |tx| result(tx, &id)).await?;
        Ok(Outcome {
            document,
            output: String::from_utf8_lossy(&output).into_owned(),
            result: result.filter(|_| !is_error),
            is_error,
            is_call: false,
        })
    }
}

/// What an answer says of a call.
fn short(call: &str) -> Option<Value> {
    let call: Value = serde_json::from_str(call).ok()?;
    let outcome = call["outcome"].as_str();
    let mut told = json!({
        "name": call["action"],
        "ok": outcome == Some("ok"),
        "ms": call["ms"].as_f64().unwrap_or_default() as u64,
    });
    if let Some(kind) = outcome.filter(|kind| *kind != "ok") {
        told["kind"] = kind.into();
    }
    Some(told)
}
