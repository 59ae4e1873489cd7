//! The cost of the gate: calls of an action that returns its parameters at once, prints, and many
//! branches.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use kael_tests::Kael;

use super::document::{MEGABYTE, document, round_trip};
use super::hosted::{Echo, Hosted, Nothing};
use super::measure::{Effort, Pairs, Result, Row, in_turns, time, timed};

const SMALL: f64 = 1.5e-6;
const NOTHING: f64 = 3e-6;
const LARGE: f64 = 20e-3;

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let mut hosted = Hosted::new(2, 1, 1)?;
    // Practically no limit.
    hosted.limits.parallel = 1_000_000;
    let gate = hosted.repo(Arc::new(Echo(Duration::ZERO)))?;
    let idle = hosted.repo(Arc::new(Nothing))?;
    let text = document(MEGABYTE);
    // The seconds of one call with the parameters of this expression.
    let call = |n: usize, params: &str, given: &str, answers: bool| -> Result<f64> {
        let (gate, same) = match answers {
            true => (&gate, "json.encode(p)"),
            false => (&idle, "'null'"),
        };
        let script = |n: usize| {
            format!(
                "local p = {params}\nlocal a, same = actions.a1, {same}\n\
                 for _ = 1, {n} do a(p) end\nassert(json.encode(a(p)) == same)"
            )
        };
        let run = |n| hosted.run(Some(gate), &script(n), vec![given.to_owned()]);
        let (many, none) = (run(n)?, run(0)?);
        Ok(many.saturating_sub(none).as_secs_f64() / n as f64)
    };
    let small = "{ name = ('x'):rep(60), n = 12345, ok = true, list = { 1, 2, 3 } }";
    let sizes = [
        ("gate: a call, 100 B each way", small, 4_000, Some(SMALL)),
        (
            "gate: a call, 100 B there and null back",
            small,
            4_000,
            Some(NOTHING),
        ),
        (
            "gate: a call, 10 KB each way",
            "{ rows = json.decode(arg[1]) }",
            400,
            None,
        ),
        (
            "gate: a call, 1 MB each way",
            "{ rows = json.decode(arg[1]) }",
            8,
            Some(LARGE),
        ),
    ];
    let mut rows = Vec::new();
    for (at, (name, params, calls, target)) in sizes.into_iter().enumerate() {
        let given = if at == 2 {
            document(MEGABYTE / 100)
        } else {
            text.clone()
        };
        let mut pairs = Pairs::default();
        for _ in 0..effort.of(24) {
            let native = round_trip(&text)?.as_secs_f64();
            pairs.push(call(calls, params, &given, at != 1)?, native);
        }
        let took = pairs.what();
        let mut row = Row::new(name, time(took), "1 MB by serde_json", &pairs);
        if let Some(target) = target {
            row = row.aims(time(target), took <= target);
        }
        rows.push(row);
    }

    let mut branches = Pairs::default();
    let script = "local fs = {} for i = 1, 1000 do fs[i] = function() return actions.a1({ i = i }).i end end\n\
                  local all = parallel(fs) for i = 1, 1000 do assert(all[i] == i) end";
    for _ in 0..effort.of(24) {
        let native = round_trip(&text)?.as_secs_f64();
        let took = hosted.run(Some(&gate), script, Vec::new())?;
        branches.push(took.as_secs_f64(), native);
    }
    rows.push(Row::new(
        "gate: 1,000 branches in parallel",
        time(branches.what()),
        "1 MB by serde_json",
        &branches,
    ));

    let nap = Duration::from_millis(100);
    let napping = hosted.repo(Arc::new(Echo(nap)))?;
    let script = "local fs = {} for i = 1, 32 do fs[i] = function() return actions.a1({}) end end parallel(fs)";
    let mut naps = Pairs::default();
    for _ in 0..effort.of(8) {
        let took = hosted.run(Some(&napping), script, Vec::new())?;
        naps.push(took.as_secs_f64(), nap.as_secs_f64());
    }
    rows.push(
        Row::new(
            "gate: 32 actions of 100 ms in parallel",
            time(naps.what()),
            "100 ms",
            &naps,
        )
        .at_most(2.5),
    );

    let session = Kael::new().file(
        "print.lua",
        "for i = 1, 10000 do print(i, 'some text', true) end",
    );
    let print = |command: &mut Command| {
        command
            .current_dir(session.path())
            .arg("print.lua")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        timed(|| match command.status()?.success() {
            true => Ok(()),
            false => Err("print.lua failed".into()),
        })
    };
    let prints = in_turns(
        effort.of(24),
        || print(session.command().arg("run")),
        || print(&mut Command::new("lua5.4")),
    )?;
    let value = format!("{}, {}", time(prints.what()), time(prints.reference()));
    rows.push(Row::new(
        "gate: 10,000 prints, process",
        value,
        "lua5.4",
        &prints,
    ));
    Ok(rows)
}
