//! `kael-host mcp`: the Model Context Protocol.

pub(crate) mod args;
mod install;
mod json_edit;
mod serve;

use kael_engine::environment::Environment;

use super::actions::{ActionsContext, code};
use crate::args::Shared;
use crate::terminal::Paint;
use args::{Mcp, McpCommand};

pub(super) fn run(shared: &Shared, mcp: Mcp, environment: &Environment) -> u8 {
    let context = |json| ActionsContext {
        shared,
        environment,
        json,
        paint: Paint::new(environment),
    };
    match mcp.command {
        None => serve::run(&context(false), mcp),
        Some(McpCommand::Install(install)) => {
            let context = context(install.json);
            code(install::run(&context, &install))
        }
    }
}
