//! Runs the program that prints a secret: of a vault, sops, or a password manager.

use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kael_engine::environment::Environment;
use zeroize::Zeroizing;

use super::error::Error;
use super::key::MAX_SECRET;

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(30);
/// How often it is looked whether it has ended.
const TICK: Duration = Duration::from_millis(20);

/// What the program printed. It has the operator's own variables; nothing of it is shown.
pub(crate) fn run(
    name: &str,
    words: &[String],
    environment: &Environment,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let failed = |why: &str| {
        let program = words.first().map_or("", String::as_str);
        Error::new(format!("the secret `{name}` is not there: {program} {why}"))
    };
    let (program, arguments) = words.split_first().ok_or_else(|| failed("is no program"))?;
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(environment.starting_with(""))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| failed(&format!("cannot be started: {error}")))?;
    let stdout = child.stdout.take();
    let reading = std::thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::new());
        let read = stdout.map(|stdout| stdout.take(MAX_SECRET + 2).read_to_end(&mut bytes));
        (read, bytes)
    });
    let status = ended(&mut child).map_err(|why| failed(&why))?;
    // What still holds the other end of the pipe ends with the group.
    end(&child);
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

fn ended(child: &mut Child) -> Result<Option<i32>, String> {
    let until = Instant::now() + LIMIT;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.code()),
            Ok(None) if Instant::now() < until => std::thread::sleep(TICK),
            Ok(None) => {
                end(child);
                child.wait().ok();
                return Err(format!("took longer than {} s", LIMIT.as_secs()));
            }
            Err(error) => return Err(error.to_string()),
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
