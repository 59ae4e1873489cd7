//! Follows a run of a server to its end: prints what it prints, and gives its exit code.

use std::io::{self, IsTerminal as _, Write};

use kael_server::client::{Client, ClientError, FollowedEvent, Run};

use crate::exit;
use crate::report::Problem;
use crate::sanitize::Terminal;

/// What a run came to.
pub(super) struct Outcome {
    pub(super) code: u8,
    /// Why, if it did not succeed.
    pub(super) problem: Option<Problem>,
}

/// Follows a run until it is over, or cannot go on without a person. With `json`, every event is a line.
pub(super) async fn follow(client: &Client, run: &str, json: bool) -> Result<Outcome, ClientError> {
    let mut events = client.follow(run, None);
    let stdout = io::stdout();
    let mut out: Box<dyn Write + Send> = match stdout.is_terminal() {
        true => Box::new(Terminal(stdout)),
        false => Box::new(stdout),
    };
    while let Some(event) = events.next().await? {
        let written = match json {
            true => line(&mut out, &event),
            false if event.event == "output" => {
                let text = event.data["text"].as_str().unwrap_or_default();
                out.write_all(text.as_bytes()).and_then(|()| out.flush())
            }
            false => Ok(()),
        };
        if written.is_err() {
            return Ok(Outcome {
                code: exit::OUTPUT_CLOSED,
                problem: None,
            });
        }
        if event.event == "end" {
            return Ok(outcome(&event));
        }
        if event.event == "state" && event.data["state"] == "parked" {
            let now: Run = client.get(&format!("/v1/runs/{run}")).await?;
            // It may have gone on since.
            if now.state == "parked" {
                return Ok(parked(now));
            }
        }
    }
    // The events are not kept any more: the run itself says how it ended.
    let run: Run = client.get(&format!("/v1/runs/{run}")).await?;
    let code = run.exit_code.and_then(|code| u8::try_from(code).ok());
    Ok(Outcome {
        code: code.unwrap_or(exit::BUG),
        problem: run.error.map(|error| Problem::of_server(&error)),
    })
}

/// A run that a person must look at.
fn parked(run: Run) -> Outcome {
    Outcome {
        code: exit::WAITS,
        problem: run.error.map(|error| Problem::of_server(&error)),
    }
}

fn line(out: &mut dyn Write, event: &FollowedEvent) -> io::Result<()> {
    let document = serde_json::json!({ "event": event.event, "id": event.id, "data": event.data });
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")?;
    out.flush()
}

fn outcome(event: &FollowedEvent) -> Outcome {
    let code = event.data["exit_code"]
        .as_u64()
        .and_then(|code| u8::try_from(code).ok());
    let error = serde_json::from_value(event.data["error"].clone()).ok();
    Outcome {
        code: code.unwrap_or(exit::BUG),
        problem: error.map(|error| Problem::of_server(&error)),
    }
}
