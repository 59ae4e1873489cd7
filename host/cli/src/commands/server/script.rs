//! `kael-host script`: the stored scripts of a server.

use kael_engine::text::percent_encoded;
use std::ffi::OsStr;

use kael_server::client::{NewScript, ScriptVersion, StoredScript, StoredScripts};
use serde_json::json;

use super::args::{Script as Arguments, ScriptCommand, Target};
use super::{Context, code, submit};
use crate::args::Shared;
use crate::exit;
use crate::report::Problem;
use crate::sanitize::escape_control;
use crate::terminal::{say, say_json};
use kael_engine::environment::Environment;

pub(crate) fn run(shared: &Shared, arguments: &Arguments, environment: &Environment) -> u8 {
    let (ScriptCommand::Ls { target }
    | ScriptCommand::Put { target, .. }
    | ScriptCommand::Show { target, .. }
    | ScriptCommand::Rm { target, .. }) = &arguments.command;
    let context = Context::new(shared, environment, target);
    code(match &arguments.command {
        ScriptCommand::Ls { .. } => list(&context, target),
        ScriptCommand::Put {
            name,
            file,
            if_version,
            ..
        } => put(&context, target, name, file, *if_version),
        ScriptCommand::Show { name, .. } => show(&context, target, name),
        ScriptCommand::Rm { name, .. } => remove(&context, target, name),
    })
}

fn path(name: &str) -> String {
    format!("/v1/scripts/{}", percent_encoded(name))
}

fn list(context: &Context<'_>, target: &Target) -> Result<u8, u8> {
    let client = context.client(target)?;
    let all: StoredScripts = context.ask(client.get("/v1/scripts"))?;
    if context.json {
        return Ok(say_json(&all, exit::SUCCESS));
    }
    let lines = all.scripts.iter().map(|script| {
        let line = format!(
            "{:<32} {:>7}  {}  {}",
            script.name, script.version, script.at, script.by
        );
        format!("{}\n", escape_control(&line))
    });
    Ok(say(&lines.collect::<String>(), exit::SUCCESS))
}

fn put(
    context: &Context<'_>,
    target: &Target,
    name: &str,
    file: &OsStr,
    version: Option<u32>,
) -> Result<u8, u8> {
    let text = submit::text_of(file);
    let (_, script) = text.map_err(|why| context.fail(&Problem::usage(why), exit::USAGE))?;
    let client = context.client(target)?;
    let (at, new) = (path(name), NewScript { script });
    let put: ScriptVersion = context.ask(client.put_behind(&at, &new, version))?;
    Ok(match context.json {
        true => say_json(&put, exit::SUCCESS),
        false => say(
            &format!("{}@{}\n", escape_control(&put.name), put.version),
            exit::SUCCESS,
        ),
    })
}

fn show(context: &Context<'_>, target: &Target, name: &str) -> Result<u8, u8> {
    let client = context.client(target)?;
    let at = match name.split_once('@') {
        Some((name, version)) => format!("{}?version={}", path(name), percent_encoded(version)),
        None => path(name),
    };
    let script: StoredScript = context.ask(client.get(&at))?;
    Ok(match context.json {
        true => say_json(&script, exit::SUCCESS),
        false => say(&script.script, exit::SUCCESS),
    })
}

fn remove(context: &Context<'_>, target: &Target, name: &str) -> Result<u8, u8> {
    let client = context.client(target)?;
    context.ask(client.delete(&path(name)))?;
    Ok(match context.json {
        true => say_json(&json!({ "ok": true, "name": name }), exit::SUCCESS),
        false => exit::SUCCESS,
    })
}
