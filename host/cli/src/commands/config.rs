//! `kael-host config`: prints every setting with its origin.

use serde_json::{Value as Json, json};

use crate::args::{Config as Arguments, Shared};
use crate::config::{Config, Key, Origin, Source, Standing, Value};
use crate::exit;
use crate::report::Problem;
use crate::settings;
use crate::terminal::{Look, Paint, say, say_json};
use kael_engine::environment::Environment;

pub(super) fn run(shared: &Shared, arguments: &Arguments, environment: &Environment) -> u8 {
    match settings::config(shared, &arguments.bounds, environment) {
        Ok(config) if arguments.json => say_json(&json(&config), exit::SUCCESS),
        Ok(config) => say(&text(&config, Paint::new(environment)), exit::SUCCESS),
        Err(error) => Problem::of_config_error(&error).report(shared, arguments.json, exit::CONFIG),
    }
}

fn text(config: &Config, paint: Paint) -> String {
    let rows = Key::ALL.map(|key| match config.get(key) {
        Some(setting)
            if !matches!(&setting.value, Value::List(texts) if texts.is_empty())
                && !matches!(&setting.value, Value::Paths(paths) if paths.is_empty()) =>
        {
            (
                key.name(),
                setting.value.to_string(),
                setting.origin.to_string(),
            )
        }
        Some(setting) => (key.name(), "-".to_owned(), setting.origin.to_string()),
        None => (key.name(), "-".to_owned(), "not set".to_owned()),
    });
    let wide = |width: fn(&(&str, String, String)) -> usize| {
        rows.iter()
            .map(width)
            .filter(|w| *w <= 48)
            .max()
            .unwrap_or(0)
    };
    let (names, values) = (wide(|row| row.0.len()), wide(|row| row.1.chars().count()));
    let mut out = String::new();
    for (name, value, origin) in &rows {
        let pad = |text: &str, to: usize| " ".repeat(to.saturating_sub(text.chars().count()));
        out += &paint.text(Look::Strong, name);
        out += &format!("{}  ", pad(name, names));
        out += &paint.text(
            if value == "-" {
                Look::Faint
            } else {
                Look::Good
            },
            value,
        );
        out += &format!("{}  ", pad(value, values));
        out += &paint.text(Look::Faint, origin);
        out.push('\n');
    }
    for file in &config.files {
        let line = format!("{}{}", file.path.display(), standing(file));
        out += &format!("\n{}", paint.text(Look::Faint, &format!("read: {line}")));
    }
    if !config.files.is_empty() {
        out.push('\n');
    }
    out
}

fn standing(file: &Source) -> &'static str {
    match file.standing {
        None => "",
        Some(Standing::Trusted) => " (trusted)",
        Some(Standing::Changed | Standing::Unknown) => {
            " (not trusted: it may make limits stricter, no more)"
        }
    }
}

fn json(config: &Config) -> Json {
    let settings: serde_json::Map<String, Json> = Key::ALL
        .into_iter()
        .map(|key| {
            let setting = config.get(key);
            let value = setting.map(|setting| match &setting.value {
                Value::Path(path) => json!(path.to_string_lossy()),
                Value::Paths(paths) => {
                    let paths = paths.iter().map(|path| path.to_string_lossy());
                    json!(paths.collect::<Vec<_>>())
                }
                Value::List(texts) => json!(texts),
                Value::Size(size) => json!(size.bytes()),
                Value::Time(time) => json!(time.duration().as_secs_f64()),
                Value::Count(count) => json!(count),
                Value::Confinement(confinement) => json!(confinement.to_string()),
                Value::Runner(runner) => json!(runner.to_string()),
                Value::Switch(on) => json!(on),
            });
            let origin = match setting.map(|setting| &setting.origin) {
                None => json!({ "kind": "none" }),
                Some(Origin::Default) => json!({ "kind": "default" }),
                Some(Origin::File { path, line }) => {
                    json!({ "kind": "file", "file": path.to_string_lossy(), "line": line })
                }
                Some(Origin::Variable(name)) => json!({ "kind": "variable", "name": name }),
                Some(Origin::Flag(name)) => json!({ "kind": "flag", "name": name }),
            };
            (
                key.name().to_owned(),
                json!({ "value": value, "origin": origin }),
            )
        })
        .collect();
    let files: Vec<Json> = config
        .files
        .iter()
        .map(|file| {
            let trusted = file.standing.is_none_or(|s| s == Standing::Trusted);
            json!({ "file": file.path.to_string_lossy(), "trusted": trusted })
        })
        .collect();
    json!({ "settings": settings, "files": files })
}
