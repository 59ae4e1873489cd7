//! An audit log: one line a call, each bound to the one before by its SHA-256, so that a line that is changed, added or
//! taken out shows.
//!
//! A line is a JSON object whose last two fields are `prev`, the hash of the line before, and `hash`, the SHA-256 of the
//! line up to `prev`. What is cut off at the end of a file shows only to those who have kept its last hash.

use std::fs::File;
use std::io::{self, BufRead as _, Read, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::failure::ErrorKind;
use crate::policy::Decision;
use crate::text::hex;

/// What stands before the first line.
const START: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Bytes of `,"hash":"…"}`.
const SEAL: usize = 9 + 64 + 2;
/// Bytes that a line may have.
const MAX_LINE: u64 = 64 << 10;

/// A log that a run appends to.
#[derive(Debug)]
pub struct AuditLog(Mutex<Chain>);

#[derive(Debug)]
struct Chain {
    file: File,
    /// Bytes of the lines that are whole.
    length: u64,
    last: String,
    number: u64,
    /// Why it is not appended to any more.
    broken: Option<String>,
}

/// What the log says of one call.
#[derive(Debug)]
pub(super) struct AuditedCall<'a> {
    pub(super) run: &'a str,
    pub(super) call: u64,
    pub(super) tenant: &'a str,
    pub(super) definition: Option<&'a str>,
    pub(super) effects: Option<&'static str>,
    pub(super) params: Option<[u8; 32]>,
    pub(super) bytes: Option<usize>,
    pub(super) attempts: u32,
    pub(super) action: &'a str,
    pub(super) decision: Option<&'a Decision>,
    /// None when it succeeded.
    pub(super) failed: Option<ErrorKind>,
    pub(super) duration: Duration,
}

impl AuditLog {
    /// Opens a log, which only its owner can read, and goes on behind its last line. One run appends at a time.
    ///
    /// # Errors
    /// When it cannot be written, another run has it open, or its last line is none of a log.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::options()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| io::Error::other("another run appends to it"))?;
        let (number, last) = last_line(&mut file)?;
        Ok(Self(Mutex::new(Chain {
            length: file.metadata()?.len(),
            file,
            last,
            number,
            broken: None,
        })))
    }

    /// Why a call could not be written down, once that has happened.
    pub(super) fn broken(&self) -> Option<String> {
        let chain = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        chain.broken.clone()
    }

    /// Appends a call that has ended. After the first that cannot be written nothing is appended, so that none is missing
    /// between others.
    pub(super) fn add(&self, call: &AuditedCall<'_>) -> io::Result<()> {
        let mut chain = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = &chain.broken {
            return Err(io::Error::other(why.clone()));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let decision = call.decision.map(|decision| {
            let source = &decision.source;
            json!({
                "verdict": decision.verdict.word(),
                "rule": source.rule,
                "file": source.file,
                "line": source.file.is_some().then_some(source.line),
            })
        });
        let event = json!({
            "run": call.run,
            "call": call.call,
            "tenant": call.tenant,
            "action": call.action,
            "definition": call.definition,
            "effects": call.effects,
            "params_sha256": call.params.map(|digest| hex(&digest)),
            "decision": decision,
            "attempts": call.attempts,
            "outcome": call.failed.map_or("ok", ErrorKind::name),
            "ended_unix_ms": now.map_or(0, |now| now.as_millis() as u64),
            "ms": (call.duration.as_secs_f64() * 1e6).round() / 1e3,
            "result_bytes": call.bytes,
        });
        let number = chain.number + 1;
        // `number` first and `prev` last, whatever the order of the fields between.
        let inner = event.to_string();
        let body = format!(
            "{{\"number\":{number},{},\"prev\":\"{}\"",
            &inner[1..inner.len() - 1],
            chain.last
        );
        let hash = hex(&Sha256::digest(&body));
        let line = format!("{body},\"hash\":\"{hash}\"}}\n");
        if let Err(error) = chain.file.write_all(line.as_bytes()) {
            // Half a line would end the log for every later run.
            chain.file.set_len(chain.length).ok();
            chain.broken = Some(error.to_string());
            return Err(error);
        }
        chain.length += line.len() as u64;
        (chain.number, chain.last) = (number, hash);
        Ok(())
    }
}

/// A line taken apart: its number, the hash of the one before, and its own.
fn read_line(line: &str) -> Option<(u64, &str, &str)> {
    let at = line.len().checked_sub(SEAL)?;
    let (body, seal) = (line.get(..at)?, line.get(at..)?);
    let hash = seal.strip_prefix(",\"hash\":\"")?.strip_suffix("\"}")?;
    let prev = body.strip_suffix('"')?;
    let prev = prev.get(prev.len().checked_sub(64)?..)?;
    let number = body
        .strip_prefix("{\"number\":")?
        .split(',')
        .next()?
        .parse()
        .ok()?;
    (hex(&Sha256::digest(body)) == hash).then_some((number, prev, hash))
}

fn last_line(file: &mut File) -> io::Result<(u64, String)> {
    let length = file.metadata()?.len();
    if length == 0 {
        return Ok((0, START.to_owned()));
    }
    file.seek(SeekFrom::Start(length.saturating_sub(MAX_LINE)))?;
    let mut end = Vec::new();
    Read::by_ref(file).take(MAX_LINE).read_to_end(&mut end)?;
    let text = String::from_utf8_lossy(&end);
    let last = text
        .strip_suffix('\n')
        .and_then(|text| text.rsplit('\n').next());
    let read = last.and_then(read_line);
    read.map(|(number, _, hash)| (number, hash.to_owned()))
        .ok_or_else(|| io::Error::other("its last line is not one of an audit log, or was changed"))
}

/// What a look at a whole log came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Verified {
    /// Nothing between its first and its last line was changed: how many there are, and the last hash.
    Whole {
        /// Lines.
        events: u64,
        /// Keep it elsewhere, and what is cut off at the end shows, too.
        last: String,
    },
    /// The first line at which it breaks, from 1, and why.
    Broken {
        /// From 1.
        line: u64,
        /// In words.
        why: &'static str,
    },
}

/// Looks at every line of a log.
///
/// # Errors
/// When it cannot be read.
pub fn verify(path: &Path) -> io::Result<Verified> {
    let mut file = io::BufReader::new(File::open(path)?);
    let (mut events, mut last) = (0, START.to_owned());
    loop {
        let broken = |why| {
            Ok(Verified::Broken {
                line: events + 1,
                why,
            })
        };
        let mut line = Vec::new();
        let count = Read::by_ref(&mut file)
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)?;
        if count == 0 {
            return Ok(Verified::Whole { events, last });
        }
        let Some(text) = line
            .strip_suffix(b"\n")
            .and_then(|line| std::str::from_utf8(line).ok())
        else {
            return broken("the line has no end");
        };
        let Some((number, prev, hash)) = read_line(text) else {
            return broken("the line was changed: its hash is another");
        };
        if prev != last || number != events + 1 {
            return broken("a line before it is missing, was added or was changed");
        }
        (events, last) = (events + 1, hash.to_owned());
    }
}
