//! `kael-host cancel`: cancels runs of a server.

use kael_server::client::Run;
use serde_json::json;

use super::args::Cancel as Arguments;
use super::{Context, code};
use crate::args::Shared;
use crate::exit;
use crate::terminal::{say, say_json};
use kael_engine::environment::Environment;

pub(crate) fn run(shared: &Shared, arguments: &Arguments, environment: &Environment) -> u8 {
    let context = Context::new(shared, environment, &arguments.target);
    code(cancel(&context, arguments))
}

fn cancel(context: &Context<'_>, arguments: &Arguments) -> Result<u8, u8> {
    let client = context.client(&arguments.target)?;
    let mut cancelled: Vec<Run> = Vec::new();
    for run in &arguments.runs {
        let mode = if arguments.now { "now" } else { "graceful" };
        let body = json!({ "reason": arguments.reason, "mode": mode });
        let path = format!("/v1/runs/{run}/cancel");
        cancelled.push(context.ask(client.send(hyper::Method::POST, &path, &body))?);
    }
    if context.json {
        return Ok(say_json(&json!({ "runs": cancelled }), exit::SUCCESS));
    }
    let lines = cancelled.iter().map(|run| match run.state.as_str() {
        "cancelled" => format!("{} is cancelled\n", run.id),
        _ if arguments.now => format!("{} is cancelled\n", run.id),
        _ => format!("{} is told to end\n", run.id),
    });
    Ok(say(&lines.collect::<String>(), exit::SUCCESS))
}
