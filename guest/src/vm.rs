//! Builds the Lua state: the standard library, the natives of the runtime, and the runtime's own Lua files over them.

use mlua::prelude::*;
use mlua::{LightUserData, Value};

use crate::bindings::kael::engine::actions::{ActionError, ErrorKind};
use crate::convert::{self, Arrays, Nulls};
use crate::gate::{self, Outcome};

/// A Lua state that is ready for its one call.
pub(crate) struct Vm {
    pub(crate) lua: Lua,
    pub(crate) load_repo: LuaFunction,
    pub(crate) run_script: LuaFunction,
}

/// The runtime's Lua files in the order in which they build on each other.
const RUNTIME: [&str; 7] = [
    include_str!("lua/sandbox.lua"),
    include_str!("lua/failure.lua"),
    include_str!("lua/scheduler.lua"),
    include_str!("lua/actions.lua"),
    include_str!("lua/require.lua"),
    include_str!("lua/helpers.lua"),
    include_str!("lua/run.lua"),
];

impl Vm {
    pub(crate) fn build() -> LuaResult<Self> {
        let lua = new_state()?;
        let natives = natives(&lua)?;
        for source in RUNTIME {
            lua.load(source).set_name("=[kael]").call::<()>(&natives)?;
        }
        // What is garbage now would be in every snapshot.
        lua.gc_collect()?;
        Ok(Self {
            load_repo: natives.get("load_repo")?,
            run_script: natives.get("run_script")?,
            lua,
        })
    }
}

fn new_state() -> LuaResult<Lua> {
    let libs = LuaStdLib::COROUTINE
        | LuaStdLib::TABLE
        | LuaStdLib::STRING
        | LuaStdLib::UTF8
        | LuaStdLib::MATH
        | LuaStdLib::OS;
    let lua = Lua::new_with(libs, LuaOptions::new().catch_rust_panics(false))?;
    #[cfg(target_arch = "wasm32")]
    crate::alloc::adopt(&lua);
    Ok(lua)
}

/// Lua's debug library. It is never a global: the runtime's own files have it, scripts get `traceback` alone.
#[expect(unsafe_code, reason = "mlua does not load the library in a safe state")]
fn debug_library(lua: &Lua) -> LuaResult<LuaTable> {
    // SAFETY: `luaopen_debug` is a function of Lua's own that returns its table of functions.
    let open = unsafe { lua.create_c_function(mlua::ffi::luaopen_debug)? };
    open.call(())
}

/// The functions and values that only the runtime's Lua files see.
fn natives(lua: &Lua) -> LuaResult<LuaTable> {
    let natives = lua.create_table()?;
    let array_mt = lua.create_table()?;
    array_mt.raw_set("__name", "json.array")?;
    let null_mt = lua.create_table()?;
    null_mt.raw_set(
        "__tostring",
        lua.create_function(|_, _: LuaValue| Ok("json.null"))?,
    )?;
    null_mt.raw_set("__metatable", false)?;
    lua.set_type_metatable::<LightUserData>(Some(null_mt));
    natives.raw_set("debug", debug_library(lua)?)?;
    natives.raw_set("null", Value::NULL)?;
    natives.raw_set("array_mt", &array_mt)?;
    let arrays = Arrays::new(array_mt);

    natives.raw_set("encode", {
        let arrays = arrays.clone();
        lua.create_function(move |lua, (value, pretty): (Value, bool)| {
            Ok(match convert::encode(lua, &arrays, &value, pretty) {
                Ok(text) => (Some(lua.create_string(text)?), None),
                Err(problem) => (None, Some(problem)),
            })
        })?
    })?;
    natives.raw_set("decode", {
        let arrays = arrays.clone();
        lua.create_function(move |lua, (text, null): (LuaString, Value)| {
            let nulls = if null.is_nil() {
                Nulls::Absent
            } else {
                Nulls::Kept
            };
            Ok(
                match convert::decode(lua, &arrays, &text.as_bytes(), nulls) {
                    Ok(value) => (true, value),
                    Err(problem) => (false, Value::String(lua.create_string(problem)?)),
                },
            )
        })?
    })?;
    natives.raw_set("call", {
        let arrays = arrays.clone();
        lua.create_function(move |lua, (name, params): (LuaString, Value)| {
            let outcome = match convert::encode_params(lua, &arrays, &params) {
                Ok(params) => gate::call(&name.to_string_lossy(), params),
                Err(problem) => Err(invalid(problem)),
            };
            settle(lua, &arrays, outcome)
        })?
    })?;
    natives.raw_set("submit", {
        let arrays = arrays.clone();
        lua.create_function(move |lua, (name, params): (LuaString, Value)| {
            let submitted = match convert::encode_params(lua, &arrays, &params) {
                Ok(params) => gate::submit(&name.to_string_lossy(), params),
                Err(problem) => Err(Err(invalid(problem))),
            };
            Ok(match submitted {
                Ok(id) => LuaMultiValue::from_vec(vec![Value::Integer(id.into())]),
                Err(outcome) => {
                    let mut values = settle(lua, &arrays, outcome)?;
                    values.push_front(Value::Nil);
                    values
                }
            })
        })?
    })?;
    natives.raw_set("wait", {
        let arrays = arrays.clone();
        lua.create_function(move |lua, ()| {
            let (id, outcome) = gate::wait();
            let mut values = settle(lua, &arrays, outcome)?;
            values.push_front(Value::Integer(id.into()));
            Ok(values)
        })?
    })?;
    natives.raw_set(
        "cancel",
        lua.create_function(|_, id: u32| {
            gate::cancel(id);
            Ok(())
        })?,
    )?;
    natives.raw_set(
        "flush_cancelled",
        lua.create_function(|_, ()| {
            gate::flush_cancelled();
            Ok(())
        })?,
    )?;
    natives.raw_set(
        "print",
        lua.create_function(|_, text: LuaString| {
            // Bytes that are not UTF-8 cannot cross; they arrive as U+FFFD.
            gate::call("kael.print", text.to_string_lossy()).ok();
            Ok(())
        })?,
    )?;
    natives.raw_set("clock", lua.create_function(|_, ()| Ok(clock()))?)?;
    natives.raw_set("seed", lua.create_function(|_, ()| Ok(seed()))?)?;
    natives.raw_set(
        "nearest",
        lua.create_function(|_, (name, candidates): (LuaString, LuaTable)| {
            let name = name.to_string_lossy();
            let all: Vec<String> = candidates
                .sequence_values::<String>()
                .collect::<LuaResult<_>>()?;
            Ok(nearest(&name, &all).map(str::to_owned))
        })?,
    )?;
    Ok(natives)
}

/// An outcome as the values that the scheduler passes on: `true, result` or `false, kind, message, detail`.
fn settle(lua: &Lua, arrays: &Arrays, outcome: Outcome) -> LuaResult<LuaMultiValue> {
    let error = match outcome {
        Ok(text) => match convert::decode(lua, arrays, text.as_bytes(), Nulls::Absent) {
            Ok(value) => return Ok(LuaMultiValue::from_vec(vec![Value::Boolean(true), value])),
            Err(problem) => ActionError {
                kind: ErrorKind::BadOutput,
                message: format!("bad result: {problem}"),
                detail: None,
            },
        },
        Err(error) => error,
    };
    let detail = match error.detail {
        Some(text) => {
            convert::decode(lua, arrays, text.as_bytes(), Nulls::Absent).unwrap_or(Value::Nil)
        }
        None => Value::Nil,
    };
    Ok(LuaMultiValue::from_vec(vec![
        Value::Boolean(false),
        Value::String(lua.create_string(kind_name(error.kind))?),
        Value::String(lua.create_string(&error.message)?),
        detail,
    ]))
}

fn invalid(problem: String) -> ActionError {
    ActionError {
        kind: ErrorKind::InvalidParams,
        message: problem,
        detail: None,
    }
}

/// The kinds as a script sees them.
const KINDS: [(ErrorKind, &str); 8] = [
    (ErrorKind::UnknownAction, "unknown_action"),
    (ErrorKind::InvalidParams, "invalid_params"),
    (ErrorKind::Denied, "denied"),
    (ErrorKind::Timeout, "timeout"),
    (ErrorKind::Failed, "failed"),
    (ErrorKind::BadOutput, "bad_output"),
    (ErrorKind::Unavailable, "unavailable"),
    (ErrorKind::Cancelled, "cancelled"),
];

fn kind_name(kind: ErrorKind) -> &'static str {
    KINDS
        .iter()
        .find(|(known, _)| *known == kind)
        .map_or("failed", |(_, name)| name)
}

/// The kind of a name that a script sees; scripts can change the field, so it may be none of them.
pub(crate) fn kind_of(name: &str) -> ErrorKind {
    KINDS
        .iter()
        .find(|(_, known)| *known == name)
        .map_or(ErrorKind::Failed, |(kind, _)| *kind)
}

/// The time in seconds since the epoch, and the CPU time that the run has used, in seconds.
pub(crate) fn clock() -> (f64, f64) {
    #[derive(serde::Deserialize)]
    struct Clock {
        wall: f64,
        cpu: f64,
    }
    if !gate::is_open() {
        return (0.0, 0.0);
    }
    let answer = gate::call("kael.clock", String::new()).ok();
    let clock: Option<Clock> = answer.and_then(|text| serde_json::from_str(&text).ok());
    clock.map_or((0.0, 0.0), |clock| (clock.wall, clock.cpu))
}

fn seed() -> i64 {
    gate::call("kael.seed", String::new())
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// The candidate that looks most like `name`, when one is close enough to be meant.
fn nearest<'a>(name: &str, candidates: &'a [String]) -> Option<&'a str> {
    let close = |candidate: &&String| candidate.len().abs_diff(name.len()) <= 3;
    let scored = candidates
        .iter()
        .filter(close)
        .map(|candidate| (distance(name, candidate), candidate));
    let (edits, best) = scored.min_by_key(|(edits, _)| *edits)?;
    (edits <= 1 + name.len() / 6).then_some(best)
}

/// Optimal string alignment distance: insertions, deletions, substitutions, and swaps of neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let substitute = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = substitute.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_is_recognised_and_a_stranger_is_not() {
        let names = ["prometheus.query".to_owned(), "text.wordcount".to_owned()];
        assert_eq!(
            nearest("prometheus.qurey", &names),
            Some("prometheus.query")
        );
        assert_eq!(nearest("text.wordcuont", &names), Some("text.wordcount"));
        assert_eq!(nearest("deploy.scale", &names), None);
    }
}
