//! The natives behind the table `kestrel`: what a predicate may ask about its event.

use std::ffi::c_int;

use mlua::prelude::*;

use super::asked::with;
use super::getters::{Get, GetBool, GetI64, GetStr, GetU64, Has, stale};
use crate::convert::stack::{self, Native, Slot, Stack};

/// The table `kestrel`, and the functions of `rules.lua` alone.
pub(crate) fn add_to(natives: &LuaTable, lua: &Lua, mt: &LuaTable) -> LuaResult<()> {
    let kestrel = lua.create_table()?;
    kestrel.raw_set("event_get_i64", stack::function::<GetI64>(lua, mt)?)?;
    kestrel.raw_set("event_get_u64", stack::function::<GetU64>(lua, mt)?)?;
    kestrel.raw_set("event_get_str", stack::function::<GetStr>(lua, mt)?)?;
    kestrel.raw_set("event_get_bool", stack::function::<GetBool>(lua, mt)?)?;
    kestrel.raw_set("event_has", stack::function::<Has>(lua, mt)?)?;
    kestrel.raw_set("event_get", stack::function::<Get>(lua, mt)?)?;
    kestrel.raw_set("re_match", stack::function::<ReMatch>(lua, mt)?)?;
    kestrel.raw_set("glob_match", stack::function::<GlobMatch>(lua, mt)?)?;
    kestrel.raw_set("field", stack::function::<Field>(lua, mt)?)?;
    natives.raw_set("kestrel", kestrel)?;
    natives.raw_set("next_event", stack::function::<NextEvent>(lua, mt)?)?;
    natives.raw_set("check_event", stack::function::<CheckEvent>(lua, mt)?)?;
    natives.raw_set("event_time", stack::function::<EventTime>(lua, mt)?)?;
    natives.raw_set("mark", stack::function::<Mark>(lua, mt)?)?;
    natives.raw_set("attach", stack::function::<Attach>(lua, mt)?)
}

/// The pattern that the first argument names, from 0, and the text in the second one.
fn pattern<'a>(
    stack: &'a Stack<'_>,
    kind: &str,
    count: usize,
) -> Result<(usize, &'a [u8]), String> {
    let number = match stack.slot(1) {
        Slot::Integer(number) => number,
        Slot::Number(number) if number == f64::from(number as u32) => number as i64,
        other => {
            let given = other.type_name();
            return Err(format!("a {kind} is given by its number, got {given}"));
        }
    };
    let at = usize::try_from(number)
        .ok()
        .and_then(|number| number.checked_sub(1));
    let Some(at) = at.filter(|at| *at < count) else {
        return Err(format!(
            "there is no {kind} {number} (the rule has {count})"
        ));
    };
    match stack.slot(2) {
        Slot::String(text) => Ok((at, text)),
        other => Err(format!(
            "the text must be a string, got {}",
            other.type_name()
        )),
    }
}

/// `re_match(re, text)`
struct ReMatch;

impl Native for ReMatch {
    fn call(stack: &mut Stack<'_>) -> c_int {
        let found = with(|asked| {
            let (at, text) = pattern(stack, "regex", asked.patterns.len())?;
            Ok(asked.patterns[at].is_in(text))
        });
        answer(stack, found)
    }
}

/// `glob_match(glob, text)`
struct GlobMatch;

impl Native for GlobMatch {
    fn call(stack: &mut Stack<'_>) -> c_int {
        let matches = with(|asked| {
            let (at, text) = pattern(stack, "glob", asked.globs.len())?;
            Ok(asked.globs[at].matches(text))
        });
        answer(stack, matches)
    }
}

fn answer(stack: &mut Stack<'_>, found: Result<bool, String>) -> c_int {
    match found {
        Ok(found) => {
            stack.push_boolean(found);
            1
        }
        Err(why) => stack.raise(&why),
    }
}

/// `field(path)`: the id of a field.
struct Field;

impl Native for Field {
    fn call(stack: &mut Stack<'_>) -> c_int {
        let path = match stack.slot(1) {
            Slot::String(_) => stack.text(1),
            other => {
                let why = format!(
                    "field: the path must be a string, got {}",
                    other.type_name()
                );
                return stack.raise(&why);
            }
        };
        match with(|asked| asked.paths.get(&path).copied()) {
            Some(id) => {
                stack.push_integer(id.into());
                1
            }
            None => stack.raise(&format!("field: the schema has no field \"{path}\"")),
        }
    }
}

/// `next_event()`: the handle of the next event, or nothing behind the last one.
struct NextEvent;

impl Native for NextEvent {
    fn call(stack: &mut Stack<'_>) -> c_int {
        let handle = with(|asked| {
            asked.handle = 0;
            let (number, time) = asked.batch.next()?;
            asked.now = time;
            // The same in batches of every size.
            asked.handle = (number % u64::from(u32::MAX)) as u32 + 1;
            Some(asked.handle)
        });
        let Some(handle) = handle else {
            return 0;
        };
        stack.push_integer(handle.into());
        1
    }
}

/// `check_event(event)`: raises an error unless it means the current event.
struct CheckEvent;

impl Native for CheckEvent {
    fn call(stack: &mut Stack<'_>) -> c_int {
        match stale(stack) {
            Some(why) => stack.raise(&why),
            None => 0,
        }
    }
}

/// `event_time()`: the time of the current event in nanoseconds, or of the last one.
struct EventTime;

impl Native for EventTime {
    fn call(stack: &mut Stack<'_>) -> c_int {
        stack.push_integer(with(|asked| asked.now));
        1
    }
}

/// `mark(function, verdict)`: notes what a function said of the current event.
struct Mark;

impl Native for Mark {
    fn call(stack: &mut Stack<'_>) -> c_int {
        let (Slot::Integer(function), Slot::Integer(verdict)) = (stack.slot(1), stack.slot(2))
        else {
            return 0;
        };
        with(|asked| {
            let event = asked.batch.begun.saturating_sub(1) as usize;
            let at = event * asked.functions + (function - 1) as usize;
            if let Some(marked) = asked.verdicts.get_mut(at) {
                *marked |= verdict as u8;
            }
        });
        0
    }
}

/// `attach(kind, text)`: adds a text to the current event.
struct Attach;

impl Native for Attach {
    fn call(stack: &mut Stack<'_>) -> c_int {
        let Slot::Integer(kind) = stack.slot(1) else {
            return 0;
        };
        let text = stack.bytes(2).to_vec();
        with(|asked| {
            let event = asked.batch.begun.saturating_sub(1);
            asked.texts.push((event, kind as u8, text));
        });
        0
    }
}
