//! The command lines for the tenants of a server, their tokens and their secrets.

use std::path::PathBuf;

use clap::Subcommand;

use super::Target;

/// Say which commit of its actions repo a tenant of a server uses, or look for another.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Examples:\n  kael-host repo show web\n  kael-host repo refresh web")]
pub(crate) struct Repo {
    #[command(subcommand)]
    pub(crate) command: RepoCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RepoCommand {
    /// Show the commit that new runs use, and why the last look has brought nothing.
    #[command(after_help = "Example:\n  kael-host repo show web")]
    Show {
        /// The tenant.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        target: Target,
    },
    /// Look for another commit, and use it if it loads.
    #[command(after_help = "Example:\n  kael-host repo refresh web")]
    Refresh {
        /// The tenant.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        target: Target,
    },
}

/// Keep, list or remove secrets of a tenant, on a server.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(
    after_help = "Examples:\n  kael-host secret set github/deploy < token\n  kael-host secret ls\n  kael-host secret rm github/deploy"
)]
pub(crate) struct Secret {
    #[command(subcommand)]
    pub(crate) command: SecretCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// List the names of the secrets; their values cannot be read back.
    #[command(after_help = "Example:\n  kael-host secret ls")]
    Ls {
        #[command(flatten)]
        target: Target,
    },
    /// Keep a value, which comes from stdin.
    #[command(after_help = "Example:\n  kael-host secret set github/deploy < token")]
    Set {
        /// Its name, as definitions have it.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        target: Target,
    },
    /// Remove a secret.
    #[command(after_help = "Example:\n  kael-host secret rm github/deploy")]
    Rm {
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        target: Target,
    },
}

/// Make, list or take away tokens of a server.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(
    after_help = "Examples:\n  kael-host token create ci --role submitter --expires 90d\n  kael-host token ls\n  kael-host token rm 0197a3c2-…"
)]
pub(crate) struct Token {
    #[command(subcommand)]
    pub(crate) command: TokenCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// List the tokens of the tenant.
    #[command(after_help = "Example:\n  kael-host token ls")]
    Ls {
        #[command(flatten)]
        target: Target,
    },
    /// Make a token, and print it. It is not shown again.
    #[command(after_help = "Example:\n  kael-host token create ci --role submitter --expires 90d")]
    Create {
        /// What it is for.
        #[arg(value_name = "NAME")]
        name: String,
        /// What its holder may do: viewer, submitter, approver, manager or operator.
        #[arg(long, value_name = "ROLE", default_value = "submitter")]
        role: String,
        /// How long it is valid, such as 90d [default: without end].
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        #[command(flatten)]
        target: Target,
    },
    /// Take a token away, with the sessions that were begun with it.
    #[command(after_help = "Example:\n  kael-host token rm 0197a3c2-…")]
    Rm {
        /// The id of the token.
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        target: Target,
    },
}

/// Make, change or list the tenants of a server.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(
    after_help = "Examples:\n  kael-host tenant set acme --repo /srv/acme/actions --weight 2\n  kael-host tenant ls\n  kael-host tenant top"
)]
pub(crate) struct Tenant {
    #[command(subcommand)]
    pub(crate) command: TenantCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TenantCommand {
    /// List the tenants with their settings.
    #[command(after_help = "Example:\n  kael-host tenant ls")]
    Ls {
        #[command(flatten)]
        target: Target,
    },
    /// Say which tenants use how much, the busiest first.
    #[command(after_help = "Example:\n  kael-host tenant top")]
    Top {
        #[command(flatten)]
        target: Target,
    },
    /// Make a tenant, or change what is named of its settings.
    #[command(
        after_help = "Example:\n  kael-host tenant set acme --repo /srv/acme/actions --max-running 8"
    )]
    Set {
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
        /// The folder of its actions repo, on the server.
        #[arg(long, value_name = "DIR")]
        repo: Option<PathBuf>,
        /// How much of the server it gets beside other tenants.
        #[arg(long, value_name = "N")]
        weight: Option<u32>,
        /// Runs at the same time.
        #[arg(long, value_name = "N")]
        max_running: Option<u32>,
        /// Runs that may wait for their turn.
        #[arg(long, value_name = "N")]
        max_queued: Option<u64>,
        /// How long a run is kept after its end, such as 30d.
        #[arg(long, value_name = "TIME")]
        keep_runs: Option<String>,
        /// How long its output, calls and result are, such as 7d.
        #[arg(long, value_name = "TIME")]
        keep_output: Option<String>,
        /// What its scripts and the output of its runs may have in the store, such as 10GiB.
        #[arg(long, value_name = "SIZE")]
        max_storage: Option<String>,
        /// Whether it may do nothing.
        #[arg(long, value_name = "true|false")]
        disabled: Option<bool>,
        #[command(flatten)]
        target: Target,
    },
}
