//! What a client of `kael-host mcp` waits for: a trivial script, checked and run, over pipes. And
//! what a call of a server's tool costs beyond the server's own time.

use std::io::{BufRead as _, BufReader, Write};
use std::process::Stdio;

use kael_tests::Kael;

use super::document::{MEGABYTE, document, round_trip};
use super::measure::{Effort, Pairs, Result, Row, time, timed};

/// Beyond the check and the sandbox.
const AIM: f64 = 1e-3;
const CALLS: u32 = 200;
/// Beyond the server's own time.
const CALL_AIM: f64 = 0.5e-3;

const HELLO: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let session = Kael::new();
    let mut command = session.command();
    command
        .arg("mcp")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut host = command.spawn()?;
    let mut input = host.stdin.take().ok_or("a pipe")?;
    let mut lines = BufReader::new(host.stdout.take().ok_or("a pipe")?).lines();
    writeln!(input, "{HELLO}")?;
    lines.next().ok_or("an answer")??;
    let text = document(MEGABYTE);
    let mut pairs = Pairs::default();
    for _ in 0..effort.of(12) {
        let native = round_trip(&text)?.as_secs_f64();
        let took = timed(|| {
            for id in 1..=CALLS {
                writeln!(
                    input,
                    r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"run","arguments":{{"code":"return 7"}}}}}}"#
                )?;
                let answer = lines.next().ok_or("an answer")??;
                if !answer.contains("\"result\":7") {
                    return Err("the script returns 7".into());
                }
            }
            Ok(())
        })?;
        pairs.push(took.as_secs_f64() / f64::from(CALLS), native);
    }
    drop(input);
    host.wait()?;
    let took = pairs.what();
    let row = Row::new(
        "mcp: a trivial run over stdio",
        time(took),
        "1 MB by serde_json",
        &pairs,
    );
    Ok(vec![row.aims(time(AIM), took <= AIM), called(effort)?])
}

/// A call of a tool as an action, on a server that runs: `kael-host mcp` itself.
fn called(effort: Effort) -> Result<Row> {
    let session = Kael::new().file("actions/init.lua", "return {}\n");
    let host = session.command().get_program().to_owned();
    let mut add = session.command();
    add.args(["--actions", "actions", "actions", "mcp", "add", "peer"])
        .arg(&host)
        .arg("mcp");
    if !add.stdout(Stdio::null()).status()?.success() {
        return Err("the server is not added".into());
    }
    let session = session.file("actions/init.lua", "return { peer = require('peer') }\n");
    let run = |calls: u32| {
        let code = format!("for _ = 1, {calls} do actions.peer.search({{}}) end");
        let mut command = session.command();
        command.args(["--actions", "actions", "run", "-e", &code]);
        timed(|| match command.status()?.success() {
            true => Ok(()),
            false => Err("the calls succeed".into()),
        })
    };
    let mut command = session.command();
    command
        .arg("mcp")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut server = command.spawn()?;
    let mut input = server.stdin.take().ok_or("a pipe")?;
    let mut lines = BufReader::new(server.stdout.take().ok_or("a pipe")?).lines();
    writeln!(input, "{HELLO}")?;
    lines.next().ok_or("an answer")??;
    let mut pairs = Pairs::default();
    for _ in 0..effort.of(6) {
        let own = timed(|| {
            for id in 1..=CALLS {
                writeln!(
                    input,
                    r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"search","arguments":{{}}}}}}"#
                )?;
                lines.next().ok_or("an answer")??;
            }
            Ok(())
        })?;
        // What starting the host and the server takes is in both.
        let one = run(1)?;
        let more = run(CALLS + 1)?.saturating_sub(one);
        let each = |time: std::time::Duration| time.as_secs_f64() / f64::from(CALLS);
        pairs.push(each(more), each(own));
    }
    drop(input);
    server.wait()?;
    let beyond = pairs.what() - pairs.reference();
    let row = Row::new(
        "mcp: a call of a warm server's tool",
        time(beyond),
        "the server's own time",
        &pairs,
    );
    Ok(row.aims(time(CALL_AIM), beyond <= CALL_AIM))
}
