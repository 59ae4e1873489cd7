//! Answers that go on: a script reads the events of one by its handle, call after call, and each
//! call is recorded.

use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{Value, json};

use kael_engine::failure::ActionError;
use kael_engine::run_info::RunInfo;

use super::client::{Failure, next};
use super::events::Events;
use super::pool::Connection;
use crate::handles::Handles;
use crate::refusal::{self, params};

/// How long one is kept that nobody reads.
const IDLE: Duration = Duration::from_secs(120);
/// How long a call waits for an event, unless it says otherwise; and at most.
const WAIT: f64 = 30.0;
const MAX_WAIT: f64 = 60.0;
/// The bytes after which a call reads no further, whether they are an event or not.
const MAX_BYTES: usize = 1 << 20;

/// The parameters of `kael.http.read` and `kael.http.close`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    stream: String,
    wait: Option<f64>,
}

/// An answer that goes on.
struct Stream {
    body: Incoming,
    /// It ends with its connection.
    _connection: Connection,
    events: Events,
}

/// Those of the scripts of one repo, by their handles.
pub(super) struct Streams(Handles<Stream>);

impl Default for Streams {
    fn default() -> Self {
        Self(Handles::new("streams", IDLE))
    }
}

impl Streams {
    /// Keeps an answer for a run. Returns its handle.
    pub(super) fn keep(
        &self,
        run: &Arc<RunInfo>,
        body: Incoming,
        connection: Connection,
    ) -> Result<String, ActionError> {
        let stream = Stream {
            body,
            _connection: connection,
            events: Events::default(),
        };
        Ok(self.0.reserve(run)?.keep(stream))
    }

    /// Does `kael.http.read` or `kael.http.close` for a run.
    pub(super) async fn run(
        &self,
        action: &str,
        text: &str,
        run: &Arc<RunInfo>,
    ) -> Result<Vec<u8>, ActionError> {
        let asked: Params = params(text)?;
        let wait = refusal::wait(asked.wait, WAIT, MAX_WAIT)?;
        let taken = self.0.take(&asked.stream, run);
        if action == "close" {
            return Ok(b"null".to_vec());
        }
        let Some((mut stream, place)) = taken else {
            let message =
                "the stream is not open: it has ended, or its run was interrupted".to_owned();
            let hint = "send the request again, with the header `Last-Event-ID`".to_owned();
            return Err(ActionError::unavailable(message, Some(hint)));
        };
        let mut got = Got::default();
        // A stream that this does not put back is closed.
        let read = tokio::time::timeout(wait, got.read(&mut stream));
        let is_over = read.await.unwrap_or(Ok(false))?;
        if !is_over {
            place.keep(stream);
        }
        let answer = json!({ "events": got.events, "done": is_over, "quiet": got.bytes == 0 });
        Ok(answer.to_string().into_bytes())
    }
}

/// What one call reads.
#[derive(Default)]
struct Got {
    events: Vec<Value>,
    bytes: usize,
}

impl Got {
    /// Reads until there is an event. Returns whether the answer is over.
    async fn read(&mut self, stream: &mut Stream) -> Result<bool, ActionError> {
        loop {
            let Some(data) = next(&mut stream.body).await.map_err(Failure::error)? else {
                return Ok(true);
            };
            self.bytes += data.len();
            stream.events.push(&data, &mut self.events)?;
            if !self.events.is_empty() || self.bytes > MAX_BYTES {
                return Ok(false);
            }
        }
    }
}
