//! The command lines that give runs to a server, and look at them.

use std::ffi::OsString;

use super::Target;

/// Give a script to a server to run.
///
/// Prints the id of the run when the server has it safe. The arguments after SCRIPT go to the script.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kael-host submit report.lua --since 7d\n  kael-host submit -f report.lua\n  kael-host submit --stored report --since 7d\n  kael-host submit --label team=web --priority 10 nightly.lua"
)]
pub(crate) struct Submit {
    /// Follow the run, and exit with its exit code.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// SCRIPT is one that the server has: NAME or NAME@VERSION.
    #[arg(long)]
    pub(crate) stored: bool,
    /// A text by which the run can be found. Repeatable.
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub(crate) labels: Vec<String>,
    /// Runs of a higher priority begin earlier.
    #[arg(long, value_name = "N", default_value_t = 0, allow_hyphen_values = true, value_parser = clap::value_parser!(i32).range(-100..=100))]
    pub(crate) priority: i32,
    /// When it may begin, such as 2026-01-31T09:30:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) start_at: Option<String>,
    /// Allow only actions without effects.
    #[arg(long)]
    pub(crate) read_only: bool,
    /// A text that makes the run once, however often it is sent within 24 hours.
    #[arg(long, value_name = "TEXT")]
    pub(crate) key: Option<String>,
    #[command(flatten)]
    pub(crate) target: Target,
    /// The script, or `-` for stdin, and its arguments.
    #[arg(
        value_name = "SCRIPT",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) words: Vec<OsString>,
}

/// List the runs of a server, the newest first.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kael-host ps\n  kael-host ps --state failed\n  kael-host ps -w"
)]
pub(crate) struct Ps {
    /// Show the list anew every second.
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// Only runs of this state: queued, running, waiting, parked, succeeded, failed or cancelled.
    #[arg(long, value_name = "STATE")]
    pub(crate) state: Option<String>,
    /// Only runs with this label.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) label: Option<String>,
    /// How many.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub(crate) limit: u16,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Print what a run on a server has printed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kael-host logs -f 0197a3c2-…")]
pub(crate) struct Logs {
    /// Follow the run, and exit with its exit code.
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// The id of the run.
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Show a run of a server: its state, its calls, its error.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kael-host show 0197a3c2-…")]
pub(crate) struct Show {
    /// The id of the run.
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Cancel runs of a server.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kael-host cancel 0197a3c2-… --reason 'wrong cluster'\n  kael-host cancel 0197a3c2-… --now"
)]
pub(crate) struct Cancel {
    /// The ids of the runs.
    #[arg(value_name = "RUN", required = true)]
    pub(crate) runs: Vec<String>,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Run nothing more of their scripts; else they get an error where they wait, and have ten seconds to clean up.
    #[arg(long)]
    pub(crate) now: bool,
    #[command(flatten)]
    pub(crate) target: Target,
}
