//! `kael-host submit`: gives a script to a server.

use std::ffi::OsStr;

use kael_server::client::Submit;

use super::args::Submit as Arguments;
use super::{Context, code, follow};
use crate::args::Shared;
use crate::commands::run::named;
use crate::exit;
use crate::labels;
use crate::report::Problem;
use crate::terminal::{say, say_json};
use kael_engine::environment::Environment;

pub(crate) fn run(shared: &Shared, arguments: &Arguments, environment: &Environment) -> u8 {
    let context = Context::new(shared, environment, &arguments.target);
    code(submit(&context, arguments))
}

fn submit(context: &Context<'_>, arguments: &Arguments) -> Result<u8, u8> {
    let usage = |message: String| context.fail(&Problem::usage(message), exit::USAGE);
    let request = request(arguments).map_err(usage)?;
    let client = context.client(&arguments.target)?;
    let run = context.ask(client.submit(&request, arguments.key.as_deref()))?;
    if !arguments.follow {
        return Ok(match context.json {
            true => say_json(&run, exit::SUCCESS),
            false => say(&format!("{}\n", run.id), exit::SUCCESS),
        });
    }
    tracing::info!("the run is {}", run.id);
    let outcome = context.ask(follow::follow(&client, &run.id, context.json))?;
    if let (Some(problem), false) = (outcome.problem, context.json) {
        problem.print(context.shared.quiet);
    }
    Ok(outcome.code)
}

fn request(arguments: &Arguments) -> Result<Submit, String> {
    let (script, rest) = arguments.words.split_first().ok_or("no script was given")?;
    if script != "-" && script.as_encoded_bytes().starts_with(b"-") {
        let word = script.to_string_lossy();
        return Err(format!(
            "unexpected argument `{word}` (see kael-host submit --help; a file can be named ./{word})"
        ));
    }
    let (name, script) = match arguments.stored {
        true => (script.to_string_lossy().into_owned(), None),
        false => {
            let (name, text) = text_of(script)?;
            (name, Some(text))
        }
    };
    let args = rest.iter().map(|word| {
        let text = word
            .to_str()
            .ok_or_else(|| format!("the argument `{}` is not UTF-8", word.to_string_lossy()))?;
        Ok(text.to_owned())
    });
    Ok(Submit {
        script,
        name: Some(name),
        args: args.collect::<Result<_, String>>()?,
        labels: labels::labels(&arguments.labels)?,
        priority: arguments.priority,
        start_at: arguments.start_at.clone(),
        read_only: arguments.read_only,
        ..Submit::default()
    })
}

/// The name and the text of a script that is a file, or stdin.
pub(super) fn text_of(script: &OsStr) -> Result<(String, String), String> {
    let (name, source) = named(script)?;
    match String::from_utf8(source) {
        Ok(text) => Ok((name, text)),
        Err(_) => Err(format!("the script `{name}` is not UTF-8 text")),
    }
}
