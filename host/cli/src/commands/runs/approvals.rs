//! `kael-host runs approvals`, `approve` and `deny`.

use serde_json::{Value, json};

use super::done;
use super::list::time;
use crate::exit;
use crate::sanitize::escape_control;
use crate::terminal::{say, say_json};
use kael_runs::{Decision, Runs, RunsError};

pub(super) fn list(runs: &Runs, as_json: bool) -> Result<u8, RunsError> {
    let all = runs.approvals()?;
    if as_json {
        let all: Vec<Value> = all
            .iter()
            .map(|one| {
                json!({
                    "run": one.run.to_string(),
                    "call": one.call,
                    "digest": one.digest,
                    "action": one.action,
                    "params": serde_json::from_str::<Value>(&one.params).unwrap_or(Value::Null),
                    "rules": one.rules,
                    "asked": time(one.asked),
                    "until": one.until.map(time),
                })
            })
            .collect();
        return Ok(say_json(&json!({ "approvals": all }), exit::SUCCESS));
    }
    if all.is_empty() {
        return Ok(say("no call waits for an approval\n", exit::SUCCESS));
    }
    let mut text = String::new();
    for one in all {
        text += &format!(
            "{} call {}: {}\n  params   {}\n",
            one.run,
            one.call,
            escape_control(&one.action),
            escape_control(&one.params)
        );
        for rule in &one.rules {
            text += &format!("  rule     {}\n", escape_control(rule));
        }
        if let Some(until) = one.until {
            text += &format!("  until    {}\n", time(until));
        }
        let digest = &one.digest[..16.min(one.digest.len())];
        text += &format!(
            "  kael-host runs approve {} {} {digest}\n",
            one.run, one.call
        );
    }
    Ok(say(&text, exit::SUCCESS))
}

pub(super) fn decide(
    runs: &Runs,
    (id, call): (&str, u64),
    digest: &str,
    yes: bool,
    note: Option<&str>,
    as_json: bool,
) -> Result<u8, RunsError> {
    let id = runs.find(id)?;
    let decision = Decision {
        digest: digest.to_owned(),
        yes,
        by: "local".to_owned(),
        person: "local".to_owned(),
        roles: Vec::new(),
        is_submitter: true,
        note: note.map(str::to_owned),
    };
    runs.decide(id, call, decision)?;
    Ok(done(id, if yes { "approved" } else { "denied" }, as_json))
}
