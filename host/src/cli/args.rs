//! What can be typed.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};

use crate::units::{ByteSize, TimeLimit};

/// Runs Lua scripts that you did not write.
///
/// A script runs in a sandbox that can do one thing: call the actions that your team has defined.
#[derive(Debug, Parser)]
#[command(name = "kael-host", version, arg_required_else_help = true)]
#[command(
    after_help = "Example:\n  kael-host --actions ./actions run script.lua\n\nExit codes: 0 success, 1 the script \
failed, 2 usage, 3 the actions repo is invalid, 4 denied, 5 a limit was reached, 6 an action failed and nothing caught \
it, 70 a bug in Kael, 74 the output could not be written, 128+n ended by a signal."
)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) shared: Shared,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Options of every command.
#[derive(Debug, clap::Args)]
pub(super) struct Shared {
    /// The actions repo: a folder with an init.lua [env: KAEL_ACTIONS].
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) actions: Option<PathBuf>,
    /// The envyr program to use [env: KAEL_ENVYR] [default: Kael's own, else the one on PATH].
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) envyr: Option<PathBuf>,
    /// Variables that fetching a source may see, besides SSH_AUTH_SOCK, proxies and certificates [env: KAEL_FETCH_ENV].
    #[arg(long, global = true, value_name = "NAME,…", value_delimiter = ',')]
    pub(super) fetch_env: Vec<String>,
    /// Say what is done: a line for every action; twice for more.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// Say nothing but errors.
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Run(Box<Run>),
    Setup(Setup),
    Doctor(Doctor),
}

/// Run a script.
///
/// What follows SCRIPT is the script's own: its global `arg`, and `...`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "kael-host run [OPTIONS] SCRIPT [ARGS]...\n       kael-host run [OPTIONS] -e CODE [ARGS]..."
)]
#[command(
    after_help = "Examples:\n  kael-host --actions ./actions run report.lua --since 7d\n  kael-host run -e \
'print(1 + 1)'\n  generate | kael-host run --json -"
)]
pub(super) struct Run {
    /// Run this code instead of a file.
    #[arg(short = 'e', long = "eval", value_name = "CODE")]
    pub(super) code: Option<String>,
    /// The script, `-` for stdin; then its arguments.
    #[arg(
        value_name = "SCRIPT",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(super) words: Vec<OsString>,
    /// Print one JSON report when the run is over: result, output, calls, usage, error.
    #[arg(long)]
    pub(super) json: bool,
    /// Deny the actions whose name matches; `*` stands for any text. Repeatable.
    #[arg(long, value_name = "PATTERN")]
    pub(super) deny: Vec<String>,
    /// Whether actions run where a part of their confinement is lacking [env: KAEL_CONFINEMENT] [default: best-effort].
    #[arg(long, value_name = "HOW", value_enum)]
    pub(super) confinement: Option<Confinement>,
    /// Memory that the script may use.
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    pub(super) max_memory: ByteSize,
    /// Time that the script may compute; waiting for actions is not counted.
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub(super) max_cpu: TimeLimit,
    /// Time that the run may take in all.
    #[arg(long, value_name = "TIME", default_value = "15m")]
    pub(super) timeout: TimeLimit,
    /// Output that the script may print.
    #[arg(long, value_name = "SIZE", default_value = "16MiB")]
    pub(super) max_output: ByteSize,
    /// Actions that the script may call.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(super) max_calls: u32,
    /// Actions in flight at the same time; more of them wait their turn.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) max_parallel: u32,
}

/// How much of their confinement actions need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Confinement {
    /// All of it, or nothing runs.
    Required,
    /// What the machine offers; `kael-host doctor` says what that is.
    BestEffort,
}

/// Look at what this machine has of what Kael needs.
///
/// Exit code 1 when something is missing that nothing goes without.
#[derive(Debug, clap::Args)]
pub(super) struct Doctor {
    /// Print the findings as one JSON document.
    #[arg(long)]
    pub(super) json: bool,
}

/// Install envyr, which runs the actions, into Kael's data folder.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  kael-host setup\n\nNeeds cargo. The data folder is KAEL_DATA, else \
$XDG_DATA_HOME/kael, else ~/.local/share/kael."
)]
pub(super) struct Setup {
    /// Install again even when it is there.
    #[arg(long)]
    pub(super) force: bool,
}
