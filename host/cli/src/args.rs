//! The command line, as clap parses it.

pub(crate) mod bounds;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand};

pub(super) use bounds::Bounds;

use crate::commands::actions::args::Actions;
#[cfg(feature = "mcp")]
use crate::commands::mcp::args::Mcp;
use crate::commands::policy::args::Policy;
#[cfg(feature = "store")]
use crate::commands::runs::args::Runs;
#[cfg(feature = "serve")]
use crate::commands::server::args::ServerCommand;
#[cfg(feature = "stdlib")]
use crate::for_assay::ForAssay;
use kael_engine::executor::programs::Runner;

/// Runs Lua scripts that you did not write.
///
/// A script runs in a sandbox that can do one thing: call the actions that your team has defined.
#[derive(Debug, Parser)]
#[command(name = "kael-host", version, arg_required_else_help = true)]
#[command(
    after_help = "Example:\n  kael-host --actions ./actions run script.lua\n\nExit codes: 0 success, 1 the script \
failed, 2 usage, 3 the configuration or the actions repo is invalid, 4 denied, 5 a limit was reached, 6 an action failed and nothing caught \
it, 7 the run has stopped and can go on, 69 a server cannot be reached, 70 a bug in Kael, 74 the output could not be written, 128+n ended by a \
signal."
)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) shared: Shared,
    #[command(subcommand)]
    pub(super) command: CliCommand,
}

/// Options that every command takes.
#[derive(Debug, clap::Args)]
pub(super) struct Shared {
    /// The actions repo: a folder with an init.lua [env: KAEL_ACTIONS].
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) actions: Option<PathBuf>,
    /// What starts native actions: envyr, Kael itself, or envyr where it is found [env: KAEL_RUNNER] [default: auto].
    #[arg(long, global = true, value_name = "auto|envyr|builtin")]
    pub(super) runner: Option<Runner>,
    /// The envyr program to use [env: KAEL_ENVYR] [default: Kael's own, else the one on PATH].
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) envyr: Option<PathBuf>,
    /// Variables that fetching a source may see, besides SSH_AUTH_SOCK, proxies and certificates [env: KAEL_FETCH_ENV].
    #[arg(long, global = true, value_name = "NAME,…", value_delimiter = ',')]
    pub(super) fetch_env: Vec<String>,
    /// Print a line for every action; twice for more.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// Print nothing but errors.
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum CliCommand {
    Run(Box<Run>),
    Check(Check),
    #[cfg(feature = "store")]
    Runs(Box<Runs>),
    Context(Context),
    Repl(Box<Repl>),
    Actions(Actions),
    #[cfg(feature = "mcp")]
    Mcp(Box<Mcp>),
    Config(Box<Config>),
    Trust(Trust),
    Policy(Policy),
    Audit(Audit),
    #[cfg(feature = "stdlib")]
    Modules(Modules),
    #[cfg(feature = "stdlib")]
    Assay(Box<Assay>),
    Secrets(Secrets),
    Cache(Cache),
    #[cfg(feature = "rules")]
    Rules(crate::commands::rules::Rules),
    Setup(Setup),
    Doctor(Doctor),
    Completions(Completions),
    Man(Man),
    #[cfg(feature = "serve")]
    #[command(flatten)]
    Server(ServerCommand),
}

/// Run a script.
///
/// The arguments after SCRIPT go to the script, in its global `arg` and in `...`.
#[derive(Debug, Default, clap::Args)]
#[command(
    override_usage = "kael-host run [OPTIONS] SCRIPT [ARGS]...\n       kael-host run [OPTIONS] -e CODE [ARGS]..."
)]
#[command(
    after_help = "Examples:\n  kael-host --actions ./actions run report.lua --since 7d\n  kael-host run --html report.html report.lua\n  kael-host run -e \
'print(1 + 1)'\n  generate | kael-host run --json -\n  kael-host run --watch --trace trace.json report.lua"
)]
pub(super) struct Run {
    /// Run this code instead of a file.
    #[arg(short = 'e', long = "eval", value_name = "CODE")]
    pub(super) code: Option<String>,
    /// The script, or `-` for stdin, and its arguments.
    #[arg(
        value_name = "SCRIPT",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(super) words: Vec<OsString>,
    /// Give the script a file as `inputs.NAME`. Repeatable; at most 64 MiB together.
    #[arg(long = "input", value_name = "NAME=FILE")]
    pub(super) inputs: Vec<OsString>,
    /// Print one JSON report after the run: result, output, calls, usage, error.
    #[arg(long)]
    pub(super) json: bool,
    /// Run no action: print what each call would pass, and answer it from --answers, its `example`,
    /// or a sample of its `returns`.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Answers for --dry-run: a file written by --record, JSON, or a Lua file that returns results
    /// by action.
    #[arg(long, value_name = "FILE", requires = "dry_run")]
    pub(super) answers: Option<PathBuf>,
    /// Write the answers of all actions to a file (mode 0600) for --answers.
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    pub(super) record: Option<PathBuf>,
    /// Write the run as one HTML page: its tables and charts, output, error, and calls over time.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Write the run down, so that it goes on after a crash: kael-host runs lists it and resumes it.
    #[arg(long, conflicts_with_all = ["dry_run", "watch"])]
    pub(super) journal: bool,
    /// Find the run by this later, with runs ls --label; for runs that are written down.
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub(super) labels: Vec<String>,
    /// Run again when the script or a Lua file of the actions repo changes.
    #[arg(long)]
    pub(super) watch: bool,
    /// Write the run to a file (mode 0600) in Chrome's trace format, for ui.perfetto.dev or
    /// chrome://tracing.
    #[arg(long, value_name = "FILE")]
    pub(super) trace: Option<PathBuf>,
    #[command(flatten)]
    pub(super) bounds: Bounds,
    /// What `kael-host assay` does otherwise.
    #[cfg(feature = "stdlib")]
    #[arg(skip)]
    pub(super) assay: Option<ForAssay>,
}

/// Evaluate Lua line by line, in the sandbox that scripts run in.
///
/// Values are printed, and variables keep their values. The limits apply to each input. Input from
/// a pipe is evaluated without prompt or banner; the exit code is that of the last error.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kael-host --actions ./actions repl\n  echo 'actions.text.wordcount({ text = \"a b\" }).words' | \
kael-host --actions ./actions repl\n\n\
:help tells the rest. The history is kept in the data folder, for its owner alone."
)]
pub(super) struct Repl {
    /// Do not read or write the history.
    #[arg(long)]
    pub(super) no_history: bool,
    /// Print one JSON document per input: its output, its error, and the exit code for the error.
    /// No prompt and no banner.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) bounds: Bounds,
}

/// Find mistakes in scripts without running them.
///
/// Checks the syntax, and finds unknown actions, literal parameters that do not fit, and globals
/// that nothing sets. Prints every problem with file, line and column. The exit code is 1 if there
/// are problems.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kael-host --actions ./actions check report.lua")]
pub(super) struct Check {
    /// The scripts, or `-` for stdin.
    #[arg(value_name = "SCRIPT", required = true)]
    pub(super) scripts: Vec<OsString>,
    /// Print one JSON document.
    #[arg(long)]
    pub(super) json: bool,
}

/// Print what a model must know to write a script for this repo.
///
/// The rules of the sandbox, the globals, and the actions that the policy does not deny, with their
/// schemas: those that fit QUERY best come first.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kael-host --actions ./actions context\n  kael-host --actions ./actions context 'restart pods' --budget 4000\n  \
kael-host --actions ./actions context --format llms-txt > llms.txt"
)]
pub(super) struct Context {
    /// What the script is to do, in a few words.
    #[arg(value_name = "QUERY")]
    pub(super) query: Option<String>,
    /// How it is written.
    #[arg(long, value_name = "FORMAT", default_value = "markdown")]
    pub(super) format: ContextFormat,
    /// Print one JSON document, as --format json does.
    #[arg(long, conflicts_with = "format")]
    pub(super) json: bool,
    /// About how many tokens it may have.
    #[arg(long, value_name = "TOKENS", default_value = "8000", value_parser = clap::value_parser!(u32).range(2000..=1_000_000))]
    pub(super) budget: u32,
}

/// The forms of a context.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum ContextFormat {
    /// A title, a summary, and one line an action, as llmstxt.org describes it.
    LlmsTxt,
    /// One JSON document.
    Json,
    /// Markdown with schemas.
    Markdown,
}

/// Check that this machine has what Kael needs.
///
/// The exit code is 1 if a necessary part is missing, or the configuration or the actions repo is
/// invalid.
#[derive(Debug, clap::Args)]
#[cfg_attr(
    feature = "serve",
    command(
        after_help = "Examples:\n  kael-host doctor --fix\n  kael-host doctor --server --config /etc/kael/serve.yaml"
    )
)]
#[cfg_attr(
    not(feature = "serve"),
    command(after_help = "Example:\n  kael-host doctor --fix")
)]
pub(super) struct Doctor {
    /// Check a server of this machine instead: its store, disk, bounds, tenants, files, clock and
    /// certificate. It may run.
    #[cfg(feature = "serve")]
    #[arg(long, conflicts_with = "fix")]
    pub(super) server: bool,
    /// The server's settings.
    #[cfg(feature = "serve")]
    #[arg(long, value_name = "FILE", requires = "server")]
    pub(super) config: Option<PathBuf>,
    /// The folder with everything that the server keeps [default: `server` in Kael's data folder].
    #[cfg(feature = "serve")]
    #[arg(long, value_name = "DIR", requires = "server")]
    pub(super) data: Option<PathBuf>,
    /// Fix what Kael can fix: install envyr, create folders, set the modes of Kael's own folders.
    /// Prints what it did.
    #[arg(long)]
    pub(super) fix: bool,
    /// Print the findings as one JSON document.
    #[arg(long)]
    pub(super) json: bool,
}

/// Print a completion script for a shell.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kael-host completions bash > ~/.local/share/bash-completion/completions/kael-host\n  kael-host completions zsh \
> ~/.zfunc/_kael-host\n  kael-host completions fish > ~/.config/fish/completions/kael-host.fish"
)]
pub(super) struct Completions {
    /// The shell.
    #[arg(value_name = "SHELL")]
    pub(super) shell: clap_complete::Shell,
    /// Print one JSON document with the script.
    #[arg(long)]
    pub(super) json: bool,
}

/// Print the man page, or write one for every command.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kael-host man | man -l -\n  kael-host man -o ~/.local/share/man/man1"
)]
pub(super) struct Man {
    /// Write a page for every command into this folder.
    #[arg(short = 'o', long = "output", value_name = "DIR")]
    pub(super) folder: Option<PathBuf>,
    /// Print one JSON document with the page, or with the names of the written pages.
    #[arg(long)]
    pub(super) json: bool,
}

/// Install envyr into Kael's data folder. Native actions run without it, by Kael itself; actions in containers need it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  kael-host setup\n\nNeeds cargo. The data folder is KAEL_DATA, else \
$XDG_DATA_HOME/kael, else ~/.local/share/kael."
)]
pub(super) struct Setup {
    /// Install it even if it is installed.
    #[arg(long)]
    pub(super) force: bool,
    /// Print one JSON document: the program, its version, and whether it was installed now.
    #[arg(long)]
    pub(super) json: bool,
}

/// Print every setting with its value and its origin.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  kael-host config\n\nFlags beat KAEL_* variables, which beat the project's kael.yaml (found upwards from the \
working folder), which beats the user's file ($XDG_CONFIG_HOME/kael/config.yaml, else ~/.config/kael/config.yaml). `deny` and `policy` add up. \
Keys of a file: actions_path, runner, envyr, fetch_env, deny, policy, max_memory, max_cpu, timeout, max_output, max_calls, max_parallel."
)]
pub(super) struct Config {
    /// Print one JSON document.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) bounds: Bounds,
}

/// Trust a project's kael.yaml in its present form. Read it first.
///
/// An untrusted file may only make limits stricter. Trust holds for one absolute path and one
/// SHA-256: an edited file must be trusted again.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kael-host trust\n  kael-host trust --revoke ./kael.yaml\n  kael-host trust --list"
)]
pub(super) struct Trust {
    /// The file [default: the nearest kael.yaml upwards from the working folder].
    #[arg(value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// Stop trusting it.
    #[arg(long, conflicts_with = "list")]
    pub(super) revoke: bool,
    /// Print the trusted files.
    #[arg(long, conflicts_with = "file")]
    pub(super) list: bool,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// List or delete the kept results of actions with `cache`.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Examples:\n  kael-host cache ls\n  kael-host cache clear db.query")]
pub(super) struct Cache {
    #[command(subcommand)]
    pub(super) command: CacheCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum CacheCommand {
    /// Print every kept result: its action, age, remaining time, size and repo.
    #[command(after_help = "Example:\n  kael-host cache ls --json")]
    Ls {
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Delete kept results.
    #[command(after_help = "Example:\n  kael-host cache clear db.query")]
    Clear {
        /// Delete only the results of this action.
        #[arg(value_name = "NAME")]
        name: Option<String>,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
}

/// Look at an audit log, which run --audit writes.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Example:\n  kael-host audit verify audit.jsonl")]
pub(super) struct Audit {
    #[command(subcommand)]
    pub(super) command: AuditCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Say whether a line was changed, added or taken out, and where; exit code 1 when one was.
    #[command(after_help = "Example:\n  kael-host audit verify audit.jsonl")]
    Verify {
        /// The log.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
}

/// List the modules that scripts can require beside those of the actions repo.
#[cfg(feature = "stdlib")]
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Example:\n  kael-host modules describe assay.prometheus")]
pub(super) struct Modules {
    #[command(subcommand)]
    pub(super) command: Option<ModulesCommand>,
    /// Print one JSON document.
    #[arg(long)]
    pub(super) json: bool,
}

/// Run a script or checks that were written for Assay.
///
/// The exit code is 0, or 1 for everything that went wrong. Before the run, notes name the globals
/// of Assay that no policy opens, or that are not there. The variables ASSAY_MODE, ASSAY_READONLY,
/// ASSAY_BLOCK_GLOBALS and ASSAY_MODULES_PATH mean what they mean to Assay.
#[cfg(feature = "stdlib")]
#[derive(Debug, clap::Args)]
#[command(override_usage = "kael-host assay [OPTIONS] FILE [ARGS]...")]
#[command(
    after_help = "Examples:\n  kael-host assay --policy policy.yaml deploy.lua\n  kael-host assay --policy policy.yaml checks.yaml\n  \
kael-host assay --mode tool report.lua"
)]
pub(super) struct Assay {
    /// The script (.lua) or the checks (.yaml), and the script's arguments.
    #[arg(
        value_name = "FILE",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(super) words: Vec<OsString>,
    /// `tool` prints one JSON document and ends with 0, whatever happened [env: ASSAY_MODE].
    #[arg(long, value_name = "MODE")]
    pub(super) mode: Option<AssayMode>,
    /// Print one JSON report after the run, as `run --json` does.
    #[arg(long, conflicts_with = "mode")]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) bounds: Bounds,
}

/// The modes of Assay.
#[cfg(feature = "stdlib")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum AssayMode {
    /// Prints what the script prints.
    Script,
    /// One JSON document: ok, status, output or error.
    Tool,
}

#[cfg(feature = "stdlib")]
#[derive(Debug, Subcommand)]
pub(super) enum ModulesCommand {
    /// Say what a module is for, and show its methods.
    #[command(after_help = "Example:\n  kael-host modules describe assay.prometheus")]
    Describe {
        /// Its name: assay.prometheus, or prometheus.
        #[arg(value_name = "NAME")]
        name: String,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
}

/// Keep secrets for actions. No command shows a value.
///
/// A definition binds a secret to a variable of its program, or declares a parameter that takes one.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Example:\n  kael-host secrets set deploy/token < token.txt")]
pub(super) struct Secrets {
    #[command(subcommand)]
    pub(super) command: SecretsCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum SecretsCommand {
    /// Keep the value that stdin has, sealed; one line ending at its end is left out.
    #[command(after_help = "Example:\n  kael-host secrets set deploy/token < token.txt")]
    Set {
        /// Words of letters, digits, `_`, `-` and `.`, joined by `/`.
        #[arg(value_name = "NAME")]
        name: String,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// List the names of secrets, and where they come from.
    #[command(after_help = "Example:\n  kael-host secrets ls")]
    Ls {
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Forget a secret.
    #[command(after_help = "Example:\n  kael-host secrets rm deploy/token")]
    Rm {
        /// Its name.
        #[arg(value_name = "NAME")]
        name: String,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Seal every value with a new key, and forget the old one.
    #[command(after_help = "Example:\n  kael-host secrets rotate")]
    Rotate {
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
}
