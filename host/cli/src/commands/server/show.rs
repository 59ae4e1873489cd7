//! `kael-host show`: a run of a server.

use kael_server::client::{ClientError, Run};
use serde_json::{Value, json};

use super::args::Show as Arguments;
use super::{Context, code, ps};
use crate::args::Shared;
use crate::exit;
use crate::sanitize::escape_control;
use crate::terminal::{Look, Paint, say, say_json};
use kael_engine::environment::Environment;

/// Calls that are shown to a person.
const MAX_CALLS: usize = 30;

pub(crate) fn run(shared: &Shared, arguments: &Arguments, environment: &Environment) -> u8 {
    let context = Context::new(shared, environment, &arguments.target);
    code(show(&context, arguments))
}

fn show(context: &Context<'_>, arguments: &Arguments) -> Result<u8, u8> {
    let client = context.client(&arguments.target)?;
    let (run, calls) = context.ask(async {
        let run: Run = client.get(&format!("/v1/runs/{}", arguments.run)).await?;
        let path = format!("/v1/runs/{}/calls", arguments.run);
        let calls: Value = match client.get(&path).await {
            Ok(calls) => calls,
            // The run is there, and its calls are not any more.
            Err(ClientError::Refused(problem)) if problem.status == 410 => {
                json!({ "calls": [], "removed": problem.detail })
            }
            Err(error) => return Err(error),
        };
        Ok((run, calls))
    })?;
    if context.json {
        return Ok(say_json(
            &json!({ "run": run, "calls": calls["calls"], "removed": calls["removed"] }),
            exit::SUCCESS,
        ));
    }
    let paint = Paint::new(context.environment);
    Ok(say(&text(&run, &calls, paint), exit::SUCCESS))
}

fn text(run: &Run, calls: &Value, paint: Paint) -> String {
    let state = match &run.reason {
        Some(reason) => format!("{} ({reason})", run.state),
        None => run.state.clone(),
    };
    let mut rows = vec![
        ("run", run.id.clone()),
        ("script", run.name.clone()),
        ("state", state),
        ("tenant", run.tenant.clone()),
        (
            "submitted",
            format!("{} by {} ({})", run.created, run.submitter, run.origin),
        ),
    ];
    rows.extend(run.started.clone().map(|started| ("started", started)));
    rows.extend(run.ended.clone().map(|ended| ("ended", ended)));
    rows.extend(run.exit_code.map(|code| ("exit code", code.to_string())));
    if let Some(usage) = &run.usage {
        let used = format!(
            "{} of {} computing, {} KiB of memory, {} calls",
            ps::took(usage.cpu_ms),
            ps::took(usage.wall_ms),
            usage.memory_bytes >> 10,
            usage.calls
        );
        rows.push(("used", used));
    }
    let mut out = String::new();
    for (label, value) in rows {
        let label = paint.text(Look::Faint, &format!("{label:<10}"));
        out += &format!("{label}  {}\n", escape_control(&value));
    }
    if let Some(error) = &run.error {
        out += &paint.text(Look::Bad, &format!("Error: {}", error.message));
        out.push('\n');
        for frame in &error.traceback {
            out += &format!("  {}\n", escape_control(frame));
        }
        if let Some(hint) = &error.hint {
            out += &format!("hint: {}\n", escape_control(hint));
        }
    }
    if let Some(removed) = calls["removed"].as_str() {
        out += &format!("{}\n", escape_control(removed));
    }
    let all = calls["calls"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    for call in all.iter().take(MAX_CALLS) {
        let took = call["ms"]
            .as_f64()
            .map_or_else(|| "running".to_owned(), ps::took);
        let outcome = call["outcome"].as_str().unwrap_or("");
        let line = format!(
            "call {:<4} {:<32} {took:>9}  {outcome}",
            call["call"].as_u64().unwrap_or(0),
            call["action"].as_str().unwrap_or("")
        );
        out += &format!("{}\n", escape_control(line.trim_end()));
    }
    if all.len() > MAX_CALLS {
        out += &format!(
            "and {} more calls: --json has them all\n",
            all.len() - MAX_CALLS
        );
    }
    out
}
