//! Does the work of a call in a child process, whose memory, time and files are bounded.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kael_engine::executor::granted::{Places, Refused, Use};
use kael_engine::executor::process::{self, Ending, Finished, Isolation, Opened, ProcessCommand};
use kael_engine::executor::temporary::Temporary;
use kael_engine::failure::{ActionError, ErrorKind};
use kael_engine::json;
use kael_engine::limits::ProcessLimits;
use kael_engine::units::{ByteSize, TimeLimit};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Statement;
use crate::refusal::{interrupted, invalid};

/// The hidden subcommand that does it.
pub const WORD: &str = "__sqlite";
/// Memory of a call, with what it sorts.
pub(super) const MEMORY: ByteSize = ByteSize::mib(256);
/// Bytes of a reply: those of an answer, written as JSON.
const MAX_REPLY: usize = 128 << 20;

/// What is done with a database.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Work {
    pub(super) path: PathBuf,
    /// Only read, and give rows back.
    pub(super) reads: bool,
    pub(super) statements: Vec<Statement>,
    pub(super) max_rows: usize,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    Done(Value),
    /// The call asks for what it may not have.
    Asked(String),
    /// The file is no database that can be used.
    Unopened(String),
    /// SQLite has refused.
    Failed(String),
}

/// The program that runs it, and the data folder with room for what it needs.
pub(crate) struct Program<'a> {
    pub(crate) path: Option<&'a Path>,
    pub(crate) data: &'a Path,
}

/// The file that a URL names: `sqlite:data/x.db`, `sqlite:///srv/x.db`.
pub(super) fn file_of(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("sqlite:")?;
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let is_file = !path.is_empty() && !path.starts_with(':') && !path.ends_with('/');
    is_file.then_some(path)
}

/// Does the work of a call, whose parameters have that size, on a file. Dropping the future ends the process.
pub(super) async fn run(
    program: Program<'_>,
    file: &str,
    places: &Places,
    (mut work, size): (Work, usize),
    time: f64,
) -> Result<Vec<u8>, ActionError> {
    let (folder, path) = real(file, places, work.reads)?;
    work.path = path;
    let starting = |error: io::Error| {
        ActionError::unavailable(format!("the database cannot be opened: {error}"), None)
    };
    let Some(path) = program.path else {
        let message = "this program opens no databases".to_owned();
        let hint = "tell the host of a kael-host that does";
        return Err(ActionError::unavailable(message, Some(hint.to_owned())));
    };
    let within = Duration::from_secs_f64(time);
    let reads = work.reads;
    let encoded = json::aside(size, move || serde_json::to_vec(&work)).await;
    let encoded = encoded.ok_or_else(interrupted)?;
    let stdin = encoded.map_err(|error| invalid(error.to_string()))?;
    let room = process::room(within).await.map_err(starting)?;
    let mut temporary = Temporary::new(program.data)?;
    let command = ProcessCommand {
        program: path.to_owned(),
        args: vec![OsString::from(WORD)],
        env: vec![("TMPDIR".into(), temporary.path().into())],
        folder: "/".into(),
        stdin,
        timeout: within,
        room: Some(room),
        stdout_cap: MAX_REPLY,
        stderr_tail: 4 << 10,
        isolation: Isolation::Strongest,
        // One that only reads changes nothing beside the file either.
        writable: Some(if reads { Vec::new() } else { vec![folder] }),
        readable: None,
        hidden: Vec::new(),
        temporary: Some(temporary.opened()?),
        limits: Some(ProcessLimits {
            memory: MEMORY,
            cpu: TimeLimit::from_secs(within.as_secs().saturating_add(1)),
            file_size: ByteSize::mib(2048),
            processes: 4,
            ..ProcessLimits::default()
        }),
    };
    let mut finished = process::run(command, |_| ()).await.map_err(starting)?;
    temporary.remove_after(std::mem::take(&mut finished.leftover));
    let size = finished.stdout.len();
    let answer = json::aside(size, move || read(&finished, time)).await;
    answer.unwrap_or_else(|| Err(interrupted()))
}

/// The folder of a file, which lies where scripts may be let in, and its real path.
fn real(file: &str, places: &Places, reads: bool) -> Result<(Opened, PathBuf), ActionError> {
    let path = Path::new(file);
    let refused = |why: String| ActionError::unavailable(why, None);
    let (Some(name), folder) = (path.file_name(), path.parent()) else {
        return Err(refused(format!("the database `{file}` is no file")));
    };
    let folder = match folder.map(Path::to_string_lossy) {
        Some(folder) if !folder.is_empty() => folder.into_owned(),
        _ => ".".to_owned(),
    };
    let purpose = if reads { Use::Read } else { Use::Write };
    let opened = places.open(&folder, purpose).map_err(|why| match why {
        Refused::Missing => refused(format!("the folder `{folder}` of a database is not there")),
        Refused::For(why) => refused(format!("the folder `{folder}` of a database {why}")),
    })?;
    let path = opened.path().join(name);
    Ok((opened, path))
}

fn read(finished: &Finished, time: f64) -> Result<Vec<u8>, ActionError> {
    let failed = |kind, why: String| Err(ActionError::new(kind, why));
    let stderr = String::from_utf8_lossy(&finished.stderr);
    match finished.ending {
        Ending::Exited(0) => {}
        Ending::TimedOut => {
            return failed(ErrorKind::Timeout, format!("it took longer than {time} s"));
        }
        // Rust prints this before it aborts.
        _ if stderr.contains("memory allocation of") => {
            return failed(
                ErrorKind::Failed,
                format!("it needs more memory than {MEMORY}"),
            );
        }
        Ending::Exited(_) | Ending::Signaled(_) | Ending::TooMuchOutput => {
            let said = stderr.lines().next_back().unwrap_or("it says nothing");
            let why = format!("the process that opens databases ended: {}", said.trim());
            return failed(ErrorKind::Failed, why);
        }
    }
    match serde_json::from_slice(&finished.stdout) {
        Ok(Reply::Done(answer)) => Ok(answer.to_string().into_bytes()),
        Ok(Reply::Asked(why)) => Err(invalid(why)),
        Ok(Reply::Unopened(why)) => Err(ActionError::unavailable(why, None)),
        Ok(Reply::Failed(why)) => failed(ErrorKind::Failed, why),
        Err(error) => failed(
            ErrorKind::Failed,
            format!("the answer cannot be read: {error}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_files() {
        assert_eq!(file_of("sqlite:data/x.db"), Some("data/x.db"));
        assert_eq!(file_of("sqlite:///srv/x.db"), Some("/srv/x.db"));
        for url in [
            "sqlite::memory:",
            "sqlite:",
            "postgres://x/y",
            "sqlite:///srv/",
        ] {
            assert_eq!(file_of(url), None, "{url}");
        }
    }
}
