//! The command line of `kael-host runs`.

use std::ffi::OsString;

use clap::Subcommand;

use crate::args::bounds::Bounds;

/// Look at the runs of run --journal, and continue them.
///
/// A run is named by its id, or by the beginning or the end of it.
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(
    after_help = "Examples:\n  kael-host runs ls\n  kael-host runs resume 0199c3f2\n  kael-host runs resolve 0199c3f2 3 done --result '{}'"
)]
pub(crate) struct Runs {
    #[command(subcommand)]
    pub(crate) command: RunsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// Print the newest runs.
    #[command(after_help = "Example:\n  kael-host runs ls --json")]
    Ls {
        /// At most so many.
        #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
        count: u32,
        /// Only runs with this label, KEY=VALUE; repeatable.
        #[arg(long = "label", value_name = "KEY=VALUE")]
        labels: Vec<String>,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Print one run: its state, its journal, and what it needs.
    #[command(after_help = "Example:\n  kael-host runs show 0199c3f2")]
    Show {
        /// The run.
        #[arg(value_name = "ID")]
        id: String,
        /// Print what the run has printed, and nothing else.
        #[arg(long, conflicts_with = "json")]
        output: bool,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Go on with a run where its journal ends.
    ///
    /// The script, the actions repo and the files of --input are those with which the run began. The limits are, too,
    /// unless an option says otherwise, which the run then keeps; the memory stays as it is.
    #[command(after_help = "Example:\n  kael-host runs resume 0199c3f2 --max-calls 200000")]
    Resume {
        /// The run.
        #[arg(value_name = "ID")]
        id: String,
        /// Print one JSON report after the run.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        bounds: Box<Bounds>,
    },
    /// Go on with the runs whose time to wait is over, as they become due.
    ///
    /// A run that only waits ends its process with exit code 7; this is what wakes it when its time, its signal or its child
    /// has come, and what begins children. What the runs print is kept: runs show --output prints it.
    #[command(after_help = "Example:\n  kael-host runs work --once")]
    Work {
        /// Go on with what is due now, and end.
        #[arg(long)]
        once: bool,
        /// Print a JSON document for each run.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        bounds: Box<Bounds>,
    },
    /// Send a signal to a run, for wait_for in its script.
    ///
    /// The run keeps it until the script asks for it. A run that waits goes on with kael-host runs work.
    #[command(
        after_help = "Example:\n  kael-host runs signal 0199c3f2 approved '{\"by\": \"ann\"}'"
    )]
    Signal {
        /// The run.
        #[arg(value_name = "ID")]
        id: String,
        /// The name that the script waits for.
        #[arg(value_name = "NAME")]
        name: String,
        /// What wait_for returns, as JSON.
        #[arg(value_name = "JSON", default_value = "null")]
        payload: String,
        /// A second signal with the same text is the first, and comes once.
        #[arg(long, value_name = "TEXT")]
        once: Option<String>,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Print the calls that wait for a person's yes, in runs with a journal.
    #[command(after_help = "Example:\n  kael-host runs approvals")]
    Approvals {
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Let a call go on that waits for a person's yes.
    ///
    /// The digest that `runs approvals` prints stands for all that was shown: when the call is another by now, it is not
    /// approved.
    #[command(after_help = "Example:\n  kael-host runs approve 0199c3f2 2 3f9a04c1d2e8b7a6")]
    Approve {
        #[command(flatten)]
        decision: Deciding,
    },
    /// Refuse a call that waits for a person's yes: the script gets an error.
    #[command(
        after_help = "Example:\n  kael-host runs deny 0199c3f2 2 3f9a04c1d2e8b7a6 --note 'not on a Friday'"
    )]
    Deny {
        #[command(flatten)]
        decision: Deciding,
    },
    /// End a run. Its script gets an error where it waits, and has ten seconds to clean up.
    #[command(
        after_help = "Examples:\n  kael-host runs cancel 0199c3f2\n  kael-host runs cancel --now 0199c3f2"
    )]
    Cancel {
        /// The run.
        #[arg(value_name = "ID")]
        id: String,
        /// End a run that no process has without running anything of its script.
        #[arg(long)]
        now: bool,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Say what became of a call that is in doubt, so that its run can go on.
    #[command(
        after_help = "Examples:\n  kael-host runs resolve 0199c3f2 3 done --result '{\"id\": 7}'\n  kael-host runs resolve 0199c3f2 3 retry"
    )]
    Resolve {
        /// The run.
        #[arg(value_name = "ID")]
        id: String,
        /// The number of the call, as `runs show` tells it.
        #[arg(value_name = "CALL")]
        call: u64,
        /// It took place; it did not, and the script gets an error; or it is to be started again.
        #[arg(value_name = "done|failed|retry")]
        verdict: ResolveWord,
        /// For done: the result that the script gets, as JSON.
        #[arg(long, value_name = "JSON", default_value = "null")]
        result: String,
        /// For failed: the message that the script gets.
        #[arg(
            long,
            value_name = "TEXT",
            default_value = "a person has said that it failed"
        )]
        message: String,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Remove runs, with their journals and outputs.
    #[command(after_help = "Example:\n  kael-host runs rm 0199c3f2")]
    Rm {
        /// The runs.
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
        /// Remove runs that are not over, too.
        #[arg(long)]
        force: bool,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Run a script again out of its journal: nothing is called, nothing is written.
    ///
    /// With another script this says where that does something else: a regression test from a real run. The exit code is 1
    /// then.
    #[command(after_help = "Example:\n  kael-host runs replay 0199c3f2 --script fixed.lua")]
    Replay {
        /// The run.
        #[arg(value_name = "ID")]
        id: String,
        /// Stop behind the entry of that number, and print the Lua frames there.
        #[arg(long, value_name = "SEQ")]
        to: Option<u64>,
        /// Open the run there: evaluate Lua from stdin in the state that the run had, with its locals. Nothing is called.
        #[arg(long, conflicts_with_all = ["script", "json"])]
        repl: bool,
        /// Another script in place of the run's.
        #[arg(long, value_name = "FILE")]
        script: Option<OsString>,
        /// Print one JSON report.
        #[arg(long)]
        json: bool,
    },
    /// Make a new run of the beginning of another one.
    ///
    /// The new run has what the other one had done up to an entry of its journal, and goes on from there with runs resume: its
    /// script sees the same answers up to that entry, and from there on it is a run of its own. It cannot be forked where an
    /// effect had begun and had not ended.
    #[command(after_help = "Example:\n  kael-host runs fork 0199c3f2 --at 12")]
    Fork {
        /// The run.
        #[arg(value_name = "ID")]
        id: String,
        /// The number of the last entry that the new run has, as `runs show` tells it.
        #[arg(long, value_name = "SEQ")]
        at: u64,
        /// Go on with this script, which must ask for what the journal has.
        #[arg(long, value_name = "FILE")]
        script: Option<OsString>,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Print all of a run, in lines of JSON: its journal, a line for each entry, its script, its files, its actions repo and its
    /// output.
    #[command(after_help = "Example:\n  kael-host runs export 0199c3f2 > run.jsonl")]
    Export {
        /// The run.
        #[arg(value_name = "ID")]
        id: String,
        /// Changes nothing: the journal is JSON in any case.
        #[arg(long)]
        json: bool,
    },
    /// Take in a run that runs export has printed, perhaps on another machine.
    ///
    /// The run can be looked at: runs show, replay, verify, fork. It brings the actions repo that it calls, which names
    /// programs: it goes on here only if you trust the file as you trust an actions repo.
    #[command(
        after_help = "Examples:\n  kael-host runs import run.jsonl\n  kael-host runs import --trust run.jsonl"
    )]
    Import {
        /// The file, or - for stdin.
        #[arg(value_name = "FILE")]
        file: OsString,
        /// The run may go on here, with the actions repo of the file. It must not go on elsewhere, too.
        #[arg(long)]
        trust: bool,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Say whether the journal of a run is what was written; exit code 1 when it is not.
    #[command(after_help = "Example:\n  kael-host runs verify 0199c3f2")]
    Verify {
        /// The run.
        #[arg(value_name = "ID")]
        id: String,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
}

/// What a person decides on.
#[derive(Debug, clap::Args)]
pub(crate) struct Deciding {
    /// The run.
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// The number of the call, as `runs approvals` tells it.
    #[arg(value_name = "CALL")]
    pub(crate) call: u64,
    /// The digest of what is decided on, or the first 8 characters of it or more.
    #[arg(value_name = "DIGEST")]
    pub(crate) digest: String,
    /// Why, for the script's author.
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    /// Print one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ResolveWord {
    /// It took place.
    Done,
    /// It did not, or failed.
    Failed,
    /// It is to be started again.
    Retry,
}
