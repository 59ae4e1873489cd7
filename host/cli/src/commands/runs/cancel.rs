//! `kael-host runs cancel`: ends a run, with its clean-up or at once.

use serde_json::json;

use super::done;
use crate::exit;
use crate::terminal::{say, say_json};
use kael_runs::{CancelOutcome, Runs, RunsError};

pub(super) fn cancel(runs: &Runs, id: &str, now: bool, as_json: bool) -> Result<u8, RunsError> {
    let id = runs.find(id)?;
    let asked = match now {
        true => runs.cancel(id, "local").map(|()| CancelOutcome::Ended)?,
        false => runs.ask_to_end(id, "local")?,
    };
    let how = match asked {
        CancelOutcome::Ended => return Ok(done(id, "cancelled", as_json)),
        CancelOutcome::Knows => "is told to end, in the process that has it".to_owned(),
        CancelOutcome::Wakes => {
            format!(
                "is told to end when it goes on: kael-host runs work, or kael-host runs resume {id}"
            )
        }
    };
    Ok(match as_json {
        true => {
            let document = json!({
                "ok": true,
                "exit_code": exit::SUCCESS,
                "run": id.to_string(),
                "state": "cancelling",
            });
            say_json(&document, exit::SUCCESS)
        }
        false => say(&format!("{id}: {how}\n"), exit::SUCCESS),
    })
}
