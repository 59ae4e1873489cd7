//! What bounds and confines a run, and which policies hold: options that several commands take.

use std::path::PathBuf;

use kael_engine::confinement::Confinement;
use kael_engine::units::{ByteSize, TimeLimit};

/// The limits and rules of a run. Each has a key in the configuration.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Bounds {
    /// Hold the calls to the rules of this policy file, too. Repeatable: a call must be allowed by all of them.
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Vec<PathBuf>,
    /// Allow only actions whose definition says effects = "none", or that keep results.
    #[arg(long)]
    pub(crate) read_only: bool,
    /// Append a line for every call to this audit log (mode 0600), which kael-host audit verify checks.
    #[arg(long, value_name = "FILE")]
    pub(crate) audit: Option<PathBuf>,
    /// Deny actions whose name matches; `*` stands for any text. Repeatable.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) deny: Vec<String>,
    /// Do not use or keep results of actions with `cache`.
    #[arg(long, conflicts_with = "refresh")]
    pub(crate) no_cache: bool,
    /// Run actions with `cache` again, and keep the new results.
    #[arg(long)]
    pub(crate) refresh: bool,
    /// How much confinement actions need: all, what the machine offers, or none [default:
    /// best-effort].
    #[arg(long, value_name = "required|best-effort|off")]
    pub(crate) confinement: Option<Confinement>,
    /// Memory that the script may use [default: 256MiB].
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_memory: Option<ByteSize>,
    /// Time that the script may compute; waiting for actions does not count [default: 60s].
    #[arg(long, value_name = "TIME")]
    pub(crate) max_cpu: Option<TimeLimit>,
    /// Time that the whole run may take [default: 15m].
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<TimeLimit>,
    /// Output that the script may print [default: 16MiB].
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_output: Option<ByteSize>,
    /// Actions that the script may call [default: 100000].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) max_calls: Option<u32>,
    /// Actions that may run at once; more calls wait [default: 32].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) max_parallel: Option<u32>,
}
