//! Says how a program is given an option and its value as two arguments, where it has refused
//! `--name=value`.

use crate::catalog::{Definition, Input};
use crate::executor::adapters::ProgramInput;
use crate::failure::{ActionError, ErrorKind};

/// The arguments `--name=value` of a call, which not every program takes.
pub(super) fn assigned(definition: &Definition, given: &ProgramInput) -> Vec<String> {
    match definition.adapter.input {
        Input::Args => {
            let assigned = given.args.iter().filter(|arg| arg.contains('='));
            assigned.cloned().collect()
        }
        _ => Vec::new(),
    }
}

/// The same error, with a hint where it names one of these arguments.
pub(super) fn hinted(mut error: ActionError, assigned: &[String]) -> ActionError {
    if error.kind != ErrorKind::Failed {
        return error;
    }
    let stderr = error.detail.as_ref().map_or("", |detail| &detail.stderr);
    let named = |arg: &&String| error.message.contains(*arg) || stderr.contains(*arg);
    let Some((option, _)) = assigned
        .iter()
        .find(named)
        .and_then(|arg| arg.split_once('='))
    else {
        return error;
    };
    let name = option.trim_start_matches('-');
    let hint = format!(
        "a program that takes an option and its value as two arguments is given them by argv = {{ \"{option}\", \"{{{name}}}\" }} in place of input = \"args\""
    );
    let detail = error.detail.get_or_insert_default();
    detail.hint.get_or_insert(hint);
    error
}
