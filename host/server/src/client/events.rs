//! Follows a run: server-sent events, which go on behind the last one when a connection breaks.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::Method;
use hyper::body::Incoming;
use serde_json::Value;

use super::{Client, ClientError};

/// How long a stream may be silent: three times what a server needs to show that it is alive.
const SILENCE: Duration = Duration::from_secs(30);
/// How often a connection is tried again without anything having come.
const TRIES: u32 = 20;
/// Bytes of one event.
const MAX_EVENT: usize = 64 << 20;

/// An event of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct FollowedEvent {
    /// What it is about.
    pub event: String,
    /// Its id.
    pub id: String,
    /// What it says.
    pub data: Value,
}

/// The events of a run.
pub struct Follow {
    client: Client,
    run: String,
    after: Option<String>,
    body: Option<Incoming>,
    text: Vec<u8>,
    tries: u32,
    over: bool,
}

impl Follow {
    pub(super) fn new(client: Client, run: String, after: Option<String>) -> Self {
        Self {
            client,
            run,
            after,
            body: None,
            text: Vec::new(),
            tries: 0,
            over: false,
        }
    }

    /// The next event; none behind the last one.
    ///
    /// # Errors
    /// When the server refuses, or cannot be reached for some time.
    pub async fn next(&mut self) -> Result<Option<FollowedEvent>, ClientError> {
        loop {
            if self.over {
                return Ok(None);
            }
            while let Some(block) = take_block(&mut self.text) {
                if let Some(event) = parse(&block) {
                    self.tries = 0;
                    self.after = Some(event.id.clone());
                    self.over = event.event == "end";
                    return Ok(Some(event));
                }
            }
            match self.more().await {
                Ok(true) => {}
                // The stream ended without an end of the run: the server did, or something between.
                Ok(false) => self.again().await,
                Err(error @ ClientError::Unreachable { .. }) if self.tries >= TRIES => {
                    return Err(error);
                }
                Err(ClientError::Unreachable { .. }) => self.again().await,
                Err(ClientError::Refused(problem))
                    if problem.status >= 500 && self.tries < TRIES =>
                {
                    self.again().await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn again(&mut self) {
        self.body = None;
        self.text.clear();
        self.tries += 1;
        if self.tries > 1 {
            tokio::time::sleep(Duration::from_millis(u64::from(self.tries.min(10)) * 100)).await;
        }
    }

    /// Reads more of the stream. False at its end.
    async fn more(&mut self) -> Result<bool, ClientError> {
        let body = match &mut self.body {
            Some(body) => body,
            None => {
                let path = format!("/v1/runs/{}/events", self.run);
                let id = self.after.clone();
                let header = id.as_deref().map(|id| ("last-event-id", id));
                let request =
                    self.client
                        .request(Method::GET, &path, None::<&()>, header.as_slice());
                let response = request.await?;
                if !response.status().is_success() {
                    self.client.bytes(response).await?;
                    return Ok(false);
                }
                self.body.insert(response.into_body())
            }
        };
        match tokio::time::timeout(SILENCE, body.frame()).await {
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    self.text.extend_from_slice(&data);
                }
                Ok(self.text.len() <= MAX_EVENT)
            }
            Ok(Some(Err(error))) => Err(self.client.unreachable(error)),
            Ok(None) | Err(_) => Ok(false),
        }
    }
}

/// Takes the text up to the next empty line.
fn take_block(text: &mut Vec<u8>) -> Option<String> {
    let end = text.windows(2).position(|two| two == b"\n\n")?;
    let block = String::from_utf8_lossy(&text[..end]).into_owned();
    text.drain(..end + 2);
    Some(block)
}

/// The event of a block; none if it is a comment.
fn parse(block: &str) -> Option<FollowedEvent> {
    let (mut event, mut id, mut data) = (String::new(), String::new(), Vec::new());
    for line in block.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event),
            "id" => value.clone_into(&mut id),
            "data" => data.push(value),
            _ => {}
        }
    }
    let data = serde_json::from_str(&data.join("\n")).ok()?;
    Some(FollowedEvent { event, id, data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_taken_out_of_a_stream() {
        let mut text =
            b": hello\n\nid: 3-5\nevent: output\ndata: {\"text\":\"a\"}\n\nid: 4".to_vec();
        assert_eq!(take_block(&mut text).as_deref().map(parse), Some(None));
        let event = take_block(&mut text)
            .as_deref()
            .and_then(parse)
            .expect("an event");
        assert_eq!((event.id.as_str(), event.event.as_str()), ("3-5", "output"));
        assert_eq!(event.data["text"], "a");
        assert_eq!(take_block(&mut text), None);
    }
}
