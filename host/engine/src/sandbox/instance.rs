//! Makes an instance, asks it one thing within the limits, and throws it away.

use std::time::{Duration, Instant};

use wasmtime::{AsContextMut as _, Store};

use super::bindings::Guest;
use super::bindings::exports::kael::engine::runtime;
use super::cancel::cancelled;
use super::ending::{output_ended, script_error, stopped};
use super::options::{InstanceOptions, taken};
use super::state::InstanceState;
use super::{Ending, Input, Report, Sandbox, Suspension, Usage};
use crate::bounds::{Tick, bound_store};
use crate::journal::{End, EndKind, Recorder, SinkError};
use crate::limits::Limits;

/// How much later than its limit on time a run is ended, should all else have failed; how long a
/// reader may hold up the end of a run that has failed.
const LATEST: Duration = Duration::from_secs(1);

impl Sandbox {
    /// Makes an instance, asks it one thing within the limits, and throws it away.
    pub(super) async fn answer<T>(
        &self,
        options: InstanceOptions,
        input: Input,
        ask: impl AsyncFnOnce(
            &mut Store<InstanceState>,
            &Guest,
        ) -> wasmtime::Result<Result<T, runtime::ScriptError>>,
    ) -> Report<T> {
        // Dropped after the store, which gives its instance back then. The run begins when it has
        // its place.
        let cancelled = cancelled(options.cancel.as_ref());
        let _place = tokio::select! {
            biased;
            () = cancelled => return Report::not_begun(&options, Ending::Cancelled(Vec::new())),
            place = self.admission.place() => match place {
                Ok(place) => place,
                Err(busy) => return Report::not_begun(&options, Ending::Busy(busy)),
            },
        };
        let start = Instant::now();
        let _running = self.ticker.run();
        let deadline = hard_deadline(&options.limits);
        let mut state = InstanceState::new(options, seed());
        state.input = input;
        state.library.clone_from(&self.library);
        let mut store = self.store(state);
        let meter = store.data().meter.clone();
        let asking = async {
            let guest = self.guest.instantiate_async(&mut store).await?;
            ask(&mut store, &guest).await
        };
        let answer = tokio::time::timeout(deadline, meter.measure(asking)).await;
        conclude(&mut store, answer.ok(), start).await
    }

    /// A store whose guest looks at its limits at every tick.
    pub(super) fn store(&self, state: InstanceState) -> Store<InstanceState> {
        let mut store = Store::new(&self.engine, state);
        bound_store(
            &mut store,
            |state| &mut state.limiter,
            |state| match state.due_stop() {
                Some(stop) => {
                    state.stop = Some(stop);
                    Tick::End
                }
                None => Tick::Continue,
            },
        );
        store
    }
}

/// When an instance is ended should all else have failed: its state ends it at its limit on time,
/// where the guest computes and where it waits, and with its frames.
pub(super) fn hard_deadline(limits: &Limits) -> Duration {
    limits.wall.duration().saturating_add(LATEST)
}

/// Ends what is still in flight and says how it went; without an answer the time was over.
pub(super) async fn conclude<T>(
    store: &mut Store<InstanceState>,
    answer: Option<wasmtime::Result<Result<T, runtime::ScriptError>>>,
    start: Instant,
) -> Report<T> {
    store.data_mut().shut_down().await;
    let mut ending = match answer {
        None => Ending::Limit(store.data().wall_limit_hit(), Vec::new()),
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
    // Flushes the output before the end is reported. A run that has failed does not wait long for a
    // reader that takes nothing.
    let mut left = state.limits.wall.duration().saturating_sub(start.elapsed());
    let as_it_wished = matches!(ending, Ending::Done(_) | Ending::Exited(_));
    if !as_it_wished {
        left = left.min(LATEST);
    }
    // After a cancel, a failed run waits for its reader as before; a finished run stops waiting at
    // once.
    let cancel = state.cancel.as_ref().filter(|_| as_it_wished);
    if let Some(journal) = &state.journal {
        let recorder = journal.recorder.clone();
        if matches!(ending, Ending::Cancelled(_)) && journal.clean_up_is_over() {
            recorder.drop_run(&journal.cancelling_by());
        }
        let ended = tokio::time::timeout(left, journal_end(&recorder, &ending)).await;
        if let Ok(Err(error)) = ended {
            let why = Suspension::JournalFailed(error.to_string());
            ending = Ending::Suspended(why, Vec::new());
        }
    }
    let flushed = tokio::select! {
        biased;
        flushed = tokio::time::timeout(left, state.output.flush()) => Some(flushed),
        () = cancelled(cancel) => None,
    };
    if as_it_wished {
        match flushed {
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(closed))) => ending = output_ended(&closed),
            Some(Err(_)) => ending = Ending::Limit(state.wall_limit_hit(), Vec::new()),
            None => ending = Ending::Cancelled(Vec::new()),
        }
    }
    let usage = Usage {
        cpu: state.meter.spent(),
        wall: start.elapsed(),
        memory: state.limiter.peak(),
        output: state.printed,
        calls: state.calls,
    };
    Report {
        run: state.info.clone(),
        started: start,
        ending,
        limits: state.limits.clone(),
        usage,
        calls: taken(&state.records),
    }
}

/// Writes down how a run ended, and shows the rest of its output.
async fn journal_end<T>(recorder: &Recorder, ending: &Ending<T>) -> Result<(), SinkError> {
    let (kind, text) = match ending {
        Ending::Done(_) => (EndKind::Done, String::new()),
        Ending::Failed(error) => (EndKind::Failed, error.message.clone()),
        Ending::Limit(hit, _) => (EndKind::Limit, hit.name().to_owned()),
        Ending::Exited(code) => (EndKind::Exited, code.to_string()),
        Ending::OutputClosed | Ending::OutputFailed(_) => (EndKind::OutputClosed, String::new()),
        // Whoever cancelled it says so, or it goes on later.
        Ending::Cancelled(_) | Ending::Busy(_) | Ending::Suspended(..) | Ending::Fault(_) => {
            return recorder.barrier().await;
        }
    };
    let end = End {
        kind,
        text,
        result: None,
    };
    recorder.end(end).await
}

/// A number that no script can foresee, for `math.random`.
pub(super) fn seed() -> i64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0_u64).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::Output;

    #[tokio::test]
    async fn a_guest_that_traps_is_told_with_the_functions_that_ran() {
        let sandbox = Sandbox::new(1, 0).expect("a sandbox");
        // No session was opened: a bug that only the host could have.
        let ask = async |store: &mut Store<InstanceState>, guest: &Guest| {
            let runtime = guest.kael_engine_runtime();
            Ok(Ok(runtime.call_complete(store, "a").await?))
        };
        let options = InstanceOptions::internal(Limits::default(), Output::in_memory());
        let report = sandbox.answer(options, Input::none(), ask);
        let ending = report.await.ending;
        let Ending::Fault(fault) = &ending else {
            panic!("{ending:?}");
        };
        assert!(fault.contains("expect_failed"), "{fault}");
    }
}
