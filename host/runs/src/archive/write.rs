//! Writes a run as a file.

use std::io::{self, Write};

use kael_engine::journal::{Entry, LogRow};
use kael_engine::text::hex;
use sha2::{Digest as _, Sha256};

use super::line::{Bytes, EntryLine, Head, Letter, Line, Part};
use super::{Archive, PART};
use crate::entry_document::EntryDocument;
use crate::texts;

/// Writes a run, a line at a time.
///
/// # Errors
/// Those of the writer.
pub fn write(archive: &Archive, to: &mut dyn Write) -> io::Result<()> {
    let mut lines = Lines::new(to);
    lines.head(&archive.head)?;
    for (row, entry) in archive.log.rows().zip(archive.log.entries()) {
        lines.entry(&row, entry)?;
    }
    for letter in &archive.letters {
        lines.letter(letter)?;
    }
    for (_, text) in &archive.texts {
        lines.text(text)?;
    }
    if let Some(repo) = &archive.repo {
        lines.repo(repo)?;
    }
    lines.output(&archive.output)?;
    lines.end()
}

/// The lines of a file, in their order: the head, the entries, the letters, the texts, the repo, the output, the end.
pub(crate) struct Lines<'a> {
    to: &'a mut dyn Write,
    count: u64,
    hash: Sha256,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(to: &'a mut dyn Write) -> Self {
        let hash = Sha256::new();
        Self { to, count: 0, hash }
    }

    pub(crate) fn head(&mut self, head: &Head) -> io::Result<()> {
        self.write(&Line::Run(head.clone()).text())
    }

    pub(crate) fn entry(&mut self, row: &LogRow, entry: &Entry) -> io::Result<()> {
        self.write(&EntryLine::of(row, EntryDocument::from(entry)).text())
    }

    pub(crate) fn letter(&mut self, letter: &Letter) -> io::Result<()> {
        self.write(&Line::Letter(letter.clone()).text())
    }

    pub(crate) fn text(&mut self, text: &[u8]) -> io::Result<()> {
        self.parts(text, Line::Text)
    }

    pub(crate) fn repo(&mut self, repo: &[u8]) -> io::Result<()> {
        self.parts(repo, Line::Repo)
    }

    pub(crate) fn output(&mut self, output: &[u8]) -> io::Result<()> {
        match output.is_empty() {
            true => Ok(()),
            false => self.parts(output, Line::Output),
        }
    }

    pub(crate) fn end(mut self) -> io::Result<()> {
        let end = Line::ExportEnd {
            lines: self.count,
            sha256: hex(&self.hash.clone().finalize()),
        };
        self.write(&end.text())
    }

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
