//! Writes a run as a file.

use std::io::{self, Write};

use kael_engine::text::hex;
use sha2::{Digest as _, Sha256};

use super::line::{Bytes, EntryLine, Line, Part};
use super::{Archive, PART};
use crate::entry_document::EntryDocument;
use crate::texts;

/// Writes a run, a line at a time.
///
/// # Errors
/// Those of the writer.
pub fn write(archive: &Archive, to: &mut dyn Write) -> io::Result<()> {
    let mut lines = Lines {
        to,
        count: 0,
        hash: Sha256::new(),
    };
    lines.write(&Line::Run(archive.head.clone()).text())?;
    for (row, entry) in archive.log.rows().iter().zip(archive.log.entries()) {
        lines.write(&EntryLine::of(row, EntryDocument::from(entry)).text())?;
    }
    for letter in &archive.letters {
        lines.write(&Line::Letter(letter.clone()).text())?;
    }
    for (_, text) in &archive.texts {
        lines.parts(text, Line::Text)?;
    }
    if let Some(repo) = &archive.repo {
        lines.parts(repo, Line::Repo)?;
    }
    if !archive.output.is_empty() {
        lines.parts(&archive.output, Line::Output)?;
    }
    let end = Line::ExportEnd {
        lines: lines.count,
        sha256: hex(&lines.hash.clone().finalize()),
    };
    lines.write(&end.text())
}

struct Lines<'a> {
    to: &'a mut dyn Write,
    count: u64,
    hash: Sha256,
}

impl Lines<'_> {
    fn write(&mut self, line: &str) -> io::Result<()> {
        for bytes in [line.as_bytes(), b"\n"] {
            self.hash.update(bytes);
            self.to.write_all(bytes)?;
        }
        self.count += 1;
        Ok(())
    }

    /// Something long, in parts; one that is empty has one part.
    fn parts(&mut self, bytes: &[u8], line: impl Fn(Part) -> Line) -> io::Result<()> {
        let (digest, mut at) = (hex(&texts::digest(bytes)), 0);
        loop {
            let end = bytes.len().min(at + PART);
            let part = Part {
                digest: digest.clone(),
                at: at as u64,
                is_last: end == bytes.len(),
                bytes: Bytes::of(&bytes[at..end]),
            };
            self.write(&line(part).text())?;
            if end == bytes.len() {
                return Ok(());
            }
            at = end;
        }
    }
}
