//! Reads a file with a run, and checks all of it before anything is done with it.

use std::io::{BufRead, Read as _};

use kael_engine::journal::{Broken, Log, LogReader, LogRow};
use kael_engine::run_info::RunId;
use kael_engine::text::{hex, unhex};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::line::{EntryLine, Head, Letter, Line, Part};
use super::shape::is_small;
use super::{
    Archive, ArchiveError, FORMAT, Fault, MAX_ENTRIES, MAX_JOURNAL, MAX_LINE, MAX_PARTS,
    MAX_VALUES, PART, misfit,
};
use crate::State;
use crate::limits::StoredLimits;
use crate::stored_args::StoredArgs;
use crate::texts;

/// Reads a run. Nothing is taken that [`write`](super::write) would write in another way.
///
/// # Errors
/// The first line that is wrong, and why.
pub fn read(from: &mut dyn BufRead) -> Result<Archive, ArchiveError> {
    let mut lines = Lines {
        from,
        line: 0,
        parts: 0,
        hash: Sha256::new(),
    };
    let result = archive(&mut lines);
    result.map_err(|fault| ArchiveError {
        line: lines.line,
        fault,
    })
}

fn archive(lines: &mut Lines<'_>) -> Result<Archive, Fault> {
    let (run, head) = head(lines)?;
    let (mut reader, mut entries, mut bytes) = (LogReader::keeping(), 0, 0);
    let mut broken = None;
    let mut next = loop {
        let text = lines.next()?;
        if !text.starts_with("{\"seq\":") {
            break text;
        }
        entries += 1;
        if entries > MAX_ENTRIES {
            return Err(Fault::Entries);
        }
        let row = row(&text)?;
        bytes += row.body.len() as u64;
        if bytes > MAX_JOURNAL {
            return Err(Fault::LargeJournal);
        }
        // A line that is none is the better answer.
        if broken.is_none() {
            broken = reader.push(row).err();
        }
    };
    // An entry that was made unreadable is named as such, and not as the end of the journal.
    line(&next, "an entry of the journal or a part of the run")?;
    let log = match broken {
        Some(broken) => Err(broken),
        None => reader.log(),
    };
    let log = log.map_err(|broken| {
        // The lines of the journal follow the first of the file.
        lines.line = 2 + match &broken {
            Broken::Gap { wanted: seq } | Broken::Chain { to: seq, .. } => *seq,
            Broken::Loose { from: seq } | Broken::Entry { seq, .. } => *seq,
            Broken::NoBeginning | Broken::Format(_) => 0,
        };
        Fault::Journal(broken)
    })?;
    let (mut letters, mut texts) = (Vec::<Letter>::new(), Vec::new());
    let (mut bundle, mut printed) = (None, Vec::new());
    // Where in the order the file is: no line of an earlier kind may follow.
    let mut stage = 0;
    loop {
        let wanted = "a part of the run";
        match line(&next, wanted)? {
            Line::Letter(letter) if stage == 0 => {
                if letters.len() == MAX_ENTRIES {
                    return Err(Fault::Entries);
                }
                let before = letters.last().map_or(0, |letter| letter.number);
                if letter.number <= before {
                    return Err(Fault::Changed);
                }
                lines.takes(letter.bytes())?;
                letters.push(letter);
            }
            Line::Text(part) if stage < 2 => {
                stage = 1;
                texts.push(whole(lines, part, text)?);
            }
            Line::Repo(part) if stage < 2 => {
                (stage, bundle) = (2, Some(whole(lines, part, repo)?));
            }
            Line::Output(part) if stage < 3 => {
                (stage, printed) = (3, whole(lines, part, output)?.1);
                if printed.is_empty() {
                    return Err(Fault::Changed);
                }
            }
            Line::ExportEnd { .. } => break,
            _ => {
                let why = "a line of another kind stands here".to_owned();
                return Err(Fault::Other { wanted, why });
            }
        }
        next = lines.next()?;
    }
    lines.end(&next)?;
    let repo = bundle.as_ref().map(|(digest, _)| digest);
    complete(&head, &log, &texts, repo)?;
    Ok(Archive {
        run,
        head,
        log,
        letters,
        texts,
        repo: bundle.map(|(_, bytes)| bytes),
        output: printed,
    })
}

fn head(lines: &mut Lines<'_>) -> Result<(RunId, Head), Fault> {
    let wanted = "the beginning of a run that was exported";
    let other = |why: &str| Fault::Other {
        wanted,
        why: why.to_owned(),
    };
    let text = lines.next()?;
    let Line::Run(head) = line(&text, wanted)? else {
        return Err(other("a line of another kind stands here"));
    };
    if head.format != FORMAT {
        return Err(Fault::Format(head.format));
    }
    if let Some((field, most)) = misfit(&head) {
        return Err(Fault::Field(field, most));
    }
    if !is_small(&head.args, MAX_VALUES) {
        return Err(Fault::Values);
    }
    let run = RunId::parse(&head.run).ok_or_else(|| other("its run has no id"))?;
    if State::named(&head.state).is_none() {
        return Err(other("its state is none"));
    }
    let args = serde_json::from_str::<StoredArgs>(&head.args);
    args.map_err(|error| other(&error.to_string()))?;
    let limits = serde_json::from_str::<StoredLimits>(&head.limits);
    limits.map_err(|error| other(&error.to_string()))?;
    Ok((run, head))
}

/// One entry, in the one form in which it is written.
fn row(text: &str) -> Result<LogRow, Fault> {
    let wanted = "an entry of a journal";
    let line: EntryLine = parsed(text, wanted)?;
    let place = line.place;
    let chain = place.chain.as_deref();
    let commit = match (chain.map(unhex), place.cpu_us) {
        (None, None) => None,
        (Some(Some(chain)), Some(cpu_us)) => Some((chain, cpu_us)),
        _ => return Err(Fault::Changed),
    };
    let (seq, at) = (place.seq, place.at);
    let entry = line.entry.entry().ok_or(Fault::Changed)?;
    let row = LogRow {
        seq,
        at,
        kind: entry.kind(),
        body: entry.encode(),
        commit,
    };
    match EntryLine::of(&row, (&entry).into()).text() == text {
        true => Ok(row),
        false => Err(Fault::Changed),
    }
}

/// Any other line, in the one form in which it is written.
fn line(text: &str, wanted: &'static str) -> Result<Line, Fault> {
    let line: Line = parsed(text, wanted)?;
    match line.text() == text {
        true => Ok(line),
        false => Err(Fault::Changed),
    }
}

fn parsed<T: DeserializeOwned>(text: &str, wanted: &'static str) -> Result<T, Fault> {
    if !is_small(text, MAX_VALUES) {
        return Err(Fault::Values);
    }
    serde_json::from_str(text).map_err(|error| Fault::Other {
        wanted,
        why: error.to_string(),
    })
}

/// Something long, of its parts, which are all of one kind.
fn whole(
    lines: &mut Lines<'_>,
    mut part: Part,
    of: fn(Line) -> Option<Part>,
) -> Result<([u8; 32], Vec<u8>), Fault> {
    let (digest, mut all) = (part.digest.clone(), Vec::new());
    loop {
        let is_last = part.is_last;
        if part.digest != digest || part.at != all.len() as u64 {
            return Err(Fault::Changed);
        }
        let bytes = part.bytes.bytes().ok_or(Fault::Changed)?;
        if bytes.len() > PART || (bytes.len() < PART && !is_last) {
            return Err(Fault::Changed);
        }
        lines.takes(bytes.len() as u64)?;
        all.extend(bytes);
        if is_last {
            let found = texts::digest(&all);
            return match hex(&found) == digest {
                true => Ok((found, all)),
                false => Err(Fault::Digest),
            };
        }
        let next = line(&lines.next()?, "a part of the run")?;
        part = of(next).ok_or(Fault::Changed)?;
    }
}

fn text(line: Line) -> Option<Part> {
    match line {
        Line::Text(part) => Some(part),
        _ => None,
    }
}

fn repo(line: Line) -> Option<Part> {
    match line {
        Line::Repo(part) => Some(part),
        _ => None,
    }
}

fn output(line: Line) -> Option<Part> {
    match line {
        Line::Output(part) => Some(part),
        _ => None,
    }
}

/// Whether all is there that the run needs, and nothing else.
fn complete(
    head: &Head,
    log: &Log,
    texts: &[([u8; 32], Vec<u8>)],
    repo: Option<&[u8; 32]>,
) -> Result<(), Fault> {
    let begin = log.begin();
    let mut needed = vec![begin.script];
    let args: StoredArgs = serde_json::from_str(&head.args).unwrap_or_default();
    for (_, digest) in &args.inputs {
        let digest = unhex(digest).ok_or(Fault::Missing("file of --input"))?;
        if !needed.contains(&digest) {
            needed.push(digest);
        }
    }
    if texts.first().map(|(digest, _)| digest) != needed.first() {
        return Err(Fault::Missing("script"));
    }
    if !texts.iter().map(|(digest, _)| digest).eq(&needed) {
        return Err(Fault::Missing("file of --input, or has one too many"));
    }
    match (repo, begin.bundle != [0; 32]) {
        (None, false) => Ok(()),
        (Some(digest), true) if *digest == begin.bundle => Ok(()),
        _ => Err(Fault::Missing(
            "actions repo of the run, or has another one",
        )),
    }
}

struct Lines<'a> {
    from: &'a mut dyn BufRead,
    /// The number of the last line that was read.
    line: u64,
    /// Bytes of letters, texts, actions repo and output.
    parts: u64,
    /// Of all lines but the last.
    hash: Sha256,
}

impl Lines<'_> {
    /// The next line, without its end.
    fn next(&mut self) -> Result<String, Fault> {
        self.line += 1;
        let mut bytes = Vec::new();
        let read = (&mut *self.from)
            .take(MAX_LINE + 1)
            .read_until(b'\n', &mut bytes)?;
        if read as u64 > MAX_LINE {
            return Err(Fault::LongLine);
        }
        if bytes.pop() != Some(b'\n') {
            return Err(Fault::CutOff);
        }
        let text = String::from_utf8(bytes).map_err(|_| Fault::Other {
            wanted: "a line of a run that was exported",
            why: "it is no text".to_owned(),
        })?;
        if !text.starts_with("{\"kind\":\"export_end\"") {
            self.hash.update(&text);
            self.hash.update(b"\n");
        }
        Ok(text)
    }

    /// Counts bytes of what is no entry.
    fn takes(&mut self, bytes: u64) -> Result<(), Fault> {
        self.parts += bytes;
        match self.parts > MAX_PARTS {
            true => Err(Fault::LargeParts),
            false => Ok(()),
        }
    }

    /// Whether the last line says what was before it, and is the last.
    fn end(&mut self, last: &str) -> Result<(), Fault> {
        let end = Line::ExportEnd {
            lines: self.line - 1,
            sha256: hex(&self.hash.clone().finalize()),
        };
        if end.text() != last {
            return Err(Fault::Changed);
        }
        let mut more = [0];
        match self.from.read(&mut more)? {
            0 => Ok(()),
            _ => {
                self.line += 1;
                Err(Fault::Behind)
            }
        }
    }
}
