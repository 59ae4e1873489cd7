//! The command lines for runs of a server that wait for something, or for a person.

use super::Target;

/// Print the calls that wait for a person's yes, on a server.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kael-host approvals")]
pub(crate) struct Approvals {
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Let a call go on that waits for a person's yes, on a server.
///
/// The digest that `approvals` prints stands for all that was shown: when the call is another by now, it is not approved.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kael-host approve 0199c3f2-… 2 3f9a04c1d2e8b7a6")]
pub(crate) struct Approve {
    #[command(flatten)]
    pub(crate) decision: Deciding,
}

/// Refuse a call that waits for a person's yes, on a server: the script gets an error.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  kael-host deny 0199c3f2-… 2 3f9a04c1d2e8b7a6 --note 'not on a Friday'"
)]
pub(crate) struct Deny {
    #[command(flatten)]
    pub(crate) decision: Deciding,
}

/// A decision on a call.
#[derive(Debug, clap::Args)]
pub(crate) struct Deciding {
    /// The id of the run.
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// The number of the call.
    #[arg(value_name = "CALL")]
    pub(crate) call: u64,
    /// The digest of what was shown, or its beginning.
    #[arg(value_name = "DIGEST")]
    pub(crate) digest: String,
    /// Why, for the author of the script and the record.
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Send a signal to a run of a server, for wait_for in its script.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kael-host signal 0199c3f2-… released '{\"by\": \"ann\"}'")]
pub(crate) struct Signal {
    /// The id of the run.
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// The name that the script waits for.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// What wait_for returns, as JSON.
    #[arg(value_name = "JSON", default_value = "null")]
    pub(crate) payload: String,
    /// A second signal with the same text is the first, and comes once.
    #[arg(long, value_name = "TEXT")]
    pub(crate) once: Option<String>,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Make a new run of the beginning of another, on a server.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kael-host fork 0199c3f2-… --at 12\n  kael-host fork 0199c3f2-… --at 12 --script mended.lua"
)]
pub(crate) struct Fork {
    /// The id of the run.
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// The number of the last entry of its journal that the new run has.
    #[arg(long, value_name = "SEQ")]
    pub(crate) at: u64,
    /// Go on with this script, which must ask for what the journal has.
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<std::ffi::OsString>,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Let a parked run of a server go on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kael-host resume 0199c3f2-…")]
pub(crate) struct Resume {
    /// The id of the run.
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) target: Target,
}

/// Say what became of a call in doubt, on a server, so that its run goes on.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kael-host resolve 0199c3f2-… 3 done --result '{\"id\": 7}'\n  kael-host resolve 0199c3f2-… 3 retry"
)]
pub(crate) struct Resolve {
    /// The id of the run.
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// The number of the call.
    #[arg(value_name = "CALL")]
    pub(crate) call: u64,
    /// Whether it took place, failed, or is to be begun again.
    #[arg(value_name = "done|failed|retry", value_parser = ["done", "failed", "retry"])]
    pub(crate) outcome: String,
    /// What the action would have answered, as JSON, for done.
    #[arg(long, value_name = "JSON")]
    pub(crate) result: Option<String>,
    /// The message of the error, for failed.
    #[arg(long, value_name = "TEXT")]
    pub(crate) message: Option<String>,
    #[command(flatten)]
    pub(crate) target: Target,
}
