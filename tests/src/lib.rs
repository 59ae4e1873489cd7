//! A session with `kael-host`: files, a command line, and the outcome.

pub mod book;
mod browsed;
mod lacking;
mod needs;
mod program;
mod python;
mod ran;
mod servers;
mod terminal;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

pub use browsed::browsed;
pub use needs::{Need, browser, is_required, lacks, needs, needs_any, peers, postgres_programs};
pub use program::{Program, emmylua_check, runner, workspace};
pub use python::python;
pub use ran::Ran;
pub use servers::Server;
pub use terminal::Terminal;

/// A folder of files, and a command line to run in it.
pub struct Kael {
    folder: TempDir,
    /// A program and its arguments, which then execute the host.
    wrapper: Vec<String>,
    before: Vec<String>,
    after: Vec<String>,
    env: Vec<(String, String)>,
    stdin: Vec<u8>,
    actions: Vec<(String, String)>,
}

impl Default for Kael {
    fn default() -> Self {
        Self::new()
    }
}

impl Kael {
    /// A session with an empty folder, the real envyr, and its own data folder.
    #[must_use]
    pub fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let data = folder.path().join("data").display().to_string();
        let envyr = Program::get().envyr.display().to_string();
        // The developer's own configuration must not matter.
        let config = folder.path().join("config").display().to_string();
        let env = [
            ("KAEL_DATA", data),
            ("KAEL_ENVYR", envyr),
            ("XDG_CONFIG_HOME", config),
        ]
        .map(|(name, value)| (name.to_owned(), value));
        let runner = runner().map(|runner| ("KAEL_RUNNER".to_owned(), runner));
        Self {
            folder,
            wrapper: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
            env: env.into_iter().chain(runner).collect(),
            stdin: Vec::new(),
            actions: Vec::new(),
        }
    }

    /// The session's folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes a folder that actions may write. Returns its path, and the field of a definition that
    /// allows it.
    #[must_use]
    pub fn state(&self) -> (String, String) {
        let folder = self.path().join("state");
        fs::create_dir_all(&folder).expect("a folder");
        let fields = format!("writable = {{ '{}' }}", folder.display());
        (folder.display().to_string(), fields)
    }

    /// Makes an empty file below the folder. Returns the field of a definition that lets actions
    /// write it.
    #[must_use]
    pub fn writable(&self, name: &str) -> String {
        let file = self.path().join(name);
        write(&file, b"");
        format!("writable = {{ '{}' }}", file.display())
    }

    /// Writes a file below the folder.
    #[must_use]
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        write(&self.path().join(path), content.as_ref());
        self
    }

    /// Writes an executable file.
    #[must_use]
    pub fn program(self, path: &str, content: &str) -> Self {
        let path = self.path().join(path);
        write(&path, content.as_bytes());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
        self
    }

    /// Defines the action `t.NAME` of the repo `actions`. `fields` are Lua for `define_action`.
    #[must_use]
    pub fn define(mut self, name: &str, fields: &str) -> Self {
        self.actions.push((name.to_owned(), fields.to_owned()));
        self
    }

    /// Defines `t.NAME` as a shell script, with further fields.
    #[must_use]
    pub fn shell(self, name: &str, fields: &str, code: &str) -> Self {
        let fields = format!(
            r#"source = "../impl", entrypoint = "{name}.sh", executor = "native", {fields}"#
        );
        self.program(&format!("impl/{name}.sh"), &format!("#!/bin/sh\n{code}\n"))
            .define(name, &fields)
    }

    /// Adds options before the command.
    #[must_use]
    pub fn option(mut self, words: &[&str]) -> Self {
        self.before
            .extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// Sets the command and its arguments.
    #[must_use]
    pub fn words(mut self, words: &[&str]) -> Self {
        self.after
            .extend(words.iter().map(|word| (*word).to_owned()));
        self
    }

    /// Sets the command `run` with options.
    #[must_use]
    pub fn run_with(self, options: &[&str]) -> Self {
        self.words(&["run"]).words(options)
    }

    /// Sets an environment variable of the host.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the host's stdin.
    #[must_use]
    pub fn stdin(mut self, text: &str) -> Self {
        self.stdin = text.as_bytes().to_vec();
        self
    }

    /// Runs a script: `run script.lua` after the options.
    #[must_use]
    pub fn script(self, source: &str) -> Ran {
        let session = self.file("script.lua", source);
        let session = if session.after.is_empty() {
            session.words(&["run"])
        } else {
            session
        };
        session.words(&["script.lua"]).ends()
    }

    /// Runs the command to its end.
    #[must_use]
    pub fn ends(self) -> Ran {
        let child = self.start();
        let output = child.wait_with_output().expect("the host ends");
        Ran::new(output, self.folder)
    }

    /// Starts the command, and leaves it running.
    #[must_use]
    pub fn start(&self) -> Child {
        self.start_with(Stdio::piped(), Stdio::piped())
    }

    /// The same with these as stdout and stderr.
    pub fn start_with(&self, stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) -> Child {
        let mut command = self.command();
        command.args(&self.before).args(&self.after);
        command.stdin(Stdio::piped()).stdout(stdout).stderr(stderr);
        let mut child = command.spawn().expect("the host starts");
        // The host may end before it has read everything.
        child
            .stdin
            .take()
            .expect("a pipe")
            .write_all(&self.stdin)
            .ok();
        child
    }

    /// kael-host in this session's folder and environment, without a command.
    #[must_use]
    pub fn command(&self) -> Command {
        self.write_repo();
        let host = &Program::get().host;
        let mut command = match self.wrapper.split_first() {
            Some((wrapper, arguments)) => {
                let mut command = Command::new(wrapper);
                command.args(arguments).arg(host);
                command
            }
            None => Command::new(host),
        };
        command.current_dir(self.path());
        let own = std::env::vars_os().map(|(name, _)| name);
        for name in own.filter(|name| name.as_encoded_bytes().starts_with(b"KAEL_")) {
            command.env_remove(name);
        }
        command.env_remove("RUST_BACKTRACE");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        if !self.actions.is_empty() {
            command.args(["--actions", "actions"]);
        }
        command
    }

    /// Writes the repo with the defined actions. `start` calls it, too.
    pub fn write_repo(&self) {
        if self.actions.is_empty() {
            return;
        }
        let fields = self
            .actions
            .iter()
            .map(|(name, fields)| format!("t.{name} = define_action({{ {fields} }})\n"));
        let source = format!(
            "local t = {{}}\n{}return {{ t = t }}\n",
            fields.collect::<String>()
        );
        let path = self.path().join("actions/init.lua");
        // Another host of this session may be reading the file.
        if fs::read_to_string(&path).ok().as_ref() != Some(&source) {
            write(&path, source.as_bytes());
        }
    }
}

fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    fs::write(path, content).expect("a file");
}

/// Whether a process has the text in its command line.
#[must_use]
pub fn alive(marker: &str) -> bool {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines
        .into_iter()
        .any(|line| String::from_utf8_lossy(&line).contains(marker))
}

/// Waits at most two seconds until no process has the text in its command line.
#[must_use]
pub fn gone(marker: &str) -> bool {
    (0..40).any(|round| {
        if round > 0 {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        !alive(marker)
    })
}

/// A path below the workspace.
#[must_use]
pub fn project(path: &str) -> PathBuf {
    workspace().join(path)
}
