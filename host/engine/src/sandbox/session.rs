//! An instance that evaluates one chunk after the other in a state that is kept, each within the
//! limits.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;
use wasmtime::Store;

use super::admission::Place;
use super::bindings::Guest;
use super::bindings::exports::kael::engine::runtime;
use super::instance::{conclude, hard_deadline, seed};
use super::state::InstanceState;
use super::{Ending, InstanceOptions, PreparedRepo, Report, Sandbox};

/// A piece of code that a session is given.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// How errors name it.
    pub name: String,
    /// The number of its first line in what is so named, from 1.
    pub line: u32,
    /// Its text.
    pub source: String,
    /// What is done with it.
    pub use_as: ChunkUse,
}

/// What is done with a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkUse {
    /// It is compiled, for whether it is complete.
    Check,
    /// It is an expression, whose values are printed, or statements.
    Input,
    /// It is the text of a file.
    File,
}

/// What became of a chunk that raised no error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkEnd {
    /// It was evaluated.
    Done,
    /// It is the beginning of one: nothing was run.
    Incomplete,
}

/// Asks what a session evaluates to end, with an error that its code cannot keep for long.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(watch::Sender<bool>);

impl Interrupt {
    /// Asks. What the code does in one step, such as sorting, is not interrupted by that.
    pub fn request(&self) {
        self.0.send_replace(true);
    }
}

/// An instance that has the repo loaded and waits for chunks.
pub(crate) struct Session {
    sandbox: Arc<Sandbox>,
    store: Store<InstanceState>,
    guest: Guest,
    interrupt: Interrupt,
    over: bool,
    /// Behind the store, so that it is dropped after it.
    _place: Place,
}

impl Session {
    /// Makes an instance with the proxies of the repo. With `interruptible` Lua's code asks now and
    /// then whether it is to end, which makes it slower.
    ///
    /// # Errors
    /// A report of how that ended.
    pub(crate) async fn open(
        sandbox: &Arc<Sandbox>,
        repo: Option<&PreparedRepo>,
        options: InstanceOptions,
        interruptible: bool,
    ) -> Result<Self, Report<()>> {
        let place = match sandbox.admission.place().await {
            Ok(place) => place,
            Err(busy) => return Err(Report::not_begun(&options, Ending::Busy(busy))),
        };
        let deadline = hard_deadline(&options.limits);
        let start = Instant::now();
        let _running = sandbox.ticker.run();
        let (asker, asked) = watch::channel(false);
        let mut state = InstanceState::new(options, seed());
        state.library.clone_from(&sandbox.library);
        state.interrupted = interruptible.then_some(asked);
        let meter = state.meter.clone();
        let mut store = sandbox.store(state);
        let opening = async {
            let guest = sandbox.guest.instantiate_async(&mut store).await?;
            let runtime = guest.kael_engine_runtime();
            let opened = runtime
                .call_open_session(&mut store, repo.map(PreparedRepo::as_wit), interruptible)
                .await?;
            Ok(opened.map(|()| guest))
        };
        let answer = tokio::time::timeout(deadline, meter.measure(opening)).await;
        let report = conclude(&mut store, answer.ok(), start).await;
        let mut opened = None;
        let report = report.map(|guest| opened = Some(guest));
        match opened {
            None => Err(report),
            Some(guest) => Ok(Self {
                sandbox: sandbox.clone(),
                store,
                guest,
                interrupt: Interrupt(asker),
                over: false,
                _place: place,
            }),
        }
    }

    /// What asks an evaluation to end.
    #[must_use]
    pub(crate) fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// Whether a limit, a fault or `stop` has ended the instance: then its state is gone, and it
    /// answers nothing more.
    #[must_use]
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Evaluates a chunk within the limits, which count anew for each. When `stop` is ready before,
    /// the instance is ended and there is no report.
    pub(crate) async fn evaluate(
        &mut self,
        chunk: Chunk,
        stop: impl Future<Output = ()>,
    ) -> Option<Report<ChunkEnd>> {
        let start = Instant::now();
        let _running = self.sandbox.ticker.run();
        let (meter, wall) = self.begin();
        let chunk = runtime::Chunk {
            name: chunk.name,
            line: chunk.line,
            source: chunk.source,
            use_as: match chunk.use_as {
                ChunkUse::Check => runtime::ChunkUse::Check,
                ChunkUse::Input => runtime::ChunkUse::Input,
                ChunkUse::File => runtime::ChunkUse::File,
            },
        };
        let runtime = self.guest.kael_engine_runtime();
        let asking = meter.measure(runtime.call_evaluate(&mut self.store, &chunk));
        let answer = tokio::select! {
            answer = tokio::time::timeout(wall, asking) => Some(answer),
            () = stop => None,
        };
        // Nothing more can be asked of an instance that has not answered.
        self.over = !matches!(answer, Some(Ok(Ok(_))));
        let Some(answer) = answer else {
            self.store.data_mut().shut_down().await;
            return None;
        };
        let report = conclude(&mut self.store, answer.ok(), start).await;
        self.over |= matches!(report.ending, Ending::Limit(..));
        Some(report.map(|end| match end {
            runtime::ChunkEnd::Done => ChunkEnd::Done,
            runtime::ChunkEnd::Incomplete => ChunkEnd::Incomplete,
        }))
    }

    /// The names that could stand for the last one of a line, sorted. No code of the session's is
    /// run.
    pub(crate) async fn complete(&mut self, line: &str) -> Vec<String> {
        let _running = self.sandbox.ticker.run();
        let (meter, wall) = self.begin();
        let runtime = self.guest.kael_engine_runtime();
        let asking = meter.measure(runtime.call_complete(&mut self.store, line));
        let answer = tokio::time::timeout(wall, asking).await;
        self.over = !matches!(answer, Ok(Ok(_)));
        answer
            .ok()
            .and_then(wasmtime::Result::ok)
            .unwrap_or_default()
    }

    fn begin(&mut self) -> (crate::bounds::Meter, std::time::Duration) {
        self.interrupt.0.send_replace(false);
        let state = self.store.data_mut();
        state.begin();
        (state.meter.clone(), hard_deadline(&state.limits))
    }
}
