//! Runs an action in a container: the image that is built from its source first, and the container's end.

use std::time::Duration;

use super::turn::Turn;
use crate::activity::SpanKind;
use crate::catalog::{Definition, Output};
use crate::executor::adapters::ProgramInput;
use crate::executor::envyr::behind_dashes;
use crate::executor::process::{Ending, Isolation};
use crate::executor::programs::call::Call;
use crate::executor::programs::{Programs, docker, outcome};
use crate::executor::result_file;
use crate::executor::source::{Reading, plain};
use crate::executor::starting::Starting;
use crate::executor::{Printed, STDOUT_CAP};
use crate::failure::{ActionError, ErrorKind};
use crate::permit;

impl Programs {
    /// Runs an action in a container, with what it prints.
    pub(in crate::executor::programs) async fn run_docker(
        &self,
        call: Call<'_>,
    ) -> Result<Printed, ActionError> {
        let (definition, entry) = (call.definition, &call.entry);
        let envyr = self.envyr().await?;
        // envyr writes there, as the user.
        plain(entry)?;
        let engine = self.engine.get_or_try_init(async || {
            let (environment, path, data) = (
                self.environment.clone(),
                self.sources.path().to_owned(),
                self.data.clone(),
            );
            let looking =
                permit::blocking(move || docker::Engine::find(&environment, &path, &data));
            looking
                .await
                .unwrap_or_else(|error| Err(ActionError::unavailable(error.to_string(), None)))
        });
        let engine = engine.await?;
        let looked_at = entry.clone();
        let (reading, _end) = Reading::within(definition.timeout.duration());
        let tag = permit::blocking(move || docker::image_tag(&looked_at, &reading)).await;
        let tag =
            tag.unwrap_or_else(|error| Err(ActionError::unavailable(error.to_string(), None)))?;
        let image = docker::image_name(entry, &tag);
        let names = self.mapped(definition, &call.given);
        let mut args = docker::arguments(&self.data, entry, definition, &names, &tag)?;
        args.extend(behind_dashes(&call.given));
        // The Dockerfile has one place in the source, so one image is built from it at a time.
        let building = self
            .settings
            .activity
            .begin(SpanKind::Source, &format!("building the image {image}"));
        let mut built = Turn::wait(&call.tools, &self.data, entry, &tag).await?;
        let mut building = built.missing().then_some(building);
        let timeout = definition.timeout.duration() + docker::BUILD_TIME;
        let container = docker::Container::new(engine.clone(), image.clone());
        let env = engine.environment(call.env);
        let starting = Starting {
            program: envyr,
            args,
            env,
            folder: &entry.folder,
            stdin: call.given.stdin,
            timeout,
            isolation: Isolation::Client,
            writable: None,
            readable: None,
            hidden: Vec::new(),
            limits: None,
        };
        let running = self.start(starting, |pid| container.started(pid));
        tokio::pin!(running);
        let (finished, _) = loop {
            tokio::select! {
                finished = &mut running => break finished?,
                // The build is over before the run is; those who wait for the first need not wait for the second.
                there = appears(engine, &image), if built.missing() => if there {
                    built.note();
                    building = None;
                },
            }
        };
        drop(building);
        let ended = matches!(finished.ending, Ending::Exited(_));
        if ended {
            container.ended();
        }
        let terms = outcome::Terms {
            timeout: definition.timeout,
            limits: None,
            stdout_cap: STDOUT_CAP,
            language: entry.language,
            ok_exit: &definition.adapter.ok_exit,
            confined: false,
            reads_confined: false,
        };
        let outcome = outcome::read(finished, &terms);
        if ended
            && outcome
                .as_ref()
                .err()
                .is_none_or(|error| error.kind != ErrorKind::Unavailable)
        {
            built.note();
        }
        let printed = outcome?;
        if definition.adapter.output == Output::Json {
            result_file::refuse(
                &printed.stdout,
                "is gone with its container: print the result, or use executor = \"native\"",
            )?;
        }
        Ok(printed)
    }

    /// The variables that a container gets from its client.
    pub(in crate::executor::programs) fn mapped<'a>(
        &self,
        definition: &'a Definition,
        given: &'a ProgramInput,
    ) -> Vec<&'a str> {
        let is_given = |name: &str| given.env.iter().any(|(known, _)| known == name);
        let set = |name: &&str| self.environment.get(name).is_some() && !is_given(name);
        let own = definition.env.iter().map(String::as_str).filter(set);
        own.chain(given.env.iter().map(|(name, _)| name.as_str()))
            .collect()
    }
}

/// Looks for an image in a while.
async fn appears(engine: &docker::Engine, image: &str) -> bool {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (engine, image) = (engine.clone(), image.to_owned());
    permit::blocking(move || engine.has(&image))
        .await
        .unwrap_or(false)
}
