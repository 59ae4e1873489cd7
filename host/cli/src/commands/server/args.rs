//! The command lines of the server, and of the commands that talk to one.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Subcommand;

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

/// Copy, check, restore or shrink the store of a server.
///
/// These commands work on the files of the server's machine, as its user. `backup` and `check` may be
/// given while it runs; `restore` and `prune` may not.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(
    after_help = "Examples:\n  kael-host db backup --config /etc/kael/serve.yaml /backup/kael-monday.db\n  kael-host db check\n  kael-host db restore /backup/kael-monday.db"
)]
pub(crate) struct Db {
    #[command(subcommand)]
    pub(crate) command: DbCommand,
}

/// Which server's store.
#[derive(Debug, clap::Args)]
pub(crate) struct Place {
    /// The server's settings.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The folder with everything that it keeps [default: `server` in Kael's data folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Copy the store into a new file, beside a server that runs.
    #[command(after_help = "Example:\n  kael-host db backup /backup/kael-monday.db")]
    Backup {
        /// The new file, which only you can read. One that is there is not written over.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Say whether the store is whole. The exit code is 1 if it is not.
    #[command(after_help = "Example:\n  kael-host db check")]
    Check {
        #[command(flatten)]
        place: Place,
    },
    /// Put a backup into the place of the store of a server that does not run.
    ///
    /// Nothing that the backup had queued or running begins again: each such run is told as `restored`.
    /// The store that was there is kept beside.
    #[command(after_help = "Example:\n  kael-host db restore /backup/kael-monday.db")]
    Restore {
        /// The backup.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Take all tokens away: those that were taken away after the backup would be valid again.
        #[arg(long)]
        revoke_tokens: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Remove what the tenants need not keep, from the store of a server that does not run.
    #[command(after_help = "Example:\n  kael-host db prune --vacuum")]
    Prune {
        /// Give the room that the file does not need back to the disk. Needs as much free room, for a while.
        #[arg(long)]
        vacuum: bool,
        #[command(flatten)]
        place: Place,
    },
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
#[command(after_help = "Example:\n  kael-host cancel 0197a3c2-… --reason 'wrong cluster'")]
pub(crate) struct Cancel {
    /// The ids of the runs.
    #[arg(value_name = "RUN", required = true)]
    pub(crate) runs: Vec<String>,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) target: Target,
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
    /// List the names of the secrets; nobody can read their values.
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

/// Store scripts on a server, list them, or take them away.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(
    after_help = "Examples:\n  kael-host script put report report.lua\n  kael-host script ls\n  kael-host script show report@2\n  kael-host submit --stored report --since 7d"
)]
pub(crate) struct Script {
    #[command(subcommand)]
    pub(crate) command: ScriptCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ScriptCommand {
    /// List the stored scripts of the tenant.
    #[command(after_help = "Example:\n  kael-host script ls")]
    Ls {
        #[command(flatten)]
        target: Target,
    },
    /// Store a script, as a new version if there is one of the name. One with a problem is refused.
    #[command(after_help = "Example:\n  kael-host script put report report.lua --if-version 3")]
    Put {
        /// Its name on the server.
        #[arg(value_name = "NAME")]
        name: String,
        /// The script, or `-` for stdin.
        #[arg(value_name = "FILE")]
        file: OsString,
        /// Only if this is the current version.
        #[arg(long, value_name = "N")]
        if_version: Option<u32>,
        #[command(flatten)]
        target: Target,
    },
    /// Print the text of a stored script.
    #[command(after_help = "Example:\n  kael-host script show report@2")]
    Show {
        /// Its name, and with @N its version.
        #[arg(value_name = "NAME[@N]")]
        name: String,
        #[command(flatten)]
        target: Target,
    },
    /// Take a stored script away, with all versions.
    #[command(after_help = "Example:\n  kael-host script rm report")]
    Rm {
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        target: Target,
    },
}

/// Run stored scripts of a server at set times.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(
    after_help = "Examples:\n  kael-host schedule set nightly '30 4 * * 1-5' report --zone Europe/Berlin\n  kael-host schedule ls\n  kael-host schedule run nightly"
)]
pub(crate) struct Schedule {
    #[command(subcommand)]
    pub(crate) command: ScheduleCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// List the schedules of the tenant, and when each fires next.
    #[command(after_help = "Example:\n  kael-host schedule ls")]
    Ls {
        #[command(flatten)]
        target: Target,
    },
    /// Make a schedule, or change one. Prints its next times.
    #[command(
        after_help = "Examples:\n  kael-host schedule set nightly '30 4 * * 1-5' report --zone Europe/Berlin\n  kael-host schedule set sync @hourly sync --overlap queue -- --since 1h"
    )]
    Set(Box<SetSchedule>),
    /// Take a schedule away. Its runs stay.
    #[command(after_help = "Example:\n  kael-host schedule rm nightly")]
    Rm(OneSchedule),
    /// Run what a schedule runs, now. Prints the id of the run.
    #[command(after_help = "Example:\n  kael-host schedule run nightly")]
    Run(OneSchedule),
    /// Let a schedule fire no more until it is resumed.
    #[command(after_help = "Example:\n  kael-host schedule pause nightly")]
    Pause(OneSchedule),
    /// Let a schedule fire again. What was due in between is not caught up.
    #[command(after_help = "Example:\n  kael-host schedule resume nightly")]
    Resume(OneSchedule),
}

/// A schedule by its name.
#[derive(Debug, clap::Args)]
pub(crate) struct OneSchedule {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SetSchedule {
    /// Its name.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Minute, hour, day, month and weekday in one word, or @hourly, @daily, @weekly, @monthly, @yearly.
    #[arg(value_name = "CRON")]
    pub(crate) cron: String,
    /// The stored script, and with @N its version.
    #[arg(value_name = "SCRIPT[@N]")]
    pub(crate) script: String,
    /// The time zone of CRON.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub(crate) zone: String,
    /// While the run before goes on: skip, queue, cancel_previous or allow.
    #[arg(long, value_name = "HOW", default_value = "skip", value_parser = ["skip", "queue", "cancel_previous", "allow"])]
    pub(crate) overlap: String,
    /// After a time without a server: last (within an hour), none, or all (up to 100).
    #[arg(long, value_name = "WHICH", default_value = "last", value_parser = ["last", "none", "all"])]
    pub(crate) catch_up: String,
    /// Fires are later by a part of this time, up to 1h, which differs from schedule to schedule.
    #[arg(long, value_name = "TIME")]
    pub(crate) jitter: Option<String>,
    /// Fires from this time on count, such as 2026-01-31T09:30:00Z [default: now].
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Allow only actions without effects.
    #[arg(long)]
    pub(crate) read_only: bool,
    /// A text by which its runs can be found. Repeatable.
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub(crate) labels: Vec<String>,
    #[command(flatten)]
    pub(crate) target: Target,
    /// The arguments of the script.
    #[arg(value_name = "ARGS", last = true)]
    pub(crate) args: Vec<String>,
}

/// Let other services begin runs of stored scripts: webhooks that come in.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(
    after_help = "Examples:\n  kael-host hook create deploys deploy\n  kael-host hook ls\n  kael-host hook rm 0197a3c2-…"
)]
pub(crate) struct Hook {
    #[command(subcommand)]
    pub(crate) command: HookCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum HookCommand {
    /// List the webhooks of the tenant.
    #[command(after_help = "Example:\n  kael-host hook ls")]
    Ls {
        #[command(flatten)]
        target: Target,
    },
    /// Make a webhook, and print its address and its secret. The secret is not shown again.
    #[command(after_help = "Example:\n  kael-host hook create deploys deploy")]
    Create {
        /// What it is for.
        #[arg(value_name = "NAME")]
        name: String,
        /// The stored script, and with @N its version.
        #[arg(value_name = "SCRIPT[@N]")]
        script: String,
        #[command(flatten)]
        target: Target,
    },
    /// Take a webhook away.
    #[command(after_help = "Example:\n  kael-host hook rm 0197a3c2-…")]
    Rm {
        /// The id of the webhook.
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        target: Target,
    },
}
