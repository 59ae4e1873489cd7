//! The time until a script runs: in a new process, in a sandbox, in a sandbox with a repo, and how
//! many of them per second.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use kael_tests::Program;

use super::document::{MEGABYTE, document, round_trip};
use super::hosted::{Echo, Hosted, write_repo};
use super::measure::{Effort, Pairs, Result, Row, in_turns, time, timed};

/// The most seconds that a cold process may take beyond `lua5.4`.
const COLD: f64 = 3e-3;
const WARM: f64 = 45e-6;
const PER_SECOND: f64 = 15_000.0;

fn process(command: &mut Command) -> Result<Duration> {
    timed(|| {
        let status = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("{command:?}: {status}").into()),
        }
    })
}

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let host = &Program::get().host;
    let cold = in_turns(
        effort.of(80),
        || process(Command::new(host).args(["run", "-e", "print(1)"])),
        || process(Command::new("lua5.4").args(["-e", "print(1)"])),
    )?;
    let (kael, lua) = (cold.what(), cold.reference());
    let value = format!("{}, {}", time(kael), time(lua));
    let mut rows = vec![
        Row::new("start: a process, print(1)", value, "lua5.4", &cold).aims(
            format!("{} (lua5.4 and 3 ms)", time(lua + COLD)),
            kael <= lua + COLD,
        ),
    ];

    let text = document(MEGABYTE);
    let (few, many) = (Hosted::new(2, 1, 1)?, Hosted::new(2, 50, 1)?);
    let (mut fresh, mut with_repo) = (Pairs::default(), Pairs::default());
    let loaded = many.repo(Arc::new(Echo(Duration::ZERO)))?;
    for _ in 0..effort.of(40) {
        let native = round_trip(&text)?.as_secs_f64();
        let each = |hosted: &Hosted, repo| -> Result<f64> {
            let mut times = (0..100)
                .map(|_| hosted.run(repo, "return 1", Vec::new()))
                .collect::<Result<Vec<_>>>()?;
            times.sort();
            Ok(times[times.len() / 2].as_secs_f64())
        };
        fresh.push(each(&few, None)?, native);
        with_repo.push(each(&many, Some(&loaded))?, native);
    }
    let native = "1 MB by serde_json";
    let (alone, repo) = (fresh.what(), with_repo.what());
    rows.push(
        Row::new("start: a fresh sandbox", time(alone), native, &fresh)
            .aims(time(WARM), alone <= WARM),
    );
    rows.push(
        Row::new(
            "start: the same, a repo of 50 actions",
            time(repo),
            native,
            &with_repo,
        )
        .aims(time(2.0 * WARM), repo <= 2.0 * WARM),
    );

    let folder = tempfile::tempdir()?;
    write_repo(folder.path(), 50)?;
    let mut loading = Pairs::default();
    for _ in 0..effort.of(40) {
        let native = round_trip(&text)?.as_secs_f64();
        let mut times = (0..10)
            .map(|_| timed(|| many.load(folder.path()).map(|_| ())))
            .collect::<Result<Vec<_>>>()?;
        times.sort();
        loading.push(times[times.len() / 2].as_secs_f64(), native);
    }
    rows.push(Row::new(
        "start: loading a repo of 50 actions",
        time(loading.what()),
        native,
        &loading,
    ));

    let mut trivial = Pairs::default();
    let runs = effort.of(8_000);
    for _ in 0..effort.of(8) {
        let native = round_trip(&text)?.as_secs_f64();
        let took = timed(|| {
            (0..runs).try_for_each(|_| few.run(None, "return 1", Vec::new()).map(|_| ()))
        })?;
        trivial.push(took.as_secs_f64() / runs as f64, native);
    }
    let per_second = 1.0 / trivial.what();
    rows.push(
        Row::new(
            "start: trivial runs, one core",
            format!("{per_second:.0} a second"),
            native,
            &trivial,
        )
        .aims(
            format!("{PER_SECOND:.0} a second"),
            per_second >= PER_SECOND,
        ),
    );
    Ok(rows)
}
