//! `kael-host cache`: lists and deletes kept results.

use std::time::Duration;

use serde_json::json;

use crate::args::{Cache as Arguments, CacheCommand, Shared};
use crate::exit;
use crate::report::Problem;
use crate::sanitize::escape_control;
use crate::terminal::{Look, Paint, say, say_json};
use kael_engine::environment::Environment;
use kael_engine::gate::cache;
use kael_engine::units::ByteSize;

pub(super) fn run(shared: &Shared, arguments: &Arguments, environment: &Environment) -> u8 {
    let data = environment.data_folder();
    match &arguments.command {
        CacheCommand::Ls { json } => list(&cache::entries(&data), *json, Paint::new(environment)),
        CacheCommand::Clear { name, json } => match cache::clear(&data, name.as_deref()) {
            Ok(count) if *json => say_json(&json!({ "cleared": count }), exit::SUCCESS),
            Ok(count) => say(&format!("cleared: {count}\n"), exit::SUCCESS),
            Err(error) => {
                let message = format!("a kept result cannot be deleted: {error}");
                Problem::usage(message).report(shared, *json, exit::CONFIG)
            }
        },
    }
}

fn list(entries: &[cache::Entry], as_json: bool, paint: Paint) -> u8 {
    if as_json {
        let all: Vec<_> = entries
            .iter()
            .map(|entry| {
                json!({
                    "action": entry.action,
                    "repo": entry.repo,
                    "age_seconds": entry.age.as_secs(),
                    "seconds_left": entry.left.map(|left| left.as_secs()),
                    "bytes": entry.size,
                    "file": entry.path.to_string_lossy(),
                })
            })
            .collect();
        return say_json(&json!({ "entries": all }), exit::SUCCESS);
    }
    if entries.is_empty() {
        return say("no kept results\n", exit::SUCCESS);
    }
    let names = entries.iter().map(|entry| entry.action.len());
    let column = names.max().unwrap_or(0);
    let mut out = String::new();
    for entry in entries {
        let left = match entry.left {
            Some(left) => format!("{} left", short(left)),
            None => "too old".to_owned(),
        };
        let pad = " ".repeat(column.saturating_sub(entry.action.len()));
        let row = format!(
            "{}{pad}  {:>5} old  {left:>12}  {:>9}  ",
            paint.text(Look::Strong, &entry.action),
            short(entry.age),
            ByteSize::new(entry.size).to_string()
        );
        out += &row;
        out += &paint.text(Look::Faint, &escape_control(&entry.repo));
        out.push('\n');
    }
    say(&out, exit::SUCCESS)
}

fn short(time: Duration) -> String {
    match time.as_secs() {
        s @ 0..120 => format!("{s}s"),
        s @ 120..7200 => format!("{}m", s / 60),
        s @ 7200..172_800 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86_400),
    }
}
