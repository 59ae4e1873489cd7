//! The command line: the only place that prints, reads the environment, and knows exit codes.

mod approver;
mod args;
mod commands;
pub mod config;
mod counts;
mod deciding_rule;
pub mod doctor;
mod dry_run;
mod durable;
mod exit;
mod failure_details;
#[cfg(feature = "stdlib")]
mod for_assay;
mod inputs;
mod labels;
mod page;
mod patience;
mod progress;
mod report;
mod runtime;
mod sanitize;
mod settings;
#[cfg(any(feature = "rules", feature = "serve"))]
mod settings_text;
mod snippet;
mod stack;
mod stderr;
mod terminal;
mod trace;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::writer::MakeWriterExt as _;

use args::Args;
use kael_engine::environment::Environment;
use kael_engine::executor::programs::starter;
use kael_engine::runtime::{finish, finish_at_once};
use kael_wasm::WORD;

/// How long the end may take to clean up behind itself: processes that are dying, containers.
const CLEAN_UP: Duration = Duration::from_secs(3);
/// How long it takes nearly always.
const SOON: Duration = Duration::from_millis(50);

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    // Only a host starts this command, so it is not in the help, the man page or the completions.
    let mut words = std::env::args_os().skip(1);
    let word = words.next().unwrap_or_default();
    if word == starter::WORD {
        return starter::start(words).into();
    }
    if word == WORD {
        let format = words.next().unwrap_or_default();
        return commands::compile::run(&format.to_string_lossy()).into();
    }
    #[cfg(feature = "stdlib")]
    if word == kael_stdlib::SQLITE_WORD {
        return commands::sqlite::run().into();
    }
    stack::with_enough(command)
}

/// Runs a command that a person has typed.
fn command() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and version go to stdout. If the reader is gone, there is nothing to do.
            error.print().ok();
            return if error.use_stderr() {
                exit::USAGE.into()
            } else {
                exit::SUCCESS.into()
            };
        }
    };
    log(&args);
    let environment = Environment::new(std::env::vars_os());
    let code = commands::execute(args, environment);
    // What was said on the way is written, and what calls have left is cleaned up.
    stderr::last("");
    clean_up(code);
    code.into()
}

/// Cleans up what calls have left. A command that was ended, by a limit or a signal, takes no time
/// for the folders of its actions, and a signal ends the wait of every other.
fn clean_up(code: u8) {
    if code == exit::LIMIT || code >= exit::SIGNAL {
        finish_at_once(CLEAN_UP);
    } else if !finish(SOON) {
        runtime::until_a_signal(|| finish(CLEAN_UP));
    }
}

fn log(args: &Args) {
    let level = match (args.shared.quiet, args.shared.verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, _) => LevelFilter::DEBUG,
    };
    let writer = || progress::ProgressWriter(stderr::Stderr);
    // What a client or a server of the Model Context Protocol gets wrong is told to it, and its messages may hold secrets.
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(
            writer.with_filter(|line: &tracing::Metadata<'_>| !line.target().starts_with("rmcp")),
        )
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .log_internal_errors(false)
        .finish();
    // This is the only place that sets it, once.
    tracing::subscriber::set_global_default(subscriber).ok();
}
