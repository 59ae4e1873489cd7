//! `kael-host repo`: the actions repo of a tenant on a server.

use hyper::Method;
use kael_engine::text::percent_encoded;
use kael_server::client::RepoState;
use serde_json::json;

use super::args::{Repo as Arguments, RepoCommand};
use super::{Context, code};
use crate::args::Shared;
use crate::exit;
use crate::sanitize::escape_control;
use crate::terminal::{say, say_json};
use kael_engine::environment::Environment;

pub(crate) fn run(shared: &Shared, arguments: &Arguments, environment: &Environment) -> u8 {
    let (RepoCommand::Show { name, target } | RepoCommand::Refresh { name, target }) =
        &arguments.command;
    let context = Context::new(shared, environment, target);
    let path = format!("/v1/repos/{}", percent_encoded(name));
    let shown = context.client(target).and_then(|client| {
        let state: RepoState = match &arguments.command {
            RepoCommand::Show { .. } => context.ask(client.get(&path))?,
            RepoCommand::Refresh { .. } => {
                context.ask(client.send(Method::POST, &format!("{path}/refresh"), &json!({})))?
            }
        };
        Ok(match context.json {
            true => say_json(&state, exit::SUCCESS),
            false => say(&text(&state), exit::SUCCESS),
        })
    });
    code(shown)
}

fn text(state: &RepoState) -> String {
    let rows = [
        ("url", &state.url),
        ("ref", &state.reference),
        ("commit", &state.commit),
        ("since", &state.since),
        ("looked", &state.looked),
        ("error", &state.error),
    ];
    let lines = rows.iter().filter_map(|(name, value)| {
        let value = value.as_deref()?;
        Some(format!("{name:7} {}\n", escape_control(value)))
    });
    lines.collect()
}
