//! How the session answers an input, and how it ends.

use serde_json::{Value, json};

use crate::args::Shared;
use crate::exit;
use crate::report::Problem;
use crate::snippet::SourceMap;
use crate::terminal::say_json_line;
use kael_engine::runtime::LoadError;

/// What follows a line.
pub(super) enum Next {
    Line,
    /// The program ends with this exit code.
    End(u8),
}

pub(super) fn ended(shared: &Shared, number: u8) -> u8 {
    Problem::signal(number).print(shared.quiet);
    exit::SIGNAL + number
}

pub(super) fn not_begun(shared: &Shared, as_json: bool, error: &LoadError, texts: SourceMap) -> u8 {
    let code = exit::of_load_error(error);
    match Problem::of_load_error(error) {
        Some(error) => refused(shared, as_json, &error.quoting(texts), code),
        None => code,
    }
}

/// Reports why there is no session.
pub(super) fn refused(shared: &Shared, as_json: bool, error: &Problem, code: u8) -> u8 {
    if as_json {
        return say_json_line(&document("", Some(error), code, true), code);
    }
    error.print(shared.quiet);
    code
}

/// The document that `--json` prints for an input.
pub(super) fn document(output: &str, error: Option<&Problem>, code: u8, lost: bool) -> Value {
    json!({
        "ok": error.is_none(),
        "exit_code": code,
        "output": output,
        "error": error.map(Problem::json),
        "session_lost": lost,
    })
}

/// Ends the session when the reader of the output is gone.
pub(super) fn goes_on(said: u8) -> Next {
    match said {
        exit::SUCCESS => Next::Line,
        code => Next::End(code),
    }
}
