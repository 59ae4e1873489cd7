//! Takes a run out of the store as a file. Of its journal one entry is in memory at a time.

use std::io::{self, Write};

use kael_engine::journal::{Entry, LogReader};
use kael_engine::run_info::RunId;
use kael_engine::units::ByteSize;
use kael_store::Tx;

use crate::archive::{self, Head, Letter, Lines};
use crate::needed::Needed;
use crate::{RunRow, Runs, RunsError, bundle, inbox, load};

/// What a file has beside the journal.
struct Rest {
    head: Head,
    letters: Vec<Letter>,
    texts: Vec<([u8; 32], Vec<u8>)>,
    repo: Option<Vec<u8>>,
    output: Vec<u8>,
}

impl Runs {
    /// Writes all of a run. Nothing is written of one that [`archive::read`] would not read again.
    ///
    /// # Errors
    /// When there is no such run, its journal is damaged, something of it is missing, or it is larger than a file may be.
    pub fn export(&self, id: RunId, to: &mut dyn Write) -> Result<io::Result<()>, RunsError> {
        self.store.read_blocking(|tx| {
            Ok((|| {
                let row = RunRow::get(tx, id)?;
                let rest = rest(tx, &row)?;
                write(tx, id, &rest, to)
            })())
        })?
    }
}

fn rest(tx: &Tx<'_>, row: &RunRow) -> Result<Rest, RunsError> {
    let id = row.id;
    let mut reader = LogReader::checking();
    load::read(tx, id, &mut reader)?;
    let ended = reader.end();
    let (entries, _) = ended.map_err(|source| RunsError::Broken { id, source })?;
    let begin = load::begin(tx, id)?;
    let texts = Needed::get(tx, row, &begin)?.texts(&begin);
    let (mut origin, mut repo) = (None, None);
    if begin.bundle != [0; 32] {
        let stored = bundle::stored(tx, &begin.bundle, &begin.guest)?;
        let what = "its actions repo";
        let stored = stored.ok_or(RunsError::Missing { id, what })?;
        (origin, repo) = (Some(stored.origin), Some(stored.bytes));
    }
    let rest = Rest {
        head: Head {
            format: archive::FORMAT,
            kael: env!("CARGO_PKG_VERSION").to_owned(),
            run: id.to_string(),
            state: row.state.name().to_owned(),
            reason: row.reason.clone(),
            created: row.created,
            started: row.started,
            ended: row.ended,
            ending: row.ending.clone(),
            usage: row.usage.clone(),
            status: row.status.clone(),
            args: row.args.clone(),
            limits: row.limits.clone(),
            labels: row.labels.clone(),
            origin,
        },
        letters: inbox::all(tx, id.bytes())?,
        texts,
        repo,
        output: load::output(tx, id)?,
    };
    match rest.too_large(entries, reader.bytes()) {
        Some(what) => Err(RunsError::TooLarge { id, what }),
        None => Ok(rest),
    }
}

impl Rest {
    /// What of the run is larger than a file may have it.
    fn too_large(&self, entries: u64, bytes: u64) -> Option<String> {
        let size = |most: u64| ByteSize::new(most);
        if let Some((field, most)) = archive::misfit(&self.head) {
            return Some(format!("its {field} may have {}", size(most as u64)));
        }
        if entries > archive::MAX_ENTRIES as u64 || bytes > archive::MAX_JOURNAL {
            let most = size(archive::MAX_JOURNAL);
            return Some(format!("its entries may have {most}"));
        }
        let letters = self.letters.iter().map(Letter::bytes).sum::<u64>();
        let texts = self.texts.iter().map(|(_, text)| text.len() as u64);
        let repo = self.repo.as_ref().map_or(0, Vec::len) as u64;
        let parts = letters + texts.sum::<u64>() + repo + self.output.len() as u64;
        (parts > archive::MAX_PARTS).then(|| {
            let most = size(archive::MAX_PARTS);
            format!("its letters, texts, actions repo and output may have {most} together")
        })
    }
}

fn write(
    tx: &Tx<'_>,
    id: RunId,
    rest: &Rest,
    to: &mut dyn Write,
) -> Result<io::Result<()>, RunsError> {
    let mut lines = Lines::new(to);
    let mut written = lines.head(&rest.head);
    load::each_row(tx, id, |row| {
        if written.is_ok() {
            // It was read before, in the same transaction.
            let entry = Entry::decode(row.kind, &row.body);
            let entry = entry.map_err(|error| RunsError::Document(error.to_string()))?;
            written = lines.entry(&row, &entry);
        }
        Ok(())
    })?;
    Ok(written.and_then(|()| {
        for letter in &rest.letters {
            lines.letter(letter)?;
        }
        for (_, text) in &rest.texts {
            lines.text(text)?;
        }
        if let Some(repo) = &rest.repo {
            lines.repo(repo)?;
        }
        lines.output(&rest.output)?;
        lines.end()
    }))
}
