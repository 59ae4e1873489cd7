//! `kael-host repl`: reads and evaluates Lua, input by input.
//!
//! Reading blocks, so a thread of its own does it. The session and all output stay on this side.

mod answer;
mod command;
mod editor;
mod evaluation;
mod reading;
mod run_command;
mod session;
mod signals;

use std::io::{self, IsTerminal as _};

use crate::args::{Repl as Arguments, Shared};
use crate::progress;
use crate::report::Problem;
use crate::snippet::SourceMap;
use crate::terminal::Paint;
use crate::{exit, runtime, settings};
use answer::{ended, not_begun, refused};
use kael_engine::activity::{ActivityLog, Retention};
use kael_engine::environment::Environment;
use kael_engine::runtime::LoadError;
use session::Repl;
use signals::Signals;

pub(super) fn run(shared: &Shared, arguments: &Arguments, environment: Environment) -> u8 {
    let config = match settings::config(shared, &arguments.bounds, &environment) {
        Ok(config) => config,
        Err(error) => {
            let error = Problem::of_config_error(&error);
            return refused(shared, arguments.json, &error, exit::CONFIG);
        }
    };
    let interactive = !arguments.json && io::stdin().is_terminal() && io::stdout().is_terminal();
    let history = environment.data_folder().join("history");
    let mut settings = settings::settings(&config, &arguments.bounds, environment.clone());
    let progress = progress::is_wanted(shared, &environment);
    if progress {
        settings.envyr.activity = ActivityLog::new(Retention::Running);
    }
    let folder = settings.actions.clone();
    let output = progress::script_output(arguments.json);
    let runtime = match runtime::runtime() {
        Ok(runtime) => runtime,
        Err(error) => {
            Problem::no_threads(&error).print(shared.quiet);
            return exit::CONFIG;
        }
    };
    // The terminal's modes before the editor changes them. A signal must restore them.
    let modes = rustix::termios::tcgetattr(io::stdin()).ok();
    let code = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let kept = arguments.json.then(|| output.clone());
        let opening = async {
            // One for the session and one for the repo; the next session is made before the last one is gone.
            let runtime = settings.runtime(3)?;
            let repo = settings.repo(&runtime, &output).await?;
            let options = settings.run_options(output.clone());
            let session = runtime.session(repo, options, interactive).await?;
            Ok::<_, LoadError>((runtime, session))
        };
        let session = tokio::select! {
            biased;
            number = signals.any() => return Ok(ended(shared, number)),
            session = opening => session,
        };
        let (runtime, session) = match session {
            Ok(opened) => opened,
            Err(error) => {
                let texts = SourceMap::default().with_repo(folder.as_deref());
                return Ok(not_begun(shared, arguments.json, &error, texts));
            }
        };
        let reader = if interactive {
            let history = (!arguments.no_history).then_some(history);
            editor::start(history)?
        } else {
            reading::start()?
        };
        let repl = Repl {
            shared,
            paint: Paint::new(&environment),
            interactive,
            kept,
            progress,
            settings,
            runtime,
            output,
            session,
            signals,
            reader,
            pending: String::new(),
            line: 1,
            typed: Vec::new(),
            loaded: SourceMap::default(),
            last: exit::SUCCESS,
        };
        Ok(repl.main_loop().await)
    });
    runtime::shut_down(runtime);
    if let (true, Some(modes)) = (interactive, modes) {
        let now = rustix::termios::OptionalActions::Now;
        rustix::termios::tcsetattr(io::stdin(), now, &modes).ok();
    }
    code.unwrap_or_else(|error: io::Error| {
        Problem::no_threads(&error).print(shared.quiet);
        exit::CONFIG
    })
}
