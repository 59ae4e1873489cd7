//! Turns the lines of sources into events, and deals with those that are none.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::args::Bad;
use crate::sanitize::escape_control;
use crate::stderr;
use kael_rules::event::{BadLine, Event, Line, Reader, Source};
use kael_rules::format::Format;
use kael_rules::metrics::StreamCounts;

/// Bad lines that are told one by one.
const TOLD: u64 = 5;

/// The sources that a command line names.
pub(super) fn sources(events: &[PathBuf]) -> Vec<Source> {
    if events.is_empty() {
        return vec![Source::Stdin];
    }
    let source = |path: &PathBuf| match path.as_os_str() == "-" {
        true => Source::Stdin,
        false => Source::File(path.clone()),
    };
    events.iter().map(source).collect()
}

/// What became of lines.
pub(super) struct Input<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) counts: StreamCounts,
    names: Vec<String>,
    bad: Bad,
    told: u64,
    dead_letter: Option<File>,
    pub(super) format: Option<Format>,
}

/// The input ends here.
pub(super) enum Stop {
    /// A bad line, with `--bad fail`.
    Bad(String),
    /// A dead letter cannot be written.
    DeadLetter(io::Error),
}

impl<'a> Input<'a> {
    pub(super) fn new(
        reader: Reader<'a>,
        sources: &[Source],
        bad: Bad,
        dead_letter: Option<&Path>,
    ) -> io::Result<Self> {
        let open = |path: &Path| File::options().create(true).append(true).open(path);
        Ok(Self {
            reader,
            counts: StreamCounts::default(),
            names: sources.iter().map(Source::name).collect(),
            bad,
            told: 0,
            dead_letter: dead_letter.map(open).transpose()?,
            format: None,
        })
    }

    /// The events of some lines of a source.
    pub(super) fn events(&mut self, source: usize, lines: Vec<Line>) -> Result<Vec<Event>, Stop> {
        let mut events = Vec::with_capacity(lines.len());
        for line in lines {
            let bytes = match self.format {
                Some(format) => format.json(&line.bytes),
                None => Cow::Borrowed(line.bytes.as_slice()),
            };
            match self.reader.event(line.seq, &bytes) {
                Ok(event) => events.push(event),
                Err(bad) => self.bad_line(source, &line, &bad)?,
            }
        }
        self.counts.events += events.len() as u64;
        Ok(events)
    }

    fn bad_line(&mut self, source: usize, line: &Line, bad: &BadLine) -> Result<(), Stop> {
        *self.counts.bad.entry(bad.reason.name()).or_default() += 1;
        let column = bad.column.map(|column| format!(":{column}"));
        let place = format!(
            "{}:{}{}",
            self.names[source],
            line.number,
            column.unwrap_or_default()
        );
        let message = format!("{place}: {}", bad.message);
        if let Some(file) = &mut self.dead_letter {
            let letter = serde_json::json!({
                "reason": bad.reason.name(),
                "message": bad.message,
                "source": self.names[source],
                "line": line.number,
                "raw": String::from_utf8_lossy(&line.bytes),
            });
            file.write_all(format!("{letter}\n").as_bytes())
                .map_err(Stop::DeadLetter)?;
        }
        if self.bad == Bad::Fail {
            return Err(Stop::Bad(message));
        }
        self.told += 1;
        if self.told <= TOLD {
            let more = if self.told == TOLD {
                " (further bad lines are only counted)"
            } else {
                ""
            };
            stderr::write(format!("skipped {}{more}\n", escape_control(&message)).as_bytes());
        }
        Ok(())
    }
}
