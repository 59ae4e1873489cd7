//! What a client of `kael-host mcp` waits for: a trivial script, checked and run, over pipes.

use std::io::{BufRead as _, BufReader, Write};
use std::process::Stdio;

use kael_tests::Kael;

use super::document::{MEGABYTE, document, round_trip};
use super::measure::{Effort, Pairs, Result, Row, time, timed};

/// Beyond the check and the sandbox.
const AIM: f64 = 1e-3;
const CALLS: u32 = 200;

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
    Ok(vec![row.aims(time(AIM), took <= AIM)])
}
