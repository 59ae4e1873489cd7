//! The command line: the only place that prints, reads the environment, and knows exit codes.

mod actions;
mod args;
mod cache;
mod check;
mod config;
mod doctor;
mod drive;
mod excerpt;
mod exit;
mod generated;
mod page;
mod progress;
mod rehearse;
mod repl;
mod report;
mod run;
mod settings;
mod setup;
mod terminal;
mod text;
mod trace;
mod trust;
mod watch;

use std::process::ExitCode;

use clap::Parser as _;
use tracing_subscriber::filter::LevelFilter;

use kael_engine::environment::Environment;
use args::{Args, Command};

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(problem) => {
            // Help and version are no errors and go to stdout; where the reader has left there is nobody to tell.
            problem.print().ok();
            return if problem.use_stderr() {
                exit::USAGE.into()
            } else {
                exit::SUCCESS.into()
            };
        }
    };
    log(&args);
    let environment = Environment::new(std::env::vars_os());
    let code = match args.command {
        Command::Run(run) => run::run(&args.shared, &run, environment),
        Command::Repl(repl) => repl::run(&args.shared, &repl, environment),
        Command::Check(check) => check::run(&args.shared, &check, &environment),
        Command::Actions(actions) => actions::run(&args.shared, actions, &environment),
        Command::Config(config) => config::run(&args.shared, &config, &environment),
        Command::Trust(trust) => trust::run(&args.shared, &trust, &environment),
        Command::Cache(cache) => cache::run(&args.shared, &cache, &environment),
        Command::Doctor(doctor) => doctor::run(&args.shared, &doctor, &environment),
        Command::Completions(shell) => generated::completions(&shell),
        Command::Man(man) => generated::man(&args.shared, &man),
        Command::Setup(setup) => setup::run(&args.shared, &setup, &environment),
    };
    code.into()
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
