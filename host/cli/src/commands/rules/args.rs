//! The command line of `kael-host rules`.

use std::path::PathBuf;

use clap::Subcommand;

/// Evaluate rules, predicates over streams of events.
///
/// A rule is a package: a folder with a manifest.json and a predicate in Lua or WebAssembly, which
/// runs in a sandbox of its own. Events are lines of JSON; alerts are, too.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "Example:\n  kael-host rules run ./rules --events events.jsonl")]
pub(crate) struct Rules {
    #[command(subcommand)]
    pub(super) command: RulesCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum RulesCommand {
    Run(Box<Run>),
    Check(Check),
    Test(Test),
    List(List),
    Diff(Diff),
    Bench(Bench),
    Import(Import),
    Init(Init),
}

/// The packages, and the schema of their events.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Set {
    /// Folders that are packages, or have packages in them.
    #[arg(value_name = "DIR", required = true)]
    pub(super) folders: Vec<PathBuf>,
    /// Which numbers are which fields [default: schema.json in or above each package].
    #[arg(long, value_name = "FILE")]
    pub(super) schema: Option<PathBuf>,
}

/// Evaluate events, and print an alert a line.
///
/// A summary goes to stderr: events, bad lines, and for each rule its evaluations, matches, alerts,
/// errors and mean time. With -v it counts the keys that the schema lacks, too.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kael-host rules run ./rules --events a.jsonl b.jsonl.gz\n  tail -f events.jsonl | kael-host rules run ./rules\n  \
kael-host rules run ./rules --events /var/log/events.jsonl --follow --watch --alerts alerts.jsonl\n  \
kael-host --actions ./actions rules run ./rules --events - --on-match on-match.yaml\n\n\
Exit codes: 0, 1 for --bad fail or --fail-on, 2 usage, 3 a package or the schema is invalid, 6 a call of --on-match failed, 5 a rule was switched off."
)]
pub(super) struct Run {
    #[command(flatten)]
    pub(super) set: Set,
    /// Files of events, a line of JSON each; `.gz` is unpacked, `-` is stdin [default: -].
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(super) events: Vec<PathBuf>,
    /// What the events are, instead of JSON with a schema of your own.
    #[arg(long, value_name = "sysmon-xml|auditd|k8s-audit|cloudtrail|ecs")]
    pub(super) format: Option<String>,
    /// Append alerts to this file instead of printing them.
    #[arg(long, value_name = "FILE")]
    pub(super) alerts: Option<PathBuf>,
    /// Go on at the end of the last file, for lines that are added.
    #[arg(long)]
    pub(super) follow: bool,
    /// Load packages again that change, once their tests pass. SIGHUP does so, too.
    #[arg(long)]
    pub(super) watch: bool,
    /// Keep the state of rules with pred_save in this folder from one run to the next.
    #[arg(long, value_name = "DIR")]
    pub(super) state: Option<PathBuf>,
    /// Write counts to this file as text for Prometheus, every 10 seconds and at the end.
    #[arg(long, value_name = "FILE")]
    pub(super) metrics: Option<PathBuf>,
    /// Evaluate only the rule of this id. Repeatable.
    #[arg(long, value_name = "ID")]
    pub(super) only: Vec<String>,
    /// What happens to a line that is no event [default: skip].
    #[arg(
        long,
        value_name = "skip|fail",
        default_value = "skip",
        hide_default_value = true
    )]
    pub(super) bad: Bad,
    /// Append lines that are no events to this file, with the reason.
    #[arg(long, value_name = "FILE")]
    pub(super) dead_letter: Option<PathBuf>,
    /// Exit with 1 after an alert of this severity or above.
    #[arg(long, value_name = "SEVERITY")]
    pub(super) fail_on: Option<String>,
    /// Call the actions of the repo that this file names for alerts, through its policy.
    #[arg(long, value_name = "FILE")]
    pub(super) on_match: Option<PathBuf>,
    /// Hold these calls to the rules of this policy file, too. Repeatable.
    #[arg(long, value_name = "FILE", requires = "on_match")]
    pub(super) policy: Vec<PathBuf>,
    /// Append a line for every such call to this audit log, which kael-host audit verify checks.
    #[arg(long, value_name = "FILE", requires = "on_match")]
    pub(super) audit: Option<PathBuf>,
    /// Send alerts to the server that you signed in to, or to `--server=ADDRESS`, whose page lists them.
    #[cfg(feature = "serve")]
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true)]
    pub(super) server: Option<Option<String>>,
    /// Write the summary as one JSON document.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) speed: Speed,
}

/// How events are evaluated. The alerts do not depend on it.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Speed {
    /// Threads that evaluate rules [default: 1].
    #[arg(long, value_name = "N", default_value = "1", hide_default_value = true, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) threads: u16,
    /// Events that a rule is handed at once [default: 256].
    #[arg(long, value_name = "N", default_value = "256", hide_default_value = true, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(super) batch: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Bad {
    Skip,
    Fail,
}

/// Load rules without evaluating anything, and print what is wrong.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  kael-host rules check ./rules\n\nExit codes: 0, 3 when something is wrong."
)]
pub(super) struct Check {
    #[command(flatten)]
    pub(super) set: Set,
    /// Print one JSON document.
    #[arg(long)]
    pub(super) json: bool,
}

/// Run the tests of packages: the files tests/*.jsonl.
///
/// A line is an event. Its key `_expect` is true if it must alert, an object if the alert must have
/// at least these captures, and false or missing if it must not alert.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  kael-host rules test ./rules --junit report.xml\n\nExit codes: 0, 1 when a test fails, 3."
)]
pub(super) struct Test {
    #[command(flatten)]
    pub(super) set: Set,
    /// Run the predicate in the other language, too, where a package has both: they must say the same
    /// of every line.
    #[arg(long)]
    pub(super) both: bool,
    /// Write a report in the format of JUnit.
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    pub(super) json: bool,
}

/// Print the rules of packages.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kael-host rules list ./rules")]
pub(super) struct List {
    /// Folders that are packages, or have packages in them.
    #[arg(value_name = "DIR", required = true)]
    pub(super) folders: Vec<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    pub(super) json: bool,
}

/// Print the alerts that only one of two versions of rules gives.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  kael-host rules diff ./rules.old ./rules --events history.jsonl.gz\n\nExit codes: 0 the same alerts, 1 others, 3."
)]
pub(super) struct Diff {
    /// The folder of the old packages.
    #[arg(value_name = "OLD")]
    pub(super) old: PathBuf,
    /// The folder of the new ones.
    #[arg(value_name = "NEW")]
    pub(super) new: PathBuf,
    /// Which numbers are which fields [default: schema.json in or above each package].
    #[arg(long, value_name = "FILE")]
    pub(super) schema: Option<PathBuf>,
    /// Files of events.
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    pub(super) events: Vec<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    pub(super) json: bool,
}

/// Measure what an evaluation of each rule takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kael-host rules bench ./rules --events events.jsonl")]
pub(super) struct Bench {
    #[command(flatten)]
    pub(super) set: Set,
    /// Files of events.
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    pub(super) events: Vec<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) speed: Speed,
}

/// Translate Sigma rules into packages.
///
/// What cannot be translated is an error that names the rule's line, and then nothing is written.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  kael-host rules import sigma/*.yml --output rules\n\nExit codes: 0, 2 usage, 3 a rule cannot be translated."
)]
pub(super) struct Import {
    /// Sigma rules, one a file.
    #[arg(value_name = "FILE", required = true)]
    pub(super) rules: Vec<PathBuf>,
    /// The folder of the packages; the schema is written there, too.
    #[arg(long, value_name = "DIR")]
    pub(super) output: PathBuf,
    /// What the events are [default: sysmon-xml].
    #[arg(
        long,
        value_name = "sysmon-xml|auditd|k8s-audit|cloudtrail|ecs",
        default_value = "sysmon-xml",
        hide_default_value = true
    )]
    pub(super) format: String,
    /// A schema of your own instead of that of the format.
    #[arg(long, value_name = "FILE")]
    pub(super) schema: Option<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    pub(super) json: bool,
}

/// Make a package with a test that passes.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  kael-host rules init rules/listens")]
pub(super) struct Init {
    /// The new folder. Its name is the rule's id.
    #[arg(value_name = "NAME")]
    pub(super) folder: PathBuf,
    /// Print one JSON document.
    #[arg(long)]
    pub(super) json: bool,
}
