//! `kael-host check`: finds mistakes in scripts without running them.

use serde_json::{Value, json};

use crate::args::{Bounds, Check, Shared};
use crate::commands::run;
use crate::exit;
use crate::report::Problem;
use crate::runtime::{Driven, block_with_signals};
use crate::sanitize::escape_control;
use crate::settings;
use crate::terminal::{Look, Paint, say, say_json};
use kael_authoring::lint::{Checker, ScriptCheck};
use kael_engine::environment::Environment;
use kael_engine::runtime::LoadError;

pub(super) fn run(shared: &Shared, check: &Check, environment: &Environment) -> u8 {
    let config = match settings::config(shared, &Bounds::default(), environment) {
        Ok(config) => config,
        Err(error) => {
            return Problem::of_config_error(&error).report(shared, check.json, exit::CONFIG);
        }
    };
    let mut scripts = Vec::new();
    for word in &check.scripts {
        match run::named(word) {
            // Lua accepts bytes that are not UTF-8 only in comments and strings.
            Ok((name, source)) => {
                scripts.push((name, String::from_utf8_lossy(&source).into_owned()));
            }
            Err(message) => {
                return Problem::usage(message).report(shared, check.json, exit::USAGE);
            }
        }
    }
    let settings = settings::settings(&config, &Bounds::default(), environment.clone());
    let checked = block_with_signals(async {
        let runtime = settings.runtime(2)?;
        let folder = settings.actions.as_deref();
        let checker = Checker::new(&runtime, folder, &settings.limits).await?;
        let mut all = Vec::new();
        for (name, source) in scripts {
            let checked = checker.check(&name, &source).await;
            all.push((
                name,
                checked.map_err(|error| LoadError::Fault(error.to_string()))?,
            ));
        }
        Ok(all)
    });
    match checked {
        Ok(Driven::Done(Ok(checked))) => tell(check, Paint::new(environment), &checked),
        Ok(Driven::Done(Err(error))) => {
            let code = exit::of_load_error(&error);
            match Problem::of_load_error(&error) {
                Some(error) => error.report(shared, check.json, code),
                None => code,
            }
        }
        Ok(Driven::Signal(number)) => {
            Problem::signal(number).report(shared, check.json, exit::SIGNAL + number)
        }
        Err(error) => Problem::no_threads(&error).report(shared, check.json, exit::CONFIG),
    }
}

fn tell(check: &Check, paint: Paint, checked: &[(String, ScriptCheck)]) -> u8 {
    let count: usize = checked.iter().map(|(_, one)| one.problems.len()).sum();
    let code = if count == 0 {
        exit::SUCCESS
    } else {
        exit::SCRIPT_FAILED
    };
    if check.json {
        let document = json!({
            "ok": count == 0,
            "exit_code": code,
            "scripts": checked.iter().map(|(name, one)| document(name, one)).collect::<Vec<_>>(),
        });
        return say_json(&document, code);
    }
    let mut out = String::new();
    for (name, one) in checked {
        for error in &one.problems {
            let place = format!("{name}:{}:{}", error.line, error.column);
            out += &format!(
                "{}: {}{}\n{}\n",
                paint.text(Look::Strong, &place),
                paint.text(Look::Bad, "error: "),
                escape_control(&error.message),
                paint.text(Look::Faint, &format!("  hint: {}", error.remedy)),
            );
        }
        if let Some(why) = one.unread {
            let note = paint.text(Look::Faint, "note: ");
            out += &format!("{}: {note}{why}\n", paint.text(Look::Strong, name));
        }
    }
    let (look, words) = match count {
        0 => (Look::Good, "no problems".to_owned()),
        1 => (Look::Bad, "1 problem".to_owned()),
        n => (Look::Bad, format!("{n} problems")),
    };
    out += &format!("{}\n", paint.text(look, &words));
    say(&out, code)
}

fn document(name: &str, one: &ScriptCheck) -> Value {
    let as_json = |error: &kael_authoring::lint::Problem| {
        json!({
            "line": error.line,
            "column": error.column,
            "message": error.message,
            "hint": error.remedy,
        })
    };
    json!({
        "file": name,
        "problems": one.problems.iter().map(as_json).collect::<Vec<_>>(),
        "note": one.unread,
    })
}
