//! Makes an instance, asks it one thing within the limits, and throws it away.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use wasmtime::{AsContextMut as _, Store, UpdateDeadline};

use super::bindings::Guest;
use super::bindings::exports::kael::engine::runtime;
use super::ending::{output_ended, script_error, stopped};
use super::state::{State, Stop};
use super::{Ending, Input, Output, Report, Sandbox, Usage};
use crate::gate::Dispatcher;
use crate::limits::Limits;

/// How much later than its limit on time a run is ended, should all else have failed; how long a reader may hold up the
/// end of a run that has failed.
const LATEST: Duration = Duration::from_secs(1);

impl Sandbox {
    /// Makes an instance, asks it one thing within the limits, and throws it away.
    pub(super) async fn answer<T>(
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
    pub(super) fn store(&self, state: State) -> Store<State> {
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
pub(super) fn latest(limits: &Limits) -> Duration {
    limits.wall.duration().saturating_add(LATEST)
}

/// Ends what is still in flight and says how it went; without an answer the time was over.
pub(super) async fn conclude<T>(
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

/// A number that no script can foresee, for `math.random`.
pub(super) fn seed() -> i64 {
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
