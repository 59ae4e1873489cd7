//! What Kael costs: `tests/bench/run`, which is `cargo bench -p kael-bench`.
//!
//!     tests/bench/run                    # all of it, about ten minutes
//!     tests/bench/run --short            # less of everything, about three
//!     tests/bench/run --rounds 3 gate    # the rows whose name begins so
//!     tests/bench/run --check            # fails where a row is worse than bounds.json allows
//!
//! Each row is a ratio of two things that were done in turns on this machine, in this run: the
//! median of the rounds, with the least and the most beside it. What is compared must give the same
//! answer. The table is on stdout, and as JSON in `target/bench/table.json`. NOTES.md says what was
//! tried. Needs `lua5.4` and `python3`; `luajit` is run where it is there, for the record.

mod actions;
mod document;
mod durable;
mod gate;
mod hosted;
mod lua;
mod many;
mod matches;
mod mcp;
mod measure;
mod policy;
mod rules;
mod size;
mod start;

use std::fs;
use std::process::ExitCode;

use kael_tests::project;
use serde_json::{Value, json};

use measure::{Effort, Result, Row};

const HELP: &str = "\
tests/bench/run [--short] [--rounds N] [--check] [ROWS]

  --short      less of everything
  --rounds N   rounds of what takes a second (7; 3 with --short)
  --check      fail where a row is worse than tests/bench/bounds.json allows
  ROWS         only the rows whose name begins so: `gate`, `lua: sort`";

/// The command line.
struct Asked {
    effort: Effort,
    check: bool,
    only: String,
}

impl Asked {
    /// From the command line; cargo adds `--bench`.
    fn read() -> Result<Self> {
        let (mut rounds, mut short, mut check) = (None, false, false);
        let mut only = String::new();
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--bench" => {}
                "--help" | "-h" => {
                    println!("{HELP}");
                    std::process::exit(0);
                }
                "--short" => short = true,
                "--check" => check = true,
                "--rounds" => rounds = Some(words.next().ok_or("--rounds N")?.parse()?),
                other if other.starts_with('-') => {
                    return Err(format!("what is `{other}`?\n{HELP}").into());
                }
                other => other.clone_into(&mut only),
            }
        }
        let rounds = rounds.unwrap_or(if short { 3 } else { 7 });
        if rounds == 0 {
            return Err("--rounds is at least 1".into());
        }
        Ok(Self {
            effort: Effort { rounds, short },
            check,
            only,
        })
    }

    /// Whether a row was selected, or a row whose name begins with `name`.
    fn wants(&self, name: &str) -> bool {
        name.starts_with(&self.only) || self.only.starts_with(name)
    }
}

fn main() -> Result<ExitCode> {
    let asked = Asked::read()?;
    let effort = asked.effort;
    println!("{}", Row::head());
    let mut rows = Vec::<Row>::new();
    let mut add = |more: Vec<Row>| {
        more.iter().for_each(|row| println!("{}", row.line()));
        rows.extend(more);
    };
    // The memory of a run is measured first, before other parts use memory.
    type Part = fn(Effort) -> Result<Vec<Row>>;
    let parts: [(&str, Part); 11] = [
        ("many: ", many::rows),
        ("start: ", start::rows),
        ("gate: ", gate::rows),
        ("policy: ", policy::rows),
        ("durable: ", durable::rows),
        ("mcp: ", mcp::rows),
        ("rules: ", rules::rows),
        ("matches: ", matches::rows),
        ("json: ", document::rows),
        ("envyr: ", actions::rows),
        ("size: ", size::rows),
    ];
    for (prefix, part) in parts {
        if asked.wants(prefix) {
            add(part(effort)?);
        }
    }
    if asked.wants("lua: ") {
        add(lua::rows(effort, |name| name.starts_with(&asked.only))?);
    }
    if rows.is_empty() {
        return Err(format!("no row begins with `{}`", asked.only).into());
    }
    write(&asked, &rows)?;
    if !asked.check {
        return Ok(ExitCode::SUCCESS);
    }
    let bounds: Value = serde_json::from_str(include_str!("bounds.json"))?;
    // luajit's rows are only for information.
    let held = rows.iter().filter(|row| !row.is_record());
    let broken: Vec<String> = held.filter_map(|row| row.broken(&bounds)).collect();
    for line in &broken {
        eprintln!("out of bounds: {line}");
    }
    Ok(ExitCode::from(u8::from(!broken.is_empty())))
}

fn write(asked: &Asked, rows: &[Row]) -> Result<()> {
    let folder = project("target/bench");
    fs::create_dir_all(&folder)?;
    let rows: Vec<Value> = rows.iter().map(Row::json).collect();
    let table = json!({ "rounds": asked.effort.rounds, "short": asked.effort.short, "rows": rows });
    let text = serde_json::to_string_pretty(&table)?;
    Ok(fs::write(folder.join("table.json"), text)?)
}
