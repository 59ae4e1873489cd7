//! The functions that only the runtime's own Lua files can call: JSON, the gate, and small helpers.

use std::ffi::c_int;

use mlua::prelude::*;
use mlua::{LightUserData, Value};

use crate::bindings::kael::engine::actions::{ActionError, ErrorKind};
use crate::convert::stack::{self, Native, Slot, Stack};
use crate::convert::{self, Nulls};
use crate::documents;
use crate::gate::{self, Outcome};
use crate::last_line_hook;
use crate::suggest::nearest;

/// Makes the table of natives for the runtime's files.
pub(crate) fn table(lua: &Lua) -> LuaResult<LuaTable> {
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
    natives.raw_set("null", Value::NULL)?;
    natives.raw_set("encode", stack::function::<Encode>(lua, &array_mt)?)?;
    natives.raw_set("decode", stack::function::<Decode>(lua, &array_mt)?)?;
    natives.raw_set("yaml", stack::function::<Yaml>(lua, &array_mt)?)?;
    natives.raw_set("toml", stack::function::<Toml>(lua, &array_mt)?)?;
    natives.raw_set(
        "digest",
        stack::function::<crate::digests::DigestOf>(lua, &array_mt)?,
    )?;
    natives.raw_set("call", stack::function::<Call>(lua, &array_mt)?)?;
    natives.raw_set("submit", stack::function::<Submit>(lua, &array_mt)?)?;
    natives.raw_set("wait", stack::function::<Wait>(lua, &array_mt)?)?;
    natives.raw_set("print", stack::function::<Print>(lua, &array_mt)?)?;
    natives.raw_set("clock", stack::function::<Clock>(lua, &array_mt)?)?;
    natives.raw_set("seed", stack::function::<Seed>(lua, &array_mt)?)?;
    natives.raw_set("jq", stack::function::<crate::jq::Jq>(lua, &array_mt)?)?;
    natives.raw_set(
        "cell",
        stack::function::<crate::report::Cell>(lua, &array_mt)?,
    )?;
    natives.raw_set(
        "report",
        stack::function::<crate::report::Report>(lua, &array_mt)?,
    )?;
    natives.raw_set(
        "interrupted",
        stack::function::<Interrupted>(lua, &array_mt)?,
    )?;
    natives.raw_set("finalizers", stack::function::<Finalizers>(lua, &array_mt)?)?;
    natives.raw_set("finalize", stack::function::<Finalize>(lua, &array_mt)?)?;
    natives.raw_set("exit", stack::function::<Exit>(lua, &array_mt)?)?;
    natives.raw_set("input", stack::function::<Input>(lua, &array_mt)?)?;
    natives.raw_set("warn", stack::function::<Warn>(lua, &array_mt)?)?;
    crate::rules::add_to(&natives, lua, &array_mt)?;
    let secret_mt = lua.create_table()?;
    stack::set_secret_mt(lua, &secret_mt)?;
    natives.raw_set("secret_mt", secret_mt)?;
    natives.raw_set("array_mt", array_mt)?;
    natives.raw_set(
        "watch_lines",
        lua.create_function(|lua, on: bool| {
            last_line_hook::watch(lua, on);
            Ok(())
        })?,
    )?;
    natives.raw_set(
        "last_line",
        lua.create_function(|_, ()| {
            Ok(
                last_line_hook::last()
                    .map_or((None, None), |(file, line)| (Some(file), Some(line))),
            )
        })?,
    )?;
    natives.raw_set(
        "on_look",
        lua.create_function(|_lua, _look: LuaFunction| {
            #[cfg(target_arch = "wasm32")]
            crate::running_thread::on_look(_lua, &_look)?;
            Ok(())
        })?,
    )?;
    natives.raw_set("calls", lua.create_function(|_, ()| Ok(gate::calls()))?)?;
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

/// `encode(value, pretty, handles)`: the text, or nil and the error. Keeps the handles of secrets if `handles` is true, and
/// writes their names otherwise.
struct Encode;

impl Native for Encode {
    fn call(stack: &mut Stack<'_>) -> c_int {
        let pretty = stack.slot(2) == Slot::Boolean(true);
        let handles = stack.slot(3) == Slot::Boolean(true);
        stack.cut(1);
        let encoded = match handles {
            true => convert::encode_handles(stack, 1),
            false => convert::encode(stack, 1, pretty),
        };
        match encoded {
            Ok(text) => {
                stack.push_string(text);
                1
            }
            Err(error) => {
                stack.push_nil();
                stack.push_string(error);
                2
            }
        }
    }
}

/// `decode(text, null)`: true and the value, or false and the error. Keeps nulls of objects if
/// `null` is given.
struct Decode;

impl Native for Decode {
    fn call(stack: &mut Stack<'_>) -> c_int {
        let nulls = match stack.slot(2) {
            Slot::Nil => Nulls::Absent,
            _ => Nulls::Kept,
        };
        let text = stack.bytes(1).to_vec();
        stack.push_boolean(true);
        if let Err(error) = convert::decode(stack, &text, nulls) {
            stack.push_boolean(false);
            stack.push_string(error);
        }
        2
    }
}

/// `yaml(text, null)`: true and the list of documents, or false and the error.
struct Yaml;

impl Native for Yaml {
    fn call(stack: &mut Stack<'_>) -> c_int {
        document(stack, documents::yaml)
    }
}

/// `toml(text, null)`: true and the table, or false and the error.
struct Toml;

impl Native for Toml {
    fn call(stack: &mut Stack<'_>) -> c_int {
        document(stack, documents::toml)
    }
}

/// Reads a document of another format by way of JSON.
fn document(stack: &mut Stack<'_>, read: fn(&str) -> Result<String, String>) -> c_int {
    let nulls = match stack.slot(2) {
        Slot::Nil => Nulls::Absent,
        _ => Nulls::Kept,
    };
    let json = match std::str::from_utf8(stack.bytes(1)) {
        Ok(text) => read(text),
        Err(error) => Err(format!("byte {} is not UTF-8", error.valid_up_to() + 1)),
    };
    stack.push_boolean(true);
    let read = json.and_then(|json| {
        convert::decode(stack, json.as_bytes(), nulls).map_err(|error| error.to_string())
    });
    if let Err(error) = read {
        stack.push_boolean(false);
        stack.push_string(error);
    }
    2
}

/// `call(name, ...)`: runs an action and waits for it. Returns the values of `settle`.
struct Call;

impl Native for Call {
    fn call(stack: &mut Stack<'_>) -> c_int {
        let outcome = match params(stack) {
            Ok(params) => gate::call(stack.text(1), params),
            Err(error) => Err(invalid(error)),
        };
        settle(stack, outcome)
    }
}

/// `submit(name, ...)`: starts an action. Returns its number, or nil and the values of `settle` if
/// it completed at once.
struct Submit;

impl Native for Submit {
    fn call(stack: &mut Stack<'_>) -> c_int {
        let submitted = match params(stack) {
            Ok(params) => gate::submit(stack.text(1), params),
            Err(error) => Err(Err(invalid(error))),
        };
        match submitted {
            Ok(id) => {
                stack.push_integer(id.into());
                1
            }
            Err(outcome) => {
                stack.push_nil();
                1 + settle(stack, outcome)
            }
        }
    }
}

/// The parameters of an action: one table, or none.
fn params(stack: &mut Stack<'_>) -> Result<String, String> {
    let given = stack.top() - 1;
    match stack.slot(2) {
        Slot::Nil | Slot::Table(_) if given > 1 => Err(format!(
            "parameters must be one table, got {given} arguments"
        )),
        Slot::Nil => Ok("{}".to_owned()),
        Slot::Table(_) => convert::encode_params(stack, 2),
        other => Err(format!(
            "parameters must be a table, got {}",
            other.type_name()
        )),
    }
}

/// `wait()`: the number of a completed action, and the values of `settle`.
struct Wait;

impl Native for Wait {
    fn call(stack: &mut Stack<'_>) -> c_int {
        let (id, outcome) = gate::wait();
        stack.push_integer(id.into());
        1 + settle(stack, outcome)
    }
}

/// `print(text)`. The gate carries text, so bytes that are not UTF-8 are passed as one character
/// each.
struct Print;

impl Native for Print {
    fn call(stack: &mut Stack<'_>) -> c_int {
        let bytes = stack.bytes(1);
        match std::str::from_utf8(bytes) {
            Ok(text) => gate::call("kael.print".to_owned(), text.to_owned()),
            Err(_) => gate::call(
                "kael.print-bytes".to_owned(),
                bytes.iter().copied().map(char::from).collect(),
            ),
        }
        .ok();
        0
    }
}

/// `warn(text)`: a warning for the user.
struct Warn;

impl Native for Warn {
    fn call(stack: &mut Stack<'_>) -> c_int {
        gate::call("kael.warn".to_owned(), stack.text(1)).ok();
        0
    }
}

/// `exit(code)`: ends the run. Returns only if the run cannot end, with the reason.
struct Exit;

impl Native for Exit {
    fn call(stack: &mut Stack<'_>) -> c_int {
        let Slot::Integer(code) = stack.slot(1) else {
            return 0;
        };
        let refused = gate::call("kael.exit".to_owned(), code.to_string()).err();
        stack.push_string(refused.map_or_else(String::new, |error| error.message));
        1
    }
}

/// `input()`: the bytes of stdin, or nil and the reason.
struct Input;

impl Native for Input {
    fn call(stack: &mut Stack<'_>) -> c_int {
        match gate::call("kael.input".to_owned(), String::new()) {
            // The first character says whether the rest is text, or has one character per byte.
            Ok(answer) => match answer.strip_prefix('b') {
                Some(bytes) => {
                    let bytes = bytes.chars().map(|byte| u32::from(byte) as u8);
                    stack.push_string(bytes.collect::<Vec<u8>>());
                }
                None => stack.push_string(answer.get(1..).unwrap_or_default()),
            },
            Err(error) => {
                stack.push_nil();
                stack.push_string(error.message);
                return 2;
            }
        }
        1
    }
}

/// `clock()`: the time in seconds since the epoch, and the CPU time of the run in seconds.
struct Clock;

impl Native for Clock {
    fn call(stack: &mut Stack<'_>) -> c_int {
        let (wall, cpu) = gate::clock();
        stack.push_number(wall);
        stack.push_number(cpu);
        2
    }
}

/// `seed()`: an unpredictable number.
struct Seed;

impl Native for Seed {
    fn call(stack: &mut Stack<'_>) -> c_int {
        let seed = gate::call("kael.seed".to_owned(), String::new()).ok();
        stack.push_integer(seed.and_then(|text| text.parse().ok()).unwrap_or(0));
        1
    }
}

/// `interrupted()`: whether the current evaluation must end.
struct Interrupted;

impl Native for Interrupted {
    fn call(stack: &mut Stack<'_>) -> c_int {
        let answer = gate::call("kael.interrupted".to_owned(), String::new());
        stack.push_boolean(answer.is_ok_and(|answer| answer == "true"));
        1
    }
}

/// `finalizers()`: whether a table has a finaliser that has not run.
struct Finalizers;

impl Native for Finalizers {
    fn call(stack: &mut Stack<'_>) -> c_int {
        let any = stack.has_finalizers();
        stack.push_boolean(any);
        1
    }
}

/// `finalize()`: runs the finalisers of all tables.
struct Finalize;

impl Native for Finalize {
    fn call(stack: &mut Stack<'_>) -> c_int {
        stack.finalize();
        0
    }
}

/// Pushes an outcome as the scheduler expects it: `true, result` or `false, kind, message, detail`.
fn settle(stack: &mut Stack<'_>, outcome: Outcome) -> c_int {
    let error = match outcome {
        Ok(text) => {
            stack.push_boolean(true);
            match convert::decode_result(stack, &text) {
                Ok(()) => return 2,
                Err(error) => ActionError {
                    kind: ErrorKind::BadOutput,
                    message: format!("bad result: {error}"),
                    detail: None,
                },
            }
        }
        Err(error) => error,
    };
    stack.push_boolean(false);
    stack.push_string(kind_name(error.kind));
    stack.push_string(&error.message);
    let detail = error.detail.unwrap_or_default();
    if convert::decode_text(stack, &detail, Nulls::Absent).is_err() {
        stack.push_nil();
    }
    4
}

fn invalid(error: String) -> ActionError {
    ActionError {
        kind: ErrorKind::InvalidParams,
        message: error,
        detail: None,
    }
}

/// The names of the kinds in scripts.
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

/// The kind with this name. A script can change the field, so the name may be unknown.
pub(crate) fn kind_of(name: &str) -> ErrorKind {
    KINDS
        .iter()
        .find(|(_, known)| *known == name)
        .map_or(ErrorKind::Failed, |(kind, _)| *kind)
}
