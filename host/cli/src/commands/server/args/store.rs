//! The command lines for the store of a server that runs on this machine.

use std::path::PathBuf;

use clap::Subcommand;

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
