//! Reads packages and their schema, and says what is wrong with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::args::Shared;
use crate::exit;
use crate::report;
use crate::sanitize::escape_control;
use crate::stderr;
use kael_engine::runtime::Runtime;
use kael_rules::engine::{Engine, Messages, Options, RuleLimits, WasmEngine};
use kael_rules::format::Format;
use kael_rules::package::Package;
use kael_rules::problem::Problem;
use kael_rules::rule_set::RuleSet;
use kael_rules::schema::Schema;

/// Shows what happens to rules on stderr.
pub(super) struct ToStderr;

impl Messages for ToStderr {
    fn say(&self, rule: &str, text: &str) {
        for line in text.lines() {
            stderr::write(format!("{rule}: {}\n", escape_control(line)).as_bytes());
        }
    }
}

/// Packages without errors, and their schema.
pub(super) struct Loaded {
    pub(super) packages: Vec<Package>,
    pub(super) schema: Arc<Schema>,
}

/// Reads packages; says what is wrong, and gives the exit code, if that is an error.
pub(super) fn read(
    shared: &Shared,
    folders: &[PathBuf],
    schema: Option<&Path>,
    format: Option<Format>,
) -> Result<Loaded, u8> {
    let mut problems = Vec::new();
    let named = schema.map(|path| Schema::read_file(path, &mut problems).map(Arc::new));
    let named = match (named, format) {
        (None, Some(format)) => {
            let text = format.schema().as_bytes();
            Some(Schema::read("the schema of the format", text, &mut problems).map(Arc::new))
        }
        (named, _) => named,
    };
    if let Some(None) = named {
        return Err(refuse(shared, &problems));
    }
    let set = RuleSet::read(folders, named.flatten());
    problems.extend(set.problems.iter().cloned());
    match &set.schema {
        Some(schema) if !set.has_errors() => {
            for warning in &problems {
                warn(warning);
            }
            Ok(Loaded {
                schema: schema.clone(),
                packages: set.packages,
            })
        }
        _ => Err(refuse(shared, &problems)),
    }
}

/// Starts the rules; says what is wrong with those that cannot be loaded.
pub(super) fn engine(
    shared: &Shared,
    loaded: &Loaded,
    options: Options,
) -> Result<(Runtime, Engine), u8> {
    // A rule that is replaced has two instances for a moment, and its tests have one.
    let instances = u32::try_from(loaded.packages.len() * 2 + 2).unwrap_or(u32::MAX);
    let runtime = runtime(shared, instances)?;
    match Engine::load(&runtime, &loaded.schema, loaded.packages.clone(), options) {
        Ok(engine) => Ok((runtime, engine)),
        Err(problems) => Err(refuse(shared, &problems)),
    }
}

pub(super) fn runtime(shared: &Shared, instances: u32) -> Result<Runtime, u8> {
    Runtime::builder()
        .instances(instances)
        .build()
        .map_err(|error| {
            let error = kael_engine::runtime::LoadError::from(error);
            let code = exit::of_load_error(&error);
            match report::Problem::of_load_error(&error) {
                Some(problem) => problem.report(shared, false, code),
                None => code,
            }
        })
}

pub(super) fn options(wasm: &Arc<WasmEngine>, threads: usize, state: Option<PathBuf>) -> Options {
    Options {
        threads,
        limits: RuleLimits::default(),
        state,
        wasm: wasm.clone(),
        messages: Arc::new(ToStderr),
    }
}

pub(super) fn warn(warning: &Problem) {
    stderr::write(format!("warning: {}\n", shown(warning)).as_bytes());
}

/// A problem on its lines.
pub(super) fn shown(problem: &Problem) -> String {
    let mut text = escape_control(&problem.to_string());
    if let Some(hint) = &problem.hint {
        text += &format!("\n  hint: {}", escape_control(hint));
    }
    text
}

/// Says everything that is wrong. Gives the exit code.
pub(super) fn refuse(shared: &Shared, problems: &[Problem]) -> u8 {
    let errors: Vec<&Problem> = problems.iter().filter(|problem| !problem.warning).collect();
    for warning in problems.iter().filter(|problem| problem.warning) {
        warn(warning);
    }
    let message = match errors.as_slice() {
        [] => "there is nothing to load".to_owned(),
        [one] => one.to_string(),
        many => {
            let all: Vec<String> = many
                .iter()
                .map(|problem| format!("  {}", shown(problem)))
                .collect();
            format!("{} things are wrong\n{}", many.len(), all.join("\n"))
        }
    };
    let problem = report::Problem::usage(message);
    let problem = match errors.as_slice() {
        [one] => match &one.hint {
            Some(hint) => problem.hinted(hint.clone()),
            None => problem,
        },
        _ => problem,
    };
    problem.report(shared, false, exit::CONFIG)
}

/// An error of the command line.
pub(super) fn usage(shared: &Shared, message: String) -> u8 {
    report::Problem::usage(message).report(shared, false, exit::USAGE)
}

/// A file that cannot be read or written.
pub(super) fn unusable(shared: &Shared, path: &Path, error: &std::io::Error) -> u8 {
    let path = path.display();
    report::Problem::usage(format!("{path}: {error}")).report(shared, false, exit::USAGE)
}
