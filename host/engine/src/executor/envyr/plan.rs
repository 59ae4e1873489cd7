//! What a call would run, for a dry run: nothing is fetched, prepared or started.

use super::entry::Entry;
use super::{Envyr, behind_dashes, docker, native_arguments, tool, variables};
use crate::catalog::{Definition, Executor, Language};
use crate::executor::adapters::ProgramInput;
use crate::executor::{Invocation, Plan};
use crate::failure::ActionError;

impl Envyr {
    /// The command line of a call, without any of its effects.
    pub(super) async fn planned(&self, invocation: Invocation<'_>) -> Result<Plan, ActionError> {
        let definition = invocation.definition;
        let given = invocation.encode()?;
        if definition.executor == Executor::Wasm {
            return self.planned_here(definition, given).await;
        }
        // To rehearse, nothing need be installed.
        let found = tool::find(
            self.settings.envyr.as_deref(),
            &self.data,
            &self.environment,
        );
        let program = found.map_or_else(|_| "envyr".into(), |path| path.display().to_string());
        let path = self.environment.get("PATH").unwrap_or_default();
        let entry = match self.look(definition, false).await {
            Ok(Some(found)) => Ok(Entry {
                folder: found.folder,
                file: found.file,
                language: found.language,
                interpreter: found.interpreter,
            }),
            Ok(None) => Err("the repository was not fetched yet".to_owned()),
            Err(error) => Err(error.message),
        };
        let language = entry
            .as_ref()
            .map_or(Language::Other, |entry| entry.language);
        let scrubbed = variables::scrubbed(&self.environment, path, language, &definition.env);
        let mut env: Vec<String> = scrubbed
            .iter()
            .map(|(name, _)| name.to_string_lossy().into_owned())
            .chain(given.env.iter().map(|(name, _)| name.clone()))
            .chain(["TMPDIR".to_owned()])
            .collect();
        env.sort();
        let (args, note) = match (entry, definition.executor) {
            (Err(why), _) => (Vec::new(), Some(why)),
            // Planned above.
            (Ok(_), Executor::Wasm) => (Vec::new(), None),
            (Ok(entry), Executor::Native) => (native_arguments(&self.data, &entry), None),
            (Ok(entry), Executor::Docker) => {
                let names: Vec<&str> = self.mapped(definition, &given);
                let tag = docker::image_tag(&entry)?;
                (
                    docker::arguments(&self.data, &entry, definition, &names, &tag)?,
                    None,
                )
            }
        };
        let args = args.into_iter().chain(behind_dashes(&given));
        let words = args.map(|word| word.to_string_lossy().into_owned());
        Ok(Plan {
            command: [program].into_iter().chain(words).collect(),
            note,
            env,
        })
    }

    /// The same for an action that runs without envyr.
    async fn planned_here(
        &self,
        definition: &Definition,
        given: ProgramInput,
    ) -> Result<Plan, ActionError> {
        let file = definition.entrypoint.clone().unwrap_or_default();
        let note = match self.look(definition, false).await {
            Ok(Some(_)) => "runs in this process".to_owned(),
            Ok(None) => "the repository was not fetched yet".to_owned(),
            Err(error) => error.message,
        };
        let names = self.mapped(definition, &given);
        Ok(Plan {
            env: names.into_iter().map(str::to_owned).collect(),
            command: [file].into_iter().chain(given.args).collect(),
            note: Some(note),
        })
    }
}
