//! What rules cost: an evaluation of a predicate by language, and reading a line of events.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use kael_engine::runtime::Runtime;
use kael_rules::engine::{Engine, Messages, Options, RuleLimits, WasmEngine};
use kael_rules::event::{Event, Reader};
use kael_rules::package::Package;
use kael_rules::schema::Schema;

use kael_tests::Program;

use super::document::{MEGABYTE, document, round_trip};
use super::measure::{Effort, Pairs, Result, Row, time, timed};

const SCHEMA: &[u8] =
    br#"{"schema_version":"1.0","type":{"from":["type"],"default":"other"},"time":{"from":["t"]},
    "event_types":{"1":"process_exec","2":"other","3":"file_open"},
    "fields":{"1":{"path":"process.pid","type":"i64"},"2":{"path":"process.name","type":"string"},
    "3":{"path":"process.args","type":"string"},"4":{"path":"process.ppid","type":"i64"}}}"#;

/// The seed of a rule: two getters, a comparison and a search.
const SIMPLE: &str = "function pred_eval(e)
  return kestrel.event_get_i64(e, 1) > 100 and kestrel.event_get_str(e, 2):find('nc', 1, true) ~= nil
end";
/// A rule that counts by process.
const STATEFUL: &str = "local seen = {}
function pred_eval(e)
  local pid, ppid = kestrel.event_get_i64(e, 1), kestrel.event_get_i64(e, 4)
  local name, args = kestrel.event_get_str(e, 2), kestrel.event_get_str(e, 3)
  local n = (seen[pid % 500] or 0) + (ppid > 1 and 1 or 0)
  seen[pid % 500] = n
  return n > 1e9 and name ~= '' and args:sub(1, 4) == name and kestrel.event_has(e, 4)
end";
const PATTERN: &str =
    "function pred_eval(e) return kestrel.re_match(1, kestrel.event_get_str(e, 3)) end";
const WASM: &str = r#"(module (import "kestrel" "event_get_i64" (func $i64 (param i32 i32) (result i64)))
  (func (export "pred_eval") (param i32) (result i32)
    (i64.lt_s (call $i64 (local.get 0) (i32.const 1)) (i64.const 0))))"#;

const EVENTS: u64 = 4096;

struct Silent;

impl Messages for Silent {
    fn say(&self, _: &str, _: &str) {}
}

fn lines() -> Vec<String> {
    let arguments = "x".repeat(93);
    (0..EVENTS)
        .map(|n| {
            format!(
                "{{\"type\":\"process_exec\",\"t\":{},\"process.pid\":{n},\"process.name\":\"bash\",\"process.args\":\"{arguments} -{n:04}\",\
                 \"process.ppid\":1,\"user\":\"root\",\"host\":\"a.example.org\",\"more\":[1,2,3],\"path\":\"/usr/bin/bash\"}}",
                1_652_292_622_000_000_000 + n
            )
        })
        .collect()
}

fn package(root: &Path, name: &str, predicate: &str, more: &str) -> Result<Package> {
    let folder = root.join(name);
    fs::create_dir_all(&folder)?;
    let manifest = format!(
        r#"{{"format_version":"1.0","metadata":{{"rule_id":"{name}","rule_name":"x","rule_version":"1"}},
        "patterns":{{"regexes":["curl\\s+-[a-z]+\\s+http"]}}{more}}}"#
    );
    fs::write(folder.join("manifest.json"), manifest)?;
    match predicate.starts_with('(') {
        true => fs::write(folder.join("rule.wasm"), wat::parse_str(predicate)?)?,
        false => fs::write(folder.join("predicate.lua"), predicate)?,
    }
    let mut problems = Vec::new();
    let read = Package::read(&folder, &mut problems);
    Ok(read.ok_or_else(|| format!("{problems:?}"))?)
}

/// Rules that are loaded, with so many threads.
fn engine(
    runtime: &Runtime,
    schema: &Arc<Schema>,
    packages: Vec<Package>,
    threads: usize,
    wasm: &Arc<WasmEngine>,
) -> Result<Engine> {
    let options = Options {
        threads,
        limits: RuleLimits::default(),
        state: None,
        wasm: wasm.clone(),
        messages: Arc::new(Silent),
    };
    Engine::load(runtime, schema, packages, options)
        .map_err(|problems| format!("{problems:?}").into())
}

/// Evaluates all events.
fn evaluate(engine: &mut Engine, events: &[Event]) -> Result<()> {
    let mut alerts = 0;
    for batch in events.chunks(256) {
        alerts += engine.feed(batch.to_vec()).len();
    }
    alerts += engine.flush().len();
    match alerts {
        0 => Ok(()),
        more => Err(format!("{more} alerts, and there is nothing to find").into()),
    }
}

/// What the rules have counted as their own time.
fn spent(engine: &Engine) -> Duration {
    engine.counts().iter().map(|(_, counts)| counts.time).sum()
}

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let folder = tempfile::tempdir()?;
    let root = folder.path();
    let mut problems = Vec::new();
    let schema = Schema::read("schema.json", SCHEMA, &mut problems)
        .ok_or_else(|| format!("{problems:?}"))?;
    let schema = Arc::new(schema);
    let runtime = Runtime::builder().instances(450).build()?;
    let wasm = WasmEngine::new(root.join("data"), Some(Program::get().host.clone()));
    let lines = lines();
    let mut reader = Reader::new(&schema, false);
    let events: Vec<Event> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| {
            let event = reader.event(at as u64 + 1, line.as_bytes());
            event.map_err(|error| format!("{error:?}"))
        })
        .collect::<std::result::Result<_, _>>()?;
    let text = document(MEGABYTE);
    let mut rows = Vec::new();

    // An evaluation, by what the predicate does.
    for (name, predicate, aim) in [
        ("rules: two getters and a search, Lua", SIMPLE, 0.8e-6),
        ("rules: five getters and a table, Lua", STATEFUL, 2e-6),
        ("rules: a pattern over 100 bytes, Lua", PATTERN, 0.6e-6),
        ("rules: a getter, WebAssembly", WASM, 0.15e-6),
    ] {
        let id = name.len().to_string();
        let mut engine = engine(
            &runtime,
            &schema,
            vec![package(root, &id, predicate, "")?],
            1,
            &wasm,
        )?;
        let mut pairs = Pairs::default();
        for _ in 0..effort.of(12) {
            let native = round_trip(&text)?.as_secs_f64();
            let before = spent(&engine);
            evaluate(&mut engine, &events)?;
            let took = spent(&engine).saturating_sub(before).as_secs_f64();
            pairs.push(took / events.len() as f64, native);
        }
        let took = pairs.what();
        let row = Row::new(name, time(took), "1 MB by serde_json", &pairs);
        rows.push(row.aims(time(aim), took <= aim));
    }

    // A line of 300 bytes.
    let mut pairs = Pairs::default();
    for _ in 0..effort.of(12) {
        let native = round_trip(&text)?.as_secs_f64();
        let took = timed(|| {
            for (at, line) in lines.iter().enumerate() {
                let event = reader.event(at as u64 + 1, line.as_bytes());
                black_box(event.map_err(|error| format!("{error:?}"))?);
            }
            Ok(())
        })?;
        pairs.push(took.as_secs_f64() / lines.len() as f64, native);
    }
    let took = pairs.what();
    let row = Row::new(
        "rules: a line to an event",
        time(took),
        "1 MB by serde_json",
        &pairs,
    );
    rows.push(row.aims(time(1.5e-6), took <= 1.5e-6));

    // Two hundred rules, of which each event concerns all, or one of ten.
    let many = |types: &str| -> Result<Vec<Package>> {
        (0..200)
            .map(|n| package(root, &format!("r{}{n}", types.len()), SIMPLE, types))
            .collect()
    };
    let mut pairs = Pairs::default();
    for _ in 0..effort.of(3) {
        let native = round_trip(&text)?.as_secs_f64();
        let packages = many("")?;
        let took = timed(|| engine(&runtime, &schema, packages, 1, &wasm).map(drop))?;
        pairs.push(took.as_secs_f64(), native);
    }
    let took = pairs.what();
    let row = Row::new(
        "rules: loading 200",
        time(took),
        "1 MB by serde_json",
        &pairs,
    );
    rows.push(row.aims(time(0.3), took <= 0.3));

    for (name, types, aim) in [
        ("rules: an event for 200 rules", "", 1.0 / 8_000.0),
        (
            "rules: an event for 200 rules of other types",
            r#","event_types":["file_open"]"#,
            1.0 / 60_000.0,
        ),
    ] {
        let mut engine = engine(&runtime, &schema, many(types)?, 1, &wasm)?;
        let mut pairs = Pairs::default();
        for _ in 0..effort.of(5) {
            let native = round_trip(&text)?.as_secs_f64();
            let took = timed(|| evaluate(&mut engine, &events))?;
            pairs.push(took.as_secs_f64() / events.len() as f64, native);
        }
        let took = pairs.what();
        let row = Row::new(name, time(took), "1 MB by serde_json", &pairs);
        rows.push(row.aims(time(aim), took <= aim));
    }

    // The same rules on one thread and on two.
    let mut one = engine(&runtime, &schema, many("")?, 1, &wasm)?;
    let mut two = engine(&runtime, &schema, many("")?, 2, &wasm)?;
    let mut pairs = Pairs::default();
    for _ in 0..effort.of(5) {
        let alone = timed(|| evaluate(&mut one, &events))?.as_secs_f64();
        let both = timed(|| evaluate(&mut two, &events))?.as_secs_f64();
        pairs.push(both, alone);
    }
    let ratio = pairs.what() / pairs.reference();
    let row = Row::new(
        "rules: 200 on two threads",
        time(pairs.what()),
        "on one thread",
        &pairs,
    );
    rows.push(row.aims("0.56", ratio <= 1.0 / 1.8));
    Ok(rows)
}
