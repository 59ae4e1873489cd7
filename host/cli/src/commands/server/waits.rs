//! `kael-host signal`, `resume` and `resolve`: what reaches a run of a server that waits or is parked.

use kael_engine::text::percent_encoded;
use kael_server::client::{Client, Resolve as Settled, Run, SendSignal, SentSignal};
use serde_json::json;
use serde_json::value::RawValue;

use super::args::{Resolve, Resume, Signal};
use super::{Context, code};
use crate::args::Shared;
use crate::exit;
use crate::report::Problem;
use crate::terminal::{say, say_json};
use kael_engine::environment::Environment;

pub(crate) fn signal(shared: &Shared, arguments: &Signal, environment: &Environment) -> u8 {
    let context = Context::new(shared, environment, &arguments.target);
    let sent = || {
        let client = context.client(&arguments.target)?;
        let body = SendSignal {
            payload: Some(document(&context, "JSON", &arguments.payload)?),
            id: arguments.once.clone(),
        };
        let path = format!(
            "/v1/runs/{}/signals/{}",
            percent_encoded(&arguments.run),
            percent_encoded(&arguments.name)
        );
        let sent: SentSignal = context.ask(client.send(hyper::Method::POST, &path, &body))?;
        if context.json {
            return Ok(say_json(&sent, exit::SUCCESS));
        }
        let word = if sent.is_new {
            "has the signal"
        } else {
            "had the signal before"
        };
        Ok(say(&format!("{} {word}\n", sent.run), exit::SUCCESS))
    };
    code(sent())
}

pub(crate) fn resume(shared: &Shared, arguments: &Resume, environment: &Environment) -> u8 {
    let context = Context::new(shared, environment, &arguments.target);
    let resumed = || {
        let client = context.client(&arguments.target)?;
        let path = format!("/v1/runs/{}/resume", percent_encoded(&arguments.run));
        goes_on(&context, &client, &path, &json!({}))
    };
    code(resumed())
}

pub(crate) fn resolve(shared: &Shared, arguments: &Resolve, environment: &Environment) -> u8 {
    let context = Context::new(shared, environment, &arguments.target);
    let resolved = || {
        let client = context.client(&arguments.target)?;
        let result = arguments.result.as_deref();
        let body = Settled {
            outcome: arguments.outcome.clone(),
            result: result
                .map(|text| document(&context, "--result", text))
                .transpose()?,
            message: arguments.message.clone(),
        };
        let run = percent_encoded(&arguments.run);
        let path = format!("/v1/runs/{run}/calls/{}/resolve", arguments.call);
        goes_on(&context, &client, &path, &body)
    };
    code(resolved())
}

fn goes_on(
    context: &Context<'_>,
    client: &Client,
    path: &str,
    body: &impl serde::Serialize,
) -> Result<u8, u8> {
    let run: Run = context.ask(client.send(hyper::Method::POST, path, body))?;
    Ok(match context.json {
        true => say_json(&run, exit::SUCCESS),
        false => say(&format!("{} goes on\n", run.id), exit::SUCCESS),
    })
}

/// A text that must be JSON.
fn document(context: &Context<'_>, name: &str, text: &str) -> Result<Box<RawValue>, u8> {
    RawValue::from_string(text.to_owned()).map_err(|error| {
        let problem = Problem::usage(format!("{name} is no JSON: {error}"))
            .hinted("quote a text twice: '\"like this\"'");
        context.fail(&problem, exit::USAGE)
    })
}
