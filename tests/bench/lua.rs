//! Lua programs in Kael, with all limits on, compared with `lua5.4`.
//!
//! One run of a program gives two figures: the time of the whole process, and that of the program
//! by its own `os.clock`.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use kael_tests::{Kael, project};

use super::measure::{Effort, Pairs, Result, Row, geometric_mean, time};

/// The highest ratio to `lua5.4` that each row may have, and their mean.
const MOST: f64 = 3.0;
const MEAN: f64 = 1.6;

/// Processes of `lua5.4` per process of Kael.
const PROCESSES: u32 = 4;

/// Seconds of the whole process, seconds of the program, and its output.
type Run = (f64, f64, String);

pub(crate) fn rows(effort: Effort, wanted: impl Fn(&str) -> bool) -> Result<Vec<Row>> {
    let jit = Command::new("luajit")
        .arg("-v")
        .stdout(Stdio::null())
        .status()
        .is_ok();
    let mut paths = fs::read_dir(project("tests/bench/lua"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    paths.sort();
    let (mut rows, mut inner, mut outer) = (Vec::new(), Vec::new(), Vec::new());
    for path in &paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let row = format!("lua: {name}");
        if !wanted(&row) {
            continue;
        }
        let workload = Workload::new(path)?;
        let (mut whole, mut alone, mut record) =
            (Pairs::default(), Pairs::default(), Pairs::default());
        for _ in 0..effort.rounds {
            let lua = workload.by_lua()?;
            let kael = workload.by(workload.session.command().arg("run"))?;
            if kael.2 != lua.2 {
                return Err(format!("{name}: `{}`, and by lua5.4 `{}`", kael.2, lua.2).into());
            }
            whole.push(kael.0, lua.0);
            alone.push(kael.1, lua.1);
            if jit {
                record.push(workload.by(&mut Command::new("luajit"))?.0, lua.0);
            }
        }
        let both = |pairs: &Pairs| format!("{}, {}", time(pairs.what()), time(pairs.reference()));
        let own = Row::new(&row, both(&alone), "lua5.4", &alone).at_most(MOST);
        inner.push(own.ratio());
        rows.push(own);
        let process = Row::new(&format!("{row}, process"), both(&whole), "lua5.4", &whole);
        outer.push(process.ratio());
        rows.push(process);
        if jit {
            let value = time(record.what());
            rows.push(Row::new(
                &format!("{row}, by luajit"),
                value,
                "lua5.4",
                &record,
            ));
        }
    }
    for (name, ratios) in [("lua: mean", &inner), ("lua: mean, process", &outer)] {
        if ratios.len() == paths.len() {
            let mut mean = Pairs::default();
            mean.push(geometric_mean(ratios), 1.0);
            let row = Row::new(name, String::new(), "lua5.4", &mean);
            rows.push(row.at_most(MEAN));
        }
    }
    Ok(rows)
}

struct Workload {
    session: Kael,
}

impl Workload {
    /// A program that prints its time last.
    fn new(path: &Path) -> Result<Self> {
        let program = fs::read_to_string(path)?;
        let timed = format!(
            "local clock, start = os.clock, os.clock() ; (function(...) {program}\nend)(...)\nprint(clock() - start)\n"
        );
        Ok(Self {
            session: Kael::new().file("workload.lua", timed),
        })
    }

    /// The mean of several processes. Each has another hash seed, which decides how fast an error
    /// finds the name of the function that raised it. That makes the workload `errors` up to five
    /// times slower in some processes.
    fn by_lua(&self) -> Result<Run> {
        let mut mean: Run = (0.0, 0.0, String::new());
        for _ in 0..PROCESSES {
            let (whole, own, answer) = self.by(&mut Command::new("lua5.4"))?;
            let share = |sum: f64, one: f64| sum + one / f64::from(PROCESSES);
            mean = (share(mean.0, whole), share(mean.1, own), answer);
        }
        Ok(mean)
    }

    fn by(&self, command: &mut Command) -> Result<Run> {
        let start = Instant::now();
        let output = command
            .current_dir(self.session.path())
            .arg("workload.lua")
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()?;
        let took = start.elapsed().as_secs_f64();
        if !output.status.success() {
            return Err(format!("{command:?}: {}", output.status).into());
        }
        let text = String::from_utf8(output.stdout)?;
        let (answer, own) = text
            .trim_end()
            .rsplit_once('\n')
            .ok_or("a workload prints its answer")?;
        Ok((took, own.parse()?, answer.to_owned()))
    }
}
