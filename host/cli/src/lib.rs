//! The command line: the only place that prints, reads the environment, and knows exit codes.

mod approver;
mod args;
mod commands;
pub mod config;
pub mod doctor;
mod dry_run;
mod exit;
mod failure_details;
mod inputs;
mod page;
mod progress;
mod report;
mod runtime;
mod sanitize;
mod settings;
mod snippet;
mod terminal;
mod trace;
mod watch;

use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::filter::LevelFilter;

use args::Args;
use kael_engine::environment::Environment;
use kael_wasm::WORD;

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    // A host has started this process; people do not type it, so it is in no help, page or completion.
    let mut words = std::env::args_os().skip(1);
    if words.next().is_some_and(|word| word == WORD) {
        let format = words.next().unwrap_or_default();
        return commands::compile::run(&format.to_string_lossy()).into();
    }
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and version are no errors and go to stdout; where the reader has left there is nobody to tell.
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
    commands::execute(args, environment).into()
}

fn log(args: &Args) {
    let level = match (args.shared.quiet, args.shared.verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, _) => LevelFilter::DEBUG,
    };
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(|| progress::ProgressWriter(std::io::stderr()))
        .with_ansi(false)
        .without_time()
        .with_target(false)
        .log_internal_errors(false)
        .finish();
    // Only ever set here, once.
    tracing::subscriber::set_global_default(subscriber).ok();
}
