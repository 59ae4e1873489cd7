//! A thousand runs in one process, each waiting for an action.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use super::document::{MEGABYTE, document, round_trip};
use super::hosted::{Echo, Hosted};
use super::measure::{Effort, Pairs, Result, Row, time, timed};

const RUNS: u32 = 1000;
const NAP: Duration = Duration::from_millis(200);

/// The most memory of the host per waiting run, in MiB.
const MEMORY: f64 = 1.0;

/// The memory of this process now, in MiB.
pub(crate) fn resident() -> Result<f64> {
    resident_of(&fs::read_to_string("/proc/self/status")?)
}

/// The memory of a process, whose `/proc/…/status` this is, in MiB.
pub(crate) fn resident_of(status: &str) -> Result<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .ok_or("no VmRSS in its status")?
        .parse()?;
    Ok(kib / 1024.0)
}

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let hosted = Hosted::new(RUNS, 1, 2)?;
    let text = document(MEGABYTE);
    let napping = hosted.repo(Arc::new(Echo(NAP)))?;
    let script = "assert(actions.a1({ a = 1 }).a == 1)";
    let (mut took, mut memory) = (Pairs::default(), Pairs::default());
    let before = resident()?;
    for _ in 0..effort.of(8) {
        let mut most = before;
        let time = timed(|| {
            hosted.runtime.block_on(async {
                let mut looking = tokio::time::interval(Duration::from_millis(20));
                let all = futures_util::future::try_join_all(
                    (0..RUNS).map(|_| hosted.running(Some(&napping), script, Vec::new())),
                );
                let mut all = std::pin::pin!(all);
                loop {
                    tokio::select! {
                        done = &mut all => return done.map(|_| ()),
                        _ = looking.tick() => most = most.max(resident()?),
                    }
                }
            })
        })?;
        took.push(time.as_secs_f64(), NAP.as_secs_f64());
        memory.push((most - before) / f64::from(RUNS), MEMORY);
    }
    let each = memory.what();
    let mut rows = vec![
        Row::new(
            "many: 1,000 runs that wait 200 ms",
            time(took.what()),
            "200 ms",
            &took,
        ),
        Row::new(
            "many: memory of a waiting run",
            format!("{each:.2} MiB"),
            "1 MiB",
            &memory,
        )
        .aims("1 MiB", each <= MEMORY),
    ];

    // As many as two cores do: each task goes on to the next run when its own has ended.
    let hosted = Arc::new(hosted);
    let mut pairs = Pairs::default();
    let runs = effort.of(8_000);
    for _ in 0..effort.of(8) {
        let native = round_trip(&text)?.as_secs_f64();
        let took = timed(|| {
            let tasks = [0, 1].map(|_| {
                let hosted = hosted.clone();
                hosted.clone().runtime.spawn(async move {
                    for _ in 0..runs {
                        let run = hosted.running(None, "return 1", Vec::new()).await;
                        run.map_err(|error| error.to_string())?;
                    }
                    Ok::<(), String>(())
                })
            });
            for task in tasks {
                hosted.runtime.block_on(task)??;
            }
            Ok(())
        })?;
        pairs.push(took.as_secs_f64() / (2 * runs) as f64, native);
    }
    rows.push(Row::new(
        "many: trivial runs, two cores",
        format!("{:.0} a second", 1.0 / pairs.what()),
        "1 MB by serde_json",
        &pairs,
    ));
    Ok(rows)
}
