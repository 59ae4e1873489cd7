//! `kael.http.*`: requests to the servers that a policy opens.
//!
//! `request` reads what a script asks for, and `target` where that goes. `access` finds the grants
//! and makes the headers that go there. `client` sends a request over a connection of `pool`, made
//! by `kael-net`, which looks the name up once and connects to an address that passed. `redirect`
//! makes the next request, which passes all of this again. `answer` is what the script gets.

mod access;
mod answer;
mod client;
mod pool;
mod redirect;
mod request;
mod target;

use std::time::Duration;

use kael_engine::environment::Environment;
use kael_engine::failure::{ActionError, ErrorKind};
use kael_engine::json;
use kael_engine::policy::Grants;
use kael_net::Trust;

use crate::refusal::interrupted;
use crate::values::Values;

pub(crate) use access::granted;
pub(crate) use request::Request;

use client::Failure;
use pool::Pool;

/// Sends requests for the scripts of one repo.
pub(crate) struct Http {
    trust: Trust,
    pool: Pool,
}

/// The longest wait before a request is tried again.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

impl Http {
    pub(crate) fn new(environment: &Environment) -> Self {
        Self {
            trust: Trust::new(environment),
            pool: Pool::default(),
        }
    }

    /// Sends a request, follows where it leads, and tries it again as often as it says.
    pub(crate) async fn send(
        &self,
        request: Request,
        grants: &Grants,
        values: Values<'_>,
    ) -> Result<Vec<u8>, ActionError> {
        let time = request.timeout;
        let sending = self.attempts(request, grants, values);
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
    ) -> Result<Vec<u8>, ActionError> {
        let mut left = request.retries;
        let mut wait = Duration::from_millis(200);
        loop {
            let outcome = self.follow(request.clone(), grants, &mut values).await;
            let pause = match &outcome {
                _ if left == 0 => return written(outcome?).await,
                Ok(answer) if answer.is_passing() => answer.retry_after(),
                Err(error) if error.kind == ErrorKind::Unavailable => None,
                _ => return written(outcome?).await,
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
    ) -> Result<answer::Answer, ActionError> {
        let mut left = request.redirects;
        loop {
            let access = granted(&request.method, &request.target, grants)?;
            let headers = access.headers(&request, grants, values).await?;
            let sent = client::send(&self.pool, &self.trust, &request, &access, headers).await;
            let mut answer = sent.map_err(Failure::error)?;
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
            return Ok(answer);
        }
    }
}

/// What a script gets of an answer.
async fn written(answer: answer::Answer) -> Result<Vec<u8>, ActionError> {
    let written = json::aside(answer.len(), move || answer.json()).await;
    written.ok_or_else(interrupted)
}
