//! `kael.ws.*`: WebSockets to the servers that a policy opens.
//!
//! A script knows a socket by a handle of its run. Opening one is a request like any of `kael.http`:
//! the same URLs, grants, headers and addresses. Each message that is sent or received is a call of
//! its own, which is recorded.

mod socket;

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use kael_engine::environment::Environment;
use kael_engine::failure::{ActionError, ErrorKind};
use kael_engine::policy::Grants;
use kael_engine::run_info::RunInfo;
use kael_net::Trust;

use crate::handles::Handles;
use crate::http::{self, Request};
use crate::refusal::{self, params};
use crate::values::Values;
use crate::wire;
use socket::Socket;

/// How long one is kept that no call is about: longer than any call takes.
const IDLE: Duration = Duration::from_secs(600);
/// How long a call waits for a message, and for one to be sent.
const WAIT: f64 = 30.0;
const MAX_WAIT: f64 = 590.0;
/// Bytes of a message.
const MAX_MESSAGE: usize = 16 << 20;

/// The parameters of every action but `kael.ws.open`; each uses some.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    socket: String,
    text: Option<String>,
    bytes: Option<String>,
    wait: Option<f64>,
    code: Option<u16>,
    reason: Option<String>,
}

/// Those of the scripts of one repo, by their handles.
pub(crate) struct Sockets {
    trust: Trust,
    open: Handles<Arc<Socket>>,
}

/// Whether an action opens a socket, and so names a server.
pub(crate) fn opens(action: &str) -> bool {
    action == "open"
}

impl Sockets {
    pub(crate) fn new(environment: &Environment) -> Self {
        Self {
            trust: Trust::new(environment),
            open: Handles::new("sockets", IDLE),
        }
    }

    /// Opens a socket for a run.
    pub(crate) async fn open(
        &self,
        request: Request,
        grants: &Grants,
        mut values: Values<'_>,
        run: &Arc<RunInfo>,
    ) -> Result<Vec<u8>, ActionError> {
        let place = self.open.reserve(run)?;
        let access = http::granted(&request.method, &request.target, grants)?;
        let headers = access.headers(&request, grants, &mut values).await?;
        let network = access.network(&request.target);
        let time = request.timeout;
        let opening = Socket::open(&request, headers, &network, &self.trust);
        let opened = tokio::time::timeout(time, opening).await;
        let (socket, answer) = opened.unwrap_or_else(|_| {
            let message = format!("no answer within {} s", time.as_secs_f64());
            Err(ActionError::new(ErrorKind::Timeout, message))
        })?;
        let handle = place.keep(Arc::new(socket));
        let protocol = answer.map_or(serde_json::Value::Null, Into::into);
        let answer = serde_json::json!({ "socket": handle, "protocol": protocol });
        Ok(answer.to_string().into_bytes())
    }

    /// Does what another action is for, with a socket of a run.
    pub(crate) async fn run(
        &self,
        action: &str,
        text: &str,
        run: &Arc<RunInfo>,
    ) -> Result<Vec<u8>, ActionError> {
        let asked: Params = params(text)?;
        let Some(socket) = self.open.get(&asked.socket, run) else {
            if action == "close" {
                return Ok(b"null".to_vec());
            }
            let message = "the socket is not open: it was closed, or its run was interrupted";
            return Err(ActionError::unavailable(message.to_owned(), None));
        };
        let wait = refusal::wait(asked.wait, WAIT, MAX_WAIT)?;
        let done = match action {
            "send" => {
                let message = socket::message(asked.text, asked.bytes)?;
                socket
                    .send(message, wait)
                    .await
                    .map(|()| serde_json::Value::Null)
            }
            "receive" => socket.receive(wait).await,
            _ => {
                let frame = socket::farewell(asked.code, asked.reason.unwrap_or_default())?;
                self.open.remove(&asked.socket);
                socket.close(frame).await;
                Ok(serde_json::Value::Null)
            }
        };
        let is_over = done.as_ref().map_or_else(
            |error| error.kind != ErrorKind::Timeout,
            |answer| answer.get("closed").is_some(),
        );
        if is_over {
            self.open.remove(&asked.socket);
        }
        done.map(|answer| answer.to_string().into_bytes())
    }
}
