//! `kael-host repl`: reads and evaluates Lua, input by input.
//!
//! Reading blocks, so a thread of its own does it. The session and all output stay on this side.

mod command;
mod editor;
mod reading;

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::{Repl as Arguments, Shared};
use crate::commands::actions::describe;
use crate::commands::run;
use crate::progress::{self, ScriptWriter};
use crate::report::Problem;
use crate::sanitize::Terminal;
use crate::settings::Settings;
use crate::snippet::SourceMap;
use crate::terminal::{Paint, say_json_line};
use crate::{exit, runtime, settings};
use command::ReplCommand;
use kael_engine::activity::{ActivityLog, Retention};
use kael_engine::catalog::Catalog;
use kael_engine::environment::Environment;
use kael_engine::runtime::{LoadError, Runtime, Session};
use kael_engine::sandbox::{Chunk, ChunkEnd, ChunkUse, Ending, Output};
use reading::{Event, Reader};

/// How long an evaluation may take to end after an interrupt, before the whole session ends.
const GRACE: Duration = Duration::from_secs(2);

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
    let output = if arguments.json {
        Output::in_memory()
    } else if io::stdout().is_terminal() {
        Output::to_writer(Terminal(ScriptWriter(io::stdout())))
    } else {
        Output::to_writer(io::stdout())
    };
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

fn ended(shared: &Shared, number: u8) -> u8 {
    Problem::signal(number).print(shared.quiet);
    exit::SIGNAL + number
}

fn not_begun(shared: &Shared, as_json: bool, error: &LoadError, texts: SourceMap) -> u8 {
    let code = exit::of_load_error(error);
    match Problem::of_load_error(error) {
        Some(error) => refused(shared, as_json, &error.quoting(texts), code),
        None => code,
    }
}

/// Reports why there is no session.
fn refused(shared: &Shared, as_json: bool, error: &Problem, code: u8) -> u8 {
    if as_json {
        return say_json_line(&document("", Some(error), code, true), code);
    }
    error.print(shared.quiet);
    code
}

/// The document that `--json` prints for an input.
fn document(output: &str, error: Option<&Problem>, code: u8, lost: bool) -> Value {
    json!({
        "ok": error.is_none(),
        "exit_code": code,
        "output": output,
        "error": error.map(Problem::json),
        "session_lost": lost,
    })
}

/// Signals that end an evaluation or the program.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The number of the next signal.
    async fn any(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 2,
            _ = self.terminate.recv() => 15,
            _ = self.hangup.recv() => 1,
        }
    }
}

/// What follows a line.
enum Next {
    Line,
    /// The program ends with this exit code.
    End(u8),
}

/// One interactive session.
struct Repl<'a> {
    shared: &'a Shared,
    paint: Paint,
    interactive: bool,
    /// The output of an input, for `--json`.
    kept: Option<Output>,
    /// Whether slow actions are shown while they run.
    progress: bool,
    settings: Settings,
    runtime: Runtime,
    output: Output,
    session: Session,
    signals: Signals,
    reader: Reader,
    /// The lines of an unfinished chunk.
    pending: String,
    /// The number of the first line of the next input.
    line: u32,
    /// All input, with each line at its number, and the loaded files: for quotes in errors.
    typed: Vec<String>,
    loaded: SourceMap,
    /// The exit code of the last error.
    last: u8,
}

impl Repl<'_> {
    async fn main_loop(mut self) -> u8 {
        if self.interactive && !self.shared.quiet {
            let banner = format!(
                "kael-host {}, actions: {}. :help lists the commands, :quit or Ctrl-D ends.\n",
                env!("CARGO_PKG_VERSION"),
                self.catalog().iter().count()
            );
            io::stdout().write_all(banner.as_bytes()).ok();
        }
        loop {
            let more = !self.pending.is_empty();
            let next = match self.read(more).await {
                Ok(Some(line)) => self.take(line).await,
                Ok(None) => Next::Line,
                Err(code) => return code,
            };
            if let Next::End(code) = next {
                return code;
            }
        }
    }

    /// Reads the next line. None if the user dropped it. Answers the editor's questions meanwhile.
    async fn read(&mut self, more: bool) -> Result<Option<String>, u8> {
        self.reader.ask(self.line, more);
        loop {
            let event = tokio::select! {
                biased;
                number = self.signals.any() => match (number, self.interactive) {
                    // The terminal tells the editor of Ctrl-C. This SIGINT came from another
                    // process.
                    (2, true) => continue,
                    _ => return Err(ended(self.shared, number)),
                },
                event = self.reader.next() => event,
            };
            match event {
                Event::Line(line) => return Ok(Some(line)),
                Event::Dropped => {
                    self.pending.clear();
                    return Ok(None);
                }
                Event::Check(text, reply) => {
                    let complete = command::is_command(&text) || self.is_complete(text).await;
                    reply.send(complete).ok();
                }
                Event::Complete(line, reply) => {
                    let offered = self.complete(&line).await;
                    reply.send(offered).ok();
                }
                Event::End => {
                    let text = std::mem::take(&mut self.pending);
                    if !text.is_empty() {
                        // The input ended inside a chunk. Evaluating it gives Lua's error.
                        let source = format!("{}{text}", "\n".repeat(self.line as usize - 1));
                        if let Next::End(code) = self.evaluate(source, ChunkUse::File, None).await {
                            return Err(code);
                        }
                    }
                    return Err(if self.interactive {
                        exit::SUCCESS
                    } else {
                        self.last
                    });
                }
                Event::Failed(message) => {
                    self.report_error(&Problem::usage(message), exit::USAGE);
                    return Err(exit::USAGE);
                }
            }
        }
    }

    async fn is_complete(&mut self, text: String) -> bool {
        let chunk = self.chunk(text, ChunkUse::Check, None);
        let report = self.session.evaluate(chunk, std::future::pending()).await;
        !matches!(
            report.map(|report| report.ending),
            Some(Ending::Done(ChunkEnd::Incomplete))
        )
    }

    async fn complete(&mut self, line: &str) -> Vec<String> {
        match command::names_an_action(line) {
            Some(start) => {
                let catalog = self.catalog();
                let names = catalog.iter().map(|(name, _)| name.as_str().to_owned());
                names.filter(|name| name.starts_with(start)).collect()
            }
            None => self.session.complete(line).await,
        }
    }

    async fn take(&mut self, line: String) -> Next {
        if self.pending.is_empty() {
            // A new input takes the lines of a dropped one.
            self.typed.truncate(self.line as usize - 1);
        }
        self.typed.extend(line.split('\n').map(str::to_owned));
        if self.pending.is_empty() && command::is_command(&line) {
            self.line += 1;
            return match ReplCommand::parse(&line) {
                Ok(command) => self.run_command(command).await,
                Err(message) => self.report_error(&Problem::usage(message), exit::USAGE),
            };
        }
        if !self.pending.is_empty() {
            self.pending.push('\n');
        }
        self.pending.push_str(&line);
        let source = self.pending.clone();
        self.evaluate(source, ChunkUse::Input, None).await
    }

    /// The name of the input in errors.
    fn own_name(&self) -> &'static str {
        if self.interactive { "repl" } else { "stdin" }
    }

    fn chunk(&self, source: String, use_as: ChunkUse, name: Option<String>) -> Chunk {
        Chunk {
            name: name.unwrap_or_else(|| self.own_name().to_owned()),
            line: self.line,
            source,
            use_as,
        }
    }

    /// Evaluates an input, or the file of that name, and reports how it ended.
    async fn evaluate(&mut self, source: String, use_as: ChunkUse, file: Option<String>) -> Next {
        let typed = file.is_none();
        let chunk = self.chunk(source, use_as, file);
        let asked = self.session.interrupt();
        let Signals {
            interrupt,
            terminate,
            hangup,
        } = &mut self.signals;
        let stop = async {
            if !self.interactive {
                return std::future::pending().await;
            }
            interrupt.recv().await;
            asked.request();
            tokio::select! {
                _ = interrupt.recv() => {}
                () = tokio::time::sleep(GRACE) => {}
            }
        };
        let shown = progress::show(self.runtime.activity(), self.progress);
        let report = {
            let evaluating = self.session.evaluate(chunk, stop);
            tokio::select! {
                biased;
                _ = terminate.recv() => Err(15),
                _ = hangup.recv() => Err(1),
                report = evaluating => Ok(report),
            }
        };
        drop(shown);
        let report = match report {
            Ok(report) => report,
            Err(number) => return Next::End(ended(self.shared, number)),
        };
        if let Some(Ending::Done(ChunkEnd::Incomplete)) = report.as_ref().map(|r| &r.ending) {
            return Next::Line;
        }
        if typed {
            let lines = self.pending.matches('\n').count() + 1;
            self.line += u32::try_from(lines).unwrap_or(1);
            self.pending.clear();
        }
        let next = match report {
            None => self.report_error(&Problem::usage("interrupted".to_owned()), exit::SIGNAL + 2),
            Some(report) => {
                let code = exit::of_ending(&report.ending);
                let next = match Problem::of_ending(&report.ending) {
                    Some(error) => self.report_error(&error.quoting(self.texts()), code),
                    None => self.say(""),
                };
                match report.ending {
                    Ending::Exited(_) | Ending::OutputClosed | Ending::OutputFailed(_) => {
                        Next::End(code)
                    }
                    _ => next,
                }
            }
        };
        if self.session.is_lost() && matches!(next, Next::Line) {
            return self.begin_anew().await;
        }
        next
    }

    fn texts(&self) -> SourceMap {
        let texts = self
            .loaded
            .clone()
            .with(self.own_name(), &self.typed.join("\n"));
        texts.with_repo(self.settings.actions.as_deref())
    }

    /// The actions of the repo.
    fn catalog(&self) -> Arc<Catalog> {
        let repo = self.session.repo();
        repo.map(|repo| repo.catalog.clone()).unwrap_or_default()
    }

    /// Begins anew with the repo as it is now.
    async fn reset(&mut self) -> Result<(), LoadError> {
        let repo = self.settings.repo(&self.runtime, &self.output).await?;
        self.session.restart(repo).await
    }

    async fn begin_anew(&mut self) -> Next {
        if self.kept.is_none() {
            let note =
                "The session's variables are lost. A new one has begun, with the repo loaded.\n";
            io::stderr().write_all(note.as_bytes()).ok();
        }
        match self.session.revive().await {
            Ok(()) => Next::Line,
            Err(error) => {
                let as_json = self.kept.is_some();
                Next::End(not_begun(self.shared, as_json, &error, self.texts()))
            }
        }
    }

    fn report_error(&mut self, error: &Problem, code: u8) -> Next {
        self.last = code;
        let Some(kept) = &self.kept else {
            error.print(self.shared.quiet);
            return Next::Line;
        };
        let document = document(&kept.take(), Some(error), code, self.session.is_lost());
        goes_on(say_json_line(&document, exit::SUCCESS))
    }

    async fn run_command(&mut self, command: ReplCommand) -> Next {
        match command {
            ReplCommand::Help => self.say(command::HELP),
            ReplCommand::Quit => Next::End(if self.interactive {
                exit::SUCCESS
            } else {
                self.last
            }),
            ReplCommand::Reset => match self.reset().await {
                Ok(()) if self.interactive => {
                    self.say("The repo is loaded anew, and all variables are gone.\n")
                }
                Ok(()) => self.say(""),
                Err(error) => {
                    let code = exit::of_load_error(&error);
                    match Problem::of_load_error(&error) {
                        Some(error) => self.report_error(&error.quoting(self.texts()), code),
                        None => Next::End(code),
                    }
                }
            },
            ReplCommand::Load(path) => match run::file(&path) {
                Ok(source) => {
                    let name = path.display().to_string();
                    self.loaded.set(&name, &source);
                    self.evaluate(source, ChunkUse::File, Some(name)).await
                }
                Err(message) => self.report_error(&Problem::usage(message), exit::USAGE),
            },
            ReplCommand::Describe(name) => self.describe(&name).await,
        }
    }

    async fn describe(&mut self, name: &str) -> Next {
        let catalog = self.catalog();
        let Some((name, definition)) = describe::find(&catalog, name) else {
            let error = describe::unknown(&catalog, name);
            return self.report_error(&error, exit::USAGE);
        };
        // What has a definition has a repo.
        let Some(repo) = self.session.repo() else {
            return Next::Line;
        };
        let looked = repo.executors().look(definition, false).await;
        let text = describe::text(self.paint, name, definition, &looked);
        self.say(&text)
    }

    /// Prints text besides the output. With `--json` it is part of the input's document.
    fn say(&self, text: &str) -> Next {
        goes_on(match &self.kept {
            None => crate::terminal::say(text, exit::SUCCESS),
            Some(kept) => {
                let output = kept.take() + text;
                let document = document(&output, None, exit::SUCCESS, self.session.is_lost());
                say_json_line(&document, exit::SUCCESS)
            }
        })
    }
}

/// Ends the session when the reader of the output is gone.
fn goes_on(said: u8) -> Next {
    match said {
        exit::SUCCESS => Next::Line,
        code => Next::End(code),
    }
}
