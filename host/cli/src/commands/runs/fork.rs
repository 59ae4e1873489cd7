//! `kael-host runs fork`: makes a new run of the beginning of another.

use serde_json::json;

use crate::exit;
use crate::terminal::{say, say_json};
use kael_runs::{OtherScript, Runs, RunsError};

pub(super) fn fork(
    runs: &Runs,
    id: &str,
    at: u64,
    script: Option<OtherScript>,
    as_json: bool,
) -> Result<u8, RunsError> {
    let id = runs.find(id)?;
    let fork = runs.fork(id, at, script)?;
    if as_json {
        let document = json!({
            "ok": true,
            "exit_code": exit::SUCCESS,
            "run": fork.to_string(),
            "forked_from": id.to_string(),
            "forked_at": at,
        });
        return Ok(say_json(&document, exit::SUCCESS));
    }
    let text =
        format!("{fork}: forked from {id} at entry {at}; kael-host runs resume {fork} goes on\n");
    Ok(say(&text, exit::SUCCESS))
}
