//! Runs the actions of the standard library: finds the part that does a call, within its time.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use kael_engine::catalog::Definition;
use kael_engine::environment::Environment;
use kael_engine::executor::granted::Places;
use kael_engine::executor::source::Sources;
use kael_engine::executor::{Execute, Execution, Invocation, Plan, Planning, RepoContext};
use kael_engine::failure::{ActionError, ErrorKind};
use kael_engine::policy::Grants;

use crate::db;
use crate::env;
use crate::fs;
use crate::http::{self, Http};
use crate::jwt;
use crate::refusal;
use crate::sigv4;
use crate::values::Values;
use crate::ws::{self, Sockets};

/// Runs the actions for the scripts of one repo.
pub(crate) struct Builtin {
    environment: Environment,
    http: Http,
    databases: db::Servers,
    sockets: Sockets,
    root: PathBuf,
    sources: Arc<Sources>,
    places: OnceLock<Arc<Places>>,
    /// The program that opens databases.
    program: Option<PathBuf>,
}

impl Builtin {
    pub(crate) fn new(repo: RepoContext) -> Self {
        Self {
            http: Http::new(&repo.environment),
            databases: db::Servers::new(&repo.environment),
            sockets: Sockets::new(&repo.environment),
            root: repo.root,
            sources: repo.sources,
            places: OnceLock::new(),
            program: repo.compiler,
            environment: repo.environment,
        }
    }

    /// Where paths of grants lead. Found out at the first call that needs it.
    fn places(&self) -> Arc<Places> {
        let places = || fs::places(&self.root, &self.environment, self.sources.hidden());
        self.places.get_or_init(places).clone()
    }

    async fn run(&self, invocation: Invocation<'_>) -> Result<Vec<u8>, ActionError> {
        let Invocation {
            definition,
            params,
            grants,
            secrets,
            call,
            ..
        } = invocation;
        let run = call.run;
        let within = definition.timeout.duration();
        let running = async {
            match family(definition) {
                ("http", action) if http::is_of_stream(action) => {
                    self.http.stream(action, &params, run).await
                }
                ("http", method) => {
                    let method = method.to_owned();
                    let parse = move |text: &str| http::Request::parse(&method, text);
                    let request = refusal::read(params, parse).await?;
                    let access = http::granted(&request.method, &request.target, grants)?;
                    let allowed = access.secrets(&request, grants)?;
                    let values = Values::new(&self.environment, secrets, allowed);
                    let begin = |path: &str| fs::Incoming::begin(path, grants, self.places());
                    let aim = match request.path.is_some() {
                        true => http::Aim::File(&begin),
                        false => http::Aim::Script(run),
                    };
                    self.http.send(request, grants, values, aim).await
                }
                ("ws", action) if ws::opens(action) => {
                    let parse = |text: &str| http::Request::parse(http::SOCKET, text);
                    let request = refusal::read(params, parse).await?;
                    let access = http::granted(&request.method, &request.target, grants)?;
                    let allowed = access.secrets(&request, grants)?;
                    let values = Values::new(&self.environment, secrets, allowed);
                    self.sockets.open(request, grants, values, run).await
                }
                ("ws", action) => self.sockets.run(action, &params, run).await,
                ("fs", action) => fs::run(action, params, grants, self.places()).await,
                ("crypto", action) => {
                    let action = action.to_owned();
                    refusal::read(params, move |text| jwt::run(&action, text)).await
                }
                ("s3", _) => {
                    let now = call.run.time_of(Instant::now());
                    refusal::read(params, move |text| sigv4::run(text, now)).await
                }
                ("db", action) => {
                    let allowed = db::granted(action, &params, grants)?;
                    let mut values = Values::new(&self.environment, secrets, allowed);
                    let program = db::Program {
                        path: self.program.as_deref(),
                        data: &self.environment.data_folder(),
                    };
                    let means = (program, &self.databases);
                    db::run(action, params, grants, &self.places(), means, &mut values).await
                }
                ("env", _) => env::run(name(definition), params, grants, &self.environment).await,
                _ => Err(unknown(definition)),
            }
        };
        match tokio::time::timeout(within, running).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let message = format!("it took longer than {}", definition.timeout);
                Err(ActionError::new(ErrorKind::Timeout, message))
            }
        }
    }

    fn opens(
        &self,
        definition: &Definition,
        params: &str,
        grants: &Grants,
    ) -> Result<Vec<String>, ActionError> {
        match family(definition) {
            // A stream was checked when it was opened.
            ("http", action) if http::is_of_stream(action) => {}
            ("http", method) => {
                let request = http::Request::parse(method, params)?;
                if let Some(path) = &request.path {
                    fs::may_write(path, grants)?;
                }
                let access = http::granted(&request.method, &request.target, grants)?;
                return access.secrets(&request, grants);
            }
            ("ws", action) if !ws::opens(action) => {}
            ("ws", _) => {
                let request = http::Request::parse(http::SOCKET, params)?;
                let access = http::granted(&request.method, &request.target, grants)?;
                return access.secrets(&request, grants);
            }
            ("fs", action) => fs::granted(action, params, grants)?,
            ("crypto" | "s3", _) => {}
            ("db", action) => return db::granted(action, params, grants),
            ("env", _) => env::granted(name(definition), params, grants)?,
            _ => return Err(unknown(definition)),
        }
        Ok(Vec::new())
    }
}

/// The name of an action.
fn name(definition: &Definition) -> &str {
    definition.names.first().map_or("", |name| name.as_str())
}

/// The second part of its name, and what follows: `http` and `get` of `kael.http.get`.
fn family(definition: &Definition) -> (&str, &str) {
    let rest = name(definition).strip_prefix("kael.").unwrap_or_default();
    rest.split_once('.').unwrap_or((rest, ""))
}

/// What only a mistake of the program can bring about.
fn unknown(definition: &Definition) -> ActionError {
    ActionError::unavailable(format!("nothing runs `{}`", name(definition)), None)
}

impl Execute for Builtin {
    fn execute<'a>(&'a self, invocation: Invocation<'a>) -> Execution<'a> {
        Box::pin(self.run(invocation))
    }

    fn granted(
        &self,
        definition: &Definition,
        params: &str,
        grants: &Grants,
    ) -> Result<Vec<String>, ActionError> {
        self.opens(definition, params, grants)
    }

    fn runner(&self, definition: &Definition) -> Option<&'static str> {
        Some(definition.executor.name())
    }

    fn plan<'a>(&'a self, invocation: Invocation<'a>) -> Planning<'a> {
        let planned = match family(invocation.definition) {
            ("http", method) if !http::is_of_stream(method) => {
                http::Request::parse(method, &invocation.params)
                    .map(|request| format!("{} {}", request.method, request.target.url))
            }
            ("ws", action) if ws::opens(action) => {
                http::Request::parse(http::SOCKET, &invocation.params)
                    .map(|request| format!("a WebSocket to {}", request.target.url))
            }
            _ => Ok(name(invocation.definition).to_owned()),
        };
        Box::pin(std::future::ready(planned.map(|note| Plan {
            note: Some(note),
            ..Plan::default()
        })))
    }
}
