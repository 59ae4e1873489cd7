//! `kael-host assay`: runs a script or checks that were written for Assay, with its exit codes, its
//! variables and its modules folder.
//!
//! The run is that of `kael-host run`, so the same policy, limits and gate hold.

use std::path::Path;

use kael_engine::environment::Environment;
use kael_engine::units::TimeLimit;

use super::run;
use crate::args::{Assay, AssayMode, Run, Shared};
use crate::exit;
use crate::for_assay::{ForAssay, blocked, modules};
use crate::report::Problem;

/// How long a script of the tool mode may take, as in Assay.
const TOOL_TIMEOUT: &str = "20s";

pub(super) fn run(shared: &Shared, assay: &Assay, environment: Environment) -> u8 {
    let first = assay.words.first().map(|word| word.to_string_lossy());
    if let Some(word) = first.filter(|word| word.starts_with('-')) {
        let message = format!(
            "unexpected argument `{word}` (see kael-host assay --help; a file can be named ./{word})"
        );
        Problem::usage(message).print(shared.quiet);
        return exit::USAGE;
    }
    match prepared(assay, &environment) {
        Ok(run) => run::run(shared, &run, environment),
        Err(message) => {
            Problem::usage(message).print(shared.quiet);
            exit::SCRIPT_FAILED
        }
    }
}

/// The run that was asked for.
fn prepared(assay: &Assay, environment: &Environment) -> Result<Run, String> {
    let file = assay.words.first().ok_or("no file was given")?;
    let extension = Path::new(file)
        .extension()
        .and_then(|extension| extension.to_str());
    if !matches!(extension, Some("lua" | "yaml" | "yml")) {
        let file = Path::new(file).display();
        return Err(format!(
            "`{file}` is neither .lua nor .yaml, which is how Assay tells scripts from checks"
        ));
    }
    refuse_unread(environment)?;
    let tool = match assay.mode {
        Some(mode) => mode == AssayMode::Tool,
        None => variable(environment, "ASSAY_MODE").is_some_and(|mode| mode == "tool"),
    };
    let mut bounds = assay.bounds.clone();
    if tool && bounds.timeout.is_none() {
        bounds.timeout = TOOL_TIMEOUT.parse::<TimeLimit>().ok();
    }
    bounds.read_only |= variable(environment, "ASSAY_READONLY").is_some_and(is_on);
    let inputs = modules::inputs(environment)?;
    let mut prelude = String::new();
    if !inputs.is_empty() {
        prelude.push_str(modules::PRELUDE);
    }
    if let Some(names) = variable(environment, "ASSAY_BLOCK_GLOBALS") {
        prelude.push_str(&blocked(names)?);
    }
    Ok(Run {
        words: assay.words.clone(),
        json: assay.json,
        bounds,
        assay: Some(ForAssay {
            tool,
            prelude,
            inputs,
        }),
        ..Run::default()
    })
}

/// Variables that restrict a script in Assay, and that nothing here reads, must not be passed over.
fn refuse_unread(environment: &Environment) -> Result<(), String> {
    if variable(environment, "ASSAY_POLICY_FILE").is_some() {
        return Err(
            "ASSAY_POLICY_FILE names a policy of Assay, which is not read here: write its hosts and variables \
             as `grants` of a policy.yaml, and give it with --policy"
                .to_owned(),
        );
    }
    if variable(environment, "ASSAY_APPROVAL").is_some_and(is_on) {
        return Err(
            "ASSAY_APPROVAL is not read here: a rule `ask` of a policy.yaml lets a person approve calls".to_owned(),
        );
    }
    Ok(())
}

fn variable<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
    let value = environment.get(name).and_then(|value| value.to_str());
    value.filter(|value| !value.is_empty())
}

fn is_on(value: &str) -> bool {
    !matches!(value, "0" | "false" | "off" | "no")
}
