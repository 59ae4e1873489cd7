//! `kael-host logs`: what a run on a server has printed.

use std::io::{self, IsTerminal as _, Write as _};

use super::args::Logs as Arguments;
use super::{Context, code, follow};
use crate::args::Shared;
use crate::exit;
use crate::sanitize::Terminal;
use crate::terminal::say_json;
use kael_engine::environment::Environment;
use serde_json::json;

pub(crate) fn run(shared: &Shared, arguments: &Arguments, environment: &Environment) -> u8 {
    let context = Context::new(shared, environment, &arguments.target);
    code(logs(&context, arguments))
}

fn logs(context: &Context<'_>, arguments: &Arguments) -> Result<u8, u8> {
    let client = context.client(&arguments.target)?;
    if arguments.follow {
        let outcome = context.ask(follow::follow(&client, &arguments.run, context.json))?;
        if let (Some(problem), false) = (outcome.problem, context.json) {
            problem.print(context.shared.quiet);
        }
        return Ok(outcome.code);
    }
    let mut all = Vec::new();
    loop {
        let path = format!("/v1/runs/{}/output?from={}", arguments.run, all.len());
        let bytes = context.ask(client.get_bytes(&path))?;
        if bytes.is_empty() {
            break;
        }
        all.extend_from_slice(&bytes);
    }
    if context.json {
        let text = String::from_utf8_lossy(&all);
        return Ok(say_json(
            &json!({ "run": arguments.run, "output": text }),
            exit::SUCCESS,
        ));
    }
    let stdout = io::stdout();
    let written = match stdout.is_terminal() {
        true => Terminal(stdout).write_all(&all),
        false => stdout.lock().write_all(&all),
    };
    Ok(match written {
        Ok(()) => exit::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => exit::OUTPUT_CLOSED,
        Err(_) => exit::OUTPUT_FAILED,
    })
}
