//! What the host keeps for one instance.

mod answer;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::bindings::kael::engine::actions::{
    ActionError as WitError, Completion, ErrorKind as WitKind,
};
use super::input::{Input, bytes_of};
use super::output::{Closed, Output};
use crate::bounds::{Limiter, Meter};
use crate::failure::{ActionError, Detail, ErrorKind};
use crate::gate::{Dispatcher, Record};
use crate::limits::{LimitHit, Limits};
use crate::permit::Permit;
use crate::report_item::ReportItem;
use crate::units::ByteSize;

type Outcome = Result<String, WitError>;

/// The one of the host's own names whose answer takes its time, as an action's does.
const SLEEP: &str = "kael.sleep";

/// Warnings of a script that are shown, and bytes of each.
const MAX_WARNINGS: u32 = 20;
const MAX_WARNING: usize = 1 << 10;

/// How a call ended, and its permit: results that the guest has not taken yet count as in flight,
/// which bounds them.
type Answer = (Outcome, Option<Permit>);

/// What ended an instance from the host's side.
#[derive(Debug, Clone)]
pub(super) enum Stop {
    Limit(LimitHit),
    /// The output takes no more.
    OutputClosed(Closed),
    /// The script asked for it, with an exit code.
    Exit(u8),
    /// The guest broke the rules of the boundary.
    Fault(&'static str),
}

/// A call that was started and whose outcome the guest has not taken.
struct InFlight {
    task: AbortHandle,
    /// Bytes of its parameters.
    params: u64,
}

/// Failures whose details are kept, for a report of one that nothing caught: the latest.
const MAX_FAILURES: usize = 8;

/// The latest failed calls of an instance.
#[derive(Clone, Default)]
pub(super) struct Failures(Arc<Mutex<VecDeque<(String, ActionError)>>>);

impl Failures {
    fn note(&self, name: &str, error: &ActionError) {
        if error.detail.is_none() {
            return;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == MAX_FAILURES {
            all.pop_front();
        }
        all.push_back((name.to_owned(), error.clone()));
    }

    /// What is known of the latest failure that a script reports in these words.
    pub(super) fn detail(&self, name: &str, kind: ErrorKind, text: &str) -> Option<Box<Detail>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all.iter().rev().find(|(called, error)| {
            called == name && error.kind == kind && text.ends_with(&error.message)
        });
        found.and_then(|(_, error)| error.detail.clone())
    }
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
    pub(super) failures: Failures,
    pub(super) stop: Option<Stop>,
    pub(super) calls: u32,
    pub(super) printed: u64,
    /// What `input()` reads.
    pub(super) input: Input,
    /// Warnings of the script that were shown.
    warned: u32,
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
            failures: Failures::default(),
            stop: None,
            calls: 0,
            printed: 0,
            input: Input::none(),
            warned: 0,
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
        (self.stop, self.calls, self.printed, self.warned) = (None, 0, 0, 0);
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
                self.print(params.into_bytes()).await?;
                Ok(Ok("null".to_owned()))
            }
            "kael.print-bytes" => match bytes_of(&params) {
                Some(bytes) => {
                    self.print(bytes).await?;
                    Ok(Ok("null".to_owned()))
                }
                None => Ok(refused("a character stands for no byte")),
            },
            "kael.warn" => {
                self.warn(&params);
                Ok(Ok("null".to_owned()))
            }
            "kael.input" => Ok(match self.input.read().await {
                Ok(text) => Ok(text),
                Err(error) => refused(error),
            }),
            // While a repo loads there is no run to end.
            "kael.exit" if self.dispatcher.is_none() => Ok(refused(
                "a run cannot be ended while the actions repo loads",
            )),
            "kael.exit" => match params.parse::<u8>() {
                Ok(code) => Err(self.end(Stop::Exit(code))),
                Err(_) => Ok(refused("an exit code is 0 to 255")),
            },
            "kael.clock" => {
                let wall = SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(0.0, |since| since.as_secs_f64());
                let cpu = self.meter.spent().as_secs_f64();
                Ok(Ok(format!(r#"{{"wall":{wall:.9},"cpu":{cpu:.9}}}"#)))
            }
            "kael.seed" => Ok(Ok(self.seed.to_string())),
            "kael.report" => Ok(match ReportItem::parse(&params) {
                Ok(item) => {
                    self.output.item(item, params.len());
                    Ok("null".to_owned())
                }
                Err(error) => Err(to_wit(ActionError::new(
                    ErrorKind::InvalidParams,
                    format!("the report cannot be shown: {error}"),
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

    /// Shows a warning of the script, and no more of them than a person would read.
    fn warn(&mut self, text: &str) {
        self.warned = self.warned.saturating_add(1);
        if self.warned <= MAX_WARNINGS {
            let cut = text.floor_char_boundary(MAX_WARNING);
            // What could drive a terminal is shown as an escape.
            let shown = text[..cut].chars().map(|c| match c {
                '\'' | '"' | '\\' => c.to_string(),
                c => c.escape_debug().to_string(),
            });
            tracing::warn!("{}", shown.collect::<String>());
        }
    }

    async fn print(&mut self, mut text: Vec<u8>) -> wasmtime::Result<()> {
        let left = self.limits.output.bytes() - self.printed;
        let wanted = ByteSize::new(self.printed + text.len() as u64);
        let over = text.len() as u64 > left;
        if over {
            // What still fits is printed, up to a whole character.
            let mut end = left as usize;
            while end > 0 && text[end] & 0xc0 == 0x80 && left as usize - end < 3 {
                end -= 1;
            }
            text.truncate(end);
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
        let sleeps = name == SLEEP;
        if !sleeps && self.calls == self.limits.calls {
            let hit = LimitHit::Calls {
                allowed: self.limits.calls,
            };
            return Err(self.end(Stop::Limit(hit)));
        }
        self.calls += u32::from(!sleeps);
        let (dispatcher, turns, records) = (
            self.dispatcher.clone(),
            self.turns.clone(),
            self.records.clone(),
        );
        let failures = self.failures.clone();
        Ok(async move {
            if sleeps {
                return (sleep(&params).await, None);
            }
            let Some(dispatcher) = dispatcher else {
                let message = "actions cannot be called while the actions repo loads";
                let error = to_wit(ActionError::new(ErrorKind::Unavailable, message));
                return (Err(error), None);
            };
            let Ok(turn) = turns.acquire_owned().await else {
                // Never closed.
                let error = to_wit(ActionError::new(ErrorKind::Cancelled, "interrupted"));
                return (Err(error), None);
            };
            let permit = Permit::new(turn);
            let keep = |record| {
                records
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(record)
            };
            let call = dispatcher.call(&name, params, &keep);
            let outcome = permit.clone().during(call).await;
            let outcome = outcome.map_err(|error| {
                failures.note(&name, &error);
                to_wit(error)
            });
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
        while let Some(joined) = self.in_flight.try_join_next() {
            done.extend(self.completed(joined)?);
        }
        Ok(done)
    }
}

/// Waits as long as the script has asked.
async fn sleep(params: &str) -> Outcome {
    #[derive(serde::Deserialize)]
    struct Request {
        seconds: f64,
    }
    let request = serde_json::from_str(params).ok();
    let time = request.and_then(|Request { seconds }| Duration::try_from_secs_f64(seconds).ok());
    match time {
        Some(time) => {
            // Most calls are none: their future need not have room for a timer.
            Box::pin(tokio::time::sleep(time)).await;
            Ok("null".to_owned())
        }
        None => refused("expected a number of seconds"),
    }
}

fn refused(error: impl Into<String>) -> Outcome {
    Err(to_wit(ActionError::new(
        ErrorKind::InvalidParams,
        error.into(),
    )))
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
