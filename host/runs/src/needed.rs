//! What a run needs beside its journal: its script, its files of `--input`, and its actions repo.

use kael_engine::journal::Begin;
use kael_engine::text::unhex;
use kael_store::Tx;

use crate::stored_args::{StoredArgs, document};
use crate::{RunRow, RunsError, texts};

/// What a run needs beside its journal and its repo.
pub(crate) struct Needed {
    pub(crate) script: Vec<u8>,
    /// The files, by their names, each with its digest.
    pub(crate) inputs: Vec<(String, [u8; 32], Vec<u8>)>,
}

impl Needed {
    pub(crate) fn get(tx: &Tx<'_>, row: &RunRow, begin: &Begin) -> Result<Self, RunsError> {
        let missing = |what| RunsError::Missing { id: row.id, what };
        let script = texts::get(tx, row.tenant, &begin.script)?.ok_or(missing("its script"))?;
        let stored: StoredArgs = serde_json::from_str(&row.args).map_err(document)?;
        let mut inputs = Vec::with_capacity(stored.inputs.len());
        for (name, digest) in stored.inputs {
            let lost = || missing("a file of --input");
            let digest = unhex(&digest).ok_or_else(lost)?;
            let text = texts::get(tx, row.tenant, &digest)?.ok_or_else(lost)?;
            inputs.push((name, digest, text));
        }
        Ok(Self { script, inputs })
    }

    /// Each text once, by its digest, the script first.
    pub(crate) fn texts(self, begin: &Begin) -> Vec<([u8; 32], Vec<u8>)> {
        let mut texts = vec![(begin.script, self.script)];
        for (_, digest, text) in self.inputs {
            if texts.iter().all(|(other, _)| *other != digest) {
                texts.push((digest, text));
            }
        }
        texts
    }
}
