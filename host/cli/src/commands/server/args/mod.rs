//! The command lines of the server, and of the commands that talk to one.

mod access;
mod runs;
mod store;
mod triggers;
mod waiting;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Subcommand;

pub(crate) use access::{
    Repo, RepoCommand, Secret, SecretCommand, Tenant, TenantCommand, Token, TokenCommand,
};
pub(crate) use runs::{Cancel, Logs, Ps, Show, Submit};
pub(crate) use store::{Db, DbCommand, Place};
pub(crate) use triggers::{
    Hook, HookCommand, Schedule, ScheduleCommand, Script, ScriptCommand, SetSchedule,
};
pub(crate) use waiting::{Approvals, Approve, Deciding, Deny, Fork, Resolve, Resume, Signal};

/// The commands of this room, among those of the program.
#[derive(Debug, Subcommand)]
pub(crate) enum ServerCommand {
    Serve(Serve),
    Db(Db),
    Login(Login),
    Submit(Box<Submit>),
    Ps(Ps),
    Logs(Logs),
    Show(Show),
    Cancel(Cancel),
    Approvals(Approvals),
    Approve(Approve),
    Deny(Deny),
    Signal(Signal),
    Resume(Resume),
    Fork(Fork),
    Resolve(Resolve),
    Repo(Repo),
    Secret(Secret),
    Token(Token),
    Tenant(Tenant),
    Script(Script),
    Schedule(Schedule),
    Hook(Hook),
}

/// Run scripts for many people: over HTTP, with tenants, tokens, a queue and a web page.
///
/// Without a configuration it serves the tenant `default`, with the actions repo of --actions, on
/// 127.0.0.1:7788. It prints a link that signs the first operator in, once.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kael-host serve --actions ./actions\n  kael-host serve --config /etc/kael/serve.yaml\n  kael-host serve --config serve.yaml --check"
)]
pub(crate) struct Serve {
    /// The server's settings.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where it listens; port 0 takes any [default: 127.0.0.1:7788].
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// The folder with everything that it keeps [default: `server` in Kael's data folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Print a link that signs an operator in, although one has signed in before.
    #[arg(long)]
    pub(crate) sign_in: bool,
    /// Check the settings, and do not start.
    #[arg(long)]
    pub(crate) check: bool,
    /// Print one JSON document when it takes requests.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Sign in to a server.
///
/// LINK is the one-time link that `kael-host serve` printed, or that another signed-in person has made
/// with `kael-host login --link`. The token that comes of it is kept in a file that only you can read.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kael-host login 'http://127.0.0.1:7788/login?code=kael-link-…'\n  kael-host login http://kael.example:7788 < token\n  kael-host login --link"
)]
pub(crate) struct Login {
    /// The link, or the address of a server, whose token is read from stdin.
    #[arg(value_name = "LINK|ADDRESS", required_unless_present = "link")]
    pub(crate) link_or_address: Option<String>,
    /// Print a one-time link that signs a browser, or another machine, in as you.
    #[arg(long)]
    pub(crate) link: bool,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Which server, as whom.
#[derive(Debug, clap::Args)]
pub(crate) struct Target {
    /// The server [env: KAEL_SERVER] [default: the one that you signed in to]. Its token is KAEL_TOKEN, or the kept one.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) server: Option<String>,
    /// The tenant, which only an operator chooses [env: KAEL_TENANT].
    #[arg(long, value_name = "NAME")]
    pub(crate) tenant: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
