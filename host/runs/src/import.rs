//! Takes files in as runs.

use kael_engine::journal::Batch;
use kael_engine::run_info::RunId;
use kael_store::{StoreError, Tx, Value};

use crate::archive::Archive;
use crate::begin::own_guest;
use crate::{RunRow, Runs, RunsError, State, StoredRepo, inbox, load, sink, texts, undo};

const INSERT: &str = "INSERT INTO runs (id, tenant, state, reason, name, script, bundle, guest, args, limits, epoch, \
                      takeovers, created, started, ended, ending, usage, imported, labels) \
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 1, 0, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
const TRUST: &str = "UPDATE runs SET imported = 0 WHERE id = ?1";

#[cfg(test)]
pub(crate) const ALL: [&str; 2] = [INSERT, TRUST];

/// What became of a file with a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The run.
    pub run: RunId,
    /// Whether it was not here before.
    pub is_new: bool,
    /// Its state.
    pub state: State,
    /// The version of Kael that began it, if that one has another Lua runtime: then it cannot go on here.
    pub other_guest: Option<String>,
}

impl Runs {
    /// Takes a run in. It can be looked at; it may go on only when `may_go_on` says that the file is trusted, because it
    /// brings the actions repo that the run calls. A run that is here already stays as it is, unless it came from a file
    /// that was not trusted and this one is.
    ///
    /// # Errors
    /// When another run has its id, or the store cannot be written.
    pub fn import(&self, archive: Archive, may_go_on: bool) -> Result<Imported, RunsError> {
        let id = archive.run();
        let begin = archive.log.begin();
        let other_guest = (begin.guest != own_guest()).then(|| begin.version.clone());
        let tenant = self.tenant;
        let writing = self.store.write(move |tx| {
            let there = match RunRow::get(tx, id) {
                Ok(row) => Some(row),
                Err(RunsError::Unknown(_)) => None,
                Err(error) => return Ok(Err(error)),
            };
            let is_new = there.is_none();
            let state = match there {
                None => put(tx, tenant, &archive)?,
                Some(_) if !begins_with(tx, &archive)? => {
                    return Ok(Err(RunsError::OtherRun(id)));
                }
                // What is here came from another file, which may say other things of the run than this one, whose
                // journal begins alike.
                Some(row) if row.is_imported && may_go_on => {
                    undo::remove_rows(tx, tenant, id)?;
                    put(tx, tenant, &archive)?
                }
                Some(row) => row.state,
            };
            if may_go_on {
                tx.execute(TRUST, &[Value::from(id.bytes())])?;
            }
            Ok(Ok((is_new, state)))
        });
        let (is_new, state) = writing.wait()??;
        Ok(Imported {
            run: id,
            is_new,
            state,
            other_guest,
        })
    }
}

/// Whether the journal of the run that is here begins with that of the file.
fn begins_with(tx: &Tx<'_>, archive: &Archive) -> Result<bool, StoreError> {
    let (mut rows, mut is_same) = (archive.log.rows().fuse(), true);
    let looked = load::each_row(tx, archive.run, |there| {
        is_same = is_same && rows.next().is_none_or(|row| row == there);
        Ok(())
    });
    match looked {
        Ok(()) => Ok(is_same && rows.next().is_none()),
        Err(RunsError::Store(error)) => Err(error),
        Err(_) => Ok(false),
    }
}

/// Writes a run down that is not here. One that was not over is parked: nothing of it goes on by itself.
fn put(tx: &Tx<'_>, tenant: i64, archive: &Archive) -> Result<State, StoreError> {
    let (id, head, begin) = (archive.run.bytes(), &archive.head, archive.log.begin());
    let (state, reason) = match State::named(&head.state) {
        Some(state) if state.is_over() => (state, head.reason.as_deref()),
        _ => (State::Parked, Some("imported")),
    };
    for (_, text) in &archive.texts {
        texts::put(tx, tenant, id, text)?;
    }
    if let Some(bytes) = &archive.repo {
        let repo = StoredRepo {
            digest: begin.bundle,
            bytes: bytes.clone(),
            origin: head.origin.clone().unwrap_or_default(),
        };
        repo.put(tx, &begin.guest)?;
    }
    let labels = serde_json::to_string(&head.labels).unwrap_or_default();
    let values = [
        Value::from(id),
        Value::Int(tenant),
        Value::Int(state.number()),
        Value::from(reason),
        Value::from(&begin.name),
        Value::from(&begin.script),
        Value::from(archive.repo.as_ref().map(|_| &begin.bundle)),
        Value::from(&begin.guest),
        Value::from(&head.args),
        Value::from(&head.limits),
        Value::Int(head.created),
        Value::from(head.started),
        Value::from(head.ended),
        Value::from(head.ending.as_deref()),
        Value::from(head.usage.as_deref()),
        Value::Int(1),
        Value::from(&labels),
    ];
    tx.change_one(INSERT, &values, "the run is there already")?;
    let batch = Batch {
        output: archive.output.clone(),
        status: head.status.clone(),
        ..Batch::default()
    };
    sink::append(tx, id, &batch)?;
    for row in archive.log.rows() {
        let rows = vec![row];
        let batch = Batch {
            rows,
            ..Batch::default()
        };
        sink::append(tx, id, &batch)?;
    }
    inbox::place(tx, id, &archive.letters)?;
    Ok(state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::tests::archive;

    #[test]
    fn another_run_of_the_same_id_is_refused_and_the_same_run_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let runs = Runs::open(&folder.path().join("kael.db")).expect("a store");
        let imported = runs.import(archive(), false).expect("imported");
        assert!(imported.is_new && imported.other_guest.is_some());
        let shorter = || Archive {
            log: archive().log.up_to(2),
            ..archive()
        };
        for same in [archive(), shorter()] {
            assert!(!runs.import(same, false).expect("the same").is_new);
        }
        let id = archive().run();
        assert!(runs.show(id).expect("a run").row.is_imported);
        assert_eq!(runs.output(id).expect("its output"), archive().output);
        runs.remove(id, true).expect("removed");
        // What is here has fewer entries, or others.
        runs.import(shorter(), true).expect("imported");
        assert!(!runs.show(id).expect("a run").row.is_imported);
        let refused = runs.import(archive(), false);
        assert!(matches!(refused, Err(RunsError::OtherRun(other)) if other == id));
    }

    #[test]
    fn what_is_trusted_is_what_the_trusted_file_says() {
        let folder = tempfile::tempdir().expect("a folder");
        let runs = Runs::open(&folder.path().join("kael.db")).expect("a store");
        let id = archive().run();
        let mut hostile = archive();
        hostile.head.limits = "{\"calls\":9}".to_owned();
        hostile.output = b"forged".to_vec();
        runs.import(hostile, false).expect("imported");
        runs.import(archive(), true).expect("imported");
        let row = runs.show(id).expect("a run").row;
        assert!(!row.is_imported);
        assert_eq!(row.limits, archive().head.limits);
        assert_eq!(runs.output(id).expect("its output"), archive().output);
    }

    #[test]
    fn a_run_of_another_guest_is_kept_and_cannot_be_resumed() {
        let folder = tempfile::tempdir().expect("a folder");
        let runs = Runs::open(&folder.path().join("kael.db")).expect("a store");
        let id = runs.import(archive(), true).expect("imported").run;
        let (mut file, mut wanted) = (Vec::new(), Vec::new());
        let written = runs.export(id, &mut file).expect("exported");
        written.expect("memory takes it");
        let kept = crate::archive::read(&mut &*file).expect("a run");
        assert_eq!(kept.log.entries(), archive().log.entries());
        // A run is written in one way, out of the store as out of memory.
        crate::archive::write(&kept, &mut wanted).expect("written");
        assert!(file == wanted);
        assert!(matches!(runs.resume(id), Err(RunsError::Guest { .. })));
        assert!(matches!(
            runs.fork(id, 0, None),
            Err(RunsError::Guest { .. })
        ));
    }

    #[test]
    fn a_run_that_no_file_can_have_is_not_exported() {
        let folder = tempfile::tempdir().expect("a folder");
        let runs = Runs::open(&folder.path().join("kael.db")).expect("a store");
        let mut large = archive();
        large.output = vec![b'x'; crate::archive::MAX_PARTS as usize];
        let id = runs.import(large, true).expect("imported").run;
        let mut file = Vec::new();
        let refused = runs.export(id, &mut file).err();
        let Some(RunsError::TooLarge { what, .. }) = refused else {
            panic!("{refused:?}");
        };
        assert!(what.contains("output may have 4 MiB"), "{what}");
        assert!(file.is_empty());
    }
}
