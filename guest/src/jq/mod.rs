//! `jq(value, filter)`: jaq inside the sandbox, over values of Kael's own.
//!
//! Nothing here is made before a script asks for it, so that the snapshot holds none of it. A filter is as untrusted as
//! the script that wrote it: it may loop and allocate, which the limits of the run end, and it may nest, which is
//! bounded here, because no limit would catch a stack that overflows.

mod define;
mod filter;
mod format;
mod functions;
mod math;
mod number;
mod operators;
mod place;
mod regex;
mod text;
mod time;
mod value;

use std::ffi::c_int;

use jaq_core::data::JustLut;
use jaq_core::{Ctx, Vars};

use crate::convert::stack::{Native, Slot, Stack};
use crate::convert::{self, Nulls};
use define::StackGuard;
use filter::Compiled;
use value::Val;

/// What filters run over.
type Data = JustLut<Val>;

/// `jq(value, filter, variables, null)`: true and the outputs, or false and what is wrong. Nulls of objects are kept if
/// `null` is given.
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
    // Outputs are made while they are taken, so the bounds on nesting hold until the last.
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
        convert::decode(stack, &text::write(&output), nulls)?;
        count += 1;
    }
    Ok(count)
}

/// The value in a slot, exactly: by the JSON text that it would have at the gate.
fn argument(stack: &mut Stack<'_>, at: c_int) -> Result<Val, String> {
    let json = convert::encode(stack, at, false)?;
    text::read(json.as_bytes())
}

/// The table of variables as `$name` and value, in the order of their names.
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
            Err(format!("the variable {name:?} has a name that is no word"))
        }
    });
    named.collect()
}
