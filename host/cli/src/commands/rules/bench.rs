//! `kael-host rules bench`: what an evaluation of each rule takes.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;
use std::sync::Arc;

use super::args::Bench;
use super::input::sources;
use super::load::{Loaded, engine, options, read, unusable};
use crate::args::Shared;
use crate::exit;
use crate::terminal::{say, say_json};
use kael_rules::engine::WasmEngine;
use kael_rules::event::{Event, Lines, Reader};
use kael_rules::schema::Schema;

/// Events with which single evaluations are measured.
const SINGLES: usize = 2000;
/// How long the batches are repeated.
const LONG_ENOUGH: Duration = Duration::from_millis(500);

struct Row {
    rule: String,
    mean: u128,
    median: u128,
    p99: u128,
    share: f64,
}

pub(super) fn run(shared: &Shared, bench: &Bench, wasm: &Arc<WasmEngine>) -> u8 {
    evaluate(shared, bench, wasm).unwrap_or_else(|code| code)
}

/// All events of some files.
pub(super) fn all_events(
    shared: &Shared,
    schema: &Schema,
    events: &[PathBuf],
) -> Result<Vec<Event>, u8> {
    let mut reader = Reader::new(schema, false);
    let (mut all, mut seq) = (Vec::new(), 0);
    for source in sources(events) {
        let name = source.name();
        let failed = |error| unusable(shared, Path::new(&name), &error);
        let mut lines = Lines::open(&source, false).map_err(failed)?;
        while let Some(line) = lines.next(&mut seq).map_err(failed)? {
            all.extend(reader.event(line.seq, &line.bytes).ok());
        }
    }
    Ok(all)
}

fn evaluate(shared: &Shared, bench: &Bench, wasm: &Arc<WasmEngine>) -> Result<u8, u8> {
    let loaded = read(
        shared,
        &bench.set.folders,
        bench.set.schema.as_deref(),
        None,
    )?;
    let parsing = Instant::now();
    let events = all_events(shared, &loaded.schema, &bench.events)?;
    let parsed = parsing.elapsed();
    let threads = usize::from(bench.speed.threads);
    let loading = Instant::now();
    let (_runtime, mut engine) = engine(shared, &loaded, options(wasm, threads, None))?;
    let load = loading.elapsed();
    let begun = Instant::now();
    let mut evaluated = 0;
    while begun.elapsed() < LONG_ENOUGH || evaluated == 0 {
        for batch in events.chunks(usize::from(bench.speed.batch)) {
            engine.feed(batch.to_vec());
        }
        engine.flush();
        evaluated += events.len();
        if events.is_empty() {
            break;
        }
    }
    let rate = evaluated as f64 / begun.elapsed().as_secs_f64();
    let counts = engine.counts();
    drop(engine);
    let all: u128 = counts
        .iter()
        .map(|(_, counts)| counts.time.as_nanos())
        .sum();
    let mut rows = Vec::new();
    for (rule, counts) in counts {
        let mut singles = singles(shared, wasm, &loaded, &rule, &events)?;
        singles.sort_unstable();
        let at = |part: usize| {
            singles
                .get(singles.len() * part / 100)
                .copied()
                .unwrap_or(0)
        };
        rows.push(Row {
            mean: counts.mean(),
            median: at(50),
            p99: at(99),
            share: counts.time.as_nanos() as f64 / all.max(1) as f64,
            rule,
        });
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.mean));
    let line = parsed.as_nanos() / events.len().max(1) as u128;
    if bench.json {
        let row = |row: &Row| {
            json!({
                "rule": row.rule,
                "mean_ns": row.mean as u64,
                "single_median_ns": row.median as u64,
                "single_p99_ns": row.p99 as u64,
                "share": row.share,
            })
        };
        let document = json!({
            "events": events.len(),
            "events_per_second": rate,
            "read_ns": line as u64,
            "load_ms": load.as_secs_f64() * 1e3,
            "rules": rows.iter().map(row).collect::<Vec<_>>(),
        });
        return Ok(say_json(&document, exit::SUCCESS));
    }
    let mut out = String::new();
    _ = writeln!(
        out,
        "{:>10} {:>10} {:>10} {:>7}  rule",
        "mean ns", "one: p50", "p99", "share"
    );
    for row in &rows {
        _ = writeln!(
            out,
            "{:>10} {:>10} {:>10} {:>6.1}%  {}",
            row.mean,
            row.median,
            row.p99,
            row.share * 100.0,
            row.rule
        );
    }
    _ = writeln!(
        out,
        "{} events, {rate:.0} events/s for all rules, {line} ns to read one, {:.1} ms to load",
        events.len(),
        load.as_secs_f64() * 1e3
    );
    Ok(say(&out, exit::SUCCESS))
}

/// How long single evaluations of a rule take, in nanoseconds.
fn singles(
    shared: &Shared,
    wasm: &Arc<WasmEngine>,
    loaded: &Loaded,
    rule: &str,
    events: &[Event],
) -> Result<Vec<u128>, u8> {
    let package = loaded.packages.iter();
    let one = Loaded {
        packages: package
            .filter(|package| package.manifest.rule_id == rule)
            .cloned()
            .collect(),
        schema: loaded.schema.clone(),
    };
    let (_runtime, mut engine) = engine(shared, &one, options(wasm, 1, None))?;
    let mut times = Vec::new();
    let mut before = Duration::ZERO;
    for event in events.iter().take(SINGLES) {
        engine.feed(vec![event.clone()]);
        engine.flush();
        let total = engine
            .counts()
            .first()
            .map_or(before, |(_, counts)| counts.time);
        if total > before {
            times.push((total - before).as_nanos());
        }
        before = total;
    }
    Ok(times)
}
