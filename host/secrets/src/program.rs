//! Runs the program that prints a secret: of a vault, sops, or a password manager.

use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use kael_engine::environment::Environment;
use zeroize::Zeroizing;

use super::error::Error;
use super::key::MAX_SECRET;

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How often it is looked whether it has ended.
const TICK: Duration = Duration::from_millis(20);

/// The program while it runs. It can be ended from another thread.
#[derive(Clone, Default)]
pub(crate) struct Running(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    child: Option<Child>,
    is_over: bool,
}

impl Running {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the program and its children. One that has not begun does not begin.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.is_over = true;
        state.child.iter().for_each(end);
    }

    /// What the program printed. It has the operator's own variables; nothing of it is shown.
    pub(crate) fn run(
        &self,
        name: &str,
        words: &[String],
        environment: &Environment,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let failed = |why: &str| {
            let program = words.first().map_or("", String::as_str);
            Error::new(format!("the secret `{name}` is not there: {program} {why}"))
        };
        let stdout = self.start(words, environment).map_err(|why| failed(&why))?;
        let reading = std::thread::spawn(move || {
            let mut bytes = Zeroizing::new(Vec::new());
            let read = stdout.map(|stdout| stdout.take(MAX_SECRET + 2).read_to_end(&mut bytes));
            (read, bytes)
        });
        let status = self.status().map_err(|why| failed(&why))?;
        let (read, bytes) = reading.join().map_err(|_| failed("cannot be read"))?;
        match read {
            Some(Ok(_)) if status == Some(0) => Ok(bytes),
            Some(Ok(_)) => Err(failed(&match status {
                Some(status) => format!("exited with status {status}"),
                None => "was ended by a signal".to_owned(),
            })),
            _ => Err(failed("cannot be read")),
        }
    }

    fn start(
        &self,
        words: &[String],
        environment: &Environment,
    ) -> Result<Option<ChildStdout>, String> {
        let (program, arguments) = words.split_first().ok_or("is no program")?;
        let mut state = self.state();
        if state.is_over {
            return Err("was not started: its call is over".to_owned());
        }
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(environment.starting_with(""))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot be started: {error}"))?;
        let stdout = child.stdout.take();
        state.child = Some(child);
        Ok(stdout)
    }

    /// Waits for the end of the program, and ends the children that it has left: they may hold the pipe.
    fn status(&self) -> Result<Option<i32>, String> {
        let until = Instant::now() + LIMIT;
        loop {
            {
                let mut state = self.state();
                let Some(child) = &mut state.child else {
                    return Err("is gone".to_owned());
                };
                let ended = child.try_wait();
                let is_late = Instant::now() >= until;
                if is_late || !matches!(ended, Ok(None)) {
                    end(child);
                    if is_late {
                        child.wait().ok();
                    }
                    state.child = None;
                    return match ended {
                        Ok(Some(status)) => Ok(status.code()),
                        Ok(None) => Err(format!("took longer than {} s", LIMIT.as_secs())),
                        Err(error) => Err(error.to_string()),
                    };
                }
            }
            std::thread::sleep(TICK);
        }
    }
}

fn end(child: &Child) {
    let pid = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        rustix::process::kill_process_group(pid, rustix::process::Signal::KILL).ok();
    }
}
