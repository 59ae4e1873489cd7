//! Asks a program of the machine something short, such as its version, without waiting for one that
//! does not answer. It takes no thread: a user may have none left.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks whether it has.
const TICK: Duration = Duration::from_millis(2);
/// Bytes of each stream that are read.
const CAP: u64 = 1 << 20;

/// Runs a program to its end, with what it printed; stdin is empty.
///
/// # Errors
/// When it cannot be started, or takes longer than ten seconds: then it is killed.
pub fn output(command: &mut Command) -> io::Result<Output> {
    output_within(command, PATIENCE)
}

fn output_within(command: &mut Command, patience: Duration) -> io::Result<Output> {
    let (stdout, stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(stdout.try_clone()?)
        .stderr(stderr.try_clone()?)
        .spawn()?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() >= patience {
            child.kill().ok();
            child.wait().ok();
            let why = format!("it does not answer within {} s", patience.as_secs());
            return Err(io::Error::new(io::ErrorKind::TimedOut, why));
        }
        thread::sleep(TICK);
    };
    Ok(Output {
        status,
        stdout: printed(stdout)?,
        stderr: printed(stderr)?,
    })
}

fn printed(mut file: File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(CAP).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_answer_is_not_waited_for() {
        let ask = |code: &str| {
            let mut command = Command::new("/bin/sh");
            output_within(command.args(["-c", code]), Duration::from_secs(1))
        };
        let answer = ask("cat; echo out; echo err >&2; exit 3").expect("an answer");
        assert_eq!(
            (answer.stdout, answer.stderr),
            (b"out\n".into(), b"err\n".into())
        );
        assert_eq!(answer.status.code(), Some(3));
        let error = ask("exec sleep 60").expect_err("no answer");
        assert_eq!(error.to_string(), "it does not answer within 1 s");
    }
}
