//! The script's side: instances of the guest, one a run or a session, within limits, whose only way out is the gate.

mod admission;
mod bindings;
mod cancel;
mod ending;
mod engine;
mod events;
#[cfg(fuzzing)]
pub mod fuzzing;
mod input;
mod instance;
mod lua_backtrace;
mod options;
mod output;
mod prepared_repo;
mod report;
mod rule;
mod script;
mod session;
mod state;
mod suspension;

use wasmtime::Store;

pub use admission::Busy;
pub(crate) use admission::MAX_WAITING;
pub use cancel::Cancel;
pub use engine::EngineError;
pub(crate) use engine::Sandbox;
pub use events::{EncodedEvent, EventBatch, FieldValue, Note, Verdict, Verdicts};
pub use input::{Input, MAX_INPUT};
pub(crate) use options::{InstanceOptions, Records};
pub use output::{Output, OutputReader, Shown};
pub(crate) use prepared_repo::{LoadedRepo, PreparedRepo};
pub use report::{Ending, ErrorStage, Report, ScriptError, Usage};
pub(crate) use rule::RuleInstance;
pub use rule::{RuleCode, RuleFunctions};
pub use script::Script;
pub(crate) use session::Session;
pub use session::{Chunk, ChunkEnd, ChunkUse, Interrupt};
pub use suspension::{Doubt, Suspension};

use bindings::Guest;
use bindings::exports::kael::engine::runtime;
use ending::{MAX_FRAME, cut};
use state::InstanceState;

use crate::catalog::{Location, RawDefinition};
use crate::repo::Bundle;

impl Sandbox {
    /// Evaluates an actions repo in an instance of its own and returns what it defines, and what scripts are to be given.
    pub(crate) async fn load_repo(
        &self,
        repo: &Bundle,
        options: InstanceOptions,
    ) -> Report<LoadedRepo> {
        let modules = prepared_repo::modules(repo);
        let ask = async |store: &mut Store<InstanceState>, guest: &Guest| {
            guest
                .kael_engine_runtime()
                .call_load_repo(store, &modules)
                .await
        };
        let report = self.answer(options, Input::none(), ask).await;
        report.map(|loaded| {
            let raw = |d: runtime::Definition| RawDefinition {
                names: d.names,
                location: Location {
                    file: d.file,
                    line: d.line,
                },
                body: d.body,
                error: d.error.map(|error| cut(error, MAX_FRAME)),
            };
            LoadedRepo {
                definitions: loaded.definitions.into_iter().map(raw).collect(),
                prepared: PreparedRepo::new(modules, loaded.image),
            }
        })
    }

    /// Runs a script in an instance of its own; the result is JSON text, when it was wanted.
    pub(crate) async fn run_script(
        &self,
        repo: Option<&PreparedRepo>,
        script: Script,
        options: InstanceOptions,
    ) -> Report<Option<String>> {
        let input = script.input;
        let script = runtime::Script {
            name: script.name,
            source: script.source,
            args: script.args,
            inputs: script.inputs,
            want_result: script.want_result,
        };
        let ask = async move |store: &mut Store<InstanceState>, guest: &Guest| {
            guest
                .kael_engine_runtime()
                .call_run_script(store, repo.map(PreparedRepo::as_wit), &script)
                .await
        };
        self.answer(options, input, ask).await
    }
}
