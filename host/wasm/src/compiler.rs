//! Compiles WebAssembly files in a bounded child process, because a small file can take gigabytes
//! and minutes.
//!
//! The process is `kael-host __compile FORMAT`. It reads the file on stdin and writes the machine
//! code on stdout. It may write nothing else. It ends with the call that needs the file.

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::command::Format;
use super::file_error::FileError;
use super::{compile, engine_config};
use kael_engine::executor::process::{self, Ending, Finished, Isolation, ProcessCommand};
use kael_engine::executor::temporary::Temporary;
use kael_engine::failure::{ActionError, ErrorKind};
use kael_engine::limits::ProcessLimits;
use kael_engine::units::{ByteSize, TimeLimit};

/// The hidden subcommand that compiles.
pub const WORD: &str = "__compile";
/// What it is told to compile a module as the predicate of a rule.
pub(super) const PREDICATE: &str = "predicate";

/// The memory limit of a compilation: a base, plus a multiple of the file's size. Files that
/// compilers produce take 20 to 40 times their size.
const MEMORY: ByteSize = ByteSize::mib(256);
const MEMORY_TIMES: u64 = 64;
const MOST_MEMORY: ByteSize = ByteSize::mib(4096);
/// The same for the machine code, which is about three times as large as the file.
const CODE: ByteSize = ByteSize::mib(32);
const CODE_TIMES: u64 = 16;
const MOST_CODE: ByteSize = ByteSize::mib(1024);
/// Threads of the child process.
const THREADS: usize = 4;
/// The least time for a compilation. A call with a shorter timeout fails, and the next call finds
/// the file compiled.
const LEAST_TIME: Duration = Duration::from_secs(5);

/// How many files one host compiles at once. The others wait.
static PERMITS: Semaphore = Semaphore::const_new(2);

/// The program that compiles, and the data folder.
pub(super) struct Compiler {
    /// The path of `kael-host`. Without it, no file is compiled.
    pub(super) program: Option<PathBuf>,
    /// Kael's data folder.
    pub(super) data: PathBuf,
}

/// How long the compilation of a file may take for a call with this timeout.
pub(super) fn time(timeout: Duration) -> Duration {
    timeout.max(LEAST_TIME)
}

impl Compiler {
    /// Compiles a file of a format, by its word. `name` is its name in errors. Dropping the future
    /// ends the child process.
    pub(super) async fn compile(
        &self,
        bytes: Vec<u8>,
        format: &str,
        name: &str,
        within: Duration,
    ) -> Result<Vec<u8>, ActionError> {
        let unavailable = |why: &str| ActionError::unavailable(format!("`{name}` {why}"), None);
        if cfg!(not(feature = "compiler")) {
            return Err(unavailable(&FileError::NoCompiler.to_string()));
        }
        let program = self.program.clone().ok_or_else(|| {
            let hint = "tell the host of a kael-host that compiles";
            let message = format!("`{name}` is not compiled yet, and this program has no compiler");
            ActionError::unavailable(message, Some(hint.to_owned()))
        })?;
        // The semaphore is never closed.
        let _permit = PERMITS.acquire().await.ok();
        let size = bytes.len() as u64;
        let memory = bound(MEMORY, MEMORY_TIMES, MOST_MEMORY, size);
        let starting = |error: io::Error| unavailable(&format!("cannot be compiled: {error}"));
        let room = process::room(within).await.map_err(starting)?;
        let mut temporary = Temporary::new(&self.data)?;
        let command = ProcessCommand {
            program,
            args: [WORD, format].map(OsString::from).to_vec(),
            env: vec![
                ("TMPDIR".into(), temporary.path().into()),
                ("RAYON_NUM_THREADS".into(), threads().to_string().into()),
            ],
            folder: "/".into(),
            stdin: bytes,
            timeout: within,
            room: Some(room),
            stdout_cap: bound(CODE, CODE_TIMES, MOST_CODE, size).bytes() as usize,
            stderr_tail: 4 << 10,
            isolation: Isolation::Strongest,
            writable: Some(Vec::new()),
            readable: None,
            hidden: Vec::new(),
            temporary: Some(temporary.opened()?),
            limits: Some(ProcessLimits {
                memory,
                cpu: TimeLimit::from_secs(within.as_secs().saturating_add(1) * THREADS as u64),
                processes: 4 * THREADS as u32,
                ..ProcessLimits::default()
            }),
        };
        let mut finished = process::run(command, |_| ()).await.map_err(starting)?;
        temporary.remove_after(std::mem::take(&mut finished.leftover));
        match read(finished, memory) {
            Ok(code) => Ok(code),
            Err(Refused::Late) => Err(late(name, within)),
            Err(Refused::Because(why)) => Err(unavailable(&why)),
        }
    }
}

/// The error when a compilation takes too long.
pub(super) fn late(name: &str, within: Duration) -> ActionError {
    let message = format!(
        "`{name}` was not compiled within {} s",
        within.as_secs_f64().ceil()
    );
    ActionError::new(ErrorKind::Timeout, message)
}

enum Refused {
    Late,
    /// Follows the file's name.
    Because(String),
}

/// Reads the outcome of the child process.
fn read(finished: Finished, memory: ByteSize) -> Result<Vec<u8>, Refused> {
    let because = |why: String| Err(Refused::Because(why));
    let stderr = String::from_utf8_lossy(&finished.stderr);
    let said = stderr.lines().next_back().unwrap_or_default().trim();
    match finished.ending {
        Ending::Exited(0) => {}
        Ending::TimedOut => return Err(Refused::Late),
        Ending::TooMuchOutput => {
            return because("becomes more machine code than a file of its size may".to_owned());
        }
        // Rust prints this before it aborts. A failure to start a thread prints a message, too.
        _ if stderr.contains("memory allocation of") || stderr.contains("Cannot allocate") => {
            return because(format!("takes more than {memory} to be compiled"));
        }
        Ending::Exited(1) if !said.is_empty() => return because(said.to_owned()),
        Ending::Exited(code) => {
            return because(format!(
                "cannot be compiled: the compiler exited with {code}"
            ));
        }
        Ending::Signaled(signal) => {
            return because(format!(
                "cannot be compiled: the compiler was ended by signal {signal}"
            ));
        }
    }
    let head = head();
    match finished.stdout.strip_prefix(head.as_bytes()) {
        Some(code) => Ok(code.to_vec()),
        None => {
            because("was compiled by a program of another version: start the host anew".to_owned())
        }
    }
}

/// The header of machine code: the settings and the version that made it.
fn head() -> String {
    format!("kael {}\n", compile::SETTINGS)
}

fn bound(least: ByteSize, times: u64, most: ByteSize, size: u64) -> ByteSize {
    let wanted = least.bytes().saturating_add(size.saturating_mul(times));
    ByteSize::new(wanted.min(most.bytes()))
}

fn threads() -> usize {
    let here = std::thread::available_parallelism().map_or(1, usize::from);
    here.min(THREADS)
}

/// The child process: reads a file on stdin and writes its machine code on stdout.
///
/// # Errors
/// Why it cannot, to follow the file's name.
pub fn compile_stdin(format: &str) -> Result<(), FileError> {
    let (config, format) = match format {
        PREDICATE => (engine_config::predicate_config(), Format::Module),
        word => {
            let format = Format::by_word(word).ok_or(FileError::Format)?;
            (engine_config::engine_config(), format)
        }
    };
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    let engine = wasmtime::Engine::new(&config).map_err(FileError::Compile)?;
    let code = compile::compile(&engine, &bytes, format)?;
    let mut stdout = io::stdout().lock();
    stdout.write_all(head().as_bytes())?;
    stdout.write_all(&code)?;
    Ok(stdout.flush()?)
}
