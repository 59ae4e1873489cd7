//! The command line of `kael-host mcp`.

use std::path::PathBuf;

use clap::Subcommand;

use crate::args::Bounds;

/// Serve the actions of the repo to a model, by the Model Context Protocol on stdin and stdout.
///
/// The model searches and describes actions, and runs scripts that are checked first. The policy,
/// the limits and the audit log are those of `kael-host run`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Examples:\n  kael-host --actions ./actions mcp\n  kael-host --actions ./actions mcp --tools direct --read-only\n  \
kael-host --actions ./actions mcp install claude"
)]
pub(crate) struct Mcp {
    #[command(subcommand)]
    pub(crate) command: Option<McpCommand>,
    /// A few tools that run scripts, or one tool for every action.
    #[arg(long, value_name = "TOOLS", default_value = "code")]
    pub(crate) tools: Tools,
    /// How a person is asked before a call for which a rule says `approve`.
    #[arg(long, value_name = "HOW", default_value = "page")]
    pub(crate) approvals: ApprovalsBy,
    #[command(flatten)]
    pub(crate) bounds: Bounds,
}

/// Which tools a client is given.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Tools {
    /// `run`, `check`, `search`, `describe` and `result`.
    Code,
    /// One tool for every action that the policy does not deny.
    Direct,
}

/// How a person is asked.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum ApprovalsBy {
    /// On a page of this machine. The client or stderr shows its address; the model does not get it.
    Page,
    /// In a form of the client. The software that answers may be the agent itself.
    Form,
    /// Not at all: such calls are denied.
    Off,
}

#[derive(Debug, Subcommand)]
pub(crate) enum McpCommand {
    Install(Install),
}

/// Write this server into the configuration of a client, after showing what is written.
///
/// What the file held stays as it is.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kael-host --actions ./actions mcp install claude\n  kael-host --actions ./actions mcp install codex --name ops --yes"
)]
pub(crate) struct Install {
    /// The client.
    #[arg(value_name = "CLIENT")]
    pub(crate) client: Client,
    /// How the client calls this server.
    #[arg(long, value_name = "NAME", default_value = "kael")]
    pub(crate) name: String,
    /// The client's file, where it is not the usual one.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Clients whose files are known.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Client {
    /// Claude Code: .mcp.json of the working folder.
    Claude,
    /// Cursor: .cursor/mcp.json of the working folder.
    Cursor,
    /// VS Code: .vscode/mcp.json of the working folder.
    Vscode,
    /// Codex: ~/.codex/config.toml.
    Codex,
}
