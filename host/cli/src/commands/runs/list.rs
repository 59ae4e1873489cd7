//! `kael-host runs ls`.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::exit;
use crate::sanitize::escape_control;
use crate::terminal::{say, say_json};
use kael_engine::run_info::timestamp;
use kael_runs::{RunRow, Runs, RunsError, State};

pub(super) fn list(
    runs: &Runs,
    count: u32,
    labels: &BTreeMap<String, String>,
    as_json: bool,
) -> Result<u8, RunsError> {
    let rows = match labels.is_empty() {
        true => runs.list(count)?,
        false => runs.labelled(labels, count)?,
    };
    let mut all = Vec::with_capacity(rows.len());
    for row in &rows {
        all.push((row, shown_state(runs, row)?));
    }
    if as_json {
        let all: Vec<Value> = all
            .iter()
            .map(|(row, state)| document(row, state))
            .collect();
        return Ok(say_json(&json!({ "runs": all }), exit::SUCCESS));
    }
    if rows.is_empty() && !labels.is_empty() {
        return Ok(say("no run has these labels\n", exit::SUCCESS));
    }
    if rows.is_empty() {
        return Ok(say(
            "no runs: kael-host run --journal writes one down\n",
            exit::SUCCESS,
        ));
    }
    let mut text = String::new();
    for (row, state) in all {
        let reason = row.reason.as_deref().map(|reason| format!(" ({reason})"));
        let state = format!("{state}{}", reason.unwrap_or_default());
        let state = escape_control(&state);
        let name = escape_control(&row.name);
        let status = row.status.as_deref().map(escape_control);
        let status = status.map(|status| format!("  {status}"));
        let status = status.unwrap_or_default();
        let created = time(row.created);
        text += &format!("{}  {created}  {state:<22}  {name}{status}\n", row.id);
    }
    Ok(say(&text, exit::SUCCESS))
}

/// The state as it is: a run whose process died with it still has the state that it had then.
pub(super) fn shown_state(runs: &Runs, row: &RunRow) -> Result<&'static str, RunsError> {
    Ok(match row.state {
        State::Running if !runs.is_held(row.id)? => "interrupted",
        state => state.name(),
    })
}

pub(super) fn document(row: &RunRow, state: &str) -> Value {
    let parsed = |text: &Option<String>| {
        let text = text.as_deref().unwrap_or("null");
        serde_json::from_str::<Value>(text).unwrap_or(Value::Null)
    };
    json!({
        "run": row.id.to_string(),
        "state": state,
        "reason": row.reason,
        "status": row.status,
        "parent": row.parent.map(|parent| parent.to_string()),
        "forked_from": row.forked.map(|(run, _)| run.to_string()),
        "forked_at": row.forked.map(|(_, at)| at),
        "script": row.name,
        "labels": row.labels,
        "continues": row.continues.map(|run| run.to_string()),
        "created": time(row.created),
        "ended": row.ended.map(time),
        "takeovers": row.takeovers,
        "ending": parsed(&row.ending),
        "usage": parsed(&row.usage),
    })
}

/// A time as RFC 3339 has it.
pub(super) fn time(us: i64) -> String {
    let since = Duration::from_micros(u64::try_from(us).unwrap_or_default());
    timestamp(
        UNIX_EPOCH
            .checked_add(since)
            .unwrap_or_else(SystemTime::now),
    )
}
