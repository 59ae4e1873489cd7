//! `kael-host actions exec`: calls one action through the same gate as a script.

use std::io::{self, IsTerminal as _, Read as _};

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::args::Exec;
use super::{ActionsContext, Ended, code};
use crate::approver;
use crate::args::Bounds;
use crate::exit;
use crate::progress;
use crate::report::Problem;
use crate::sanitize::escape_control;
use crate::terminal::{say, say_json};
use kael_engine::activity::{ActivityLog, Retention};
use kael_engine::catalog::{Catalog, Schema};
use kael_engine::run_info::timestamp;
use kael_engine::runtime::LoadError;
use kael_engine::sandbox::Output;

/// Bytes of parameters on stdin.
const MAX_STDIN: u64 = 64 << 20;

pub(super) fn run(context: &ActionsContext<'_>, exec: &Exec) -> u8 {
    code(executed(context, exec))
}

fn executed(context: &ActionsContext<'_>, exec: &Exec) -> Result<u8, Ended> {
    let (mut settings, folder) = context.settings_with(Bounds {
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
    let progress = progress::is_wanted(context.shared, context.environment);
    if progress {
        settings.envyr.activity = ActivityLog::new(Retention::Running);
    }
    let usage = |message: String| context.fail(&Problem::usage(message), exit::USAGE);
    let given = given(exec).map_err(usage)?;
    let showing = progress::show(&settings.envyr.activity, progress);
    let ran = context.wait(async {
        let runtime = settings.runtime(2)?;
        let options = settings.repo_options(&Output::in_memory());
        let repo = runtime.load(&folder, options).await?;
        repo.policy(&settings.policy)?;
        let params = match given {
            Given::Whole(text) => text,
            Given::Parts(parts) => {
                Value::Object(put_together(parts, &repo.catalog, &exec.name)).to_string()
            }
        };
        let options = settings.run_options(Output::in_memory());
        let called = runtime.call(&repo, &exec.name, params, &options).await;
        Ok::<_, LoadError>(called)
    })?;
    drop(showing);
    let called = ran.map_err(|error| context.load_error(&error))?;
    let (run, record) = (&called.run, called.record.as_ref());
    let ms = record.map_or(0.0, |record| record.duration.as_secs_f64() * 1e3);
    let (run_id, tenant) = (run.id.to_string(), run.tenant.as_str());
    let started = record.map(|record| timestamp(record.started_at()));
    match called.outcome {
        Ok(text) if context.json => {
            let document = Report {
                action: &exec.name,
                exit_code: exit::SUCCESS,
                ms,
                ok: true,
                // The gate has checked that it is JSON.
                result: serde_json::from_str(&text).unwrap_or(RawValue::NULL),
                run: run_id,
                started,
                tenant,
            };
            Ok(say_json(&document, exit::SUCCESS))
        }
        Ok(text) => Ok(say(&shown(&text), exit::SUCCESS)),
        Err(error) => {
            let (shown, exit_code) = (
                Problem::of_action(&exec.name, &error),
                exit::of_kind(error.kind),
            );
            if context.json {
                let document = json!({
                    "ok": false, "exit_code": exit_code, "action": exec.name, "ms": ms,
                    "error": shown.json(), "detail": error.detail,
                    "run": run_id, "started": started, "tenant": tenant,
                });
                return Ok(say_json(&document, exit_code));
            }
            Err(context.fail(&shown, exit_code))
        }
    }
}

/// The report of a successful call. The result keeps its exact text.
#[derive(Serialize)]
struct Report<'a> {
    action: &'a str,
    exit_code: u8,
    ms: f64,
    ok: bool,
    result: &'a RawValue,
    run: String,
    /// As RFC 3339 has it.
    started: Option<String>,
    tenant: &'a str,
}

/// Larger results are not indented for a person.
const MAX_PRETTY: usize = 1 << 20;

/// The result as it came, or indented for a person.
fn shown(text: &str) -> String {
    if !io::stdout().is_terminal() {
        return format!("{}\n", text.trim_end());
    }
    let small = text.len() <= MAX_PRETTY;
    let value = small.then(|| kael_engine::json::parse(text.as_bytes()).ok());
    let pretty = value.flatten().map(|value| format!("{value:#}"));
    let text = pretty.as_deref().unwrap_or(text.trim_end());
    // JSON escapes characters below U+0020. This escapes other control characters.
    text.lines()
        .map(|line| escape_control(line) + "\n")
        .collect()
}

enum Given {
    /// One JSON text.
    Whole(String),
    /// Keys and values of `--param`.
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

/// Reads a value without a schema: as JSON if it is JSON, but as a number only if that keeps every
/// character. `1.10` may be a version, and `123456e7` a commit.
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

/// Whether the schema wants a string, so that `5` is a string and not a number.
fn is_string(schema: Option<&Schema>, key: &str) -> bool {
    let mut at = schema.map(Schema::document);
    for part in key.split('.') {
        at = at.and_then(|schema| schema.get("properties")?.get(part));
    }
    at.and_then(|schema| schema.get("type"))
        .is_some_and(|kind| kind == "string")
}
