//! Runs one program as a process of the machine: prepared, confined, and within its limits.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::PathBuf;

use super::runner::Found;
use super::{Programs, missing, outcome, readable, starter, two_words, writable};
use crate::catalog::{Definition, Output};
use crate::confinement::Confinement;
use crate::executor::adapters::ProgramInput;
use crate::executor::envyr::{behind_dashes, native};
use crate::executor::granted::Places;
use crate::executor::process::{Finished, Isolation, Opened};
use crate::executor::result_file;
use crate::executor::source::{Entry, Tools, Variables};
use crate::executor::starting::{StartError, Starting};
use crate::executor::temporary::Temporary;
use crate::executor::{Printed, STDOUT_CAP};
use crate::failure::ActionError;

/// A call whose source is here.
pub(super) struct Call<'a> {
    pub(super) definition: &'a Definition,
    pub(super) given: ProgramInput,
    pub(super) tools: Tools<'a>,
    /// The whole source, canonical.
    pub(super) source: PathBuf,
    pub(super) entry: Entry,
    pub(super) env: Variables,
}

impl Programs {
    /// Runs a native action, with what it prints.
    pub(super) async fn run_native(&self, call: Call<'_>) -> Result<Printed, ActionError> {
        let (definition, given) = (call.definition, call.given);
        let runner = self.choose().await?;
        let assigned = two_words::assigned(definition, &given);
        let prepared = call.tools.prepare(&call.entry, definition).await?;
        let mut env = call.env;
        prepared.extend(&mut env)?;
        let entry = &Entry {
            interpreter: prepared.interpreter(&call.entry),
            ..call.entry
        };
        // What is wrong with it is said in any case.
        let mut writable = self.writable(definition)?;
        let mut of_runner = Vec::new();
        let (program, args) = match runner {
            Found::Builtin(program) => (program, starter::arguments(entry, &given)),
            Found::Envyr(program) => {
                // Where it keeps notes of its own.
                fs::create_dir_all(self.data.join("envyr")).map_err(|error| {
                    ActionError::unavailable(format!("{}: {error}", self.data.display()), None)
                })?;
                writable.push(writable::notes(entry)?);
                of_runner.push(self.data.join("envyr"));
                let mut args = native(&self.data, entry);
                args.extend(behind_dashes(&given));
                (program, args)
            }
        };
        of_runner.push(program.clone());
        let path = env.iter().find(|(name, _)| name == "PATH");
        let needed = readable::Needed {
            source: &call.source,
            entry,
            path: path.map_or(OsStr::new(""), |(_, path)| path),
            packages: prepared.packages(),
            runner: of_runner,
        };
        let readable = match &definition.reads {
            Some(reads) => {
                let environment = &self.environment;
                let places = Places::new(&self.repo, environment);
                let places = places.hiding(self.sources.hidden());
                let all = readable::all(reads, definition, &places, environment, &needed)?;
                Some(all)
            }
            None => None,
        };
        let confined = self.settings.confinement != Confinement::Off;
        let reads_confined = confined && readable.is_some();
        let starting = Starting {
            program,
            args,
            env,
            folder: &entry.folder,
            stdin: given.stdin,
            timeout: definition.timeout.duration(),
            isolation: match confined {
                true => Isolation::Strongest,
                false => Isolation::SameView,
            },
            writable: confined.then_some(writable),
            readable,
            hidden: self.sources.hidden(),
            limits: Some(definition.process_limits.clone()),
        };
        let (finished, temporary) = self.start(starting, |_| ()).await?;
        let terms = outcome::Terms {
            timeout: definition.timeout,
            limits: Some(&definition.process_limits),
            stdout_cap: STDOUT_CAP,
            language: entry.language,
            ok_exit: &definition.adapter.ok_exit,
            confined,
            reads_confined,
        };
        let printed = outcome::read(finished, &terms)
            .map_err(|error| missing::named(error, entry, self.sources.path()))
            .map_err(|error| two_words::hinted(error, &assigned))?;
        // Text that happens to look like a reference to a file is text.
        if definition.adapter.output != Output::Json {
            return Ok(printed);
        }
        let stdout = result_file::follow(printed.stdout, temporary).await?;
        Ok(Printed { stdout, ..printed })
    }

    /// All that a confined action may write, beside its `TMPDIR`.
    fn writable(&self, definition: &Definition) -> Result<Vec<Opened>, ActionError> {
        if definition.writable.is_empty() {
            return Ok(Vec::new());
        }
        let places = Places::new(&self.repo, &self.environment);
        writable::named(definition, &places)
    }

    /// Starts a process and waits for its end. Its temporary folder is there until what is returned
    /// is dropped.
    pub(super) async fn start(
        &self,
        starting: Starting<'_>,
        on_start: impl FnOnce(i32),
    ) -> Result<(Finished, Temporary), ActionError> {
        let name = starting.program.file_name().unwrap_or_default().to_owned();
        let failed = |error: io::Error| {
            let message = format!("starting {}: {error}", name.display());
            ActionError::unavailable(message, None)
        };
        let started = starting.run(&self.data, on_start).await;
        started.map_err(|error| match error {
            StartError::Process(error) => failed(error),
            StartError::Temporary(error) => error,
        })
    }
}
