//! The script's side: instances of the guest, one a run or a session, within limits, whose only way out is the gate.

mod admission;
mod bindings;
mod engine;
mod input;
mod lua_backtrace;
mod output;
mod prepared_repo;
mod session;
mod state;

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use wasmtime::{AsContextMut as _, Store, StoreContextMut, Trap, UpdateDeadline, WasmCoreDump};

pub use admission::Busy;
pub use engine::{EngineError, Sandbox};
pub use input::{Input, MAX_INPUT};
pub use output::{Output, Shown};
pub use prepared_repo::{LoadedRepo, PreparedRepo};
pub use session::{Chunk, ChunkEnd, ChunkUse, Interrupt, Session};

use bindings::Guest;
use bindings::exports::kael::engine::runtime::{self, Stage};
use state::{State, Stop};

use crate::catalog::{Location, RawDefinition};
use crate::failure::{Detail, ErrorKind};
use crate::gate::{Dispatcher, Record};
use crate::limits::{LimitHit, Limits};
use crate::repo::Bundle;
use crate::units::ByteSize;

/// Bytes that the message of an error may have; frames that its traceback may have, and bytes of each.
const MAX_MESSAGE: usize = 64 << 10;
const MAX_FRAMES: usize = 100;
const MAX_FRAME: usize = 1 << 10;

/// How much later than its limit on time a run is ended, should all else have failed; how long a reader may hold up the
/// end of a run that has failed.
const LATEST: Duration = Duration::from_secs(1);

/// A script and what it is given.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// How errors name it.
    pub name: String,
    /// Its text; bytes that are not UTF-8 may stand in comments and strings.
    pub source: Vec<u8>,
    /// The global `arg`.
    pub args: Vec<String>,
    /// The global `inputs`: names, and the bytes of files.
    pub inputs: Vec<(String, Vec<u8>)>,
    /// What `input()` reads.
    pub input: Input,
    /// Whether the value that it returns is wanted.
    pub want_result: bool,
}

/// An error that nothing in Lua caught. All of it is text of a script's making.
#[derive(Debug, Clone)]
pub struct ScriptError {
    /// What was going on.
    pub stage: ErrorStage,
    /// The error as text.
    pub message: String,
    /// The Lua frames, innermost first.
    pub traceback: Vec<String>,
    /// Set when the error is a failed action: its name and the kind of failure.
    pub action: Option<(String, ErrorKind)>,
    /// What is known of that action's process. This is the host's own knowledge, and not the
    /// script's.
    pub detail: Option<Box<Detail>>,
}

/// What was going on when an error ended the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorStage {
    /// The actions repo was loading.
    Repo,
    /// The script was being compiled.
    Syntax,
    /// The script was running.
    Script,
    /// The value that it returned was being turned into JSON.
    Output,
}

/// How an instance ended.
#[derive(Debug, Clone)]
pub enum Ending<T> {
    /// It answered.
    Done(T),
    /// An error that nothing caught.
    Failed(ScriptError),
    /// A limit, and the Lua frames that were running, innermost first, as far as they are known.
    Limit(LimitHit, Vec<String>),
    /// It asked to end with an exit code (`os.exit`).
    Exited(u8),
    /// The reader of the output is gone.
    OutputClosed,
    /// The output cannot be written: a full disk.
    OutputFailed(String),
    /// It was not begun: no instance was free, and too many callers wait for one.
    Busy(Busy),
    /// A bug in Kael, in words.
    Fault(String),
}

/// What an instance used.
#[derive(Debug, Clone)]
pub struct Usage {
    /// Time that the script computed.
    pub cpu: Duration,
    /// From the start to the end.
    pub wall: Duration,
    /// The most memory that was in use.
    pub memory: ByteSize,
    /// Bytes printed.
    pub output: u64,
    /// Actions called.
    pub calls: u32,
}

/// The end of an instance, what it used, and what it called.
#[derive(Debug, Clone)]
pub struct Report<T> {
    /// When it began.
    pub started: Instant,
    /// How it ended.
    pub ending: Ending<T>,
    /// What it used.
    pub usage: Usage,
    /// Every call of an action, in the order in which they ended.
    pub calls: Vec<Record>,
}

impl Sandbox {
    /// Evaluates an actions repo in an instance of its own and returns what it defines, and what scripts are to be given.
    pub async fn load_repo(
        &self,
        repo: &Bundle,
        limits: &Limits,
        output: Output,
    ) -> Report<LoadedRepo> {
        let modules = prepared_repo::modules(repo);
        let ask = async |store: &mut Store<State>, guest: &Guest| {
            guest
                .kael_engine_runtime()
                .call_load_repo(store, &modules)
                .await
        };
        let report = self.answer(limits, output, None, Input::none(), ask).await;
        report.map(|loaded| {
            let raw = |d: runtime::Definition| RawDefinition {
                names: d.names,
                location: Location {
                    file: d.file,
                    line: d.line,
                },
                body: d.body,
                error: d.problem.map(|error| cut(error, MAX_FRAME)),
            };
            LoadedRepo {
                definitions: loaded.definitions.into_iter().map(raw).collect(),
                ready: PreparedRepo::new(modules, loaded.image),
            }
        })
    }

    /// Runs a script in an instance of its own; the result is JSON text, when it was wanted.
    pub async fn run_script(
        &self,
        repo: Option<&PreparedRepo>,
        script: Script,
        limits: &Limits,
        output: Output,
        dispatcher: Arc<Dispatcher>,
    ) -> Report<Option<String>> {
        let input = script.input;
        let script = runtime::Script {
            name: script.name,
            source: script.source,
            args: script.args,
            inputs: script.inputs,
            want_result: script.want_result,
        };
        let ask = async move |store: &mut Store<State>, guest: &Guest| {
            guest
                .kael_engine_runtime()
                .call_run_script(store, repo.map(PreparedRepo::as_wit), &script)
                .await
        };
        self.answer(limits, output, Some(dispatcher), input, ask)
            .await
    }

    /// Makes an instance, asks it one thing within the limits, and throws it away.
    async fn answer<T>(
        &self,
        limits: &Limits,
        output: Output,
        dispatcher: Option<Arc<Dispatcher>>,
        input: Input,
        ask: impl AsyncFnOnce(
            &mut Store<State>,
            &Guest,
        ) -> wasmtime::Result<Result<T, runtime::ScriptError>>,
    ) -> Report<T> {
        // Dropped after the store, which gives its instance back then. The run begins when it has its place.
        let _place = match self.admission.place().await {
            Ok(place) => place,
            Err(busy) => return Report::refused(busy),
        };
        let start = Instant::now();
        let _running = self.ticker.run();
        let mut state = State::new(limits, output, dispatcher, seed());
        state.input = input;
        let mut store = self.store(state);
        let meter = store.data().meter.clone();
        let asking = async {
            let guest = self.guest.instantiate_async(&mut store).await?;
            ask(&mut store, &guest).await
        };
        let latest = latest(limits);
        let answer = tokio::time::timeout(latest, meter.measure(asking)).await;
        conclude(&mut store, answer.ok(), start).await
    }

    /// A store whose guest looks at its limits at every tick.
    fn store(&self, state: State) -> Store<State> {
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limiter);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut store| {
            let state = store.data_mut();
            match state.out_of_time() {
                Some(hit) => {
                    state.stop = Some(Stop::Limit(hit));
                    Ok(UpdateDeadline::Interrupt)
                }
                None => Ok(UpdateDeadline::YieldCustom(
                    1,
                    Box::pin(tokio::task::yield_now()),
                )),
            }
        });
        store
    }
}

/// When an instance is ended should all else have failed: its state ends it at its limit on time, where the guest computes
/// and where it waits, and with its frames.
fn latest(limits: &Limits) -> Duration {
    limits.wall.duration().saturating_add(LATEST)
}

/// Ends what is still in flight and says how it went; without an answer the time was over.
async fn conclude<T>(
    store: &mut Store<State>,
    answer: Option<wasmtime::Result<Result<T, runtime::ScriptError>>>,
    start: Instant,
) -> Report<T> {
    store.data_mut().shut_down().await;
    let mut ending = match answer {
        None => Ending::Limit(store.data().late(), Vec::new()),
        Some(Ok(Ok(value))) => Ending::Done(value),
        Some(Ok(Err(error))) => {
            let mut error = script_error(error);
            if let Some((name, kind)) = &error.action {
                let failures = &store.data().failures;
                error.detail = failures.detail(name, *kind, &error.message);
            }
            Ending::Failed(error)
        }
        Some(Err(trap)) => stopped(store.as_context_mut(), &trap),
    };
    let state = store.data_mut();
    // What was printed is there before anything is said of how it ended; a run that has failed does not wait long for a
    // reader that takes nothing.
    let mut left = state.limits.wall.duration().saturating_sub(start.elapsed());
    let as_it_wished = matches!(ending, Ending::Done(_) | Ending::Exited(_));
    if !as_it_wished {
        left = left.min(LATEST);
    }
    let flushed = tokio::time::timeout(left, state.output.flush()).await;
    if as_it_wished {
        match flushed {
            Ok(Ok(())) => {}
            Ok(Err(closed)) => ending = output_ended(&closed),
            Err(_) => ending = Ending::Limit(state.late(), Vec::new()),
        }
    }
    let usage = Usage {
        cpu: state.meter.spent(),
        wall: start.elapsed(),
        memory: state.limiter.peak(),
        output: state.printed,
        calls: state.calls,
    };
    let calls = std::mem::take(&mut *state.records.lock().unwrap_or_else(PoisonError::into_inner));
    Report {
        started: start,
        ending,
        usage,
        calls,
    }
}

impl<T> Report<T> {
    /// Of a run that was not begun.
    fn refused(busy: Busy) -> Self {
        Self {
            started: Instant::now(),
            ending: Ending::Busy(busy),
            usage: Usage {
                cpu: Duration::ZERO,
                wall: Duration::ZERO,
                memory: ByteSize::new(0),
                output: 0,
                calls: 0,
            },
            calls: Vec::new(),
        }
    }

    fn map<U>(self, f: impl FnOnce(T) -> U) -> Report<U> {
        let ending = match self.ending {
            Ending::Done(value) => Ending::Done(f(value)),
            Ending::Failed(error) => Ending::Failed(error),
            Ending::Limit(hit, frames) => Ending::Limit(hit, frames),
            Ending::Exited(code) => Ending::Exited(code),
            Ending::OutputClosed => Ending::OutputClosed,
            Ending::OutputFailed(error) => Ending::OutputFailed(error),
            Ending::Busy(busy) => Ending::Busy(busy),
            Ending::Fault(fault) => Ending::Fault(fault),
        };
        Report {
            started: self.started,
            ending,
            usage: self.usage,
            calls: self.calls,
        }
    }
}

/// For the fuzz targets: the host's side of `run-action` without a guest.
#[cfg(fuzzing)]
pub mod fuzzing {
    use super::bindings::kael::engine::actions::{Call, Host as _};
    use super::*;

    /// One entry of `run-action`: calls as id, name and parameters; ids to cancel; whether to wait.
    pub type Entry = (Vec<(u32, String, String)>, Vec<u32>, bool);

    /// Enters once for every list, until an entry ends the run.
    ///
    /// # Panics
    /// When an answer breaks the rules of the boundary.
    pub async fn enter(entries: Vec<Entry>, limits: &Limits, dispatcher: Arc<Dispatcher>) {
        let output = Output::in_memory();
        let mut state = State::new(limits, output, Some(dispatcher), 0);
        let mut open = std::collections::HashSet::new();
        for (submit, cancel, wait) in entries {
            cancel.iter().for_each(|id| _ = open.remove(id));
            open.extend(submit.iter().map(|(id, ..)| *id));
            let submit = submit
                .into_iter()
                .map(|(id, name, params)| Call { id, name, params });
            match state.run_action(submit.collect(), cancel, wait).await {
                Ok(completions) => {
                    assert!(
                        !wait || !completions.is_empty(),
                        "a wait was answered by nothing"
                    );
                    for completion in completions {
                        assert!(open.remove(&completion.id), "an answer to no call");
                    }
                }
                Err(_) => {
                    assert!(state.stop.is_some(), "the run ended without a reason");
                    break;
                }
            }
        }
        state.shut_down().await;
    }
}

/// What a trap means.
fn stopped<T>(mut store: StoreContextMut<'_, State>, trap: &wasmtime::Error) -> Ending<T> {
    let frames = match trap.downcast_ref::<WasmCoreDump>() {
        Some(dump) => lua_backtrace::frames(dump, &mut store),
        None => Vec::new(),
    };
    let state = store.data();
    match (&state.stop, trap.downcast_ref::<Trap>()) {
        (Some(Stop::Limit(hit)), _) => Ending::Limit(hit.clone(), frames),
        (Some(Stop::OutputClosed(closed)), _) => output_ended(closed),
        (Some(Stop::Exit(code)), _) => Ending::Exited(*code),
        (Some(Stop::Fault(fault)), _) => Ending::Fault((*fault).to_owned()),
        // A guest that is refused memory traps; one that does not even fit is not made.
        (None, Some(Trap::UnreachableCodeReached) | None) if state.limiter.refused().is_some() => {
            let allowed = state.limits.memory;
            let wanted = state.limiter.refused().unwrap_or(allowed);
            Ending::Limit(LimitHit::Memory { allowed, wanted }, frames)
        }
        (None, Some(Trap::StackOverflow)) => Ending::Failed(ScriptError {
            stage: ErrorStage::Script,
            message: "stack overflow".to_owned(),
            traceback: frames,
            action: None,
            detail: None,
        }),
        (None, _) => Ending::Fault(format!("the guest trapped: {trap:?}")),
    }
}

fn output_ended<T>(closed: &output::Closed) -> Ending<T> {
    match &closed.0 {
        None => Ending::OutputClosed,
        Some(error) => Ending::OutputFailed(error.clone()),
    }
}

/// Text of a script's making, cut to what a person would read: the limit on output bounds what it prints, not this.
fn cut(mut text: String, most: usize) -> String {
    let length = text.len();
    if length > most {
        text.truncate(text.floor_char_boundary(most));
        text.push_str(&format!("... ({} in all)", ByteSize::new(length as u64)));
    }
    text
}

fn script_error(error: runtime::ScriptError) -> ScriptError {
    let frames = error.traceback.into_iter().take(MAX_FRAMES);
    ScriptError {
        stage: match error.stage {
            Stage::Repo => ErrorStage::Repo,
            Stage::Syntax => ErrorStage::Syntax,
            Stage::Script => ErrorStage::Script,
            Stage::Output => ErrorStage::Output,
        },
        message: cut(error.message, MAX_MESSAGE),
        traceback: frames.map(|frame| cut(frame, MAX_FRAME)).collect(),
        action: error
            .action
            .map(|(name, kind)| (name, state::from_wit(kind))),
        detail: None,
    }
}

/// A number that no script can foresee, for `math.random`.
fn seed() -> i64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0_u64).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_guest_that_traps_is_told_with_the_functions_that_ran() {
        let sandbox = Sandbox::new(1).expect("a sandbox");
        // No session was opened: a bug that only the host could have.
        let ask = async |store: &mut Store<State>, guest: &Guest| {
            let runtime = guest.kael_engine_runtime();
            Ok(Ok(runtime.call_complete(store, "a").await?))
        };
        let limits = Limits::default();
        let report = sandbox.answer(&limits, Output::in_memory(), None, Input::none(), ask);
        let ending = report.await.ending;
        let Ending::Fault(fault) = &ending else {
            panic!("{ending:?}");
        };
        assert!(fault.contains("expect_failed"), "{fault}");
    }
}
