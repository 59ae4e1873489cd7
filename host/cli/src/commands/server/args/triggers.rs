//! The command lines for what begins runs beside people: stored scripts, schedules, webhooks.

use std::ffi::OsString;

use clap::Subcommand;

use super::Target;

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
