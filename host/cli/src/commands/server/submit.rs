//! `kael-host submit`: gives a script to a server.

use std::collections::BTreeMap;

use kael_server::client::Submit;

use super::args::Submit as Arguments;
use super::{Context, code, follow};
use crate::args::Shared;
use crate::commands::run::named;
use crate::exit;
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
    let (name, source) = named(script)?;
    let script =
        String::from_utf8(source).map_err(|_| format!("the script `{name}` is not UTF-8 text"))?;
    let args = rest.iter().map(|word| {
        let text = word
            .to_str()
            .ok_or_else(|| format!("the argument `{}` is not UTF-8", word.to_string_lossy()))?;
        Ok(text.to_owned())
    });
    let labels = arguments.labels.iter().map(|label| {
        let (key, value) = label
            .split_once('=')
            .ok_or_else(|| format!("--label `{label}` must be KEY=VALUE"))?;
        Ok((key.to_owned(), value.to_owned()))
    });
    Ok(Submit {
        script: Some(script),
        name: Some(name),
        args: args.collect::<Result<_, String>>()?,
        labels: labels.collect::<Result<BTreeMap<_, _>, String>>()?,
        priority: arguments.priority,
        start_at: arguments.start_at.clone(),
        read_only: arguments.read_only,
        ..Submit::default()
    })
}
