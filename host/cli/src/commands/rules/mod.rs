//! `kael-host rules`: predicates over streams of events.

mod args;
mod bench;
mod check;
mod diff;
mod import;
mod init;
mod input;
mod list;
mod load;
mod on_match;
mod output;
mod run;
#[cfg(feature = "serve")]
mod send;
mod summary;
mod test;
mod watch;

pub(crate) use args::Rules;
use args::RulesCommand;

use crate::args::Shared;
use kael_engine::environment::Environment;
use kael_rules::engine::WasmEngine;

pub(super) fn run(shared: &Shared, rules: &Rules, environment: &Environment) -> u8 {
    // This very program, with its hidden command, compiles predicates of WebAssembly.
    let wasm = WasmEngine::new(environment.data_folder(), std::env::current_exe().ok());
    match &rules.command {
        RulesCommand::Run(run) => run::run(shared, run, &wasm, environment),
        RulesCommand::Check(check) => check::run(shared, check, &wasm, environment),
        RulesCommand::Test(test) => test::run(shared, test, &wasm),
        RulesCommand::List(list) => list::run(list),
        RulesCommand::Diff(diff) => diff::run(shared, diff, &wasm),
        RulesCommand::Bench(bench) => bench::run(shared, bench, &wasm),
        RulesCommand::Import(import) => import::run(shared, import),
        RulesCommand::Init(init) => init::run(shared, init),
    }
}
