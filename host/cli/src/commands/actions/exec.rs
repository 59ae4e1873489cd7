//! `kael-host actions exec`: one action, through the same gate as a script's calls.

use std::io::{self, IsTerminal as _, Read as _};
use std::sync::Mutex;

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::args::Exec;
use super::{Ended, Session, code};
use crate::approver;
use crate::args::Bounds;
use crate::exit;
use crate::progress;
use crate::report::Problem;
use crate::sanitize::escape_control;
use crate::terminal::{say, say_json};
use kael_engine::activity::Activity;
use kael_engine::app;
use kael_engine::catalog::{Catalog, Schema};
use kael_engine::gate::Record;

/// Parameters on stdin may have this many bytes.
const MAX_STDIN: u64 = 64 << 20;

pub(super) fn run(session: &Session<'_>, exec: &Exec) -> u8 {
    code(executed(session, exec))
}

fn executed(session: &Session<'_>, exec: &Exec) -> Result<u8, Ended> {
    let (mut settings, folder) = session.settings_with(Bounds {
        deny: exec.deny.clone(),
        policy: exec.policy.clone(),
        read_only: exec.read_only,
        audit: exec.audit.clone(),
        no_cache: exec.no_cache,
        refresh: exec.refresh,
        confinement: exec.confinement,
        ..Bounds::default()
    })?;
    settings.policy.approver = approver::at_terminal();
    let progress = progress::is_wanted(session.shared, session.environment);
    if progress {
        settings.envyr.activity = Activity::on(false);
    }
    let usage = |message: String| session.fail(&Problem::usage(message), exit::USAGE);
    let given = given(exec).map_err(usage)?;
    let record: Mutex<Option<Record>> = Mutex::new(None);
    let keep = |new: Record| {
        if let Ok(mut record) = record.lock() {
            *record = Some(new);
        }
    };
    let showing = progress::show(&settings.envyr.activity, progress);
    let ran = session.wait(async {
        let (repo, problems) = app::inspect(&folder, &settings.limits).await?;
        if !problems.is_empty() {
            return Err(app::AppError::Definitions(problems));
        }
        let params = match given {
            Given::Whole(text) => text,
            Given::Parts(parts) => {
                Value::Object(put_together(parts, &repo.catalog, &exec.name)).to_string()
            }
        };
        let dispatcher = app::dispatcher(&settings, Some(&repo))?;
        Ok(dispatcher.call(&exec.name, params, &keep).await)
    })?;
    drop(showing);
    let outcome = ran.map_err(|error| session.app_error(&error))?;
    let record = record.into_inner().ok().flatten();
    let ms = record.map_or(0.0, |record| record.duration.as_secs_f64() * 1e3);
    match outcome {
        Ok(text) if session.json => {
            let document = Report {
                action: &exec.name,
                exit_code: exit::SUCCESS,
                ms,
                ok: true,
                // It has passed the gate, and so is JSON.
                result: serde_json::from_str(&text).unwrap_or(RawValue::NULL),
            };
            Ok(say_json(&document, exit::SUCCESS))
        }
        Ok(text) => Ok(say(&shown(&text), exit::SUCCESS)),
        Err(error) => {
            let (shown, exit_code) = (
                Problem::of_action(&exec.name, &error),
                exit::of_kind(error.kind),
            );
            if session.json {
                let document = json!({
                    "ok": false, "exit_code": exit_code, "action": exec.name, "ms": ms,
                    "error": shown.json(), "detail": error.detail,
                });
                return Ok(say_json(&document, exit_code));
            }
            Err(session.fail(&shown, exit_code))
        }
    }
}

/// The report of an action that succeeded. Its result stays the text that it is.
#[derive(Serialize)]
struct Report<'a> {
    action: &'a str,
    exit_code: u8,
    ms: f64,
    ok: bool,
    result: &'a RawValue,
}

/// Results up to this size are indented where a person reads them.
const MAX_PRETTY: usize = 1 << 20;

/// A result as it came, or indented where a person reads it.
fn shown(text: &str) -> String {
    if !io::stdout().is_terminal() {
        return format!("{}\n", text.trim_end());
    }
    let small = text.len() <= MAX_PRETTY;
    let value = small.then(|| kael_engine::json::parse(text.as_bytes()).ok());
    let pretty = value.flatten().map(|value| format!("{value:#}"));
    let text = pretty.as_deref().unwrap_or(text.trim_end());
    // JSON escapes what is below U+0020; what else drives a terminal is not for it.
    text.lines()
        .map(|line| escape_control(line) + "\n")
        .collect()
}

enum Given {
    /// JSON text.
    Whole(String),
    /// Keys and values.
    Parts(Vec<(String, String)>),
}

fn given(exec: &Exec) -> Result<Given, String> {
    if let Some(text) = &exec.params {
        return Ok(Given::Whole(kael_engine::json::unmarked(text).to_owned()));
    }
    if !exec.param.is_empty() {
        let parts = exec.param.iter().map(|text| {
            let (key, value) = text
                .split_once('=')
                .ok_or_else(|| format!("--param `{text}` is not of the form key=value"))?;
            if key.is_empty() || key.split('.').any(str::is_empty) {
                return Err(format!("--param `{text}` has an empty key"));
            }
            Ok((key.to_owned(), value.to_owned()))
        });
        return parts.collect::<Result<_, _>>().map(Given::Parts);
    }
    if io::stdin().is_terminal() {
        return Ok(Given::Whole("{}".to_owned()));
    }
    let mut text = String::new();
    io::stdin()
        .take(MAX_STDIN + 1)
        .read_to_string(&mut text)
        .map_err(|error| format!("the parameters on stdin cannot be read: {error}"))?;
    if text.trim().is_empty() {
        text = "{}".to_owned();
    }
    Ok(Given::Whole(kael_engine::json::unmarked(&text).to_owned()))
}

fn put_together(parts: Vec<(String, String)>, catalog: &Catalog, name: &str) -> Map<String, Value> {
    let schema = catalog
        .get(name)
        .and_then(|definition| definition.contract.params.as_deref());
    let mut params = Map::new();
    for (key, text) in parts {
        let value = if is_string(schema, &key) {
            Value::String(text)
        } else {
            typed(text)
        };
        let mut place = &mut params;
        let mut keys = key.split('.').peekable();
        while let Some(key) = keys.next() {
            if keys.peek().is_none() {
                place.insert(key.to_owned(), value);
                break;
            }
            let inner = place.entry(key.to_owned()).or_insert_with(|| json!({}));
            if !inner.is_object() {
                *inner = json!({});
            }
            match inner {
                Value::Object(map) => place = map,
                _ => break,
            }
        }
    }
    params
}

/// A value that was typed without a schema that says what it is: JSON, but a number only where
/// nothing of it is lost. `1.10` is a version, and `123456e7` may be a commit.
fn typed(text: String) -> Value {
    let Ok(value) = kael_engine::json::parse(text.as_bytes()) else {
        return Value::String(text);
    };
    let again = value.to_string();
    if value.is_number() && again != text.trim() {
        return Value::String(text);
    }
    value
}

/// Whether a schema says that a parameter is text, so that `5` is that and no number.
fn is_string(schema: Option<&Schema>, key: &str) -> bool {
    let mut at = schema.map(Schema::document);
    for part in key.split('.') {
        at = at.and_then(|schema| schema.get("properties")?.get(part));
    }
    at.and_then(|schema| schema.get("type"))
        .is_some_and(|kind| kind == "string")
}
