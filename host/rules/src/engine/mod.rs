//! Evaluates events by rules: batches go to workers, and what comes back is merged in one order.

mod back_off;
mod instance;
mod outcome;
mod spec;
mod stopped;
mod wasm;
mod worker;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kael_engine::runtime::Runtime;
use kael_engine::units::ByteSize;

use crate::after::{After, Match};
use crate::alert::Alert;
use crate::event::Event;
use crate::metrics::RuleCounts;
use crate::package::Package;
use crate::problem::Problem;
use crate::schema::Schema;
use outcome::{Batch, Outcome};
use spec::Spec;
pub use wasm::WasmEngine;
use worker::Worker;

/// Alerts that a rule may give in a minute of the events' time.
const MAX_ALERTS: u64 = 10_000;
/// Batches that are evaluated or wait for that.
const IN_FLIGHT: usize = 2;

/// What a person should read, as it happens.
pub trait Messages: Send + Sync {
    /// A line about a rule.
    fn say(&self, rule: &str, text: &str);
}

/// The limits of each rule.
#[derive(Debug, Clone)]
pub struct RuleLimits {
    /// Memory of its instance.
    pub memory: ByteSize,
    /// Computing time of one evaluation.
    pub evaluation: Duration,
    /// Steps of one evaluation of a predicate of WebAssembly.
    pub fuel: u64,
    /// Computing time of loading it.
    pub load: Duration,
}

impl Default for RuleLimits {
    fn default() -> Self {
        Self {
            memory: ByteSize::mib(16),
            evaluation: Duration::from_millis(100),
            fuel: 1_000_000,
            load: Duration::from_secs(1),
        }
    }
}

/// How rules are run.
#[derive(Clone)]
pub struct Options {
    /// Threads that evaluate.
    pub threads: usize,
    /// The limits of each rule.
    pub limits: RuleLimits,
    /// Where the state of rules is kept from one process to the next.
    pub state: Option<PathBuf>,
    /// Runs predicates of WebAssembly.
    pub wasm: Arc<WasmEngine>,
    /// Takes what a person should read.
    pub messages: Arc<dyn Messages>,
}

/// A rule, from where its matches are merged.
struct Merged {
    package: Package,
    after: After,
    counts: RuleCounts,
    /// The minute of the last alert, and how many it had.
    minute: (i64, u64),
    warned_of_fields: bool,
    removed: bool,
}

/// Rules that are loaded.
pub struct Engine {
    schema: Arc<Schema>,
    rules: Vec<Merged>,
    workers: Vec<Worker>,
    in_flight: VecDeque<Arc<Batch>>,
    options: Options,
}

impl Engine {
    /// Loads packages: compiles their predicates and calls `pred_init`.
    ///
    /// # Errors
    /// What is wrong with them; or why no thread can be started.
    pub fn load(
        runtime: &Runtime,
        schema: &Arc<Schema>,
        packages: Vec<Package>,
        options: Options,
    ) -> Result<Self, Vec<Problem>> {
        let threads = options.threads.clamp(1, packages.len().max(1));
        let mut workers = Vec::new();
        for _ in 0..threads {
            let worker = Worker::start(runtime, &options);
            workers
                .push(worker.map_err(|error| vec![Problem::error("threads", error.to_string())])?);
        }
        let mut engine = Self {
            schema: schema.clone(),
            rules: Vec::new(),
            workers,
            in_flight: VecDeque::new(),
            options,
        };
        let mut problems = Vec::new();
        // All workers load at the same time.
        let mut answers = Vec::new();
        for (at, package) in packages.iter().enumerate() {
            let spec = Spec::new(package, &engine.schema);
            answers.push(engine.worker(at).load(at, spec));
        }
        for (package, answer) in packages.into_iter().zip(answers) {
            match answer.recv() {
                Ok(Ok(())) => engine.add(package),
                Ok(Err(problem)) => {
                    problems.push(problem);
                    engine.add(package);
                }
                Err(_) => problems.push(Problem::error(
                    package.file(""),
                    "the thread that loads it ended",
                )),
            }
        }
        engine.share_keys();
        match problems.is_empty() {
            true => Ok(engine),
            false => Err(problems),
        }
    }

    fn worker(&self, rule: usize) -> &Worker {
        &self.workers[rule % self.workers.len()]
    }

    fn add(&mut self, package: Package) {
        self.rules.push(Merged {
            after: After::new(&package.manifest, &self.schema),
            package,
            counts: RuleCounts::default(),
            minute: (0, 0),
            warned_of_fields: false,
            removed: false,
        });
    }

    /// The packages that are loaded.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        let loaded = self.rules.iter().filter(|rule| !rule.removed);
        loaded.map(|rule| &rule.package)
    }

    /// Hands over events. Gives the alerts of earlier ones.
    pub fn feed(&mut self, events: Vec<Event>) -> Vec<Alert> {
        let mut alerts = Vec::new();
        if events.is_empty() {
            return alerts;
        }
        let batch = Arc::new(Batch::new(events));
        for worker in &self.workers {
            worker.evaluate(&batch);
        }
        self.in_flight.push_back(batch);
        while self.in_flight.len() >= IN_FLIGHT {
            self.collect(&mut alerts);
        }
        alerts
    }

    /// Waits for everything that was handed over, and gives its alerts.
    pub fn flush(&mut self) -> Vec<Alert> {
        let mut alerts = Vec::new();
        while !self.in_flight.is_empty() {
            self.collect(&mut alerts);
        }
        alerts
    }

    /// Ends the stream: what throttles have counted, and the state of rules is kept.
    pub fn finish(&mut self) -> Vec<Alert> {
        let mut alerts = self.flush();
        for at in 0..self.rules.len() {
            for found in self.rules[at].after.finish() {
                self.write(at, found, &mut alerts);
            }
        }
        if self.options.state.is_some() {
            for at in 0..self.rules.len() {
                self.worker(at).save(at).recv().ok();
            }
        }
        alerts
    }

    /// Replaces the rule of the same id, or adds one. Its state is given over where it has
    /// `pred_save` and `pred_restore`.
    ///
    /// # Errors
    /// Why the new one cannot be loaded; then the old one stays.
    pub fn replace(&mut self, package: Package) -> Result<(), Problem> {
        let same = |rule: &Merged| rule.package.manifest.rule_id == package.manifest.rule_id;
        let at = self.rules.iter().position(same).unwrap_or(self.rules.len());
        let answer = self.worker(at).load(at, Spec::new(&package, &self.schema));
        let ended = |_| Problem::error(package.file(""), "the thread that loads it ended");
        answer.recv().map_err(ended)??;
        if at == self.rules.len() {
            self.add(package);
        } else {
            let schema = self.schema.clone();
            let rule = &mut self.rules[at];
            rule.after = After::new(&package.manifest, &schema);
            rule.package = package;
            rule.removed = false;
        }
        self.share_keys();
        Ok(())
    }

    /// Unloads a rule.
    pub fn remove(&mut self, rule_id: &str) {
        let same = |rule: &Merged| rule.package.manifest.rule_id == rule_id;
        if let Some(at) = self.rules.iter().position(same) {
            self.worker(at).unload(at);
            self.rules[at].removed = true;
            self.share_keys();
        }
    }

    /// Divides what sequences remember among the rules that have one.
    fn share_keys(&mut self) {
        let has_one = |rule: &&Merged| !rule.removed && rule.package.manifest.sequence.is_some();
        let count = self.rules.iter().filter(has_one).count();
        for rule in &mut self.rules {
            // A rule that is not there any more keeps next to nothing.
            rule.after
                .share_keys(if rule.removed { usize::MAX } else { count });
        }
    }

    /// What was counted, by rule id.
    #[must_use]
    pub fn counts(&self) -> Vec<(String, RuleCounts)> {
        let counted = |rule: &Merged| {
            let mut counts = rule.counts.clone();
            counts.suppressed = rule.after.held.suppressed;
            counts.late = rule.after.held.late;
            counts.evicted = rule.after.held.evicted;
            (rule.package.manifest.rule_id.clone(), counts)
        };
        let mut all: Vec<_> = self.rules.iter().map(counted).collect();
        all.sort_by(|one, other| one.0.cmp(&other.0));
        all
    }

    /// Waits for the oldest batch, and merges what the rules said of it: by event, then by rule id.
    fn collect(&mut self, alerts: &mut Vec<Alert>) {
        let Some(batch) = self.in_flight.pop_front() else {
            return;
        };
        let mut said = Vec::new();
        let outcomes: Vec<Outcome> = self.workers.iter().flat_map(Worker::outcomes).collect();
        for outcome in outcomes {
            self.count(&outcome);
            let rule = outcome.rule;
            let each = outcome.matches.into_iter();
            said.extend(each.map(|one| (one.event, rule, one)));
        }
        let rules = &self.rules;
        said.sort_by(|one, other| {
            let id = |at: usize| &rules[at].package.manifest.rule_id;
            one.0.cmp(&other.0).then_with(|| id(one.1).cmp(id(other.1)))
        });
        for (event, rule, one) in said {
            let matched = Match {
                event: batch.events[event].clone(),
                verdicts: one.verdicts,
                captures: one.captures,
            };
            for found in self.rules[rule].after.take(matched) {
                self.write(rule, found, alerts);
            }
        }
    }

    fn count(&mut self, outcome: &Outcome) {
        let rule = &mut self.rules[outcome.rule];
        let counts = &mut rule.counts;
        counts.evaluations += outcome.evaluations;
        counts.matches += outcome.matched;
        counts.restarts += outcome.restarts;
        counts.time += outcome.time;
        counts.memory = outcome.memory;
        counts.skipped += outcome.skipped;
        counts.disabled = outcome.disabled;
        counts.unknown_fields += outcome.unknown_fields;
        for (kind, count) in &outcome.errors {
            *counts.errors.entry(*kind).or_default() += count;
        }
        if outcome.unknown_fields > 0 && !rule.warned_of_fields {
            rule.warned_of_fields = true;
            let message = format!("asks for a field that {} lacks", self.schema.file);
            self.options
                .messages
                .say(&rule.package.manifest.rule_id, &message);
        }
    }

    fn write(&mut self, at: usize, found: crate::after::Found, alerts: &mut Vec<Alert>) {
        let rule = &mut self.rules[at];
        let minute = found.events.last().map_or(0, |event| event.time) / 60_000_000_000;
        if rule.minute.0 != minute {
            rule.minute = (minute, 0);
        }
        rule.minute.1 += 1;
        if rule.minute.1 > MAX_ALERTS {
            rule.counts.dropped += 1;
            if rule.minute.1 == MAX_ALERTS + 1 {
                let message =
                    format!("more than {MAX_ALERTS} alerts in a minute: the others are dropped");
                self.options
                    .messages
                    .say(&rule.package.manifest.rule_id, &message);
            }
            return;
        }
        rule.counts.alerts += 1;
        alerts.push(Alert::write(&rule.package.manifest, &self.schema, found));
    }
}
