//! What a call would run, for a dry run: nothing is fetched, prepared or started.

use std::ffi::OsString;

use super::runner::Found;
use super::{Programs, docker, starter};
use crate::catalog::{Definition, Executor};
use crate::executor::adapters::ProgramInput;
use crate::executor::envyr::{behind_dashes, native};
use crate::executor::source::{Entry, Packages, Prepared, Reading, scrubbed};
use crate::executor::{Invocation, Plan};
use crate::failure::ActionError;

impl Programs {
    /// The command line of a call, without any of its effects.
    pub(super) async fn planned(&self, invocation: Invocation<'_>) -> Result<Plan, ActionError> {
        let definition = invocation.definition;
        let given = invocation.encode()?;
        if matches!(definition.executor, Executor::Wasm | Executor::Builtin) {
            return self.planned_here(definition, given).await;
        }
        let path = self.environment.get("PATH").unwrap_or_default();
        let entry = match self.sources.look(definition, false).await {
            Ok(Some(found)) => Ok(Entry {
                folder: found.folder,
                file: found.file,
                language: found.language,
                interpreter: found.interpreter,
            }),
            Ok(None) => Err("the repository was not fetched yet".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let mut env = scrubbed(&self.environment, path, &definition.env);
        let (command, note) = match (entry, definition.executor) {
            // What is no program was planned above.
            (Ok(_), Executor::Wasm | Executor::Builtin | Executor::Mcp) => (Vec::new(), None),
            (Err(why), executor) => {
                let words = self.planned_program(executor).await.into_iter();
                (words.chain(behind_dashes(&given)).collect(), Some(why))
            }
            (Ok(entry), Executor::Native) => {
                let prepared = Prepared::planned(&Packages::of(&entry, &definition.deps)?, &entry);
                prepared.extend(&mut env)?;
                let interpreter = prepared.interpreter(&entry);
                let entry = Entry {
                    interpreter,
                    ..entry
                };
                (self.planned_native(&entry, &given).await, None)
            }
            (Ok(entry), Executor::Docker) => {
                let names: Vec<&str> = self.mapped(definition, &given);
                let (reading, _end) = Reading::within(definition.timeout.duration());
                let tag = docker::image_tag(&entry, &reading)?;
                let args = docker::arguments(&self.data, &entry, definition, &names, &tag)?;
                let words = self.planned_program(Executor::Docker).await.into_iter();
                (
                    words.chain(args).chain(behind_dashes(&given)).collect(),
                    None,
                )
            }
        };
        let mut env: Vec<String> = env
            .iter()
            .map(|(name, _)| name.to_string_lossy().into_owned())
            .chain(given.env.iter().map(|(name, _)| name.clone()))
            .chain(["TMPDIR".to_owned()])
            .collect();
        env.sort();
        env.dedup();
        let words = command
            .iter()
            .map(|word| word.to_string_lossy().into_owned());
        Ok(Plan {
            command: words.collect(),
            note,
            env,
        })
    }

    /// The command line of a native action: with envyr its own, else that of the interpreter.
    async fn planned_native(&self, entry: &Entry, given: &ProgramInput) -> Vec<OsString> {
        // To rehearse, nothing need be installed.
        match self.choose().await {
            Ok(Found::Envyr(program)) => [program.into()]
                .into_iter()
                .chain(native(&self.data, entry))
                .chain(behind_dashes(given))
                .collect(),
            Ok(Found::Builtin(_)) | Err(_) => starter::command_line(entry, given),
        }
    }

    /// The first word of a command line whose rest is not known. The built-in runner has none.
    async fn planned_program(&self, executor: Executor) -> Option<OsString> {
        let is_builtin = || async { matches!(self.choose().await, Ok(Found::Builtin(_))) };
        if executor == Executor::Native && is_builtin().await {
            return None;
        }
        let found = self.envyr().await;
        Some(found.map_or_else(|_| "envyr".into(), |path| path.as_os_str().to_owned()))
    }

    /// The same for an action that runs without envyr.
    async fn planned_here(
        &self,
        definition: &Definition,
        given: ProgramInput,
    ) -> Result<Plan, ActionError> {
        let file = definition.entrypoint.clone().unwrap_or_default();
        let note = match self.sources.look(definition, false).await {
            Ok(Some(_)) => "runs in this process".to_owned(),
            Ok(None) => "the repository was not fetched yet".to_owned(),
            Err(error) => error.to_string(),
        };
        let names = self.mapped(definition, &given);
        Ok(Plan {
            env: names.into_iter().map(str::to_owned).collect(),
            command: [file].into_iter().chain(given.args).collect(),
            note: Some(note),
        })
    }
}
