//! `kael-host fork`: a new run of the beginning of another, on a server.

use kael_engine::text::percent_encoded;
use kael_server::client::{Fork as Body, Run};

use super::args::Fork as Arguments;
use super::{Context, code};
use crate::args::Shared;
use crate::commands::run::named;
use crate::exit;
use crate::report::Problem;
use crate::terminal::{say, say_json};
use kael_engine::environment::Environment;

pub(crate) fn run(shared: &Shared, arguments: &Arguments, environment: &Environment) -> u8 {
    let context = Context::new(shared, environment, &arguments.target);
    code(fork(&context, arguments))
}

fn fork(context: &Context<'_>, arguments: &Arguments) -> Result<u8, u8> {
    let client = context.client(&arguments.target)?;
    let usage = |message: String| context.fail(&Problem::usage(message), exit::USAGE);
    let script = match &arguments.script {
        None => None,
        Some(path) => {
            let (name, source) = named(path).map_err(usage)?;
            let no_text = |_| usage(format!("the script {name} is no text in UTF-8"));
            Some(String::from_utf8(source).map_err(no_text)?)
        }
    };
    let body = Body {
        at: Some(arguments.at),
        script,
    };
    let path = format!("/v1/runs/{}/fork", percent_encoded(&arguments.run));
    let run: Run = context.ask(client.send(hyper::Method::POST, &path, &body))?;
    Ok(match context.json {
        true => say_json(&run, exit::SUCCESS),
        false => say(&format!("{}\n", run.id), exit::SUCCESS),
    })
}
