//! `kael-host rules diff`: the alerts that only one of two versions gives.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::Diff;
use super::bench::all_events;
use super::load::{engine, options, read};
use crate::args::Shared;
use crate::exit;
use crate::terminal::{say, say_json};
use kael_rules::alert::Alert;
use kael_rules::engine::WasmEngine;

/// Lines that are shown of each rule and side.
const SHOWN: usize = 20;

pub(super) fn run(shared: &Shared, diff: &Diff, wasm: &Arc<WasmEngine>) -> u8 {
    evaluate(shared, diff, wasm).unwrap_or_else(|code| code)
}

/// The lines that alert, by rule, and how many alerts each has.
type Lines = BTreeMap<String, BTreeMap<u64, usize>>;

fn evaluate(shared: &Shared, diff: &Diff, wasm: &Arc<WasmEngine>) -> Result<u8, u8> {
    let old = alerts(
        shared,
        wasm,
        &diff.old,
        diff.schema.as_deref(),
        &diff.events,
    )?;
    let new = alerts(
        shared,
        wasm,
        &diff.new,
        diff.schema.as_deref(),
        &diff.events,
    )?;
    let mut out = String::new();
    let rules: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let none = BTreeMap::new();
    let mut same = 0;
    let mut document = serde_json::Map::new();
    for rule in rules {
        let (before, after) = (
            old.get(rule).unwrap_or(&none),
            new.get(rule).unwrap_or(&none),
        );
        let only = |one: &BTreeMap<u64, usize>, other: &BTreeMap<u64, usize>| -> Vec<u64> {
            let more =
                |(line, count): &(&u64, &usize)| other.get(*line).is_none_or(|has| has < *count);
            one.iter().filter(more).map(|(line, _)| *line).collect()
        };
        let (lost, won) = (only(before, after), only(after, before));
        if lost.is_empty() && won.is_empty() {
            same += 1;
            continue;
        }
        let lines = serde_json::json!({ "only_old": lost, "only_new": won });
        document.insert(rule.clone(), lines);
        _ = writeln!(
            out,
            "{rule}: {} only in the old rules, {} only in the new",
            lost.len(),
            won.len()
        );
        for (sign, lines) in [('-', lost), ('+', won)] {
            let shown: Vec<String> = lines.iter().take(SHOWN).map(u64::to_string).collect();
            if !shown.is_empty() {
                let more = if lines.len() > SHOWN { " ..." } else { "" };
                _ = writeln!(out, "  {sign} events {}{more}", shown.join(", "));
            }
        }
    }
    let code = if out.is_empty() {
        exit::SUCCESS
    } else {
        exit::SCRIPT_FAILED
    };
    if diff.json {
        let document = serde_json::json!({ "same": out.is_empty(), "rules": document });
        return Ok(say_json(&document, code));
    }
    if out.is_empty() {
        _ = writeln!(out, "the same alerts ({same} rules with any)");
    }
    Ok(say(&out, code))
}

fn alerts(
    shared: &Shared,
    wasm: &Arc<WasmEngine>,
    folder: &Path,
    schema: Option<&Path>,
    events: &[PathBuf],
) -> Result<Lines, u8> {
    let loaded = read(shared, &[folder.to_owned()], schema, None)?;
    let (_runtime, mut engine) = engine(shared, &loaded, options(wasm, 1, None))?;
    let mut lines = Lines::new();
    let mut add = |alerts: Vec<Alert>| {
        for alert in alerts {
            *lines
                .entry(alert.rule_id)
                .or_default()
                .entry(alert.seq)
                .or_default() += 1;
        }
    };
    let all = all_events(shared, &loaded.schema, events)?;
    for batch in all.chunks(256) {
        add(engine.feed(batch.to_vec()));
    }
    add(engine.finish());
    Ok(lines)
}
