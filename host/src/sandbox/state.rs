//! What the host keeps for one instance, and how it answers `run-action`.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout_at;

use super::bindings::kael::engine::actions::{
    ActionError as WitError, Call, Completion, ErrorKind as WitKind, Host,
};
use super::output::{Closed, Output};
use crate::bounds::{Limiter, Meter};
use crate::dispatch::{Dispatcher, Record};
use crate::exhibit::Exhibit;
use crate::failure::{ActionError, ErrorKind};
use crate::limits::{LimitHit, Limits};
use crate::units::ByteSize;

type Outcome = Result<String, WitError>;

/// How a call ended, and its turn: results that the guest has not taken yet count as in flight, which bounds them.
type Answer = (Outcome, Option<OwnedSemaphorePermit>);

/// What ended an instance from the host's side.
#[derive(Debug, Clone)]
pub(super) enum Stop {
    Limit(LimitHit),
    /// The output takes no more.
    OutputClosed(Closed),
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
pub(super) struct State {
    pub(super) limiter: Limiter,
    pub(super) meter: Meter,
    pub(super) limits: Limits,
    pub(super) output: Output,
    /// None while a repo loads: then there is nothing to call.
    pub(super) dispatcher: Option<Arc<Dispatcher>>,
    pub(super) records: Arc<Mutex<Vec<Record>>>,
    pub(super) stop: Option<Stop>,
    pub(super) calls: u32,
    pub(super) printed: u64,
    start: Instant,
    /// Whether what is going on is to end, for a session that can be asked to.
    pub(super) interrupted: Option<watch::Receiver<bool>>,
    seed: i64,
    turns: Arc<Semaphore>,
    in_flight: JoinSet<(u32, Answer)>,
    by_id: HashMap<u32, InFlight>,
    /// Bytes of the parameters of all calls in flight.
    held: u64,
}

impl State {
    pub(super) fn new(
        limits: &Limits,
        output: Output,
        dispatcher: Option<Arc<Dispatcher>>,
        seed: i64,
    ) -> Self {
        Self {
            limiter: Limiter::new(limits.memory),
            meter: Meter::new(),
            output,
            dispatcher,
            records: Arc::default(),
            stop: None,
            calls: 0,
            printed: 0,
            start: Instant::now(),
            interrupted: None,
            seed,
            turns: Arc::new(Semaphore::new(limits.parallel as usize)),
            in_flight: JoinSet::new(),
            by_id: HashMap::new(),
            held: 0,
            limits: limits.clone(),
        }
    }

    /// The limits count from here: for the next evaluation of a session.
    pub(super) fn begin(&mut self) {
        self.meter = Meter::new();
        self.start = Instant::now();
        self.limiter.forget_refusal();
        (self.stop, self.calls, self.printed) = (None, 0, 0);
    }

    /// The limit on time that is reached.
    pub(super) fn out_of_time(&self) -> Option<LimitHit> {
        let (allowed, used) = (self.limits.cpu, self.meter.spent());
        if used >= allowed.duration() {
            return Some(LimitHit::Cpu { allowed, used });
        }
        let hit = self.late();
        matches!(hit, LimitHit::Wall { allowed, used } if used >= allowed.duration()).then_some(hit)
    }

    /// The limit on the whole run's time, as if it were reached now.
    pub(super) fn late(&self) -> LimitHit {
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

    /// Answers one of the host's own names at once.
    async fn own(&mut self, name: &str, params: String) -> wasmtime::Result<Outcome> {
        match name {
            "kael.print" => {
                self.print(params).await?;
                Ok(Ok("null".to_owned()))
            }
            "kael.clock" => {
                let wall = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(0.0, |since| since.as_secs_f64());
                let cpu = self.meter.spent().as_secs_f64();
                Ok(Ok(format!(r#"{{"wall":{wall:.9},"cpu":{cpu:.9}}}"#)))
            }
            "kael.seed" => Ok(Ok(self.seed.to_string())),
            "kael.report" => Ok(match Exhibit::parse(&params) {
                Ok(exhibit) => {
                    self.output.exhibit(exhibit, params.len());
                    Ok("null".to_owned())
                }
                Err(problem) => Err(to_wit(ActionError::new(
                    ErrorKind::InvalidParams,
                    format!("the report cannot be shown: {problem}"),
                ))),
            }),
            "kael.interrupted" => {
                let interrupted = self.interrupted.as_ref().is_some_and(|now| *now.borrow());
                Ok(Ok(interrupted.to_string()))
            }
            _ => Ok(Err(to_wit(ActionError::new(
                ErrorKind::UnknownAction,
                "no such action",
            )))),
        }
    }

    async fn print(&mut self, mut text: String) -> wasmtime::Result<()> {
        let left = self.limits.output.bytes() - self.printed;
        let wanted = ByteSize::new(self.printed + text.len() as u64);
        let over = text.len() as u64 > left;
        if over {
            // What still fits is printed, up to a whole character.
            text.truncate(
                (0..=left as usize)
                    .rev()
                    .find(|at| text.is_char_boundary(*at))
                    .unwrap_or(0),
            );
        }
        self.printed += text.len() as u64;
        if let Err(closed) = self.output.print(text).await {
            return Err(self.end(Stop::OutputClosed(closed)));
        }
        if over {
            let hit = LimitHit::Output {
                allowed: self.limits.output,
                wanted,
            };
            return Err(self.end(Stop::Limit(hit)));
        }
        Ok(())
    }

    /// Counts a call and makes the future that answers it, in its turn.
    fn call(
        &mut self,
        name: String,
        params: String,
    ) -> wasmtime::Result<impl Future<Output = Answer> + Send + 'static> {
        if self.calls == self.limits.calls {
            let hit = LimitHit::Calls {
                allowed: self.limits.calls,
            };
            return Err(self.end(Stop::Limit(hit)));
        }
        self.calls += 1;
        let (dispatcher, turns, records) = (
            self.dispatcher.clone(),
            self.turns.clone(),
            self.records.clone(),
        );
        Ok(async move {
            let Some(dispatcher) = dispatcher else {
                let message = "actions cannot be called while the actions repo loads";
                let error = to_wit(ActionError::new(ErrorKind::Unavailable, message));
                return (Err(error), None);
            };
            // Never closed.
            let turn = turns.acquire_owned().await.ok();
            let keep = |record| {
                records
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(record)
            };
            let outcome = dispatcher.call(&name, params, &keep).await.map_err(to_wit);
            (outcome, turn)
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
            Err(problem) if problem.is_cancelled() => Ok(None),
            Err(_) => Err(self.end(Stop::Fault("the host's answer to a call panicked"))),
        }
    }
}

impl Host for State {
    async fn run_action(
        &mut self,
        submit: Vec<Call>,
        cancel: Vec<u32>,
        wait: bool,
    ) -> wasmtime::Result<Vec<Completion>> {
        // Checked: a limit may be as long as nobody waits.
        let deadline = self.start.checked_add(self.limits.wall.duration());
        let answer = {
            let mut answering = pin!(self.answer(submit, cancel, wait));
            // Most answers need no timer.
            match poll_fn(|context| Poll::Ready(answering.as_mut().poll(context))).await {
                Poll::Ready(answer) => Some(answer),
                Poll::Pending => match deadline {
                    Some(deadline) => Box::pin(timeout_at(deadline.into(), answering)).await.ok(),
                    None => Some(answering.await),
                },
            }
        };
        answer.unwrap_or_else(|| Err(self.end(Stop::Limit(self.late()))))
    }
}

impl State {
    /// Answers one entry of the guest's.
    async fn answer(
        &mut self,
        mut submit: Vec<Call>,
        cancel: Vec<u32>,
        wait: bool,
    ) -> wasmtime::Result<Vec<Completion>> {
        for id in cancel {
            if let Some(call) = self.forget(id) {
                call.task.abort();
            }
        }
        let done = self.drain()?;
        // What was cancelled keeps its turn until it has been joined.
        let alone = wait && submit.len() == 1 && done.is_empty() && self.in_flight.is_empty();
        if alone && let Some(call) = submit.pop() {
            // What most scripts do all the time. What else there may be takes a larger future, which is not to be made for
            // each of them.
            return self.answer_one(call).await;
        }
        Box::pin(self.answer_several(submit, wait, done)).await
    }

    /// What has completed by now.
    fn drain(&mut self) -> wasmtime::Result<Vec<Completion>> {
        let mut done = Vec::new();
        while let Some(joined) = self.in_flight.try_join_next() {
            done.extend(self.completed(joined)?);
        }
        Ok(done)
    }

    /// Answers a call that the guest waits for, with none in flight.
    async fn answer_one(
        &mut self,
        Call { id, name, params }: Call,
    ) -> wasmtime::Result<Vec<Completion>> {
        let outcome = if name.starts_with("kael.") {
            self.own(&name, params).await?
        } else {
            let answer = self.call(name, params)?;
            if self.interrupted.is_none() {
                answer.await.0
            } else {
                let interruption = interruption(&mut self.interrupted);
                Box::pin(async move {
                    tokio::select! {
                        biased;
                        () = interruption => Err(interrupted()),
                        (outcome, _turn) = answer => outcome,
                    }
                })
                .await
            }
        };
        Ok(vec![Completion { id, outcome }])
    }

    /// Answers what may wait beside other calls.
    async fn answer_several(
        &mut self,
        submit: Vec<Call>,
        wait: bool,
        mut done: Vec<Completion>,
    ) -> wasmtime::Result<Vec<Completion>> {
        for Call { id, name, params } in submit {
            if self.by_id.contains_key(&id)
                || done
                    .iter()
                    .any(|completion: &Completion| completion.id == id)
            {
                return Err(self.end(Stop::Fault(
                    "the guest used the number of a call that is in flight",
                )));
            }
            if name.starts_with("kael.") {
                done.push(Completion {
                    id,
                    outcome: self.own(&name, params).await?,
                });
            } else {
                // What waits for its turn is held here, and not by the guest: no more of it than the guest may hold.
                let bytes = params.len() as u64;
                while self.held + bytes > self.limits.memory.bytes() && !self.by_id.is_empty() {
                    if let Some(joined) = self.in_flight.join_next().await {
                        done.extend(self.completed(joined)?);
                    }
                }
                self.held += bytes;
                let answer = self.call(name, params)?;
                let task = self.in_flight.spawn(async move { (id, answer.await) });
                self.by_id.insert(
                    id,
                    InFlight {
                        task,
                        params: bytes,
                    },
                );
            }
        }
        done.extend(self.drain()?);
        while wait && done.is_empty() {
            if self.by_id.is_empty() {
                return Err(self.end(Stop::Fault("the guest waits with nothing in flight")));
            }
            let joined = tokio::select! {
                biased;
                () = interruption(&mut self.interrupted) => None,
                joined = self.in_flight.join_next() => joined,
            };
            match joined {
                Some(joined) => done.extend(self.completed(joined)?),
                None => {
                    self.held = 0;
                    for (id, call) in self.by_id.drain() {
                        call.task.abort();
                        let outcome = Err(interrupted());
                        done.push(Completion { id, outcome });
                    }
                }
            }
        }
        Ok(done)
    }
}

/// Waits until what is going on is to end; for ever where nobody can ask for that.
async fn interruption(asked: &mut Option<watch::Receiver<bool>>) {
    if let Some(asked) = asked
        && asked.wait_for(|asked| *asked).await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

fn interrupted() -> WitError {
    to_wit(ActionError::new(ErrorKind::Cancelled, "interrupted"))
}

/// The error as it crosses the boundary.
fn to_wit(error: ActionError) -> WitError {
    let kind = match error.kind {
        ErrorKind::UnknownAction => WitKind::UnknownAction,
        ErrorKind::InvalidParams => WitKind::InvalidParams,
        ErrorKind::Denied => WitKind::Denied,
        ErrorKind::Timeout => WitKind::Timeout,
        ErrorKind::Failed => WitKind::Failed,
        ErrorKind::BadOutput => WitKind::BadOutput,
        ErrorKind::Unavailable => WitKind::Unavailable,
        ErrorKind::Cancelled => WitKind::Cancelled,
    };
    let detail = error
        .detail
        .and_then(|detail| serde_json::to_string(&detail).ok());
    WitError {
        kind,
        message: error.message,
        detail,
    }
}

/// The kind of an error that came back out of the guest.
pub(super) fn from_wit(kind: WitKind) -> ErrorKind {
    match kind {
        WitKind::UnknownAction => ErrorKind::UnknownAction,
        WitKind::InvalidParams => ErrorKind::InvalidParams,
        WitKind::Denied => ErrorKind::Denied,
        WitKind::Timeout => ErrorKind::Timeout,
        WitKind::Failed => ErrorKind::Failed,
        WitKind::BadOutput => ErrorKind::BadOutput,
        WitKind::Unavailable => ErrorKind::Unavailable,
        WitKind::Cancelled => ErrorKind::Cancelled,
    }
}

#[cfg(test)]
mod tests {
    //! What only a guest that is no longer Kael's own could do.

    use super::*;

    fn state() -> State {
        let limits = Limits {
            output: ByteSize::new(100),
            ..Limits::default()
        };
        State::new(&limits, Output::in_memory(), None, 7)
    }

    fn call(id: u32, name: &str) -> Call {
        Call {
            id,
            name: name.into(),
            params: "{}".into(),
        }
    }

    fn fault(state: &State) -> &'static str {
        match state.stop {
            Some(Stop::Fault(fault)) => fault,
            _ => panic!("{:?}", state.stop),
        }
    }

    #[tokio::test]
    async fn waiting_for_nothing_ends_the_run() {
        let mut state = state();
        assert!(state.run_action(vec![], vec![], true).await.is_err());
        assert_eq!(fault(&state), "the guest waits with nothing in flight");
    }

    #[tokio::test]
    async fn a_number_used_twice_ends_the_run() {
        for names in [
            ["kael.seed", "kael.seed"],
            ["t.a", "t.b"],
            ["t.a", "kael.seed"],
        ] {
            let mut state = state();
            let calls = names.map(|name| call(1, name)).into();
            assert!(state.run_action(calls, vec![], true).await.is_err());
            assert_eq!(
                fault(&state),
                "the guest used the number of a call that is in flight"
            );
        }
    }

    #[tokio::test]
    async fn what_was_never_submitted_is_cancelled_without_a_word() {
        let mut state = state();
        let cancel = vec![0, 1, u32::MAX, u32::MAX];
        let done = state.run_action(vec![], cancel, false).await;
        assert!(done.is_ok_and(|done| done.is_empty()) && state.stop.is_none());
    }

    #[tokio::test]
    async fn a_report_of_another_shape_is_refused() {
        let mut state = state();
        for params in ["", "{}", r#"{"page":"<script>"}"#, &"x".repeat(2 << 20)] {
            let mut call = call(1, "kael.report");
            call.params = params.to_owned();
            let done = state.run_action(vec![call], vec![], true).await;
            let done = done.expect("an answer");
            assert!(matches!(&done[0].outcome, Err(error) if error.kind == WitKind::InvalidParams));
        }
    }

    #[tokio::test]
    async fn the_hosts_own_names_are_few() {
        let mut state = state();
        for name in ["kael.", "kael.exit", "kael.print ", "kael.seed.x"] {
            let done = state.run_action(vec![call(1, name)], vec![], true).await;
            let done = done.expect("an answer");
            assert!(matches!(&done[0].outcome, Err(error) if error.kind == WitKind::UnknownAction));
        }
        // While a repo loads there is nothing to call.
        let done = state.run_action(vec![call(2, "t.a")], vec![], true).await;
        let done = done.expect("an answer");
        assert!(matches!(&done[0].outcome, Err(error) if error.kind == WitKind::Unavailable));
    }
}
