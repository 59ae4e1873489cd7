//! `kael.http.*`: requests to the servers that a policy opens.
//!
//! `request` reads what a script asks for, and `target` where that goes. `access` finds the grants
//! and makes the headers that go there. `client` sends a request over a connection of `pool`, made
//! by `kael-net`, which looks the name up once and connects to an address that passed. `redirect`
//! makes the next request, which passes all of this again. `answer` is what the script gets, and a
//! download is `masked` piece by piece. An answer with events stays open in `streams`, and `events`
//! reads them.

mod access;
mod answer;
mod client;
mod events;
mod masked;
mod pool;
mod redirect;
mod request;
mod streams;
mod target;

use std::sync::Arc;
use std::time::Duration;

use kael_engine::environment::Environment;
use kael_engine::failure::{ActionError, ErrorKind};
use kael_engine::json;
use kael_engine::policy::Grants;
use kael_engine::run_info::RunInfo;
use kael_net::Trust;

use crate::fs::Incoming;
use crate::refusal::interrupted;
use crate::values::Values;

pub(crate) use access::granted;
pub(crate) use request::{Request, SOCKET};

#[cfg(fuzzing)]
pub use events::read_in_pieces;

use client::Failure;
use masked::Masked;
use pool::Pool;
use streams::Streams;

/// Whether an action is about an answer that is open, and names no server.
pub(crate) fn is_of_stream(action: &str) -> bool {
    matches!(action, "read" | "close")
}

/// Begins the file at a path.
type Begin<'a> = dyn Fn(&str) -> Result<Incoming, ActionError> + Send + Sync + 'a;

/// Whom an answer is for.
pub(crate) enum Aim<'a> {
    /// The script of a run.
    Script(&'a Arc<RunInfo>),
    /// A file.
    File(&'a Begin<'a>),
}

/// What a request has led to.
enum Got {
    Answer(answer::Answer),
    /// The rest of it is read by a handle, or goes to a file.
    Open(Box<(Request, client::Opened)>),
}

/// Sends requests for the scripts of one repo.
pub(crate) struct Http {
    trust: Trust,
    pool: Pool,
    streams: Streams,
}

/// The longest wait before a request is tried again.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

impl Http {
    pub(crate) fn new(environment: &Environment) -> Self {
        Self {
            trust: Trust::new(environment),
            pool: Pool::default(),
            streams: Streams::default(),
        }
    }

    /// Does `kael.http.read` or `kael.http.close` for a run.
    pub(crate) async fn stream(
        &self,
        action: &str,
        text: &str,
        run: &Arc<RunInfo>,
    ) -> Result<Vec<u8>, ActionError> {
        self.streams.run(action, text, run).await
    }

    /// Sends a request, follows where it leads, and tries it again as often as it says.
    pub(crate) async fn send(
        &self,
        request: Request,
        grants: &Grants,
        values: Values<'_>,
        aim: Aim<'_>,
    ) -> Result<Vec<u8>, ActionError> {
        let time = request.timeout;
        let sending = self.attempts(request, grants, values, aim);
        match tokio::time::timeout(time, sending).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let message = format!("no answer within {} s", time.as_secs_f64());
                Err(ActionError::new(ErrorKind::Timeout, message))
            }
        }
    }

    async fn attempts(
        &self,
        request: Request,
        grants: &Grants,
        mut values: Values<'_>,
        aim: Aim<'_>,
    ) -> Result<Vec<u8>, ActionError> {
        let mut left = request.retries;
        let mut wait = Duration::from_millis(200);
        loop {
            let outcome = self.follow(request.clone(), grants, &mut values).await;
            let pause = match &outcome {
                Ok(Got::Answer(answer)) if left > 0 && answer.is_passing() => answer.retry_after(),
                Err(error) if left > 0 && error.kind == ErrorKind::Unavailable => None,
                _ => {
                    let answer = match outcome? {
                        Got::Answer(answer) => answer,
                        Got::Open(open) => match &aim {
                            Aim::Script(run) => self.opened(*open, &values, run)?,
                            Aim::File(file) => return saved(*open, &values, file).await,
                        },
                    };
                    return written(answer).await;
                }
            };
            left -= 1;
            tokio::time::sleep(pause.unwrap_or(wait).min(LONGEST_WAIT)).await;
            wait *= 2;
        }
    }

    /// Sends a request and those to which its answers lead.
    async fn follow(
        &self,
        mut request: Request,
        grants: &Grants,
        values: &mut Values<'_>,
    ) -> Result<Got, ActionError> {
        let mut left = request.redirects;
        loop {
            let access = granted(&request.method, &request.target, grants)?;
            let headers = access.headers(&request, grants, values).await?;
            let sent = client::send(&self.pool, &self.trust, &request, &access, headers).await;
            let opened = sent.map_err(Failure::error)?;
            let is_file = request.path.is_some() && opened.is_success();
            if is_file || (request.events && opened.has_events()) {
                return Ok(Got::Open(Box::new((request, opened))));
            }
            let read = opened.read(&self.pool, &request).await;
            let mut answer = read.map_err(Failure::error)?;
            if request.follow
                && let Some(next) = redirect::next(&request, &answer)?
            {
                if left == 0 {
                    let message = format!("more than {} redirects", request.redirects);
                    return Err(ActionError::new(ErrorKind::Failed, message));
                }
                left -= 1;
                request = next;
                continue;
            }
            answer.mask(values.taken());
            return Ok(Got::Answer(answer));
        }
    }

    /// Keeps an answer with events, for the script to read them.
    fn opened(
        &self,
        (request, opened): (Request, client::Opened),
        values: &Values<'_>,
        run: &Arc<RunInfo>,
    ) -> Result<answer::Answer, ActionError> {
        let (mut answer, body, connection) = opened.apart(&request);
        answer.mask(values.taken());
        let handle = self.streams.keep(run, body, connection)?;
        Ok(answer.with_stream(handle))
    }
}

/// Writes the body of an answer to its file. Nothing is left of one that breaks off.
async fn saved(
    (request, opened): (Request, client::Opened),
    values: &Values<'_>,
    begin: &Begin<'_>,
) -> Result<Vec<u8>, ActionError> {
    let (answer, mut body, _connection) = opened.apart(&request);
    let file = begin(request.path.as_deref().unwrap_or_default())?;
    let mut masked = Masked::new(values.taken());
    let mut size = 0;
    while let Some(data) = client::next(&mut body).await.map_err(Failure::error)? {
        size += data.len() as u64;
        if size > request.max_bytes {
            return Err(client::too_large(&request).error());
        }
        let data = match masked.is_empty() {
            true => data,
            false => masked.push(&data).into(),
        };
        if !file.push(data).await {
            break;
        }
    }
    file.push(masked.end().into()).await;
    let size = file.end().await?;
    let status = answer.status;
    Ok(serde_json::json!({ "status": status, "bytes": size })
        .to_string()
        .into_bytes())
}

/// What a script gets of an answer.
async fn written(answer: answer::Answer) -> Result<Vec<u8>, ActionError> {
    let written = json::aside(answer.len(), move || answer.json()).await;
    written.ok_or_else(interrupted)
}
