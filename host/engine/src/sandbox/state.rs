//! What the host keeps for one instance.

mod answer;
mod continuing;
mod failures;
mod host_call;
mod inspected;
mod journaled;
mod log;
mod passed;
mod wait_call;
mod wire;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, JoinSet};

pub(super) use journaled::Journaled;
pub(super) use wire::from_wit;

use super::bindings::kael::engine::actions::{ActionError as WitError, Completion};
use super::input::Input;
use super::output::{Closed, Output};
use super::{Cancel, InstanceOptions, Records, Suspension};
use crate::bounds::{Limiter, Meter};
use crate::catalog::Library;
use crate::failure::{ActionError, ErrorKind};
use crate::gate::Dispatcher;
use crate::limits::{LimitHit, Limits};
use crate::permit::Permit;
use crate::run_info::RunInfo;
use crate::units::TimeLimit;
use failures::Failures;
use wait_call::WaitCall;
use wire::to_wit;

type Outcome = Result<String, WitError>;

/// How a call ended, and its permit: results that the guest has not taken yet count as in flight,
/// which bounds them.
type Answer = (Outcome, Option<Permit>);

/// What ended an instance from the host's side.
#[derive(Debug, Clone)]
pub(super) enum Stop {
    Limit(LimitHit),
    /// The run was cancelled from outside.
    Cancelled,
    /// The output takes no more.
    OutputClosed(Closed),
    /// The script asked for it, with an exit code.
    Exit(u8),
    /// It stops here, and can go on.
    Suspended(Suspension),
    /// The guest broke the rules of the boundary.
    Fault(&'static str),
}

/// A call that was started and whose outcome the guest has not taken.
struct InFlight {
    task: AbortHandle,
    /// Bytes of its parameters.
    params: u64,
}

/// One instance's side of the gate.
pub(super) struct InstanceState {
    pub(super) limiter: Limiter,
    pub(super) meter: Meter,
    pub(super) limits: Limits,
    pub(super) output: Output,
    /// None while a repo loads: then there is nothing to call.
    pub(super) dispatcher: Option<Arc<Dispatcher>>,
    pub(super) records: Records,
    /// The run that the instance is for.
    pub(super) info: Arc<RunInfo>,
    /// What ends the run from outside, if anything can.
    pub(super) cancel: Option<Cancel>,
    pub(super) failures: Failures,
    pub(super) stop: Option<Stop>,
    pub(super) calls: u32,
    pub(super) printed: u64,
    /// What `input()` reads.
    pub(super) input: Input,
    /// Warnings of the script that were shown, and lines of its log.
    warned: u32,
    logged: u32,
    /// The Lua that the host brings.
    pub(super) library: Option<Arc<Library>>,
    start: Instant,
    /// Until which time of its thread a rule may compute, and how much that is; what other threads
    /// take meanwhile does not count.
    computing: Option<(Duration, Duration)>,
    /// Whether what is going on is to end, for a session that can be asked to.
    pub(super) interrupted: Option<watch::Receiver<bool>>,
    seed: i64,
    /// The calls that this run may have in flight, and those of all runs together where that is bounded.
    permits: Arc<Semaphore>,
    shared_permits: Option<Arc<Semaphore>>,
    in_flight: JoinSet<(u32, Answer)>,
    by_id: HashMap<u32, InFlight>,
    /// Bytes of the parameters of all calls in flight.
    held: u64,
    /// What the run writes down, and where it has been before.
    pub(super) journal: Option<Box<Journaled>>,
}

impl InstanceState {
    pub(super) fn new(options: InstanceOptions, seed: i64) -> Self {
        let InstanceOptions {
            info,
            limits,
            output,
            dispatcher,
            cancel,
            records,
            shared_permits,
            journal,
        } = options;
        let meter = Meter::new();
        let journal = journal.map(|journal| {
            let release = Arc::new(output.clone());
            journal.recorder.set_up(meter.clone(), release);
            Box::new(Journaled::new(journal))
        });
        Self {
            limiter: Limiter::new(limits.memory),
            meter,
            journal,
            output,
            dispatcher,
            records,
            info,
            cancel,
            failures: Failures::default(),
            stop: None,
            calls: 0,
            printed: 0,
            input: Input::none(),
            warned: 0,
            logged: 0,
            library: None,
            start: Instant::now(),
            computing: None,
            interrupted: None,
            seed,
            permits: Arc::new(Semaphore::new(limits.parallel as usize)),
            shared_permits,
            in_flight: JoinSet::new(),
            by_id: HashMap::new(),
            held: 0,
            limits,
        }
    }

    /// The limits count from here: for the next evaluation of a session.
    pub(super) fn begin(&mut self) {
        self.meter = Meter::new();
        self.start = Instant::now();
        self.limiter.forget_refusal();
        (self.stop, self.calls, self.printed) = (None, 0, 0);
        (self.warned, self.logged) = (0, 0);
    }

    /// From here a rule may compute for so long, on this thread.
    pub(super) fn begin_computing(&mut self, time: Duration) {
        self.computing = Some((thread_time().saturating_add(time), time));
    }

    /// Whether the instance is a rule's.
    fn is_rule(&self) -> bool {
        self.computing.is_some()
    }

    /// Why the instance must end now, if it must.
    pub(super) fn due_stop(&self) -> Option<Stop> {
        match &self.cancel {
            Some(cancel) if cancel.is_cancelled() => Some(Stop::Cancelled),
            _ if self.clean_up_is_over() => Some(Stop::Cancelled),
            _ => self.out_of_time().map(Stop::Limit),
        }
    }

    /// Whether somebody has wanted the run to end, and its script has had its time since.
    pub(super) fn clean_up_is_over(&self) -> bool {
        let journal = self.journal.as_ref();
        journal.is_some_and(|journal| journal.clean_up_is_over())
    }

    /// The limit on time that is reached.
    fn out_of_time(&self) -> Option<LimitHit> {
        if let Some((until, allowed)) = self.computing {
            let now = thread_time();
            if now >= until {
                return Some(LimitHit::Cpu {
                    allowed: TimeLimit::from_seconds(allowed.as_secs_f64())
                        .unwrap_or(self.limits.cpu),
                    used: allowed + (now - until),
                });
            }
        }
        let (allowed, used) = (self.limits.cpu, self.meter.spent());
        let replaying = self
            .journal
            .as_ref()
            .and_then(|journal| journal.replaying());
        let most = allowed.duration().max(replaying.unwrap_or_default());
        if used >= most {
            return Some(LimitHit::Cpu { allowed, used });
        }
        let hit = self.wall_limit_hit();
        matches!(hit, LimitHit::Wall { allowed, used } if used >= allowed.duration()).then_some(hit)
    }

    /// The limit on the whole run's time, as if it were reached now.
    pub(super) fn wall_limit_hit(&self) -> LimitHit {
        LimitHit::Wall {
            allowed: self.limits.wall,
            used: self.start.elapsed(),
        }
    }

    /// Ends everything that is still in flight and waits for that.
    pub(super) async fn shut_down(&mut self) {
        self.in_flight.shutdown().await;
        self.by_id.clear();
        self.held = 0;
    }

    fn end(&mut self, stop: Stop) -> wasmtime::Error {
        self.stop = Some(stop);
        wasmtime::Trap::Interrupt.into()
    }

    /// Counts a call and makes the future that answers it, in its turn.
    fn call(
        &mut self,
        id: u32,
        name: String,
        params: String,
    ) -> wasmtime::Result<impl Future<Output = Answer> + Send + 'static> {
        let number = self.count_call(&name)?;
        self.answer_to(id, number, name, params)
    }

    /// Counts a call, and gives it its number in the run.
    fn count_call(&mut self, name: &str) -> wasmtime::Result<u64> {
        match wait_call::counts(name) {
            true => self.count_one(),
            false => Ok(0),
        }
    }

    /// Counts a call that counts.
    fn count_one(&mut self) -> wasmtime::Result<u64> {
        if self.calls == self.limits.calls {
            let hit = LimitHit::Calls {
                allowed: self.limits.calls,
            };
            return Err(self.end(Stop::Limit(hit)));
        }
        self.calls += 1;
        Ok(self.dispatcher.as_ref().map_or(0, |gate| gate.number()))
    }

    /// Makes the future that answers a call, in its turn.
    fn answer_to(
        &mut self,
        id: u32,
        number: u64,
        name: String,
        params: String,
    ) -> wasmtime::Result<impl Future<Output = Answer> + Send + 'static> {
        let mut waits = WaitCall::of(&name, &params, number);
        if let (Some(waits), Some(dispatcher)) = (&mut waits, &self.dispatcher) {
            waits.authorize(dispatcher);
        }
        let log = self.call_log(id, number)?;
        if let Some((_, outcome)) = log.as_ref().and_then(|log| log.known.as_ref()) {
            self.passed(&name, &params, outcome);
        }
        if let (Some(waits), Some(log)) =
            (&mut waits, log.as_ref().filter(|log| log.known.is_none()))
        {
            waits.begin(log);
        }
        let (dispatcher, records) = (self.dispatcher.clone(), self.records.clone());
        let (permits, shared) = (self.permits.clone(), self.shared_permits.clone());
        let (failures, info) = (self.failures.clone(), self.info.clone());
        Ok(async move {
            if let Some((seq, outcome)) = log.as_ref().and_then(|log| log.known.clone()) {
                log::known(log.as_deref(), seq, &outcome);
                return (wire::wit_of(outcome), None);
            }
            if let Some(waits) = waits {
                let shown = waits.shown();
                // Most calls are none: their future need not have room for what this one needs.
                let answer = Box::pin(waits.answer(log.as_deref())).await;
                if let Err(error) = &answer {
                    failures.note(shown, error);
                }
                let outcome = wait_call::outcome(answer);
                log::ended(log.as_deref(), &outcome, Duration::ZERO, false);
                return (outcome, None);
            }
            let Some(dispatcher) = dispatcher else {
                let message = "actions cannot be called while the actions repo loads";
                let error = to_wit(ActionError::new(ErrorKind::Unavailable, message));
                log::ended(log.as_deref(), &Err(error.clone()), Duration::ZERO, false);
                return (Err(error), None);
            };
            let Some(permit) = Permit::take(permits, shared, info).await else {
                // Never closed.
                let error = to_wit(ActionError::new(ErrorKind::Cancelled, "interrupted"));
                return (Err(error), None);
            };
            let keep = |record| {
                records
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(record)
            };
            let start = Instant::now();
            let call = dispatcher.call_numbered(number, &name, params, &keep, log.as_deref());
            let outcome = permit.clone().during(call).await;
            let outcome = outcome.map_err(|error| {
                failures.note(&name, &error);
                to_wit(error)
            });
            if let Some(log) = log.as_deref() {
                let is_effect = dispatcher.has_effects(&name);
                log::ended(Some(log), &outcome, start.elapsed(), is_effect);
            }
            (outcome, Some(permit))
        })
    }

    fn forget(&mut self, id: u32) -> Option<InFlight> {
        let call = self.by_id.remove(&id)?;
        self.held -= call.params;
        Some(call)
    }

    fn completed(
        &mut self,
        joined: Result<(u32, Answer), tokio::task::JoinError>,
    ) -> wasmtime::Result<Option<Completion>> {
        match joined {
            Ok((id, (outcome, _turn))) => Ok(self.forget(id).map(|_| Completion { id, outcome })),
            Err(error) if error.is_cancelled() => Ok(None),
            Err(_) => Err(self.end(Stop::Fault("the host's answer to a call panicked"))),
        }
    }

    /// What has completed by now.
    fn drain(&mut self) -> wasmtime::Result<Vec<Completion>> {
        let mut done = Vec::new();
        if let Some(journal) = &mut self.journal {
            done.extend(journal.ready.drain(..));
        }
        while let Some(joined) = self.in_flight.try_join_next() {
            done.extend(self.completed(joined)?);
        }
        Ok(done)
    }
}

/// How long the current thread has computed.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}
