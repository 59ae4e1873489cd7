//! A predicate of WebAssembly: what its functions say of events, as the verdicts that one in Lua has.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use kael_engine::sandbox::{FieldValue, Note, Verdict, Verdicts};
use kael_engine::units::ByteSize;
use kael_wasm::predicate::{self, Compiled, Instance, Limits, PatternKind, Predicates};
use serde_json::{Map, Value};

use super::RuleLimits;
use super::spec::Spec;
use super::stopped::Stopped;
use crate::event::Event;
use crate::glob::Glob;
use crate::pattern::Pattern;

/// States of a regular expression, or parts of a glob, that cost one step a byte of text.
const STATES_A_STEP: usize = 64;

/// The engine of all predicates of WebAssembly, made for the first one.
pub struct WasmEngine {
    data: PathBuf,
    program: Option<PathBuf>,
    made: OnceLock<Result<Arc<Predicates>, String>>,
}

impl WasmEngine {
    /// An engine that keeps compiled predicates below a data folder. `program` is the `kael-host`
    /// that compiles them.
    #[must_use]
    pub fn new(data: PathBuf, program: Option<PathBuf>) -> Arc<Self> {
        Arc::new(Self {
            data,
            program,
            made: OnceLock::new(),
        })
    }

    /// Compiles a predicate, or finds it compiled.
    pub(super) async fn compile(
        &self,
        bytes: &[u8],
        name: &str,
    ) -> Result<(Arc<Predicates>, Compiled), String> {
        let make = || Predicates::new(self.data.clone(), self.program.clone());
        let predicates = self.made.get_or_init(make).clone()?;
        let compiled = predicates.compile(bytes, name).await?;
        Ok((predicates, compiled))
    }
}

/// An instance of a predicate.
pub(super) struct WasmRule {
    instance: Instance<Asked>,
    functions: Vec<String>,
    capture_after: usize,
}

impl WasmRule {
    pub(super) fn open(
        predicates: &Arc<Predicates>,
        module: &Compiled,
        spec: &Spec,
        limits: &RuleLimits,
    ) -> Result<Self, String> {
        let limits = Limits {
            memory: limits.memory,
            fuel: limits.fuel,
            evaluation: limits.evaluation,
            load: limits.load,
        };
        let code = &spec.code;
        let asked = Asked::new(spec, limits.memory)?;
        let instance = Instance::open(predicates, module, &code.functions, asked, limits)?;
        Ok(Self {
            instance,
            functions: code.functions.clone(),
            capture_after: code.capture_after as usize,
        })
    }

    /// The most memory that it had, in bytes.
    pub(super) fn memory(&self) -> u64 {
        self.instance.memory().bytes()
    }

    /// What the functions say of events, up to one that ends the instance. That one has a verdict if
    /// it is `pred_capture` that ended it.
    pub(super) fn evaluate<'a>(
        &mut self,
        events: impl Iterator<Item = &'a Arc<Event>>,
    ) -> (Verdicts, Option<Stopped>) {
        let _running = self.instance.running();
        let mut verdicts = Verdicts {
            functions: self.functions.len(),
            ..Verdicts::default()
        };
        let mut ended = None;
        for (at, event) in events.enumerate() {
            self.instance.event().begin(event);
            ended = self.one(at, &mut verdicts).err();
            if ended.is_some() {
                break;
            }
        }
        let asked = self.instance.event();
        asked.event = None;
        verdicts.unknown_fields = std::mem::take(&mut asked.unknown);
        (verdicts, ended)
    }

    fn one(&mut self, at: usize, verdicts: &mut Verdicts) -> Result<(), Stopped> {
        let mut captured = !self.instance.has_capture();
        for function in 0..self.functions.len() {
            let answer = match self.instance.evaluate(function) {
                Ok(answer) => answer,
                Err(stopped) => {
                    // The event has no verdict.
                    verdicts.verdicts.truncate(at * verdicts.functions);
                    verdicts.notes.retain(|(event, _)| *event != at);
                    return Err(ended(stopped, "an evaluation"));
                }
            };
            let verdict = Verdict {
                matched: answer.number > 0,
                emitted: answer.emitted,
                failed: answer.number < 0,
            };
            if verdict.failed {
                let (name, number) = (&self.functions[function], answer.number);
                let why = format!("{name} returned {number}, which is an error");
                verdicts.notes.push((at, Note::Error(why)));
            }
            verdicts.verdicts.push(verdict);
            let matched = verdict.matched && function == self.capture_after;
            if !captured && (verdict.emitted || matched) {
                captured = true;
                match self.instance.capture() {
                    Ok(text) => verdicts.notes.push((at, self.captures(text))),
                    Err(stopped) => {
                        let stopped = ended(stopped, "pred_capture");
                        let note = Note::CaptureError(stopped.message.clone());
                        verdicts.notes.push((at, note));
                        let whole = (at + 1) * verdicts.functions;
                        verdicts.verdicts.resize(whole, Verdict::default());
                        return Err(Stopped {
                            kind: "capture",
                            ..stopped
                        });
                    }
                }
            }
        }
        Ok(())
    }

    /// The captures: what `pred_capture` returned, with the fields that it named.
    fn captures(&mut self, text: Option<String>) -> Note {
        let fields = std::mem::take(&mut self.instance.event().captured);
        let mut captures = match text {
            None => Map::new(),
            // The text goes out as it is, once it was checked.
            Some(text) if fields.is_empty() => return Note::Captures(text),
            Some(text) => match serde_json::from_str(&text) {
                Ok(captures) => captures,
                Err(error) => {
                    return Note::CaptureError(format!("the captures are no JSON object: {error}"));
                }
            },
        };
        captures.extend(fields);
        Note::Captures(Value::Object(captures).to_string())
    }
}

fn ended(stopped: predicate::Stopped, what: &str) -> Stopped {
    match stopped {
        predicate::Stopped::Limit(limit) => Stopped {
            kind: "limit",
            message: format!("{what} {limit}"),
        },
        predicate::Stopped::Trap(why) => Stopped {
            kind: "trap",
            message: format!("{what} trapped: {why}"),
        },
    }
}

/// What the predicate asks about: the current event, and the patterns of its rule.
struct Asked {
    event: Option<Arc<Event>>,
    handle: u32,
    /// Slots by id.
    slots: BTreeMap<u32, usize>,
    paths: Vec<String>,
    patterns: Vec<Pattern>,
    globs: Vec<(Glob, usize)>,
    unknown: u64,
    captured: Map<String, Value>,
}

impl Asked {
    /// The patterns are in the host, and held to the memory of an instance, as those of a rule in Lua
    /// are.
    fn new(spec: &Spec, allowed: ByteSize) -> Result<Self, String> {
        let code = &spec.code;
        let count = code.regexes.len();
        let (mut patterns, mut memory) = (Vec::with_capacity(count), 0);
        for text in &code.regexes {
            let pattern = Pattern::new(text, count)?;
            memory += pattern.nfa.memory_usage() as u64;
            if memory > allowed.bytes() {
                return Err(format!("its regexes need more memory than {allowed}"));
            }
            patterns.push(pattern);
        }
        let glob = |text: &String| Glob::new(text).map(|glob| (glob, text.len()));
        let ids = code.fields.iter().enumerate();
        Ok(Self {
            event: None,
            handle: 0,
            slots: ids.map(|(slot, (id, _))| (*id, slot)).collect(),
            paths: code.fields.iter().map(|(_, path)| path.clone()).collect(),
            patterns,
            globs: code.globs.iter().map(glob).collect::<Result<_, _>>()?,
            unknown: 0,
            captured: Map::new(),
        })
    }

    fn begin(&mut self, event: &Arc<Event>) {
        // As the guest has it: the same in batches of every size, and never 0.
        self.handle = (event.seq % u64::from(u32::MAX)) as u32 + 1;
        self.event = Some(event.clone());
        self.captured = Map::new();
    }

    fn slot(&mut self, id: u32) -> Option<usize> {
        let slot = self.slots.get(&id).copied();
        self.unknown += u64::from(slot.is_none());
        slot
    }

    fn value(&mut self, id: u32) -> Option<&FieldValue> {
        let slot = self.slot(id)?;
        self.event.as_ref()?.fields.get(slot)?.as_ref()
    }
}

impl predicate::Event for Asked {
    fn handle(&self) -> u32 {
        match self.event {
            Some(_) => self.handle,
            None => 0,
        }
    }

    fn get_i64(&mut self, id: u32) -> i64 {
        match self.value(id) {
            Some(FieldValue::I64(value)) => *value,
            Some(FieldValue::U64(value)) => i64::try_from(*value).unwrap_or(i64::MAX),
            Some(FieldValue::Bool(value)) => (*value).into(),
            _ => 0,
        }
    }

    fn get_u64(&mut self, id: u32) -> u64 {
        match self.value(id) {
            Some(FieldValue::I64(value)) => u64::try_from(*value).unwrap_or(0),
            Some(FieldValue::U64(value)) => *value,
            Some(FieldValue::Bool(value)) => (*value).into(),
            _ => 0,
        }
    }

    fn get_bool(&mut self, id: u32) -> bool {
        match self.value(id) {
            Some(FieldValue::I64(value)) => *value != 0,
            Some(FieldValue::U64(value)) => *value != 0,
            Some(FieldValue::Bool(value)) => *value,
            _ => false,
        }
    }

    fn get_str(&mut self, id: u32) -> &[u8] {
        match self.value(id) {
            Some(FieldValue::String(text)) => text.as_bytes(),
            _ => b"",
        }
    }

    fn has(&mut self, id: u32) -> bool {
        self.value(id).is_some()
    }

    fn cost(&self, kind: PatternKind, number: u32, length: usize) -> Result<u64, String> {
        let at = (number as usize).checked_sub(1);
        let (name, count, states) = match kind {
            PatternKind::Regex => {
                let pattern = at.and_then(|at| self.patterns.get(at));
                let states = pattern.map(|pattern| pattern.nfa.states().len());
                ("regex", self.patterns.len(), states)
            }
            PatternKind::Glob => {
                let glob = at.and_then(|at| self.globs.get(at));
                ("glob", self.globs.len(), glob.map(|(_, length)| *length))
            }
        };
        match states {
            // Once through the text for so many states.
            Some(states) => Ok(length as u64 * (1 + states / STATES_A_STEP) as u64),
            None => Err(format!(
                "there is no {name} {number} (the rule has {count})"
            )),
        }
    }

    fn matches(&mut self, kind: PatternKind, number: u32, text: &[u8]) -> bool {
        let at = (number as usize).wrapping_sub(1);
        match kind {
            PatternKind::Regex => self
                .patterns
                .get_mut(at)
                .is_some_and(|pattern| pattern.is_in(text)),
            PatternKind::Glob => self
                .globs
                .get(at)
                .is_some_and(|(glob, _)| glob.matches(text)),
        }
    }

    fn capture(&mut self, id: u32) -> bool {
        let Some(slot) = self.slot(id) else {
            return false;
        };
        let event = self.event.as_ref();
        let Some(value) = event.and_then(|event| event.fields.get(slot)?.as_ref()) else {
            return false;
        };
        let value = match value {
            FieldValue::I64(value) => (*value).into(),
            FieldValue::U64(value) => (*value).into(),
            FieldValue::F64(value) => (*value).into(),
            FieldValue::Bool(value) => (*value).into(),
            FieldValue::String(text) => text.clone().into(),
            FieldValue::Bytes(bytes) => String::from_utf8_lossy(bytes).into(),
            FieldValue::Array(text) => serde_json::from_str(text).unwrap_or_default(),
        };
        self.captured.insert(self.paths[slot].clone(), value);
        true
    }
}
