//! `kael-host serve`: the shared runner.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kael_server::config::MAX_SIZE;
use kael_server::{ServeConfig, ServeError, ServeOptions, Started};
use serde_json::json;

use super::args::Serve as Arguments;
use crate::args::{Bounds, Shared};
use crate::config::{Config, Key, Value};
use crate::exit;
use crate::report::Problem;
use crate::runtime::{self, Interrupts};
use crate::sanitize::with_causes;
use crate::settings;
use crate::settings_text;
use crate::terminal::{say, say_json_line};
use kael_engine::environment::Environment;
use kael_engine::executor::programs::Settings;
use kael_engine::sandbox::EngineError;

pub(crate) fn run(shared: &Shared, arguments: &Arguments, environment: &Environment) -> u8 {
    let fail = |problem: Problem, code: u8| problem.report(shared, arguments.json, code);
    let config = match settings::config(shared, &Bounds::default(), environment) {
        Ok(config) => config,
        Err(error) => return fail(Problem::of_config_error(&error), exit::CONFIG),
    };
    let serve_config = match read(arguments, environment) {
        Ok(config) => config,
        Err(problem) => return fail(*problem, exit::CONFIG),
    };
    if arguments.check {
        return match arguments.json {
            true => say_json_line(&json!({ "ok": true }), exit::SUCCESS),
            false => say("the configuration is right\n", exit::SUCCESS),
        };
    }
    let options = options(serve_config, &config, arguments, environment);
    let (runtime, runs) = match (runtime::runtime(), runs()) {
        (Ok(runtime), Ok(runs)) => (runtime, runs),
        (Err(error), _) | (_, Err(error)) => {
            return fail(Problem::no_threads(&error), exit::CONFIG);
        }
    };
    let handle = runs.handle().clone();
    let tell = |started: Started| _ = told(arguments, &started);
    // From here on, so that a signal that comes while the server starts ends it in order.
    let mut interrupts = {
        let _in = runtime.enter();
        Interrupts::listen()
    };
    let stop = async || {
        interrupts.next().await;
    };
    let served = runtime.block_on(kael_server::serve(options, handle, tell, stop));
    runs.shutdown_timeout(Duration::from_millis(500));
    runtime::shut_down(runtime);
    match served {
        Ok(()) => exit::SUCCESS,
        Err(error) => {
            let code = match &error {
                ServeError::Load(error) => exit::of_load_error(error),
                ServeError::Engine(EngineError::Short(_)) => exit::CONFIG,
                ServeError::Engine(_) | ServeError::System(_) | ServeError::Operator(_) => {
                    exit::BUG
                }
                _ => exit::CONFIG,
            };
            fail(of_serve_error(&error), code)
        }
    }
}

/// Where runs are driven: a thread a processor, apart from those of the API.
fn runs() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .thread_name("kael-runs")
        .enable_all()
        .build()
}

fn options(
    serve: ServeConfig,
    config: &Config,
    arguments: &Arguments,
    environment: &Environment,
) -> ServeOptions {
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    let policy = match config.get(Key::Policy).map(|setting| &setting.value) {
        Some(Value::Paths(paths)) => paths.iter().cloned().map(absolute).collect(),
        _ => Vec::new(),
    };
    ServeOptions {
        config: serve,
        actions: config.path(Key::ActionsPath).map(absolute),
        policy,
        programs: Settings {
            hidden: Some(hidden),
            ..settings::envyr(config)
        },
        environment: environment.clone(),
        sign_in: arguments.sign_in,
    }
}

/// The settings of the server: its file, and what was typed.
fn read(arguments: &Arguments, environment: &Environment) -> Result<ServeConfig, Box<Problem>> {
    let mut config = settings_of(
        arguments.config.as_deref(),
        arguments.data.as_deref(),
        environment,
    )?;
    if let Some(listen) = arguments.listen {
        config.listen = listen;
    }
    Ok(config)
}

/// The settings of a file, with another data folder if one is named.
pub(crate) fn settings_of(
    file: Option<&Path>,
    folder: Option<&Path>,
    environment: &Environment,
) -> Result<ServeConfig, Box<Problem>> {
    let data = environment.data_folder().join("server");
    let mut config = match file {
        None => ServeConfig::new(data),
        Some(path) => {
            let text = settings_text::read(path, MAX_SIZE)
                .map_err(|why| Problem::usage(format!("cannot read {}: {why}", path.display())))
                .map_err(Box::new)?;
            let file = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            let folder = file.parent().unwrap_or(Path::new("/"));
            let name = path.display().to_string();
            let config = ServeConfig::parse(&name, &text, folder, data)
                .map_err(|error| Box::new(settings_text::problem(&error)))?;
            ServeConfig {
                file: Some(file),
                ..config
            }
        }
    };
    if let Some(data) = folder {
        data.clone_into(&mut config.data);
    }
    config.data = std::path::absolute(&config.data).unwrap_or(config.data);
    Ok(config)
}

fn of_serve_error(error: &ServeError) -> Problem {
    let problem = match error {
        ServeError::Load(error) => {
            return Problem::of_load_error(error)
                .unwrap_or_else(|| Problem::usage(error.to_string()));
        }
        ServeError::Engine(EngineError::Short(_)) => Problem::short(error.to_string()),
        error => Problem::usage(with_causes(error)),
    };
    match error {
        ServeError::Listen { .. } => {
            problem.hinted("--listen names another address; port 0 takes any")
        }
        ServeError::Store(kael_store_error) if kael_store_error.to_string().contains("in use") => {
            problem.hinted("another kael-host serve has this data folder; --data names another")
        }
        _ => problem,
    }
}

/// What no process of a tenant's actions sees.
fn hidden(environment: &Environment) -> Vec<PathBuf> {
    let mut hidden = kael_secrets::files(environment);
    hidden.extend(kael_server::hidden(environment));
    hidden
}

fn told(arguments: &Arguments, started: &Started) -> u8 {
    if arguments.json {
        let document = json!({
            "address": started.address.to_string(),
            "url": started.url,
            "sign_in": started.link,
            "resumed": started.resumed,
            "queued": started.queued,
            "tenants": started.tenants,
        });
        return say_json_line(&document, exit::SUCCESS);
    }
    let mut out = format!("Kael serves at {}\n", started.url);
    if let Some(link) = &started.link {
        out += &format!(
            "\nThis link signs the operator in, once, within 15 minutes:\n  {link}\n\
             Open it in a browser, or give it to kael-host login.\n"
        );
    }
    if started.resumed > 0 {
        out += &format!(
            "\n{} runs were running when the server last ended: they go on\n",
            started.resumed
        );
    }
    if started.queued > 0 {
        out += &format!("{} runs wait for their turn\n", started.queued);
    }
    say(&out, exit::SUCCESS)
}
