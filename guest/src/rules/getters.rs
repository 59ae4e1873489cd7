//! The natives that read a field of the current event.

use std::ffi::c_int;

use super::asked::with;
use super::batch::Value;
use crate::convert::stack::{Native, Slot, Stack};
use crate::convert::{self, Nulls};

/// Whether the first argument means the current event; else why not.
pub(super) fn stale(stack: &Stack<'_>) -> Option<String> {
    let handle = with(|asked| asked.handle);
    let given = match stack.slot(1) {
        Slot::Integer(given) => given,
        Slot::Number(number) if number == f64::from(number as u32) => number as i64,
        other => {
            return Some(format!(
                "the first argument must be the event, got {}",
                other.type_name()
            ));
        }
    };
    if handle == 0 {
        return Some("there is no event yet: only pred_eval and pred_capture have one".into());
    }
    (given != 0 && given != i64::from(handle)).then(|| "stale event".into())
}

/// The id in the second argument.
fn id(stack: &Stack<'_>) -> Result<u32, String> {
    let wrong = |given: &str| format!("a field id is an integer from 0 to 4294967295, got {given}");
    match stack.slot(2) {
        Slot::Integer(id) => u32::try_from(id).map_err(|_| wrong(&id.to_string())),
        Slot::Number(id) if id == f64::from(id as u32) => Ok(id as u32),
        Slot::Number(id) => Err(wrong(&id.to_string())),
        other => Err(wrong(other.type_name())),
    }
}

/// A native that is asked for a field of the current event.
trait Getter {
    fn push(stack: &mut Stack<'_>, value: Option<Value>, bytes: &[u8]);
}

impl<G: Getter> Native for G {
    fn call(stack: &mut Stack<'_>) -> c_int {
        if let Some(why) = stale(stack) {
            return stack.raise(&why);
        }
        let id = match id(stack) {
            Ok(id) => id,
            Err(why) => return stack.raise(&why),
        };
        let (value, bytes) = with(|asked| (asked.value(id), asked.batch.bytes()));
        G::push(stack, value, &bytes);
        1
    }
}

pub(super) struct GetI64;

impl Getter for GetI64 {
    fn push(stack: &mut Stack<'_>, value: Option<Value>, _: &[u8]) {
        stack.push_integer(match value {
            Some(Value::I64(value)) => value,
            Some(Value::U64(value)) => i64::try_from(value).unwrap_or(i64::MAX),
            Some(Value::Bool(value)) => value.into(),
            _ => 0,
        });
    }
}

pub(super) struct GetU64;

impl Getter for GetU64 {
    fn push(stack: &mut Stack<'_>, value: Option<Value>, _: &[u8]) {
        stack.push_integer(match value {
            Some(Value::I64(value)) => value.max(0),
            // Lua's integers have the same 64 bits; `math.ult` compares them.
            Some(Value::U64(value)) => value.cast_signed(),
            Some(Value::Bool(value)) => value.into(),
            _ => 0,
        });
    }
}

pub(super) struct GetStr;

impl Getter for GetStr {
    fn push(stack: &mut Stack<'_>, value: Option<Value>, bytes: &[u8]) {
        stack.push_string(match value {
            Some(Value::String(text)) => text.of(bytes),
            _ => b"",
        });
    }
}

pub(super) struct GetBool;

impl Getter for GetBool {
    fn push(stack: &mut Stack<'_>, value: Option<Value>, _: &[u8]) {
        stack.push_boolean(match value {
            Some(Value::I64(value)) => value != 0,
            Some(Value::U64(value)) => value != 0,
            Some(Value::Bool(value)) => value,
            _ => false,
        });
    }
}

/// `event_has(event, id)`
pub(super) struct Has;

impl Getter for Has {
    fn push(stack: &mut Stack<'_>, value: Option<Value>, _: &[u8]) {
        stack.push_boolean(value.is_some());
    }
}

/// `event_get(event, id)`: the value as Lua has it, or nil.
pub(super) struct Get;

impl Getter for Get {
    fn push(stack: &mut Stack<'_>, value: Option<Value>, bytes: &[u8]) {
        match value {
            Some(Value::I64(value)) => stack.push_integer(value),
            Some(Value::U64(value)) => stack.push_integer(value.cast_signed()),
            Some(Value::Bool(value)) => stack.push_boolean(value),
            Some(Value::F64(value)) => stack.push_number(value),
            Some(Value::String(text) | Value::Bytes(text)) => stack.push_string(text.of(bytes)),
            Some(Value::Array(text)) => {
                if convert::decode(stack, text.of(bytes), Nulls::Absent).is_err() {
                    stack.push_nil();
                }
            }
            None => stack.push_nil(),
        }
    }
}
