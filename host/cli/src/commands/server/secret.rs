//! `kael-host secret`: the secrets that a tenant keeps on a server.

use kael_engine::text::percent_encoded;
use kael_server::client::{NewSecret, SecretList};
use serde_json::json;

use super::args::{Secret as Arguments, SecretCommand, Target};
use super::{Context, code};
use crate::args::Shared;
use crate::commands::secrets::from_stdin;
use crate::exit;
use crate::report::Problem;
use crate::sanitize::escape_control;
use crate::terminal::{say, say_json};
use kael_engine::environment::Environment;

pub(crate) fn run(shared: &Shared, arguments: &Arguments, environment: &Environment) -> u8 {
    let (SecretCommand::Ls { target }
    | SecretCommand::Set { target, .. }
    | SecretCommand::Rm { target, .. }) = &arguments.command;
    let context = Context::new(shared, environment, target);
    code(match &arguments.command {
        SecretCommand::Ls { .. } => list(&context, target),
        SecretCommand::Set { name, .. } => set(&context, target, name),
        SecretCommand::Rm { name, .. } => remove(&context, target, name),
    })
}

fn list(context: &Context<'_>, target: &Target) -> Result<u8, u8> {
    let client = context.client(target)?;
    let all: SecretList = context.ask(client.get("/v1/secrets"))?;
    if context.json {
        return Ok(say_json(&all, exit::SUCCESS));
    }
    let names = all.secrets.iter().map(|one| one.name.len());
    let width = names.max().unwrap_or(0);
    let line = |one: &kael_server::client::Secret| {
        let name = escape_control(&one.name);
        format!("{name:width$}  {}\n", one.set)
    };
    let text: String = all.secrets.iter().map(line).collect();
    Ok(say(&text, exit::SUCCESS))
}

fn set(context: &Context<'_>, target: &Target, name: &str) -> Result<u8, u8> {
    let client = context.client(target)?;
    let value = from_stdin("secret").map_err(|error| {
        let problem = Problem::usage(error.message);
        let problem = match error.hint {
            Some(hint) => problem.hinted(hint),
            None => problem,
        };
        context.fail(&problem, exit::USAGE)
    })?;
    let body = NewSecret {
        value: value.expose().to_owned(),
    };
    let path = format!("/v1/secrets/{}", percent_encoded(name));
    context.ask(client.put(&path, &body))?;
    Ok(told(context, name, "is kept"))
}

fn remove(context: &Context<'_>, target: &Target, name: &str) -> Result<u8, u8> {
    let client = context.client(target)?;
    context.ask(client.delete(&format!("/v1/secrets/{}", percent_encoded(name))))?;
    Ok(told(context, name, "is removed"))
}

fn told(context: &Context<'_>, name: &str, what: &str) -> u8 {
    match context.json {
        true => say_json(&json!({ "ok": true, "name": name }), exit::SUCCESS),
        false => say(&format!("{} {what}\n", escape_control(name)), exit::SUCCESS),
    }
}
