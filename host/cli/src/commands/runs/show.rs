//! `kael-host runs show`.

use serde_json::Value;

use super::list::{document, shown_state, time};
use crate::exit;
use crate::sanitize::escape_control;
use crate::terminal::{say, say_json};
use kael_engine::journal::{Entry, Log};
use kael_runs::{Runs, RunsError, export};

/// Entries that a person is shown; the rest is counted.
const MAX_SHOWN: usize = 200;

pub(super) fn show(runs: &Runs, id: &str, output: bool, as_json: bool) -> Result<u8, RunsError> {
    let id = runs.find(id)?;
    if output {
        let text = runs.output(id)?;
        return Ok(say(&String::from_utf8_lossy(&text), exit::SUCCESS));
    }
    let view = runs.show(id)?;
    let state = shown_state(runs, &view.row)?;
    if as_json {
        let mut shown = document(&view.row, state);
        shown["running_now"] = view.is_held.into();
        match &view.log {
            Ok(log) => shown["journal"] = log.entries().iter().map(export::document).collect(),
            Err(error) => shown["problem"] = error.to_string().into(),
        }
        return Ok(say_json(&shown, exit::SUCCESS));
    }
    let row = &view.row;
    let mut text = format!(
        "run      {}\nscript   {}\nstate    {state}",
        row.id,
        escape_control(&row.name)
    );
    if let Some(reason) = &row.reason {
        text += &format!(" ({})", escape_control(reason));
    }
    if let Some(status) = &row.status {
        text += &format!("\nstatus   {}", escape_control(status));
    }
    if let Some(parent) = &row.parent {
        text += &format!("\nparent   {parent}");
    }
    if let Some(before) = &row.continues {
        text += &format!("\nin place of {before}");
    }
    if let Some(next) = runs.continued(id)? {
        text += &format!("\ncontinued as {next}");
    }
    if !row.labels.is_empty() {
        let labels = row
            .labels
            .iter()
            .map(|(key, value)| format!("{key}={value}"));
        let labels = labels.collect::<Vec<_>>().join(" ");
        text += &format!("\nlabels   {}", escape_control(&labels));
    }
    if let Some((from, at)) = &row.forked {
        text += &format!("\nforked   from {from} at entry {at}");
    }
    text += &format!("\ncreated  {}\n", time(row.created));
    if let Some(ended) = row.ended {
        text += &format!("ended    {}\n", time(ended));
    }
    let ending = row.ending.as_deref().unwrap_or("null");
    let ending = serde_json::from_str(ending).unwrap_or(Value::Null);
    if let Some(message) = ending["message"].as_str() {
        text += &format!("ending   {}\n", escape_control(message));
    }
    if ending["doubt"].is_object() {
        let doubt = &ending["doubt"];
        text += &format!(
            "doubt    call {} of {} with {}, key {}\n",
            escape_control(&doubt["call"].to_string()),
            escape_control(doubt["action"].as_str().unwrap_or_default()),
            escape_control(doubt["params"].as_str().unwrap_or_default()),
            escape_control(doubt["key"].as_str().unwrap_or_default()),
        );
    }
    match &view.log {
        Ok(log) => text += &journal(log),
        Err(error) => text += &format!("journal  {error}\n"),
    }
    Ok(say(&text, exit::SUCCESS))
}

fn journal(log: &Log) -> String {
    let mut text = String::new();
    for (seq, entry) in log.entries().iter().enumerate().take(MAX_SHOWN) {
        let words = match entry {
            Entry::Begin(begin) => format!("begin    Kael {}", begin.version),
            Entry::Turn { asked, .. } => format!("turn     {asked}"),
            Entry::Own { name, .. } => format!("own      {name}"),
            Entry::Prints { count, bytes, .. } => format!("prints   {count} ({bytes} bytes)"),
            Entry::Intent(intent) => format!(
                "intent   call {} of {}, attempt {}{}",
                intent.call,
                intent.name,
                intent.attempt,
                if intent.once { ", once" } else { "" }
            ),
            Entry::Outcome {
                outcome, duration, ..
            } => match outcome {
                Ok(result) => format!("outcome  {} bytes in {duration} µs", result.len()),
                Err(failure) => format!("outcome  failed: {}", failure.message),
            },
            Entry::Wait { wait, .. } => format!("wait     {wait:?}"),
            Entry::Resolve(resolve) => format!("resolve  {:?} by {}", resolve.verdict, resolve.by),
            Entry::Cancel { by } => format!("cancel   by {by}"),
            Entry::Takeover { epoch } => format!("takeover {epoch}"),
            Entry::End(end) => format!("end      {:?} {}", end.kind, end.text),
            Entry::CallsCancelled { ids } => format!("dropped  {} calls", ids.len()),
        };
        text += &format!("{seq:>6}  {}\n", escape_control(&words));
    }
    let more = log.entries().len().saturating_sub(MAX_SHOWN);
    if more > 0 {
        text += &format!("and {more} more entries (kael-host runs export prints all)\n");
    }
    text
}
