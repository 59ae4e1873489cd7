//! A rule of a worker: its instance, which is made anew after a limit or a trap, and its budget.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kael_engine::limits::Limits;
use kael_engine::runtime::{Rule, Runtime};
use kael_engine::sandbox::{EventBatch, Note, Output, Verdicts};
use kael_engine::units::ByteSize;
use kael_wasm::predicate::{Compiled, Predicates};

use super::back_off::BackOff;
use super::outcome::{Batch, Outcome, Said};
use super::spec::Spec;
use super::stopped::{self, Stopped};
use super::wasm::{WasmEngine, WasmRule};
use super::{Messages, RuleLimits};
use crate::package::Language;
use crate::problem::Problem;

/// The least that a batch may take before the limit of one evaluation counts.
const LEAST: Duration = Duration::from_millis(5);
/// Bytes that a rule may print in a minute.
const MAX_PRINTED: usize = 64 << 10;
/// Errors of a rule that are told in full; later ones once a minute.
const TOLD: u64 = 3;
const MINUTE: Duration = Duration::from_secs(60);

/// A rule that is loaded.
pub(super) struct Instance {
    pub(super) spec: Spec,
    runtime: Runtime,
    limits: RuleLimits,
    messages: Arc<dyn Messages>,
    /// The predicate of WebAssembly, compiled.
    module: Option<(Arc<Predicates>, Compiled)>,
    /// None after a limit or a trap, until it is made anew.
    rule: Option<Loaded>,
    output: Output,
    back_off: BackOff,
    /// All evaluations and their time, for the budget of a batch.
    evaluations: u64,
    time: Duration,
    errors: Told,
    /// When the current minute of printing began, and bytes in it.
    printed: (Instant, usize),
    saved: Option<(Instant, Vec<u8>)>,
}

/// The instance of a predicate.
enum Loaded {
    Lua(Box<Rule>),
    Wasm(Box<WasmRule>),
}

/// How often something was told, and what was left out since.
struct Told {
    times: u64,
    left_out: u64,
    last: Instant,
}

impl Instance {
    pub(super) async fn load(
        runtime: &Runtime,
        wasm: &WasmEngine,
        spec: Spec,
        limits: RuleLimits,
        messages: Arc<dyn Messages>,
        saved: Option<Vec<u8>>,
    ) -> Result<Self, Problem> {
        let now = Instant::now();
        let module = match spec.language {
            Language::Lua => None,
            Language::Wasm => match wasm.compile(&spec.code.source, &spec.file).await {
                Ok(compiled) => Some(compiled),
                Err(why) => return Err(Problem::error(&spec.file, why)),
            },
        };
        let mut instance = Self {
            runtime: runtime.clone(),
            module,
            limits,
            messages,
            rule: None,
            output: Output::in_memory(),
            back_off: BackOff::default(),
            evaluations: 0,
            time: Duration::ZERO,
            errors: Told {
                times: 0,
                left_out: 0,
                last: now,
            },
            printed: (now, 0),
            saved: saved.map(|saved| (now, saved)),
            spec,
        };
        let opened = instance.open().await;
        instance.forward_print();
        match opened {
            Ok(rule) => {
                instance.rule = Some(rule);
                Ok(instance)
            }
            Err(why) => Err(Problem::error(&instance.spec.file, why)),
        }
    }

    async fn open(&self) -> Result<Loaded, String> {
        if let Some((predicates, module)) = &self.module {
            let rule = WasmRule::open(predicates, module, &self.spec, &self.limits)?;
            return Ok(Loaded::Wasm(Box::new(rule)));
        }
        self.open_lua()
            .await
            .map(|rule| Loaded::Lua(Box::new(rule)))
    }

    async fn open_lua(&self) -> Result<Rule, String> {
        let limits = Limits {
            memory: self.limits.memory,
            output: ByteSize::new(MAX_PRINTED as u64),
            ..Limits::default()
        };
        let output = self.output.clone();
        let opened = self
            .runtime
            .rule(&self.spec.code, &limits, output, self.limits.load)
            .await;
        let loading =
            |ending| stopped::of_lua(ending, &self.spec.file, "loading it", self.limits.load);
        let mut rule = opened.map_err(|ending| loading(ending).message)?;
        if let Some((_, saved)) = &self.saved {
            let restored = rule.restore(saved, self.limits.load).await;
            restored.map_err(|ending| format!("pred_restore: {}", loading(ending).message))?;
        }
        Ok(rule)
    }

    /// Evaluates the events of a batch that are of the rule's types.
    pub(super) async fn evaluate(&mut self, at: usize, batch: &Batch) -> Outcome {
        let mut outcome = Outcome {
            rule: at,
            ..Outcome::default()
        };
        let places = batch.of_types(self.spec.types.as_ref());
        // Halves of what was cut short wait here, the first of them last.
        let mut todo = vec![places];
        while let Some(places) = todo.pop() {
            if places.is_empty() {
                continue;
            }
            let now = Instant::now();
            if self.back_off.is_off(now) {
                outcome.skipped += places.len() as u64;
                outcome.disabled = true;
                continue;
            }
            if self.rule.is_none() && !self.restart(&mut outcome).await {
                outcome.skipped += places.len() as u64;
                continue;
            }
            let rule = match &mut self.rule {
                Some(Loaded::Lua(rule)) => rule,
                Some(Loaded::Wasm(rule)) => {
                    let said = rule.evaluate(places.iter().map(|at| &batch.events[*at]));
                    outcome.time += now.elapsed();
                    outcome.memory = rule.memory();
                    todo.extend(self.take_wasm(&places, said, batch, &mut outcome));
                    continue;
                }
                None => continue,
            };
            let events = places.iter().map(|at| &batch.events[*at].encoded);
            let events = EventBatch::new(events);
            let answer = rule
                .evaluate(
                    &events,
                    budget(&self.limits, places.len(), self.evaluations, self.time),
                )
                .await;
            let spent = now.elapsed();
            outcome.time += spent;
            outcome.memory = rule.memory().bytes();
            match answer {
                Ok(verdicts) => {
                    self.evaluations += places.len() as u64;
                    self.time += spent;
                    outcome.evaluations += places.len() as u64;
                    self.take(&places, verdicts, &mut outcome);
                }
                Err(ending) => {
                    self.rule = None;
                    if places.len() > 1 {
                        let (first, second) = places.split_at(places.len() / 2);
                        todo.push(second.to_vec());
                        todo.push(first.to_vec());
                        continue;
                    }
                    self.evaluations += 1;
                    outcome.evaluations += 1;
                    let (file, time) = (&self.spec.file, self.limits.evaluation);
                    let stopped = stopped::of_lua(ending, file, "an evaluation", time);
                    self.strike(batch.events[places[0]].seq, &stopped, &mut outcome);
                }
            }
        }
        outcome.disabled |= self.back_off.is_off(Instant::now());
        self.forward_print();
        outcome
    }

    /// Makes the instance anew, with the state that was saved last or with none.
    async fn restart(&mut self, outcome: &mut Outcome) -> bool {
        outcome.restarts += 1;
        match self.open().await {
            Ok(rule) => {
                self.rule = Some(rule);
                true
            }
            Err(why) => {
                self.say(&format!("it cannot be made anew: {why}"));
                let long = loop {
                    if let Some(long) = self.back_off.strike(self.evaluations, Instant::now()) {
                        break long;
                    }
                };
                self.say(&format!("off for {} s", long.as_secs()));
                outcome.disabled = true;
                false
            }
        }
    }

    /// Takes over what a predicate of WebAssembly said. Gives the events that are left when its
    /// instance is over.
    fn take_wasm(
        &mut self,
        places: &[usize],
        (verdicts, ended): (Verdicts, Option<Stopped>),
        batch: &Batch,
        outcome: &mut Outcome,
    ) -> Option<Vec<usize>> {
        let done = verdicts.verdicts.len() / verdicts.functions.max(1);
        self.evaluations += done as u64;
        outcome.evaluations += done as u64;
        self.take(&places[..done], verdicts, outcome);
        let stopped = ended?;
        self.rule = None;
        if stopped.kind == "capture" {
            // The alert stays, and says why it has no captures.
            let seq = batch.events[places[done - 1]].seq;
            self.strike(seq, &stopped, outcome);
            return Some(places[done..].to_vec());
        }
        self.evaluations += 1;
        outcome.evaluations += 1;
        self.strike(batch.events[places[done]].seq, &stopped, outcome);
        Some(places[done + 1..].to_vec())
    }

    fn strike(&mut self, seq: u64, stopped: &Stopped, outcome: &mut Outcome) {
        let reason = &stopped.message;
        if stopped.kind == "capture" {
            // It is counted with its note.
            self.say(&format!("event {seq}: its state is lost: {reason}"));
        } else {
            *outcome.errors.entry(stopped.kind).or_default() += 1;
            self.say(&format!(
                "event {seq} is skipped, and its state is lost: {reason}"
            ));
        }
        if let Some(long) = self.back_off.strike(self.evaluations, Instant::now()) {
            self.say(&format!(
                "three limits within 1000 events: it is off for {} s",
                long.as_secs()
            ));
            outcome.disabled = true;
        }
    }

    /// Takes over what the predicate said.
    fn take(&mut self, places: &[usize], verdicts: Verdicts, outcome: &mut Outcome) {
        outcome.unknown_fields += verdicts.unknown_fields;
        let mut captures: Vec<Option<Result<String, String>>> = vec![None; places.len()];
        for (event, note) in verdicts.notes {
            match note {
                Note::Captures(text) => captures[event] = Some(Ok(text)),
                Note::CaptureError(why) => {
                    *outcome.errors.entry("capture").or_default() += 1;
                    captures[event] = Some(Err(why));
                }
                Note::Error(why) => {
                    *outcome.errors.entry("error").or_default() += 1;
                    self.say_error(&why);
                }
            }
        }
        let each = verdicts.verdicts.chunks(verdicts.functions.max(1));
        for ((place, said), captures) in places.iter().zip(each).zip(captures) {
            if said
                .iter()
                .any(|verdict| verdict.matched || verdict.emitted)
            {
                outcome.matched += 1;
                outcome.matches.push(Said {
                    event: *place,
                    verdicts: said.to_vec(),
                    captures,
                });
            }
        }
    }

    fn say(&self, text: &str) {
        self.messages.say(&self.spec.id, text);
    }

    fn say_error(&mut self, why: &str) {
        let told = &mut self.errors;
        if told.times < TOLD {
            told.times += 1;
            told.last = Instant::now();
            self.messages.say(&self.spec.id, why);
        } else {
            told.left_out += 1;
            if told.last.elapsed() >= MINUTE {
                told.last = Instant::now();
                let count = std::mem::take(&mut told.left_out);
                let first = why.lines().next().unwrap_or_default();
                self.messages.say(
                    &self.spec.id,
                    &format!("{count} more errors; the last: {first}"),
                );
            }
        }
    }

    fn forward_print(&mut self) {
        let text = self.output.take();
        if text.is_empty() {
            return;
        }
        if self.printed.0.elapsed() >= MINUTE {
            self.printed = (Instant::now(), 0);
        }
        let left = MAX_PRINTED.saturating_sub(self.printed.1);
        let shown = &text[..text.floor_char_boundary(left)];
        let before = self.printed.1;
        self.printed.1 += text.len();
        for line in shown.lines() {
            self.say(line);
        }
        if before < MAX_PRINTED && shown.len() < text.len() {
            self.say("prints more than 64 KiB in a minute: the rest is left out");
        }
    }

    /// What `pred_save` gives now.
    pub(super) async fn save(&mut self) -> Option<Vec<u8>> {
        let Some(Loaded::Lua(rule)) = &mut self.rule else {
            return None;
        };
        if !rule.functions().save {
            return None;
        }
        match rule.save(self.limits.load).await {
            Ok(saved) => saved,
            Err(ending) => {
                if rule.is_over() {
                    self.rule = None;
                }
                let stopped = stopped::of_lua(ending, &self.spec.file, "it", self.limits.load);
                self.say(&format!("pred_save: {}", stopped.message));
                None
            }
        }
    }

    /// Saves the state now and then, for the instance that may have to be made anew.
    pub(super) async fn save_now_and_then(&mut self) {
        let due = |(last, _): &(Instant, Vec<u8>)| last.elapsed() >= Duration::from_secs(10);
        if self.saved.as_ref().is_none_or(due)
            && let Some(saved) = self.save().await
        {
            self.saved = Some((Instant::now(), saved));
        }
    }
}

/// How long a batch may compute: as long as such batches did, and one evaluation's limit more.
fn budget(limits: &RuleLimits, events: usize, evaluations: u64, time: Duration) -> Duration {
    if events == 1 {
        return limits.evaluation;
    }
    let mean = time.as_nanos() as u64 / evaluations.max(1);
    let usual = Duration::from_nanos(mean.saturating_mul(events as u64));
    usual.max(LEAST) + limits.evaluation
}
