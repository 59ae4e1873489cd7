//! `kael-host audit`: whether an audit log is whole.

use serde_json::json;

use crate::args::{Audit as Arguments, AuditCommand, Shared};
use crate::exit;
use crate::report::Problem;
use crate::sanitize::escape_control;
use crate::terminal::{say, say_json};
use kael_engine::gate::audit::{self, Verified};

pub(super) fn run(shared: &Shared, arguments: &Arguments) -> u8 {
    let AuditCommand::Verify { file, json } = &arguments.command;
    let name = file.display().to_string();
    let verified = match audit::verify(file) {
        Ok(verified) => verified,
        Err(error) => {
            let message = format!("cannot read the audit log `{name}`: {error}");
            return Problem::usage(message).report(shared, *json, exit::USAGE);
        }
    };
    match verified {
        Verified::Whole { events, last } if *json => {
            let document =
                json!({ "ok": true, "exit_code": exit::SUCCESS, "events": events, "last": last });
            say_json(&document, exit::SUCCESS)
        }
        Verified::Whole { events, last } => {
            let count = match events {
                1 => "1 call".to_owned(),
                count => format!("{count} calls"),
            };
            let text = format!(
                "{}: {count}, whole; the last hash is {last}\n",
                escape_control(&name)
            );
            say(&text, exit::SUCCESS)
        }
        Verified::Broken { line, why } => {
            let message = format!("the audit log breaks at {name}:{line}: {why}");
            Problem::usage(message).report(shared, *json, exit::SCRIPT_FAILED)
        }
    }
}
