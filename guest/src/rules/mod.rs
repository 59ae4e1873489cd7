//! Answers what the host asks of a rule: passes it to `rules.lua`, and reads its report.

mod asked;
mod batch;
mod getters;
mod glob;
mod natives;
mod pattern;

use mlua::prelude::*;

use crate::bindings::exports::kael::engine::rules::{Rule, RuleInfo};
use crate::bindings::exports::kael::engine::runtime::{ScriptError, Stage};
use crate::run::{script_error, unexpected};
use crate::vm::Vm;
use batch::Batch;
use glob::Glob;
pub(crate) use natives::add_to;
use pattern::Pattern;

/// Bytes of texts in one answer. What is beyond that is left out, and the host is told.
const MAX_TEXTS: usize = 4 << 20;

pub(crate) fn open(vm: &Vm, rule: Rule) -> Result<RuleInfo, ScriptError> {
    let refused = |message: String| ScriptError {
        stage: Stage::Repo,
        message,
        traceback: Vec::new(),
        action: None,
    };
    let count = rule.regexes.len();
    let compile = |(at, pattern): (usize, &String)| {
        Pattern::new(pattern, count).map_err(|error| refused(format!("regex {}: {error}", at + 1)))
    };
    let patterns = rule.regexes.iter().enumerate().map(compile);
    let patterns = patterns.collect::<Result<Vec<_>, _>>()?;
    let compile = |(at, glob): (usize, &String)| {
        Glob::new(glob).map_err(|error| refused(format!("glob {}: {error}", at + 1)))
    };
    let globs = rule.globs.iter().enumerate().map(compile);
    let globs = globs.collect::<Result<Vec<_>, _>>()?;
    asked::with(|asked| {
        asked.set_fields(rule.fields.into_iter().map(|field| (field.id, field.path)));
        asked.set_patterns(patterns, globs);
        asked.functions = rule.functions.len();
    });
    let answer = (|| {
        let request = vm.lua.create_table()?;
        request.raw_set("name", rule.name)?;
        request.raw_set("source", vm.lua.create_string(&rule.source)?)?;
        request.raw_set("seed", rule.seed)?;
        request.raw_set("functions", rule.functions)?;
        request.raw_set("capture_after", rule.capture_after + 1)?;
        let opened = vm
            .open_rule
            .call::<(Option<LuaTable>, Option<LuaTable>)>(request)?;
        match opened {
            (Some(has), _) => Ok(Ok(RuleInfo {
                has_init: has.raw_get("init")?,
                has_capture: has.raw_get("capture")?,
                has_save: has.raw_get("save")?,
            })),
            (None, report) => script_error(report).map(Err),
        }
    })();
    answer.unwrap_or_else(|error| Err(unexpected(Stage::Script, &error)))
}

/// The answer is the number of events and of functions (u32 each), how often a field was asked for
/// that the schema lacks (u64), a byte for each event and function, then the texts: an event
/// (u32), a kind (u32), a length (u32) and the bytes.
pub(crate) fn evaluate(vm: &Vm, batch: Vec<u8>) -> Vec<u8> {
    let batch = Batch::new(batch);
    let (events, functions) = asked::with(|asked| {
        let events = batch.left();
        asked.verdicts.clear();
        asked.verdicts.resize(events as usize * asked.functions, 0);
        asked.batch = batch;
        asked.unknown = 0;
        (events, asked.functions as u32)
    });
    let failed = vm.evaluate_batch.call::<()>(()).err();
    asked::with(|asked| {
        if let Some(error) = failed {
            // Only a mistake in the runtime's own Lua gets here.
            let last = asked.batch.begun.saturating_sub(1);
            asked.texts.push((last, 3, error.to_string().into_bytes()));
        }
        let mut answer = Vec::with_capacity(16 + asked.verdicts.len());
        answer.extend(events.to_le_bytes());
        answer.extend(functions.to_le_bytes());
        answer.extend(asked.unknown.to_le_bytes());
        answer.extend(&asked.verdicts);
        let mut left = MAX_TEXTS;
        for (event, kind, text) in asked.texts.drain(..) {
            let (kind, text) = match left.checked_sub(text.len()) {
                Some(rest) => {
                    left = rest;
                    (kind, text)
                }
                None => (
                    2,
                    b"the captures of this batch are too large together".to_vec(),
                ),
            };
            answer.extend(event.to_le_bytes());
            answer.extend(u32::from(kind).to_le_bytes());
            answer.extend((text.len() as u32).to_le_bytes());
            answer.extend(text);
        }
        asked.batch = Batch::default();
        answer
    })
}

pub(crate) fn save(vm: &Vm) -> Result<Option<Vec<u8>>, ScriptError> {
    let answer = (|| {
        let saved = vm
            .save_rule
            .call::<(Option<LuaString>, Option<LuaTable>)>(())?;
        match saved {
            (Some(saved), None) => Ok(Ok(Some(saved.as_bytes().to_vec()))),
            (None, None) => Ok(Ok(None)),
            (_, report) => script_error(report).map(Err),
        }
    })();
    answer.unwrap_or_else(|error| Err(unexpected(Stage::Script, &error)))
}

pub(crate) fn restore(vm: &Vm, saved: &[u8]) -> Result<(), ScriptError> {
    let answer = (|| {
        let saved = vm.lua.create_string(saved)?;
        match vm.restore_rule.call::<(bool, Option<LuaTable>)>(saved)? {
            (true, _) => Ok(Ok(())),
            (false, report) => script_error(report).map(Err),
        }
    })();
    answer.unwrap_or_else(|error| Err(unexpected(Stage::Script, &error)))
}
