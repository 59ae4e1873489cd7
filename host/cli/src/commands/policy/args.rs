//! The command line of `kael-host policy`.

use std::path::PathBuf;

use clap::Subcommand;

/// Look at what a policy allows.
///
/// A policy is a YAML file of rules over actions and their merged parameters. The files of `policy` and --policy hold, and
/// policy.yaml at the root of the actions repo: a call must be allowed by all of them.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(
    after_help = "Examples:\n  kael-host policy check policy.yaml\n  kael-host --actions ./actions policy explain deploy.scale --params '{\"replicas\": 12}'\n  kael-host --actions ./actions policy test cases.yaml"
)]
pub(crate) struct Policy {
    #[command(subcommand)]
    pub(crate) command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Find what is wrong with a policy: by itself, and for the actions repo if one is given.
    #[command(after_help = "Example:\n  kael-host --actions ./actions policy check policy.yaml")]
    Check {
        /// The policy.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Say which rule decides on a call, and what would change the answer. Nothing is run.
    #[command(
        after_help = "Example:\n  kael-host --actions ./actions policy explain deploy.scale --params '{\"replicas\": 12}' --tenant acme"
    )]
    Explain {
        /// The action.
        #[arg(value_name = "ACTION")]
        action: String,
        /// The parameters as a script would give them, as JSON; defaults and locked ones are put under and over them.
        #[arg(long, value_name = "JSON", default_value = "{}")]
        params: String,
        /// For whom the script runs [default: default].
        #[arg(long, value_name = "NAME")]
        tenant: Option<String>,
        /// A policy beside those of the configuration. Repeatable.
        #[arg(long, value_name = "FILE")]
        policy: Vec<PathBuf>,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Hold the policy to a list of cases; exit code 1 when one of them has another answer.
    #[command(after_help = "Example:\n  kael-host --actions ./actions policy test cases.yaml")]
    Test {
        /// A YAML file: `cases`, a list of `action`, `params`, `tenant` and `expect` (allow, approve or deny).
        #[arg(value_name = "CASES")]
        file: PathBuf,
        /// A policy beside those of the configuration. Repeatable.
        #[arg(long, value_name = "FILE")]
        policy: Vec<PathBuf>,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
}
