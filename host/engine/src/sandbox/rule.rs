//! An instance that is a rule: it evaluates batches of events in a state that is kept, each within
//! a limit on computing time.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::{AsContextMut as _, Store};

use super::admission::Place;
use super::bindings::Guest;
use super::bindings::exports::kael::engine::rules;
use super::bindings::exports::kael::engine::runtime;
use super::ending::{script_error, stopped};
use super::events::{EventBatch, Verdicts};
use super::instance::hard_deadline;
use super::state::InstanceState;
use super::{Ending, InstanceOptions, Sandbox};
use crate::units::ByteSize;

/// The predicate of a rule, and what it may ask about.
#[derive(Debug, Clone, Default)]
pub struct RuleCode {
    /// How errors name the predicate.
    pub name: String,
    /// Its Lua.
    pub source: Vec<u8>,
    /// What `math.random` begins with.
    pub seed: i64,
    /// The functions that are called for every event, in this order.
    pub functions: Vec<String>,
    /// After a match of which of them `pred_capture` is called, from 0.
    pub capture_after: u32,
    /// The fields of the schema by slot: ids and paths.
    pub fields: Vec<(u32, String)>,
    /// Regular expressions.
    pub regexes: Vec<String>,
    /// Globs.
    pub globs: Vec<String>,
}

/// Which of the optional functions a predicate has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleFunctions {
    /// `pred_init`
    pub init: bool,
    /// `pred_capture`
    pub capture: bool,
    /// `pred_save`
    pub save: bool,
}

/// An instance that is a rule.
pub(crate) struct RuleInstance {
    sandbox: Arc<Sandbox>,
    store: Store<InstanceState>,
    guest: Guest,
    functions: usize,
    has: RuleFunctions,
    over: bool,
    /// Behind the store, so that it is dropped after it.
    _place: Place,
}

impl RuleInstance {
    /// Makes an instance, runs the predicate's chunk, and calls `pred_init`, within `time` of
    /// computing.
    pub(crate) async fn open(
        sandbox: &Arc<Sandbox>,
        rule: &RuleCode,
        options: InstanceOptions,
        time: Duration,
    ) -> Result<Self, Ending<()>> {
        let place = sandbox.admission.place().await.map_err(Ending::Busy)?;
        let _running = sandbox.ticker.run();
        let deadline = hard_deadline(&options.limits);
        let mut store = sandbox.store(InstanceState::new(options, rule.seed));
        store.data_mut().begin_computing(time);
        let field = |(id, path): &(u32, String)| rules::Field {
            id: *id,
            path: path.clone(),
        };
        let code = rules::Rule {
            name: rule.name.clone(),
            source: rule.source.clone(),
            seed: rule.seed,
            functions: rule.functions.clone(),
            capture_after: rule.capture_after,
            fields: rule.fields.iter().map(field).collect(),
            regexes: rule.regexes.clone(),
            globs: rule.globs.clone(),
        };
        let opening = async {
            let guest = sandbox.guest.instantiate_async(&mut store).await?;
            let opened = guest
                .kael_engine_rules()
                .call_open_rule(&mut store, &code)
                .await?;
            Ok(opened.map(|has| (guest, has)))
        };
        let opened = tokio::time::timeout(deadline, opening).await;
        let (guest, has) = settled(&mut store, opened.ok())?;
        Ok(Self {
            sandbox: sandbox.clone(),
            store,
            guest,
            functions: rule.functions.len(),
            has: RuleFunctions {
                init: has.has_init,
                capture: has.has_capture,
                save: has.has_save,
            },
            over: false,
            _place: place,
        })
    }

    pub(crate) fn has(&self) -> RuleFunctions {
        self.has
    }

    /// Whether a limit or a fault has ended the instance.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Memory of the instance: its peak.
    pub(crate) fn memory(&self) -> ByteSize {
        self.store.data().limiter.peak()
    }

    /// What the predicate said of each event, within `time` of computing. After anything else the
    /// instance is over.
    pub(crate) async fn evaluate(
        &mut self,
        batch: &EventBatch,
        time: Duration,
    ) -> Result<Verdicts, Ending<()>> {
        let _running = self.sandbox.ticker.run();
        let deadline = self.begin(time);
        let rules = self.guest.kael_engine_rules();
        let asking = rules.call_evaluate_batch(&mut self.store, batch.bytes());
        let answer = tokio::time::timeout(deadline, asking).await;
        self.over = true;
        let answer = answer.ok().map(|answer| answer.map(Ok));
        let answer = settled(&mut self.store, answer)?;
        let read = Verdicts::read(&answer, batch.len(), self.functions);
        let fault = || Ending::Fault("the guest's verdicts are not well formed".to_owned());
        let verdicts = read.ok_or_else(fault)?;
        self.over = false;
        Ok(verdicts)
    }

    /// What `pred_save` returned.
    pub(crate) async fn save(&mut self, time: Duration) -> Result<Option<Vec<u8>>, Ending<()>> {
        let _running = self.sandbox.ticker.run();
        let deadline = self.begin(time);
        let rules = self.guest.kael_engine_rules();
        let answer = tokio::time::timeout(deadline, rules.call_save_rule(&mut self.store)).await;
        self.over = !matches!(answer, Ok(Ok(_)));
        settled(&mut self.store, answer.ok())
    }

    /// Calls `pred_restore`.
    pub(crate) async fn restore(&mut self, saved: &[u8], time: Duration) -> Result<(), Ending<()>> {
        let _running = self.sandbox.ticker.run();
        let deadline = self.begin(time);
        let rules = self.guest.kael_engine_rules();
        let asking = rules.call_restore_rule(&mut self.store, saved);
        let answer = tokio::time::timeout(deadline, asking).await;
        self.over = !matches!(answer, Ok(Ok(_)));
        settled(&mut self.store, answer.ok())
    }

    fn begin(&mut self, time: Duration) -> Duration {
        let state = self.store.data_mut();
        state.begin();
        state.begin_computing(time);
        hard_deadline(&state.limits)
    }
}

/// The value of an answer, or how the instance ended. Without an answer the time was over.
fn settled<T>(
    store: &mut Store<InstanceState>,
    answer: Option<wasmtime::Result<Result<T, runtime::ScriptError>>>,
) -> Result<T, Ending<()>> {
    match answer {
        None => Err(Ending::Limit(store.data().wall_limit_hit(), Vec::new())),
        Some(Ok(Ok(value))) => Ok(value),
        Some(Ok(Err(error))) => Err(Ending::Failed(script_error(error))),
        Some(Err(trap)) => Err(stopped(store.as_context_mut(), &trap)),
    }
}
