//! What an operator does to the store of a server: copies of it, looks at it, and its return from a copy.

use std::io;
use std::path::{Path, PathBuf};

use kael_engine::confinement::Confinement;
use kael_store::{Copied, Integrity, Mode, Store, StoreError, Tx};
use serde_json::json;

use crate::api::submit::KEY_LIVES;
use crate::certificate::{self, Validity};
use crate::config::ServeConfig;
use crate::listen;
use crate::retention;
use crate::runner::ending::{self, Outcome};
use crate::serve::store_file;
use crate::tables::{audit, events, restore as forget, retention as kept, tenants};
use crate::tenant_settings::TenantSettings;
use crate::triggers::restored::pass_over;
use crate::walls;

/// The file with everything that a server with these settings keeps.
#[must_use]
pub fn store(config: &ServeConfig) -> PathBuf {
    store_file(&config.data)
}

/// Copies the store of a server, which may run, into a new file.
///
/// # Errors
/// When the file is there, or the store is not.
pub fn backup(config: &ServeConfig, to: &Path) -> Result<Copied, StoreError> {
    kael_store::backup(&store(config), to)
}

/// What a look at a store has found.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What SQLite says.
    pub file: Integrity,
    /// Runs that wait for their turn or their time, and that stand in no queue.
    pub stranded: u64,
}

/// Looks at the store of a server, which may run.
///
/// # Errors
/// When it cannot be opened.
pub fn check(config: &ServeConfig, thorough: bool) -> Result<Checked, StoreError> {
    let path = store(config);
    let file = kael_store::check(&path, thorough)?;
    let stranded = match file.mistakes.is_empty() {
        true => kael_store::peek(&path, kept::stranded)?,
        false => 0,
    };
    Ok(Checked {
        file,
        stranded: u64::try_from(stranded).unwrap_or(0),
    })
}

/// When the certificate of a server is valid, which must fit its key; none without TLS.
///
/// # Errors
/// What is wrong with its files.
pub fn certificate(config: &ServeConfig) -> io::Result<Option<Validity>> {
    let Some(tls) = &config.tls else {
        return Ok(None);
    };
    listen::acceptor(tls)?;
    certificate::validity(&tls.certificate).map(Some)
}

/// The tenants that may do something: those of the settings, and those that the store has.
///
/// # Errors
/// When there is a store that cannot be read.
pub fn tenants(config: &ServeConfig) -> Result<Vec<String>, StoreError> {
    let mut names: Vec<String> = match config.tenants.is_empty() {
        true => vec!["default".to_owned()],
        false => config
            .tenants
            .iter()
            .map(|(name, _)| name.clone())
            .collect(),
    };
    let path = store(config);
    if path.exists() {
        for row in kael_store::peek(&path, tenants::all)? {
            if !row.disabled && !names.contains(&row.name) {
                names.push(row.name);
            }
        }
    }
    Ok(names)
}

/// The newest time in the record of the store, in microseconds since 1970: the clock is behind if it is
/// less.
///
/// # Errors
/// When the store cannot be read.
pub fn newest(config: &ServeConfig) -> Result<Option<i64>, StoreError> {
    kael_store::peek(&store(config), kept::newest)
}

/// Why this machine does not hide from native actions what belongs to other tenants, if it does not.
pub async fn lacking_walls(confinement: Confinement) -> Option<String> {
    walls::lacking(confinement).await
}

/// What a store was restored to.
#[derive(Debug, Clone, Default)]
pub struct Restored {
    /// Runs that ran or waited in the copy: they are parked.
    pub begun: usize,
    /// Runs that had not begun: they are parked, too.
    pub not_begun: usize,
    /// Fires of schedules that were due in the copy, or waited: they are missed.
    pub missed: usize,
    /// Deliveries to subscriptions that were still to be made: they are held.
    pub held: usize,
    /// Tokens that are valid.
    pub tokens: usize,
    /// Where the store that was there is kept.
    pub replaced: Option<PathBuf>,
}

/// Puts a copy into the place of the store of a server that does not run. Nothing that the copy had
/// open goes on: what was queued in it has probably run since, so that only a person can know whether
/// it may run again. With `revoke`, all tokens are taken away.
///
/// # Errors
/// When the server runs, or the copy cannot be used. Nothing is changed then.
pub fn restore(config: &ServeConfig, from: &Path, revoke: bool) -> Result<Restored, StoreError> {
    let (mut restored, replaced) =
        kael_store::restore(from, &store(config), |tx| settle(tx, revoke))?;
    restored.replaced = replaced;
    Ok(restored)
}

fn settle(tx: &Tx<'_>, revoke: bool) -> Result<Restored, StoreError> {
    let mut restored = Restored {
        // First: what happens from here on is news.
        held: forget::hold_deliveries(tx)?,
        ..Restored::default()
    };
    for (run, had_begun) in forget::open_runs(tx)? {
        let (message, count) = match had_begun {
            true => (
                "the run had begun in the backup from which the server was restored, and may have gone on since",
                &mut restored.begun,
            ),
            false => (
                "the run was queued in the backup from which the server was restored: it may have run since",
                &mut restored.not_begun,
            ),
        };
        *count += 1;
        let hint = format!(
            "look for what it has done since; kael-host resume {run} lets it go on, and kael-host cancel {run} ends it"
        );
        let parked = Outcome::Parked {
            error: ending::problem("restored", message, Some(&hint)),
            usage: None,
        };
        parked.write(tx, &run)?;
        events::append(tx, &run, parked.kind(), &parked.event())?;
    }
    forget::drop_queues(tx)?;
    restored.missed = pass_over(tx, tx.now())?;
    forget::extend_keys(tx, tx.now() + KEY_LIVES)?;
    forget::drop_sessions(tx)?;
    if revoke {
        forget::drop_tokens(tx)?;
    }
    restored.tokens = crate::tables::tokens::list(tx, None)?.len();
    let detail = json!({
        "begun": restored.begun,
        "not_begun": restored.not_begun,
        "missed": restored.missed,
        "held": restored.held,
        "tokens_revoked": revoke,
    });
    audit::add(
        tx,
        None,
        "kael-host db restore",
        "store.restore",
        "",
        &detail,
    )?;
    Ok(restored)
}

/// What was removed from a store.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pruned {
    /// Runs whose output, calls and result are gone.
    pub outputs: u64,
    /// Runs that are gone.
    pub runs: u64,
}

/// Removes what is old from the store of a server that does not run. Settings of tenants are those of
/// the file, else those that the store has. With `vacuum`, the file becomes as small as it can be.
///
/// # Errors
/// When the server runs, or a setting is wrong.
pub async fn prune(config: &ServeConfig, vacuum: bool) -> Result<Pruned, StoreError> {
    let path = store(config);
    if !path.exists() {
        let source = std::io::ErrorKind::NotFound.into();
        return Err(StoreError::Open { path, source });
    }
    let store = Store::open(&path, Mode::Exclusive)?;
    let mut pruned = Pruned::default();
    for row in store.read(tenants::all).await? {
        let named = config.tenants.iter().find(|(name, _)| *name == row.name);
        let settings = match named {
            Some((_, settings)) => settings.clone(),
            None => serde_json::from_str::<TenantSettings>(&row.settings).unwrap_or_default(),
        };
        let wrong =
            |why| StoreError::Conflict(format!("the tenant `{}` is wrong: {why}", row.name));
        let keep = settings.keep().map_err(wrong)?;
        let removed = retention::prune(&store, row.id, keep).await?;
        pruned.outputs += removed.stripped;
        pruned.runs += removed.runs;
    }
    store.write(kael_runs::server::remove_repos).await?;
    drop(store);
    if vacuum {
        kael_store::vacuum(&path)?;
    }
    Ok(pruned)
}

#[cfg(test)]
mod tests;
