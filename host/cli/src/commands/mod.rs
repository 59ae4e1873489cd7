//! The commands of the program, one file each.

pub(crate) mod actions;
mod audit;
mod cache;
mod check;
pub(crate) mod compile;
mod config;
mod doctor;
mod generated;
pub(crate) mod policy;
mod repl;
mod run;
mod setup;
mod trust;

use kael_engine::environment::Environment;

use crate::args::{Args, Command};

/// Runs the command that was given and returns the exit code.
pub(crate) fn execute(args: Args, environment: Environment) -> u8 {
    match args.command {
        Command::Run(run) => run::run(&args.shared, &run, environment),
        Command::Repl(repl) => repl::run(&args.shared, &repl, environment),
        Command::Check(check) => check::run(&args.shared, &check, &environment),
        Command::Actions(actions) => actions::run(&args.shared, actions, &environment),
        Command::Config(config) => config::run(&args.shared, &config, &environment),
        Command::Trust(trust) => trust::run(&args.shared, &trust, &environment),
        Command::Audit(command) => audit::run(&args.shared, &command),
        Command::Policy(command) => policy::run(&args.shared, &command, &environment),
        Command::Cache(cache) => cache::run(&args.shared, &cache, &environment),
        Command::Doctor(doctor) => doctor::run(&args.shared, &doctor, &environment),
        Command::Completions(shell) => generated::completions(&shell),
        Command::Man(man) => generated::man(&args.shared, &man),
        Command::Setup(setup) => setup::run(&args.shared, &setup, &environment),
    }
}
