//! The commands of the program, one file each.

pub(crate) mod actions;
#[cfg(feature = "stdlib")]
mod assay;
mod audit;
mod cache;
mod check;
#[cfg(feature = "stdlib")]
mod checks;
pub(crate) mod compile;
mod config;
mod context;
mod doctor;
mod generated;
#[cfg(feature = "mcp")]
pub(crate) mod mcp;
#[cfg(feature = "stdlib")]
mod modules;
pub(crate) mod policy;
mod repl;
#[cfg(feature = "rules")]
pub(crate) mod rules;
mod run;
#[cfg(feature = "store")]
pub(crate) mod runs;
mod secrets;
#[cfg(feature = "serve")]
pub(crate) mod server;
mod setup;
#[cfg(feature = "stdlib")]
pub(crate) mod sqlite;
mod trust;

use kael_engine::environment::Environment;

use crate::args::{Args, CliCommand};

/// Runs the given command, and returns the exit code.
pub(crate) fn execute(args: Args, environment: Environment) -> u8 {
    match args.command {
        CliCommand::Run(run) => run::run(&args.shared, &run, environment),
        CliCommand::Repl(repl) => repl::run(&args.shared, &repl, environment),
        #[cfg(feature = "store")]
        CliCommand::Runs(command) => runs::run(&args.shared, &command, environment),
        CliCommand::Check(check) => check::run(&args.shared, &check, &environment),
        CliCommand::Context(context) => context::run(&args.shared, &context, &environment),
        CliCommand::Actions(actions) => actions::run(&args.shared, actions, &environment),
        #[cfg(feature = "mcp")]
        CliCommand::Mcp(mcp) => mcp::run(&args.shared, *mcp, &environment),
        CliCommand::Config(config) => config::run(&args.shared, &config, &environment),
        CliCommand::Trust(trust) => trust::run(&args.shared, &trust, &environment),
        CliCommand::Audit(command) => audit::run(&args.shared, &command),
        #[cfg(feature = "stdlib")]
        CliCommand::Modules(command) => modules::run(&args.shared, &command),
        #[cfg(feature = "stdlib")]
        CliCommand::Assay(assay) => assay::run(&args.shared, &assay, environment),
        CliCommand::Secrets(command) => secrets::run(&args.shared, &command, &environment),
        CliCommand::Policy(command) => policy::run(&args.shared, &command, &environment),
        CliCommand::Cache(cache) => cache::run(&args.shared, &cache, &environment),
        CliCommand::Doctor(doctor) => doctor::run(&args.shared, &doctor, &environment),
        CliCommand::Completions(shell) => generated::completions(&shell),
        CliCommand::Man(man) => generated::man(&args.shared, &man),
        #[cfg(feature = "rules")]
        CliCommand::Rules(rules) => rules::run(&args.shared, &rules, &environment),
        CliCommand::Setup(setup) => setup::run(&args.shared, &setup, &environment),
        #[cfg(feature = "serve")]
        CliCommand::Server(command) => server::run(&args.shared, command, &environment),
    }
}
