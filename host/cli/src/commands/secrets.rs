//! `kael-host secrets`: the store of secrets, whose values are never shown.

use std::io::{IsTerminal as _, Read as _};

use serde_json::json;

use crate::args::{Secrets as Arguments, SecretsCommand, Shared};
use crate::exit;
use crate::report::Problem;
use crate::sanitize::escape_control;
use crate::terminal::{say, say_json};
use kael_engine::environment::Environment;
use kael_engine::secrets::SecretValue;
use kael_secrets::{Error, Place, Sources, Store};

/// Bytes that are read of stdin: more than a value may have.
const MAX_STDIN: u64 = 128 << 10;

pub(super) fn run(shared: &Shared, arguments: &Arguments, environment: &Environment) -> u8 {
    let store = Store::of(environment);
    let fail = |error: Error, json: bool| {
        let problem = Problem::usage(error.message);
        let problem = match error.hint {
            Some(hint) => problem.hinted(hint),
            None => problem,
        };
        problem.report(shared, json, exit::CONFIG)
    };
    let done = |text: String, json: bool| match (json, shared.quiet) {
        (true, _) => say_json(
            &json!({ "ok": true, "exit_code": exit::SUCCESS }),
            exit::SUCCESS,
        ),
        (false, true) => exit::SUCCESS,
        (false, false) => say(&text, exit::SUCCESS),
    };
    match &arguments.command {
        SecretsCommand::Set { name, json } => {
            let set = || {
                let value = from_stdin("secrets")?;
                store.set(name, &value)
            };
            match set() {
                Ok(()) => done(format!("{name} is set\n"), *json),
                Err(error) => fail(error, *json),
            }
        }
        SecretsCommand::Rm { name, json } => match store.remove(name) {
            Ok(true) => done(format!("{name} is removed\n"), *json),
            Ok(false) => {
                let message = format!("the store has no secret `{}`", escape_control(name));
                Problem::usage(message).report(shared, *json, exit::USAGE)
            }
            Err(error) => fail(error, *json),
        },
        SecretsCommand::Rotate { json } => match store.rotate() {
            Ok(count) => {
                let count = match count {
                    1 => "1 secret is".to_owned(),
                    count => format!("{count} secrets are"),
                };
                done(format!("{count} sealed with a new key\n"), *json)
            }
            Err(error) => fail(error, *json),
        },
        SecretsCommand::Ls { json } => match listed(&store, environment) {
            Ok(rows) if *json => {
                let secrets: Vec<_> = rows
                    .iter()
                    .map(|(name, from)| json!({ "name": name, "from": from }))
                    .collect();
                say_json(
                    &json!({ "ok": true, "exit_code": 0, "secrets": secrets }),
                    exit::SUCCESS,
                )
            }
            Ok(rows) => {
                let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
                let line = |(name, from): &(String, String)| {
                    format!("{name:width$}  {}\n", escape_control(from))
                };
                say(&rows.iter().map(line).collect::<String>(), exit::SUCCESS)
            }
            Err(error) => fail(error, *json),
        },
    }
}

/// The value on stdin. `command` is the one that takes it.
pub(super) fn from_stdin(command: &str) -> Result<SecretValue, Error> {
    let stdin = std::io::stdin();
    let fail = |message: &str| Error {
        message: message.to_owned(),
        hint: Some(format!("kael-host {command} set NAME < FILE")),
    };
    if stdin.is_terminal() {
        return Err(fail(
            "the value comes from stdin, which is a terminal that would show it",
        ));
    }
    let mut bytes = Vec::new();
    stdin
        .lock()
        .take(MAX_STDIN)
        .read_to_end(&mut bytes)
        .map_err(|error| fail(&format!("stdin cannot be read: {error}")))?;
    SecretValue::from_bytes(bytes.into())
        .map_err(|error| fail(&format!("the value cannot be used: {error}")))
}

/// Every secret with where it comes from. The list of the operator comes before the store.
fn listed(store: &Store, environment: &Environment) -> Result<Vec<(String, String)>, Error> {
    let named = environment.get(kael_secrets::LIST).is_some();
    let sources = Sources::read(&kael_secrets::list(environment), named)?;
    let from = |place: &Place| match place {
        Place::Variable(name) => format!("env {name}"),
        Place::File(path) => format!("file {}", path.display()),
        Place::Program { words, .. } => format!("exec {}", words.join(" ")),
    };
    let mut rows: Vec<(String, String)> = sources
        .iter()
        .map(|(name, place)| (name.to_owned(), from(place)))
        .collect();
    for own in store.list()? {
        if sources.get(&own.name).is_none() {
            rows.push((own.name, format!("store, key {}", own.key)));
        }
    }
    rows.sort();
    Ok(rows)
}
