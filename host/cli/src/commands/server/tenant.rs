//! `kael-host tenant`: the tenants of a server.

use kael_engine::text::percent_encoded;
use serde_json::{Value, json};

use super::args::{Target, Tenant as Arguments, TenantCommand};
use super::{Context, code};
use crate::args::Shared;
use crate::exit;
use crate::sanitize::escape_control;
use crate::terminal::{say, say_json};
use kael_engine::environment::Environment;
use kael_engine::units::ByteSize;
use kael_server::client::ClientError;

pub(crate) fn run(shared: &Shared, arguments: &Arguments, environment: &Environment) -> u8 {
    let (TenantCommand::Ls { target }
    | TenantCommand::Top { target }
    | TenantCommand::Set { target, .. }) = &arguments.command;
    let context = Context::new(shared, environment, target);
    code(match &arguments.command {
        TenantCommand::Ls { .. } => list(&context, target, false),
        TenantCommand::Top { .. } => list(&context, target, true),
        TenantCommand::Set { .. } => set(&context, target, &arguments.command),
    })
}

fn list(context: &Context<'_>, target: &Target, by_load: bool) -> Result<u8, u8> {
    let client = context.client(target)?;
    let mut all: Value = context.ask(client.get("/v1/tenants"))?;
    let mut tenants = all["tenants"].as_array().cloned().unwrap_or_default();
    if by_load {
        let used = |tenant: &Value| tenant["load"]["slot_seconds"].as_f64().unwrap_or(0.0);
        tenants.sort_by(|one, other| used(other).total_cmp(&used(one)));
    }
    if context.json {
        all["tenants"] = tenants.into();
        return Ok(say_json(&all, exit::SUCCESS));
    }
    let mut out = match by_load {
        true => format!(
            "{:<24} {:>8} {:>8} {:>12} {:>10} {:>10}\n",
            "TENANT", "RUNNING", "QUEUED", "SLOT SECONDS", "STORAGE", "OF"
        ),
        false => format!(
            "{:<24} {:>7} {:>8} {:>8}  {}\n",
            "TENANT", "WEIGHT", "RUNNING", "QUEUED", "ACTIONS"
        ),
    };
    for tenant in tenants {
        let (settings, load) = (&tenant["settings"], &tenant["load"]);
        let name = tenant["name"].as_str().unwrap_or("");
        let line = match by_load {
            true => format!(
                "{name:<24} {:>8} {:>8} {:>12} {:>10} {:>10}",
                load["running"].to_string(),
                load["queued"].to_string(),
                load["slot_seconds"].to_string(),
                ByteSize::new(load["storage_bytes"].as_u64().unwrap_or(0)).to_string(),
                settings["max_storage"].as_str().unwrap_or("-")
            ),
            false => format!(
                "{name:<24} {:>7} {:>8} {:>8}  {}{}",
                settings["weight"].to_string(),
                settings["max_running"].to_string(),
                settings["max_queued"].to_string(),
                settings["actions"].as_str().unwrap_or("-"),
                if tenant["disabled"] == true {
                    "  (disabled)"
                } else {
                    ""
                }
            ),
        };
        out += &format!("{}\n", escape_control(&line));
    }
    Ok(say(&out, exit::SUCCESS))
}

fn set(context: &Context<'_>, target: &Target, command: &TenantCommand) -> Result<u8, u8> {
    let TenantCommand::Set {
        name,
        repo,
        weight,
        max_running,
        max_queued,
        keep_runs,
        keep_output,
        max_storage,
        disabled,
        ..
    } = command
    else {
        return Ok(exit::SUCCESS);
    };
    let client = context.client(target)?;
    let path = format!("/v1/tenants/{}", percent_encoded(name));
    let put: Value = context.ask(async {
        let now = match client.get::<Value>(&path).await {
            Ok(now) => now,
            Err(ClientError::Refused(problem)) if problem.status == 404 => json!({}),
            Err(error) => return Err(error),
        };
        let mut settings = now["settings"].as_object().cloned().unwrap_or_default();
        let folder = repo
            .as_ref()
            .map(|repo| json!(std::path::absolute(repo).unwrap_or_else(|_| repo.clone())));
        for (key, value) in [
            ("actions", folder),
            ("weight", weight.map(Value::from)),
            ("max_running", max_running.map(Value::from)),
            ("max_queued", max_queued.map(Value::from)),
            ("keep_runs", keep_runs.clone().map(Value::from)),
            ("keep_output", keep_output.clone().map(Value::from)),
            ("max_storage", max_storage.clone().map(Value::from)),
        ] {
            if let Some(value) = value {
                settings.insert(key.to_owned(), value);
            }
        }
        let disabled = disabled.unwrap_or(now["disabled"] == true);
        let body = json!({ "settings": settings, "disabled": disabled });
        client.send(hyper::Method::PUT, &path, &body).await
    })?;
    Ok(match context.json {
        true => say_json(&put, exit::SUCCESS),
        false => exit::SUCCESS,
    })
}
