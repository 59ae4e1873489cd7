//! `kael-host approvals`, `approve` and `deny`: calls of a server's runs that wait for a person.

use kael_engine::text::percent_encoded;
use kael_server::client::{Approval, Approvals as Open, Decide};
use serde_json::json;

use super::args::{Approvals, Approve, Deciding, Deny};
use super::{Context, code};
use crate::args::Shared;
use crate::exit;
use crate::sanitize::escape_control;
use crate::terminal::{say, say_json};
use kael_engine::environment::Environment;

pub(crate) fn list(shared: &Shared, arguments: &Approvals, environment: &Environment) -> u8 {
    let context = Context::new(shared, environment, &arguments.target);
    code(open(&context, arguments))
}

pub(crate) fn approve(shared: &Shared, arguments: &Approve, environment: &Environment) -> u8 {
    decide(shared, &arguments.decision, true, environment)
}

pub(crate) fn deny(shared: &Shared, arguments: &Deny, environment: &Environment) -> u8 {
    decide(shared, &arguments.decision, false, environment)
}

fn open(context: &Context<'_>, arguments: &Approvals) -> Result<u8, u8> {
    let client = context.client(&arguments.target)?;
    let open: Open = context.ask(client.get("/v1/approvals"))?;
    if context.json {
        return Ok(say_json(&open, exit::SUCCESS));
    }
    if open.approvals.is_empty() {
        return Ok(say("no call waits for an approval\n", exit::SUCCESS));
    }
    let text: String = open.approvals.iter().map(text).collect();
    Ok(say(&text, exit::SUCCESS))
}

fn text(one: &Approval) -> String {
    let mut out = format!("{} call {}: {}\n", one.run, one.call, one.action);
    let mut add = |label: &str, value: &str| out += &format!("  {label:<9}{value}\n");
    add(
        "script",
        &format!("{}, submitted by {}", one.script, one.submitter),
    );
    add("params", &one.params.to_string());
    if let Some(last) = one
        .last_approved
        .as_ref()
        .filter(|last| **last != one.params)
    {
        add("before", &last.to_string());
    }
    for rule in &one.rules {
        add("rule", rule);
    }
    if one.count > 1 {
        let by = match one.approved_by.is_empty() {
            true => "nobody has yet".to_owned(),
            false => format!("{} has", one.approved_by.join(", ")),
        };
        add("needs", &format!("{} people; {by}", one.count));
    }
    if let Some(until) = &one.until {
        add("until", until);
    }
    let digest = one.digest.get(..16).unwrap_or(&one.digest);
    out += &format!("  kael-host approve {} {} {digest}\n", one.run, one.call);
    out.lines()
        .map(|line| escape_control(line) + "\n")
        .collect()
}

fn decide(shared: &Shared, arguments: &Deciding, approve: bool, environment: &Environment) -> u8 {
    let context = Context::new(shared, environment, &arguments.target);
    let decided = || {
        let client = context.client(&arguments.target)?;
        let body = Decide {
            digest: arguments.digest.clone(),
            approve,
            note: arguments.note.clone(),
        };
        let run = percent_encoded(&arguments.run);
        let path = format!("/v1/runs/{run}/calls/{}/decision", arguments.call);
        let left: Open = context.ask(client.send(hyper::Method::POST, &path, &body))?;
        let same = |one: &&Approval| one.call == arguments.call;
        let waits = left.approvals.iter().find(same);
        if context.json {
            let document = json!({ "ok": true, "run": arguments.run, "call": arguments.call, "decided": waits.is_none() });
            return Ok(say_json(&document, exit::SUCCESS));
        }
        let word = match (approve, waits) {
            (true, None) => "approved".to_owned(),
            (false, _) => "denied".to_owned(),
            (true, Some(one)) => format!(
                "approved by {} of {} people",
                one.approved_by.len(),
                one.count
            ),
        };
        let line = format!("{} call {}: {word}\n", arguments.run, arguments.call);
        Ok(say(&line, exit::SUCCESS))
    };
    code(decided())
}
