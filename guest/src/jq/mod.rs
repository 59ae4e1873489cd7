//! `jq(value, filter)`: jaq inside the sandbox, over Kael's own values.
//!
//! The snapshot holds nothing of this: a script makes it at its first call. A filter is as
//! untrusted as its script. The limits of the run end its loops and bound its memory. Its recursion
//! is bounded here, because no limit would catch a stack overflow.

mod define;
mod filter;
mod format;
mod functions;
mod math;
mod number;
mod operators;
mod place;
mod read_json;
mod regex;

mod time;
mod value;

use std::ffi::c_int;

use jaq_core::data::JustLut;
use jaq_core::{Ctx, Vars};

use crate::convert::stack::{Native, Slot, Stack};
use crate::convert::{self, Nulls};
use define::StackGuard;
use filter::Compiled;
use read_json::read_json;
use value::{Val, write_json};

/// The values of filters.
type Data = JustLut<Val>;

/// `jq(value, filter, variables, null)`: true and the outputs, or false and the error. Keeps nulls
/// of objects if `null` is given.
pub(crate) struct Jq;

impl Native for Jq {
    fn call(stack: &mut Stack<'_>) -> c_int {
        let top = stack.top();
        stack.push_boolean(true);
        match run(stack) {
            Ok(outputs) => outputs + 1,
            Err(error) => {
                stack.cut(top);
                stack.push_boolean(false);
                stack.push_string(error);
                2
            }
        }
    }
}

fn run(stack: &mut Stack<'_>) -> Result<c_int, String> {
    let nulls = match stack.slot(4) {
        Slot::Nil => Nulls::Absent,
        _ => Nulls::Kept,
    };
    let input = argument(stack, 1).map_err(|error| format!("the value {error}"))?;
    let variables = variables(stack)?;
    let names: Vec<String> = variables.iter().map(|(name, _)| name.clone()).collect();
    let code = std::str::from_utf8(stack.bytes(2));
    let code = code.map_err(|_| "the filter is a string that is not UTF-8".to_owned())?;
    let filter = Compiled::get(code, &names)?;
    let context = Ctx::<Data>::new(
        &filter.filter.lut,
        Vars::new(variables.into_iter().map(|(_, value)| value)),
    );
    // Outputs are computed one by one, so the guard must live until the last.
    let deep = StackGuard::enter();
    let mut count = 0;
    for output in filter.filter.id.run((context, input)) {
        let output = deep.check(output).map_err(|error| filter.failed(&error))?;
        let Some(output) = output else { break };
        if !stack.reserve(1) {
            return Err(format!(
                "the filter has more outputs than a function can return ({count}): put it into [ ]"
            ));
        }
        convert::decode(stack, &write_json(&output), nulls)?;
        count += 1;
    }
    Ok(count)
}

/// The value in a slot, by way of its JSON text.
fn argument(stack: &mut Stack<'_>, at: c_int) -> Result<Val, String> {
    let json = convert::encode(stack, at, false)?;
    read_json(json.as_bytes())
}

/// The variables as `$name` and value, sorted by name.
fn variables(stack: &mut Stack<'_>) -> Result<Vec<(String, Val)>, String> {
    if stack.slot(3) == Slot::Nil {
        return Ok(Vec::new());
    }
    let table = argument(stack, 3).map_err(|error| format!("the variables: {error}"))?;
    let Val::Object(table) = table else {
        return Err("the variables must be a table with names, got a list".to_owned());
    };
    let named = table.entries().iter().map(|(name, value)| {
        let first = |c: char| c.is_ascii_alphabetic() || c == '_';
        let word =
            name.starts_with(first) && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if word {
            Ok((format!("${name}"), value.clone()))
        } else {
            Err(format!(
                "the variable {name:?} has a name that is not a word"
            ))
        }
    });
    named.collect()
}
