//! How fast scripts run against Lua's own program: `cargo bench -p kael-tests`.
//!
//!     cargo bench -p kael-tests                        # seven rounds, about a minute
//!     cargo bench -p kael-tests -- --rounds 3 sort     # the workloads whose name holds this
//!
//! Each row is a ratio of whole processes that ran in turns: the median of the rounds, with the smallest and the largest
//! beside it. All must print the same. The table is on stdout, and as JSON in `target/bench/lua.json`. NOTES.md says what
//! was tried. Needs `lua5.4`; `luajit` is run where it is there, for the record.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use kael_tests::{Kael, project};
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What was asked for.
struct Asked {
    rounds: usize,
    filter: String,
}

impl Asked {
    /// From the command line; cargo adds `--bench`.
    fn read() -> Result<Self> {
        let mut asked = Self {
            rounds: 7,
            filter: String::new(),
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--bench" => {}
                "--rounds" => asked.rounds = words.next().ok_or("--rounds N")?.parse()?,
                other => other.clone_into(&mut asked.filter),
            }
        }
        if asked.rounds == 0 {
            return Err("--rounds is at least 1".into());
        }
        Ok(asked)
    }
}

/// Runs a program to its end: how long that took in seconds, and what it printed.
fn time(command: &mut Command) -> Result<(f64, Vec<u8>)> {
    let start = Instant::now();
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()?;
    let took = start.elapsed().as_secs_f64();
    if output.status.success() {
        Ok((took, output.stdout))
    } else {
        Err(format!("{command:?}: {}", output.status).into())
    }
}

/// Ratios of the same thing, sorted.
struct Ratios(Vec<f64>);

impl Ratios {
    fn new(mut ratios: Vec<f64>) -> Self {
        ratios.sort_by(f64::total_cmp);
        Self(ratios)
    }

    fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    fn text(&self) -> String {
        let (least, most) = (self.0[0], self.0[self.0.len() - 1]);
        format!("{:.2} ({least:.2} to {most:.2})", self.median())
    }
}

/// One workload by each program, in turns: the ratios of Kael and of luajit to lua5.4, and the median of lua5.4 in seconds.
fn workload(path: &Path, rounds: usize, jit: bool) -> Result<(Ratios, Option<Ratios>, f64)> {
    let session = Kael::new();
    let (mut kael, mut luajit, mut lua) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (reference, expected) = time(Command::new("lua5.4").arg(path))?;
        lua.push(reference);
        let (took, printed) = time(session.command().arg("run").arg(path))?;
        if printed != expected {
            return Err(format!("{}: another answer", path.display()).into());
        }
        kael.push(took / reference);
        if jit {
            let (took, printed) = time(Command::new("luajit").arg(path))?;
            if printed != expected {
                return Err(format!("{}: luajit has another answer", path.display()).into());
            }
            luajit.push(took / reference);
        }
    }
    let luajit = jit.then(|| Ratios::new(luajit));
    Ok((Ratios::new(kael), luajit, Ratios::new(lua).median()))
}

fn geometric_mean(values: &[f64]) -> f64 {
    (values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64).exp()
}

fn main() -> Result<()> {
    let asked = Asked::read()?;
    let mut paths: Vec<PathBuf> = fs::read_dir(project("tests/bench/lua"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    paths.retain(|path| path.display().to_string().contains(&asked.filter));
    paths.sort();
    if paths.is_empty() {
        return Err(format!("no workload is called `{}`", asked.filter).into());
    }
    let jit = Command::new("luajit")
        .arg("-v")
        .stdout(Stdio::null())
        .status()
        .is_ok();
    println!("| workload   | Kael / lua5.4           | luajit / lua5.4         | lua5.4 |");
    println!("| ---------- | ----------------------- | ----------------------- | ------ |");
    let (mut rows, mut medians) = (Vec::<Value>::new(), Vec::new());
    for path in &paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let (kael, luajit, lua) = workload(path, asked.rounds, jit)?;
        let record = luajit.as_ref().map_or(String::new(), Ratios::text);
        let ms = lua * 1e3;
        println!(
            "| {name:<10} | {:<23} | {record:<23} | {ms:.0} ms |",
            kael.text()
        );
        medians.push(kael.median());
        rows.push(json!({
            "workload": name,
            "kael": kael.0,
            "luajit": luajit.map(|ratios| ratios.0),
            "lua_ms": ms,
        }));
    }
    let mean = geometric_mean(&medians);
    println!("geometric mean: {mean:.2} x lua5.4");
    let folder = project("target/bench");
    fs::create_dir_all(&folder)?;
    let table = json!({ "rounds": asked.rounds, "rows": rows, "geometric_mean": mean });
    fs::write(
        folder.join("lua.json"),
        serde_json::to_string_pretty(&table)?,
    )?;
    Ok(())
}
