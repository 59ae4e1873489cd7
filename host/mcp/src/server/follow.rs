//! Waits for a job on behalf of one request, and puts the questions of the job to the client of that
//! request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rmcp::ErrorData;
use rmcp::model::{
    CallToolResponse, ElicitRequest, ElicitResult, InputRequest, InputRequiredResult,
    InputResponses, SealOptions,
};
use rmcp::service::{RequestContext, RoleServer};
use serde_json::{Value, json};
use tokio::time::Instant;

use kael_engine::gate::approval::Answer;

use super::Inner;
use super::ask::{self, Resumed, Shape, Way};
use super::code::{answer, links, mistake};
use super::job::{Asked, Job, Standing};

/// How long `run` waits. Clients give up after a minute, and then cancel.
const RUN_WAIT: Duration = Duration::from_secs(50);
/// How a request waits for its job.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// How long.
    pub(super) time: Duration,
    /// Whether it also waits for a person whom the client cannot ask. The first request says at once
    /// that a person decides, and later ones wait for the decision.
    pub(super) for_a_person: bool,
}

impl Patience {
    /// That of a request which begins a job.
    pub(super) const FIRST: Self = Self {
        time: RUN_WAIT,
        for_a_person: false,
    };
}

/// The key of a question in a request for input.
const KEY: &str = "approval";
/// How long a client may take to bring an answer back.
const SEALED_FOR: Duration = Duration::from_secs(600);
/// The client that may bring it back: over stdio there is one.
const PRINCIPAL: &[u8] = b"kael-host mcp over stdio";

/// The answer for a job that has ended.
fn ended(job: &Job, outcome: &super::report::Outcome) -> CallToolResponse {
    if outcome.is_call
        && !outcome.is_error
        && let Some(result) = outcome.called()
    {
        return answer(result, false).into();
    }
    let document = outcome.told(job.id());
    let more = links(&document);
    // The result of a call that did not fit is no result by the schema of its tool.
    let mut result = answer(document, outcome.is_error || outcome.is_call);
    result.content.extend(more);
    result.into()
}

/// The answer for a job that goes on.
fn goes_on(job: &Job) -> CallToolResponse {
    let questions = job.questions();
    let status = if questions.is_empty() {
        "running"
    } else {
        "waiting"
    };
    let approvals: Vec<Value> = questions
        .iter()
        .map(|asked| {
            let rules = asked.question.rules.iter().map(ToString::to_string);
            json!({ "action": asked.question.action, "rules": rules.collect::<Vec<_>>() })
        })
        .collect();
    let mut document = json!({ "status": status, "run": job.id() });
    if !approvals.is_empty() {
        document["approvals"] = approvals.into();
        document["hint"] = "a person decides on these calls; ask again with `result`".into();
    } else {
        document["hint"] = "ask again with `result`".into();
    }
    answer(document, false).into()
}

impl Inner {
    /// Follows a job until it ends, a person must be asked, or the time is over. A request that the
    /// client cancels ends the job. Questions up to the number `shown` are not put to the client
    /// again.
    pub(super) async fn follow(
        &self,
        job: &Arc<Job>,
        context: &RequestContext<RoleServer>,
        patience: Patience,
        mut shown: u64,
    ) -> Result<CallToolResponse, ErrorData> {
        let way = Way::of(context, self.options.approvals);
        let deadline = Instant::now() + patience.time;
        let mut changes = job.watch();
        loop {
            changes.mark_unchanged();
            if way == Way::None {
                for asked in job.questions() {
                    self.announced(job, &asked).await;
                }
            }
            match job.standing() {
                Standing::Ended(outcome) => return Ok(ended(job, &outcome)),
                Standing::Asking(asked) if asked.number > shown => {
                    shown = asked.number;
                    if let Some(unfit) = ask::unfit(&asked.question) {
                        asked.answer(unfit);
                        continue;
                    }
                    let url = self.announced(job, &asked).await;
                    match way {
                        Way::Repeat(shape) => return self.input_required(job, &asked, shape, &url),
                        Way::Request(shape) => {
                            let gone = async {
                                while job.question(asked.number).is_some() {
                                    if changes.changed().await.is_err() {
                                        break;
                                    }
                                }
                            };
                            let answered = tokio::select! {
                                answered = Self::elicit(context, shape, &asked, &url) => answered,
                                () = gone => continue,
                                () = context.ct.cancelled() => None,
                            };
                            if let (Shape::Form, Some(result)) = (shape, &answered) {
                                asked.answer(ask::answer(result));
                            } else if answered.is_some_and(|result| !accepted(&result)) {
                                // The person did not want to see the page.
                                asked.answer(Answer::No);
                            }
                            continue;
                        }
                        // The page's address went to the person's terminal.
                        Way::None if self.options.approvals == super::Approvals::Page => {
                            if !patience.for_a_person {
                                return Ok(goes_on(job));
                            }
                        }
                        Way::None => {
                            let why = "the client cannot show a form".to_owned();
                            asked.answer(Answer::Unasked(why));
                            continue;
                        }
                    }
                }
                Standing::Asking(_) | Standing::Running => {}
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = context.ct.cancelled() => {
                    job.cancel();
                    return Ok(mistake("the request was cancelled, and its run with it").into());
                }
                () = tokio::time::sleep_until(deadline) => return Ok(goes_on(job)),
            }
        }
    }

    /// The page of a question, whose address the person at the machine is told.
    async fn announced(&self, job: &Arc<Job>, asked: &Asked) -> String {
        if self.options.approvals != super::Approvals::Page {
            return String::new();
        }
        match self.page.url(&self.jobs, &asked.token).await {
            Ok(url) => {
                let action = &asked.question.action;
                if !asked.announces() {
                    return url;
                }
                (self.options.announce)(&format!(
                    "run {} wants to call {action}: approve or deny it at {url}",
                    job.id()
                ));
                url
            }
            Err(error) => {
                asked.answer(Answer::Unasked(format!(
                    "the page cannot be shown: {error}"
                )));
                String::new()
            }
        }
    }

    /// Asks a client that repeats its request.
    fn input_required(
        &self,
        job: &Job,
        asked: &Asked,
        shape: Shape,
        url: &str,
    ) -> Result<CallToolResponse, ErrorData> {
        let wrong = |error: &str| ErrorData::internal_error(error.to_owned(), None);
        let id = format!("{}-{}", job.id(), asked.number);
        let request = ask::request(shape, &asked.question, url, &id).map_err(wrong)?;
        let resumed = Resumed {
            run: job.id().to_owned(),
            question: asked.number,
        };
        let options = SealOptions::new()
            .associated_data(PRINCIPAL)
            .ttl(SEALED_FOR);
        let state = self.seal.seal_json_with(&resumed, &options);
        let state = state.map_err(|error| wrong(&error.to_string()))?;
        let request = InputRequest::Elicitation(ElicitRequest::new(request));
        let requests = BTreeMap::from([(KEY.to_owned(), request)]);
        Ok(InputRequiredResult::new(Some(requests), Some(state)).into())
    }

    /// Takes what a client brought back: the job that goes on with it.
    pub(super) fn resumed(
        &self,
        state: &str,
        responses: Option<&InputResponses>,
    ) -> Result<Result<(Arc<Job>, u64), String>, ErrorData> {
        let opened = self.seal.open_json_with::<Resumed>(state, PRINCIPAL);
        let resumed = opened.map_err(|error| {
            ErrorData::invalid_params(format!("requestState is not ours: {error}"), None)
        })?;
        let Some(job) = self.jobs.find(&resumed.run) else {
            return Ok(Err(format!("there is no run {}", resumed.run)));
        };
        let response = responses.and_then(|responses| responses.get(KEY));
        let result =
            response.and_then(|value| serde_json::from_value::<ElicitResult>(value.clone()).ok());
        // Without an answer the question is put again.
        let shown = resumed.question - u64::from(result.is_none());
        if let (Some(asked), Some(result)) = (job.question(resumed.question), result) {
            // On the page the person decides; here the client only says whether it was shown.
            match self.options.approvals {
                super::Approvals::Form => _ = asked.answer(ask::answer(&result)),
                _ if !accepted(&result) => _ = asked.answer(Answer::No),
                _ => {}
            }
        }
        Ok(Ok((job, shown)))
    }

    async fn elicit(
        context: &RequestContext<RoleServer>,
        shape: Shape,
        asked: &Asked,
        url: &str,
    ) -> Option<ElicitResult> {
        let id = asked.token[..16].to_owned();
        let request = ask::request(shape, &asked.question, url, &id).ok()?;
        match context.peer.create_elicitation(request).await {
            Ok(result) => Some(result),
            Err(error) => {
                asked.answer(Answer::Unasked(format!("the client cannot ask: {error}")));
                None
            }
        }
    }
}

fn accepted(result: &ElicitResult) -> bool {
    result.action == rmcp::model::ElicitationAction::Accept
}
