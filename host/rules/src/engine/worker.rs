//! A thread that evaluates some of the rules.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use kael_engine::runtime::Runtime;

use super::instance::Instance;
use super::outcome::{Batch, Outcome};
use super::spec::Spec;
use super::wasm::WasmEngine;
use super::{Messages, Options, RuleLimits};
use crate::problem::Problem;

enum Command {
    /// Loads a rule; where there was one, it stays if the new one cannot be loaded.
    Load(usize, Box<Spec>, Sender<Result<(), Problem>>),
    Unload(usize),
    Evaluate(Arc<Batch>),
    /// Keeps the state of a rule in the folder for it.
    Save(usize, Sender<()>),
}

/// The thread ends when this is dropped.
pub(super) struct Worker {
    commands: Sender<Command>,
    outcomes: Receiver<Vec<Outcome>>,
}

struct Thread {
    runtime: Runtime,
    wasm: Arc<WasmEngine>,
    limits: RuleLimits,
    messages: Arc<dyn Messages>,
    state: Option<PathBuf>,
    rules: BTreeMap<usize, Instance>,
}

impl Worker {
    pub(super) fn start(runtime: &Runtime, options: &Options) -> io::Result<Self> {
        let (commands, inbox) = channel();
        let (answer, outcomes) = channel();
        let mut thread = Thread {
            runtime: runtime.clone(),
            wasm: options.wasm.clone(),
            limits: options.limits.clone(),
            messages: options.messages.clone(),
            state: options.state.clone(),
            rules: BTreeMap::new(),
        };
        let waits = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::Builder::new()
            .name("kael-rules".to_owned())
            .spawn(move || {
                while let Ok(command) = inbox.recv() {
                    if let Some(said) = waits.block_on(thread.answer(command)) {
                        answer.send(said).ok();
                    }
                }
            })?;
        Ok(Self { commands, outcomes })
    }

    pub(super) fn load(&self, at: usize, spec: Spec) -> Receiver<Result<(), Problem>> {
        let (reply, answer) = channel();
        self.commands
            .send(Command::Load(at, Box::new(spec), reply))
            .ok();
        answer
    }

    pub(super) fn unload(&self, at: usize) {
        self.commands.send(Command::Unload(at)).ok();
    }

    pub(super) fn evaluate(&self, batch: &Arc<Batch>) {
        self.commands.send(Command::Evaluate(batch.clone())).ok();
    }

    pub(super) fn save(&self, at: usize) -> Receiver<()> {
        let (reply, answer) = channel();
        self.commands.send(Command::Save(at, reply)).ok();
        answer
    }

    /// What the rules said of the oldest batch.
    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        self.outcomes.recv().unwrap_or_default()
    }
}

impl Thread {
    async fn answer(&mut self, command: Command) -> Option<Vec<Outcome>> {
        match command {
            Command::Load(at, spec, reply) => {
                reply.send(self.load(at, *spec).await).ok();
                None
            }
            Command::Unload(at) => {
                self.rules.remove(&at);
                None
            }
            Command::Evaluate(batch) => {
                let mut said = Vec::with_capacity(self.rules.len());
                for (at, rule) in &mut self.rules {
                    said.push(rule.evaluate(*at, &batch).await);
                    rule.save_now_and_then().await;
                }
                Some(said)
            }
            Command::Save(at, reply) => {
                self.save(at).await;
                reply.send(()).ok();
                None
            }
        }
    }

    async fn load(&mut self, at: usize, spec: Spec) -> Result<(), Problem> {
        let saved = match self.rules.get_mut(&at) {
            Some(before) => before.save().await,
            None => self.kept(&spec.id),
        };
        let loading = Instance::load(
            &self.runtime,
            &self.wasm,
            spec,
            self.limits.clone(),
            self.messages.clone(),
            saved,
        );
        self.rules.insert(at, loading.await?);
        Ok(())
    }

    /// The state that an earlier process kept.
    fn kept(&self, id: &str) -> Option<Vec<u8>> {
        std::fs::read(self.state.as_ref()?.join(file_of(id))).ok()
    }

    async fn save(&mut self, at: usize) {
        let (Some(folder), Some(rule)) = (&self.state, self.rules.get_mut(&at)) else {
            return;
        };
        let Some(saved) = rule.save().await else {
            return;
        };
        let path = folder.join(file_of(&rule.spec.id));
        let aside = path.with_extension("new");
        let written = std::fs::write(&aside, saved).and_then(|()| std::fs::rename(&aside, &path));
        if let Err(error) = written {
            let message = format!("{} cannot be written: {error}", path.display());
            self.messages.say(&rule.spec.id, &message);
        }
    }
}

/// The id of a rule has neither `/` nor a leading dot that matters behind this prefix.
fn file_of(id: &str) -> String {
    format!("rule-{id}.state")
}
