//! `kael-host ps`: the runs of a server.

use kael_engine::text::percent_encoded;
use std::time::Duration;

use kael_server::client::{Client, ClientError, Run, Runs};

use super::args::Ps as Arguments;
use super::{Context, code};
use crate::args::Shared;
use crate::exit;
use crate::terminal::{Look, Paint, say, say_json};
use kael_engine::environment::Environment;

pub(crate) fn run(shared: &Shared, arguments: &Arguments, environment: &Environment) -> u8 {
    let context = Context::new(shared, environment, &arguments.target);
    code(ps(&context, arguments))
}

fn ps(context: &Context<'_>, arguments: &Arguments) -> Result<u8, u8> {
    let client = context.client(&arguments.target)?;
    let paint = Paint::new(context.environment);
    if !arguments.watch {
        let runs = context.ask(list(&client, arguments))?;
        return Ok(match context.json {
            true => say_json(&runs, exit::SUCCESS),
            false => say(&table(&runs.runs, paint), exit::SUCCESS),
        });
    }
    context.ask(async {
        loop {
            let runs = list(&client, arguments).await?;
            // Clears the screen, and goes to its first line.
            let code = match context.json {
                true => crate::terminal::say_json_line(&runs, exit::SUCCESS),
                false => say(
                    &format!("\x1b[H\x1b[2J{}", table(&runs.runs, paint)),
                    exit::SUCCESS,
                ),
            };
            if code != exit::SUCCESS {
                return Ok(code);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
}

async fn list(client: &Client, arguments: &Arguments) -> Result<Runs, ClientError> {
    let mut path = format!("/v1/runs?limit={}", arguments.limit);
    for (name, value) in [("state", &arguments.state), ("label", &arguments.label)] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", percent_encoded(value)));
        }
    }
    client.get(&path).await
}

fn table(runs: &[Run], paint: Paint) -> String {
    let rows: Vec<[String; 5]> = runs
        .iter()
        .map(|run| {
            let state = match &run.reason {
                Some(reason) if ["failed", "parked", "waiting"].contains(&&*run.state) => {
                    format!("{} ({reason})", run.state)
                }
                _ => run.state.clone(),
            };
            let took = run
                .usage
                .as_ref()
                .map_or_else(String::new, |usage| took(usage.wall_ms));
            [
                run.id.clone(),
                state,
                run.created.replace('T', " ").replace('Z', ""),
                took,
                run.name.clone(),
            ]
        })
        .collect();
    let head = ["RUN", "STATE", "SUBMITTED", "TOOK", "SCRIPT"].map(str::to_owned);
    let width = |column: usize| {
        let cells = std::iter::once(&head)
            .chain(&rows)
            .map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths = [width(0), width(1), width(2), width(3)];
    let line = |row: &[String; 5], look: Option<Look>| {
        let mut out = String::new();
        for (column, cell) in row.iter().enumerate() {
            let padded = match widths.get(column).copied() {
                Some(width) => format!("{cell:<width$}  "),
                None => cell.clone(),
            };
            let state = match cell.split(' ').next().unwrap_or_default() {
                _ if column != 1 => None,
                "succeeded" => Some(Look::Good),
                "running" | "queued" | "waiting" => Some(Look::Strong),
                _ => Some(Look::Bad),
            };
            match look.or(state) {
                Some(look) => out.push_str(&paint.text(look, &padded)),
                None => out.push_str(&crate::sanitize::escape_control(&padded)),
            }
        }
        out.trim_end().to_owned() + "\n"
    };
    let mut out = line(&head, Some(Look::Faint));
    for row in &rows {
        out.push_str(&line(row, None));
    }
    out
}

/// A time as people say it.
pub(super) fn took(millis: f64) -> String {
    match millis {
        millis if millis < 1000.0 => format!("{millis:.0} ms"),
        millis if millis < 60_000.0 => format!("{:.1} s", millis / 1000.0),
        millis => format!("{:.0} min", millis / 60_000.0),
    }
}
