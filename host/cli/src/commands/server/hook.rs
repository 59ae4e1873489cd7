//! `kael-host hook`: webhooks by which other services begin runs of stored scripts.

use hyper::Method;
use kael_engine::text::percent_encoded;
use kael_server::client::{Hooks, MadeHook, NewHook};
use serde_json::json;

use super::args::{Hook as Arguments, HookCommand, Target};
use super::{Context, code};
use crate::args::Shared;
use crate::exit;
use crate::sanitize::escape_control;
use crate::terminal::{say, say_json};
use kael_engine::environment::Environment;

pub(crate) fn run(shared: &Shared, arguments: &Arguments, environment: &Environment) -> u8 {
    let (HookCommand::Ls { target }
    | HookCommand::Create { target, .. }
    | HookCommand::Rm { target, .. }) = &arguments.command;
    let context = Context::new(shared, environment, target);
    code(match &arguments.command {
        HookCommand::Ls { .. } => list(&context, target),
        HookCommand::Create { name, script, .. } => create(&context, target, name, script),
        HookCommand::Rm { id, .. } => remove(&context, target, id),
    })
}

fn list(context: &Context<'_>, target: &Target) -> Result<u8, u8> {
    let client = context.client(target)?;
    let all: Hooks = context.ask(client.get("/v1/hooks"))?;
    if context.json {
        return Ok(say_json(&all, exit::SUCCESS));
    }
    let lines = all.hooks.iter().map(|hook| {
        let used = hook.last_used.as_deref().unwrap_or("never used");
        let line = format!("{}  {:<24} {:<24} {used}", hook.id, hook.name, hook.script);
        format!("{}\n", escape_control(&line))
    });
    Ok(say(&lines.collect::<String>(), exit::SUCCESS))
}

fn create(context: &Context<'_>, target: &Target, name: &str, script: &str) -> Result<u8, u8> {
    let new = NewHook {
        name: name.to_owned(),
        script: script.to_owned(),
    };
    let client = context.client(target)?;
    let made: MadeHook = context.ask(client.send(Method::POST, "/v1/hooks", &new))?;
    let text = [&made.hook.url, &made.secret].map(|line| format!("{}\n", escape_control(line)));
    Ok(match context.json {
        true => say_json(&made, exit::SUCCESS),
        false => say(&text.concat(), exit::SUCCESS),
    })
}

fn remove(context: &Context<'_>, target: &Target, id: &str) -> Result<u8, u8> {
    let client = context.client(target)?;
    context.ask(client.delete(&format!("/v1/hooks/{}", percent_encoded(id))))?;
    Ok(match context.json {
        true => say_json(&json!({ "ok": true, "id": id }), exit::SUCCESS),
        false => exit::SUCCESS,
    })
}
