//! `kael-host mcp`: serves one client on stdin and stdout.

use std::sync::Arc;

use super::super::actions::{ActionsContext, Ended, code};
use super::args::{ApprovalsBy, Mcp, Tools};
use crate::exit;
use crate::report::Problem;
use crate::sanitize::escape_control;
use crate::settings;
use crate::stderr;
use kael_engine::runtime::LoadError;
use kael_engine::sandbox::Output;
use kael_mcp::server::{Approvals, Server, ServerError, ServerOptions, ToolSet};

/// Instances at the same time: the runs that one client may have, and some for their checks.
const INSTANCES: u32 = 40;

pub(super) fn run(context: &ActionsContext<'_>, mcp: Mcp) -> u8 {
    code(served(context, mcp))
}

fn served(context: &ActionsContext<'_>, mcp: Mcp) -> Result<u8, Ended> {
    let config = settings::config(context.shared, &mcp.bounds, context.environment)
        .map_err(|error| context.fail(&Problem::of_config_error(&error), exit::CONFIG))?;
    let settings = settings::settings(&config, &mcp.bounds, context.environment.clone());
    let served = context.wait(async {
        let runtime = settings.runtime(INSTANCES)?;
        let output = Output::in_memory();
        let repo = settings.repo(&runtime, &output).await?;
        let server = Server::new(ServerOptions {
            runtime,
            repo,
            run: settings.run_options(Output::in_memory()),
            tools: match mcp.tools {
                Tools::Code => ToolSet::Code,
                Tools::Direct => ToolSet::Direct,
            },
            approvals: match mcp.approvals {
                ApprovalsBy::Page => Approvals::Page,
                ApprovalsBy::Form => Approvals::Form,
                ApprovalsBy::Off => Approvals::Off,
            },
            announce: Arc::new(|text: &str| {
                stderr::write(format!("{}\n", escape_control(text)).as_bytes())
            }),
        })
        .await?;
        server.serve(tokio::io::stdin(), tokio::io::stdout()).await
    })?;
    match served {
        Ok(()) => Ok(exit::SUCCESS),
        Err(ServerError::Load(error)) => Err(context.load_error(&error)),
        Err(ServerError::Policy(error)) => Err(context.load_error(&LoadError::Policy(error))),
        Err(error @ ServerError::Handshake(_)) => {
            let error = Problem::usage(error.to_string())
                .hinted("kael-host mcp is started by a client of the protocol: see kael-host mcp install --help");
            Err(context.fail(&error, exit::USAGE))
        }
        Err(error @ ServerError::Sandbox(_)) => {
            Err(context.load_error(&LoadError::Fault(error.to_string())))
        }
    }
}
